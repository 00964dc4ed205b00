"""What runs, what is skipped, who is asked, and how it ends."""

import pytest

from approvals.models import ApprovalRequest, Notice
from audit.refusals import Invalid
from orchestrator.engine.claims import claim_due
from orchestrator.engine.segment import begin
from orchestrator.engine.settle import settle_success
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.redeem import NotGranted, redeem
from orchestrator.gate.report import report
from orchestrator.operations import executions
from orchestrator.operations.by_hand import hand_in
from tests import signing, trail
from tests import worlds as make
from tests.engine.driving import (
    actions,
    an_hour_passes,
    approvals_lapse,
    approve,
    asked,
    attempts,
    claim,
    drive,
    hold,
    reject,
    statuses,
    step,
    two_hours_pass,
)
from tests.engine.provider import tool
from tests.engine.test_unknown_outcomes import say

HANDLERS = """
import time


def work(input, context):
    if input["name"] == "sleep":
        time.sleep(30)
    if input.get("breaks") == input["name"]:
        raise context.BusinessError("cannot be done")
    return {input["name"]: input.get("given", 0) + 1, "score": 1}


def look(arguments, context):
    return {}


def pay(arguments, context):
    return {"paid": arguments["amount"]}
"""
NAMED = [{"name": "clerk", "owner": "olga", "unit": "finance", "allowed_tools": [], "entry": "handlers:work",
          "input_schema": {"type": "object", "properties": {"name": {}, "given": {}, "breaks": {}}}}]  # fmt: skip


def agent(key, *more):
    """A step done by an agent that answers {key: given + 1}, or fails when told to."""
    return f"  - {key}: {{{', '.join(['agent: clerk', f'with: {{name: {key}}}', *more])}}}\n"


@pytest.fixture
def ended(world, publish):
    def ended(steps, head="", **input):
        publish(f"workflow: graph\nversion: 1.0.0\n{head}steps:\n{steps}", HANDLERS, agents=NAMED)
        execution = make.start(world, "graph", **input)
        drive(execution)
        return execution

    return ended


class TestBranches:
    DIAMOND = (
        agent("start")
        + agent("left", "needs: [start]")
        + agent("right", "needs: [start]")
        + agent("end", "needs: [left, right]")
    )

    def test_become_due_together_and_join(self, world, publish):
        publish(f"workflow: graph\nversion: 1.0.0\nsteps:\n{self.DIAMOND}", HANDLERS, agents=NAMED)
        execution = make.start(world, "graph")
        following = settle_success(begin(claim().fence), input={}, output={})
        other = claim_due(limit=5, worker="two")

        assert {following.step_id, other[0].step_id} == {step(execution, key).pk for key in ("left", "right")}
        assert len(other) == 1

    def test_that_end_well_let_what_joins_them_run_once(self, ended):
        execution = ended(self.DIAMOND)

        assert execution.status == "succeeded"
        assert attempts(execution, "end") == [("succeeded", "")]

    def test_that_fail_do_not_stop_each_other_but_what_joins_them(self, ended):
        execution = ended(self.DIAMOND, breaks="left")

        assert statuses(execution) == {
            "start": "success",
            "left": "business_error",
            "right": "success",
            "end": "skipped",
        }
        assert execution.status == "failed"
        assert "cannot be done" in execution.why


class TestWhen:
    STEPS = agent("first") + agent("often", "when: amount > 10") + agent("last")

    def test_holds(self, ended):
        head = "input: {type: object, properties: {amount: {type: integer}}}\n"
        assert statuses(ended(self.STEPS, head, amount=11)) == dict.fromkeys(("first", "often", "last"), "success")

    def test_does_not_hold_so_the_step_is_skipped_with_what_needs_only_it(self, ended):
        head = "input: {type: object, properties: {amount: {type: integer}}}\n"
        execution = ended(self.STEPS, head, amount=9)

        assert statuses(execution) == {"first": "success", "often": "skipped", "last": "skipped"}
        assert execution.status == "succeeded"

    def test_cannot_be_evaluated_so_the_step_fails(self, ended):
        head = "input: {type: object, properties: {amount: {type: integer}}}\n"
        execution = ended(self.STEPS, head)

        assert statuses(execution)["often"] == "business_error"
        assert execution.status == "failed"

    def test_cannot_be_evaluated_so_no_person_is_asked_to_do_what_perhaps_nobody_should(self, ended):
        head = "input: {type: object, properties: {amount: {type: integer}}}\n"
        steps = agent("first") + agent("often", "when: amount > 10", "on_error: route_to_human")
        execution = ended(steps, head)

        assert statuses(execution)["often"] == "business_error"
        assert (execution.status, ApprovalRequest.objects.exists()) == ("failed", False)


class TestOnError:
    def test_a_named_step_stands_in_and_what_follows_runs(self, ended):
        execution = ended(
            agent("draft", "on_error: simple") + agent("simple") + agent("send", "needs: [draft]"), breaks="draft"
        )

        assert statuses(execution) == {"draft": "business_error", "simple": "success", "send": "success"}
        assert execution.status == "succeeded"

    def test_a_named_step_stands_in_and_is_not_why_the_execution_fails_later(self, world, publish):
        handlers = HANDLERS.replace('if input.get("breaks") == input["name"]', 'if input["name"] in ("first", "last")')
        steps = agent("first", "on_error: other") + agent("other") + agent("last", "needs: [first]")
        publish(f"workflow: graph\nversion: 1.0.0\nsteps:\n{steps}", handlers, agents=NAMED)
        execution = make.start(world, "graph")
        drive(execution)

        assert statuses(execution) == {"first": "business_error", "other": "success", "last": "business_error"}
        assert execution.why == "last: cannot be done"

    def test_the_stand_in_is_skipped_when_nobody_needs_it(self, ended):
        execution = ended(agent("draft", "on_error: simple") + agent("simple") + agent("send", "needs: [draft]"))

        assert statuses(execution) == {"draft": "success", "simple": "skipped", "send": "success"}

    def test_a_person_takes_over(self, ended, world):
        execution = ended(agent("draft", "on_error: route_to_human"), breaks="draft")
        assert execution.status == "waiting"

        request = asked(execution)
        hand_in(
            request_id=request.pk, by=world.grace, voice=signing.voice(request, by=world.grace), result={"draft": 7}
        )
        drive(execution)

        assert execution.status == "succeeded"
        assert step(execution, "draft").output == {"draft": 7}

    def test_a_person_who_declines_to_take_over_fails_the_step(self, ended, world):
        execution = ended(agent("draft", "on_error: route_to_human"), breaks="draft")

        reject(asked(execution), world.grace)
        drive(execution)

        assert statuses(execution) == {"draft": "business_error"}
        assert execution.status == "failed"


class TestHumanIf:
    STEPS = "  - approve: {human_if: [amount > 500]}\n" + agent("go")
    HEAD = "input: {type: object, properties: {amount: {type: integer}}}\n"

    def test_does_not_hold_so_nobody_is_asked(self, ended):
        assert ended(self.STEPS, self.HEAD, amount=500).status == "succeeded"

    def test_holds_so_nothing_follows_before_a_person_approved(self, ended, world):
        execution = ended(self.STEPS, self.HEAD, amount=501)
        assert statuses(execution) == {"approve": "awaiting_approval", "go": "pending"}

        approve(asked(execution), world.grace)
        drive(execution)

        assert execution.status == "succeeded"

    def test_cannot_be_evaluated_so_a_person_is_asked(self, ended):
        execution = ended(self.STEPS, self.HEAD)

        assert statuses(execution) == {"approve": "awaiting_approval", "go": "pending"}
        assert "could not be evaluated" in asked(execution).reasons[0]

    def test_and_a_rejection_ends_the_execution(self, ended, world):
        execution = ended(self.STEPS, self.HEAD, amount=501)

        reject(asked(execution), world.grace)
        drive(execution)

        assert execution.status == "failed"
        assert statuses(execution) == {"approve": "business_error", "go": "skipped"}


class TestAnApprovalOfAStep:
    @pytest.fixture
    def signed(self, ended, world):
        """The first of two signatures was given; the execution waits for the second one."""
        execution = ended("  - first: {human_if: ['true']}\n  - second: {human_if: ['true'], needs: [first]}\n")
        request = asked(execution)
        approve(request, world.grace)
        drive(execution)
        return execution, request

    def test_is_used_by_letting_the_execution_go_on(self, signed):
        execution, request = signed

        request.refresh_from_db()
        assert statuses(execution) == {"first": "success", "second": "awaiting_approval"}
        assert request.status == "used"

    def test_neither_lapses_nor_is_withdrawn_with_what_follows(self, world, signed):
        execution, request = signed
        approvals_lapse()
        drive(execution)
        executions.cancel(execution_id=execution.pk, by=world.ada, why="not needed")

        request.refresh_from_db()
        assert request.status == "used"
        assert Notice.objects.filter(request=request, kind="decided").count() == 1


class TestATimeOut:
    def test_of_the_handler_is_a_failure_with_an_alert(self, ended):
        execution = ended(
            "  - run: {agent: clerk, with: {name: sleep}, timeout: 1s, retry: {max_attempts: 1, backoff: 1s}}\n"
        )

        assert attempts(execution, "run") == [("failed", "timeout")]
        assert trail.story(execution.pk).count("alert.timeout") == 1

    def test_of_the_other_side_is_a_failure_with_an_alert(self, world, governed, provider):
        governed("  - send: {tool: fetch, ref: R-1, timeout: 1s, retry: {max_attempts: 2, backoff: 1s}}\n")
        provider.plan("slow", "slow")
        execution = make.start(world, "outside")

        drive(execution)

        assert attempts(execution, "send") == [("failed", "timeout")] * 2
        assert execution.status == "dead_lettered"
        assert trail.story(execution.pk).count("alert.timeout") == 2


class TestAnEmptyResult:
    ROWS = {"type": "object", "properties": {"rows": {"type": "array", "minItems": 1}}}

    def test_where_some_was_promised_is_a_failure_with_an_alert(self, world, governed, provider):
        fetch = tool("B", name="fetch", effect="read", entry="handlers:read", probe=None, output_schema=self.ROWS)
        governed("  - send: {tool: fetch, ref: R-1, retry: {max_attempts: 3, backoff: 1s}}\n", tools=[fetch])
        provider.plan("empty", "empty")
        provider.record = {"rows": [1]}
        execution = make.start(world, "outside")

        drive(execution)

        assert attempts(execution, "send") == [("failed", "empty_result")] * 2 + [("succeeded", "")]
        assert trail.story(execution.pk).count("alert.empty_result") == 2

    def test_of_a_write_is_not_repaired_by_asking_the_record_again(self, world, governed, provider):
        promised = {"type": "object", "properties": {"ref": {"type": "string", "minLength": 1}}}
        governed("  - send: {tool: send_a, ref: R-1, retry: {max_attempts: 3, backoff: 1s}}\n",
                 tools=[tool("A", output_schema=promised)])  # fmt: skip
        provider.plan("empty")
        execution = make.start(world, "outside")

        drive(execution)

        assert attempts(execution, "send") == [("failed", "empty_result")] * 3
        assert execution.status == "dead_lettered"
        assert len(provider.sends) == 1


class TestAnOutputThatAStepPromises:
    """In place of its tool's contract."""

    STEP = "  - send: {tool: send_b, ref: R-1, output: {type: object, required: [receipt]}, retry: {max_attempts: 1}}\n"

    def test_is_asked_of_the_tool(self, world, governed, provider):
        governed(self.STEP)
        execution = make.start(world, "outside")
        drive(execution)

        assert attempts(execution, "send") == [("failed", "output_schema")]
        assert "send_b took effect, but the output does not fit its schema" in execution.dead_letters.get().message
        assert provider.effects == ["R-1"]

    def test_is_asked_of_its_books_and_of_whoever_says_what_happened(self, world, governed, provider):
        governed(self.STEP.replace("max_attempts: 1", "max_attempts: 3"))
        provider.plan("drop")
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}
        execution = make.start(world, "outside")
        drive(execution)

        assert statuses(execution) == {"send": "unknown_outcome"}
        with pytest.raises(Invalid):
            say(execution, world.ada, "happened", result={"ref": "R-1"})
        say(execution, world.ada, "happened", result={"receipt": "4711"})
        drive(execution)
        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])

    def test_is_asked_of_whoever_gives_the_result_in_the_tools_place(self, world, governed, provider):
        governed(self.STEP.replace("send_b", "unsafe").replace("[receipt]}", "[receipt]}, non_empty: [receipt]"))
        execution = make.start(world, "outside")
        drive(execution)
        request = asked(execution)

        def give(**result):
            voice = signing.voice(request, "duplicate", by=world.grace)
            answer_instead(request_id=request.pk, by=world.grace, voice=voice, result=result)

        for unfit in ({"ref": "R-1"}, {"receipt": ""}):
            with pytest.raises(Invalid):
                give(**unfit)
        give(receipt="by hand")
        drive(execution)
        assert (execution.status, provider.effects) == ("succeeded", [])

    def test_takes_the_place_of_what_the_tool_promises(self, world, governed, provider):
        promises = tool("B", output_schema={"type": "object", "required": ["receipt"]})
        governed("  - send: {tool: send_b, ref: R-1, output: {type: object}}\n", tools=[promises])
        execution = make.start(world, "outside")
        drive(execution)

        assert (execution.status, step(execution, "send").output) == ("succeeded", {"ref": "R-1"})


class TestADeadline:
    def test_that_passes_ends_the_execution_wherever_it_stands(self, ended):
        execution = ended("  - approve: {human_if: ['true']}\n" + agent("go"), "deadline: 1s\n")
        make.wait_until(lambda: drive(execution) or execution.status == "timed_out")

        assert statuses(execution) == {"approve": "cancelled", "go": "cancelled"}
        assert ApprovalRequest.objects.get().status == "withdrawn"

    @pytest.mark.parametrize("on_error", ["fail", "route_to_human", "other"])
    def test_that_has_passed_lets_no_step_begin_and_nobody_stand_in(self, world, publish, on_error):
        """The worker may see it before the sweep does."""
        other = agent("other") if on_error == "other" else ""
        steps = agent("go", f"on_error: {on_error}") + other
        publish(f"workflow: graph\nversion: 1.0.0\ndeadline: 1h\nsteps:\n{steps}", HANDLERS, agents=NAMED)
        execution = make.start(world, "graph")
        two_hours_pass(execution)
        make.work()
        execution.refresh_from_db()

        assert (execution.status, execution.why) == ("timed_out", "the deadline has passed")
        assert set(statuses(execution).values()) == {"cancelled"}
        assert attempts(execution, "go") == [("released", "")]
        assert not ApprovalRequest.objects.exists()
        assert "alert.fallback" not in trail.story(execution.pk)


class TestCancel:
    def test_ends_what_waits_and_withdraws_the_question(self, ended, world):
        execution = ended("  - approve: {human_if: ['true']}\n" + agent("go"))
        request = asked(execution)

        executions.cancel(execution_id=execution.pk, by=world.ada, why="not needed")
        drive(execution)

        request.refresh_from_db()
        assert (execution.status, request.status) == ("cancelled", "withdrawn")
        assert statuses(execution) == {"approve": "cancelled", "go": "cancelled"}

    def test_takes_the_lease_from_whoever_is_at_work(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "send_a")

        executions.cancel(execution_id=execution.pk, by=world.ada, why="not needed")

        with pytest.raises(NotGranted, match="withdrawn"):
            redeem(action_id=action.pk, by=make.SETUP, fence=segment.fence)
        drive(execution)
        assert execution.status == "cancelled"
        assert provider.sends == []

    def test_of_what_was_just_sent_keeps_the_answer_that_still_comes(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "send_a")
        redeem(action_id=action.pk, by=make.SETUP, fence=segment.fence)
        executions.cancel(execution_id=execution.pk, by=world.ada, why="not needed")

        report(action_id=action.pk, fence=segment.fence, outcome="success", by=make.SETUP, result={"ref": "R-1"})

        assert actions(execution)[0].status == "succeeded"

    def test_of_what_was_just_sent_becomes_a_question_when_no_answer_comes_within_the_hour(
        self, world, governed, provider
    ):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "send_a")
        redeem(action_id=action.pk, by=make.SETUP, fence=segment.fence)
        executions.cancel(execution_id=execution.pk, by=world.ada, why="not needed")
        drive(execution)
        assert actions(execution)[0].status == "redeemed"

        an_hour_passes(segment.fence)
        drive(execution)

        assert actions(execution)[0].status == "unknown"


class TestANumberThatNoRecordKeeps:
    """PostgreSQL gives 1e17 back as a whole number, which no digest takes: nobody could sign for what comes next."""

    def test_given_by_a_step_fails_that_step_before_anybody_is_asked(self, world, publish):
        handlers = HANDLERS.replace('"score": 1}', '"score": 1e17}')
        publish(
            f"workflow: graph\nversion: 1.0.0\nsteps:\n{agent('first')}  - sign: {{required: 1}}\n",
            handlers,
            agents=NAMED,
        )
        execution = make.start(world, "graph")
        drive(execution)

        assert statuses(execution) == {"first": "dead_letter", "sign": "pending"}
        assert attempts(execution, "first") == [("failed", "bug")]
        assert "a number is beyond 2^53; send it as text" in execution.dead_letters.get().message

    def test_reckoned_for_a_step_fails_it_with_the_name_of_the_argument(self, ended):
        execution = ended(agent("first", 'given: "${9007199254740992 * 2 + 1}"'))

        assert statuses(execution) == {"first": "business_error"}
        assert "`given` has no value" in execution.why
        assert "a number beyond 2^53" in execution.why
