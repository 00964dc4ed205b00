"""What exhausted its tries is somebody's: seen, redriven under the same key, closed only by success."""

import pytest

from audit.models import AuditEvent
from audit.refusals import Refusal, Stale
from orchestrator.engine.claims import claim_due
from orchestrator.engine.retries import Failure
from orchestrator.engine.settle import settle_failure
from orchestrator.gate.redeem import redeem
from orchestrator.operations import bulk_letters, dead_letters
from orchestrator.operations.registry import import_tools
from orchestrator.queries.dead_letters import letter_page
from orchestrator.queries.operations import operation_page
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import actions, approve, asked, attempts, claim, drive, hold, statuses, two_hours_pass

SEND = "  - send: {tool: send_a, ref: R-1, retry: {max_attempts: 2, backoff: 1s}}\n"

BRANCH = "  - {key}: {{tool: {tool}, needs: [], ref: {key}, retry: {{max_attempts: 1}}}}\n"
TWO_WAYS = """
  - pay: {tool: send_a, ref: by-wire, on_error: pay2, retry: {max_attempts: 1}}
  - pay2: {tool: send_b, ref: by-cheque}
  - tell: {tool: unsafe, needs: [pay], ref: told}
"""


@pytest.fixture
def dead(world, governed, provider):
    """An execution whose send was turned away until its tries were used up."""
    governed(SEND)
    provider.plan("down", "down")
    execution = make.start(world, "outside")
    drive(execution)
    assert execution.status == "dead_lettered"
    return execution


class TestARedrive:
    def test_keeps_the_key_and_closes_the_letter_on_success(self, world, dead, provider):
        letter = dead_letters.requeue(letter_id=dead.dead_letters.get().pk, by=world.ada)
        assert letter.status == "redriven"

        drive(dead)

        letter.refresh_from_db()
        assert (dead.status, letter.status) == ("succeeded", "fixed")
        assert len({key for key, _ in provider.sends}) == 1
        assert provider.effects == ["R-1"]

    def test_that_fails_again_has_fresh_tries_and_the_same_letter(self, world, dead, provider):
        provider.plan("down", "down")
        dead_letters.requeue(letter_id=dead.dead_letters.get().pk, by=world.ada)

        drive(dead)

        letter = dead.dead_letters.get()
        assert (letter.status, letter.attempts) == ("open", 4)
        assert attempts(dead, "send") == [("failed", "system")] * 4
        assert dead.status == "dead_lettered"

    def test_of_two_people_is_one(self, world, dead):
        letter = dead.dead_letters.get()
        dead_letters.requeue(letter_id=letter.pk, by=world.ada)

        with pytest.raises(Stale):
            dead_letters.requeue(letter_id=letter.pk, by=world.ada)

    def test_looks_up_a_send_that_may_have_happened(self, world, governed, provider):
        governed(SEND)
        provider.plan("drop", "drop")
        execution = make.start(world, "outside")
        make.work()
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}

        drive(execution)

        assert execution.status == "succeeded"
        assert len(provider.sends) == 1

    def test_looks_up_what_an_attempt_that_broke_in_between_may_have_sent(self, world, governed, provider):
        governed(SEND)
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "send_a")
        redeem(action_id=action.pk, by=make.SETUP, fence=segment.fence)
        settle_failure(segment, Failure("bug", "the engine broke after sending"))
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}

        dead_letters.requeue(letter_id=execution.dead_letters.get().pk, by=world.ada)
        drive(execution)

        assert execution.status == "succeeded"
        assert provider.sends == []


class TestManyAtOnce:
    @pytest.mark.parametrize(("tool", "size"), [("send_a", 1), ("send_b", 1), ("send_c", 0)])
    def test_leave_out_what_only_a_person_can_say_happened(self, world, governed, provider, tool, size):
        governed(SEND.replace("send_a", tool).replace("max_attempts: 2, backoff: 1s", "max_attempts: 1"))
        provider.plan("drop")
        execution = make.start(world, "outside")
        make.work()
        letter = execution.dead_letters.get()

        operation = bulk_letters.preview(act="redrive", group_id=letter.group_id, by=world.ada)

        assert operation.size == size
        if not size:
            words = f"{tool} was sent and no answer came. Say first what happened to it."
            assert operation.items.get().why == words
        given_up = bulk_letters.preview(act="discard", group_id=letter.group_id, by=world.ada)
        assert given_up.size == 0

    def test_leave_out_a_send_to_a_tool_that_was_replaced_since(self, world, governed, provider):
        """Both versions honour their key, and nobody relies on it any more: the step would only wait for a person."""
        alone = providers.tool("A", probe=None)
        governed(SEND.replace("max_attempts: 2, backoff: 1s", "max_attempts: 1"), tools=[alone])
        provider.plan("drop")
        execution = make.start(world, "outside")
        make.work()
        letter = execution.dead_letters.get()
        import_tools([{**alone, "version": "2"}], by=make.SETUP, file="newer")

        operation = bulk_letters.preview(act="redrive", group_id=letter.group_id, by=world.ada)

        assert operation.size == 0
        assert [key.kind for key in operation_page(world.ada, operation.pk).keys] == ["B"]
        dead_letters.requeue(letter_id=letter.pk, by=world.ada)
        drive(execution)
        assert (statuses(execution), len(provider.sends)) == ({"send": "unknown_outcome"}, 1)


class TestAStepThatHasAFallback:
    @pytest.fixture
    def replaced(self, world, governed, provider):
        """Its step was turned away; the fallback is due, and nobody has begun it."""
        governed(TWO_WAYS)
        provider.plan("down")
        execution = make.start(world, "outside")
        make.run(claim().fence)
        return execution

    def test_is_not_redriven_beside_it(self, world, replaced, provider):
        letter = replaced.dead_letters.get()

        operation = bulk_letters.preview(act="redrive", group_id=letter.group_id, by=world.ada)
        with pytest.raises(Stale, match="pay2 stands in for it"):
            dead_letters.requeue(letter_id=letter.pk, by=world.ada)

        assert operation.size == 0
        assert "pay2 stands in for it" in operation.items.get().why
        assert "pay2 stands in for it" in letter_page(world.ada, letter.pk).against
        drive(replaced)
        assert provider.effects == ["by-cheque"]

    def test_asks_nobody_any_more_once_it_did_the_work(self, replaced):
        make.run(claim().fence)

        letter = replaced.dead_letters.get()
        assert statuses(replaced) == {"pay": "dead_letter", "pay2": "success", "tell": "awaiting_approval"}
        assert (letter.status, AuditEvent.objects.get(event="dead_letter.ended").why) == (
            "ended",
            "pay2 stood in for it",
        )


class TestAnExecutionThatFailed:
    @pytest.fixture
    def failed(self, world, governed, provider):
        """One branch was refused for good; the other one, which needs a signature, could not read its record."""
        governed(BRANCH.format(key="bad", tool="send_a") + BRANCH.format(key="dead", tool="unsafe"))
        provider.plan("refuse", "down")
        execution = make.start(world, "outside")
        drive(execution)
        assert statuses(execution) == {"bad": "business_error", "dead": "dead_letter"}
        return execution

    def test_leaves_no_letter_that_asks_for_an_act(self, failed):
        assert failed.status == "failed"
        assert failed.dead_letters.get().status == "ended"
        assert AuditEvent.objects.get(event="dead_letter.ended").why == "its execution ended: failed"

    def test_does_nothing_more(self, world, failed, provider):
        letter = failed.dead_letters.get()

        chosen = {"act": "redrive", "group_id": letter.group_id, "by": world.ada, "letter_ids": [letter.pk]}
        operation = bulk_letters.preview(**chosen)
        with pytest.raises(Stale):
            dead_letters.requeue(letter_id=letter.pk, by=world.ada)

        drive(failed)
        assert operation.size == 0
        assert statuses(failed)["dead"] == "dead_letter"
        assert provider.effects == []


class TestAnExecutionThatIsLate:
    @pytest.fixture
    def late(self, world, governed, provider):
        """Dead-lettered in time; nobody looked at it before its deadline."""
        governed(SEND, head="deadline: 2h\n")
        provider.plan("down", "down")
        execution = make.start(world, "outside")
        drive(execution)
        two_hours_pass(execution)
        return execution

    def test_is_not_redriven_and_keeps_its_letter(self, world, late, provider):
        letter = late.dead_letters.get()

        operation = bulk_letters.preview(act="redrive", group_id=letter.group_id, by=world.ada)
        with pytest.raises(Stale, match="deadline of its execution has passed"):
            dead_letters.requeue(letter_id=letter.pk, by=world.ada)

        assert (operation.size, operation.items.get().why) == (
            0,
            "The deadline of its execution has passed. Start it anew.",
        )
        drive(late)
        letter.refresh_from_db()
        assert (late.status, letter.status, len(provider.sends)) == ("dead_lettered", "open", 2)

    def test_can_be_given_up(self, world, late):
        letter = late.dead_letters.get()
        given_up = bulk_letters.preview(act="discard", group_id=letter.group_id, by=world.ada)
        assert given_up.size == 1


class TestADiscard:
    @pytest.fixture
    def branches(self, world, governed, provider):
        """Two branches are dead letters, the third one waits for a signature."""
        tools = {"a": "send_a", "b": "send_b", "c": "unsafe"}
        governed("".join(BRANCH.format(key=key, tool=tool) for key, tool in tools.items()))
        provider.plan("down", "down")
        execution = make.start(world, "outside")
        drive(execution)
        assert statuses(execution) == {"a": "dead_letter", "b": "dead_letter", "c": "awaiting_approval"}
        return execution

    def test_ends_the_execution_with_its_reason(self, world, dead, provider):
        dead_letters.discard(letter_id=dead.dead_letters.get().pk, by=world.ada, code="done_by_hand")

        drive(dead)

        assert dead.status == "cancelled"
        assert statuses(dead) == {"send": "cancelled"}
        assert actions(dead)[0].status == "failed"

    def test_cancels_what_else_its_execution_would_do(self, world, branches, provider):
        waits = asked(branches)
        dead_letters.discard(letter_id=branches.dead_letters.get(step__key="a").pk, by=world.ada, code="done_by_hand")

        with pytest.raises(Refusal):
            approve(waits, world.grace)
        drive(branches)

        assert branches.status == "cancelled"
        assert statuses(branches) == dict.fromkeys("abc", "cancelled")
        assert provider.effects == []

    def test_leaves_no_other_letter_that_nobody_can_redrive(self, world, branches):
        dead_letters.discard(letter_id=branches.dead_letters.get(step__key="a").pk, by=world.ada, code="done_by_hand")

        drive(branches)

        assert dict(branches.dead_letters.values_list("step__key", "status")) == {"a": "discarded", "b": "ended"}

    def test_takes_the_lease_from_a_branch_that_is_at_work(self, world, governed, provider):
        governed("".join(BRANCH.format(key=key, tool=tool) for key, tool in (("a", "send_a"), ("send", "send_b"))))
        provider.plan("down")
        execution = make.start(world, "outside")
        make.run(claim_due(limit=1, worker="one")[0].fence)
        segment, action = hold(world, execution, "send_b")

        dead_letters.discard(letter_id=execution.dead_letters.get().pk, by=world.ada, code="done_by_hand")

        with pytest.raises(Refusal):
            redeem(action_id=action.pk, by=make.SETUP, fence=segment.fence)
        drive(execution)
        assert (execution.status, actions(execution)[-1].status) == ("cancelled", "withdrawn")
        assert provider.effects == []
