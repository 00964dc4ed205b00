"""What a workflow may use is a limit, and what it used is in the books, whatever became of the run."""

from decimal import Decimal

import pytest

from budgets.models import LedgerEntry
from budgets.operations import correct, spent
from orchestrator.engine import calls
from orchestrator.engine.claims import claim_due
from orchestrator.engine.segment import begin
from orchestrator.engine.sweep import sweep
from orchestrator.engine.workers.crew import run_to_its_end
from orchestrator.gate.edit import edit
from orchestrator.gate.redeem import void_granted
from orchestrator.models import Action, Attempt, Execution
from orchestrator.operations import executions
from orchestrator.operations.registry import import_tools
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import actions, approve, asked, attempts, drive, lapse, statuses
from tests.engine.test_unknown_outcomes import say

HANDLERS = """
import os
import time


def pay(arguments, context):
    return {}


def look(arguments, context):
    context.usage(model="tool-model", input_tokens=3)
    return {}


def work(input, context):
    told = input.get("usage") or [{}]
    for line in told:
        context.usage(**line)
    time.sleep(input.get("sleeps", 0))
    if input.get("dies"):
        os._exit(3)
    try:
        for tool in input.get("tools", []):
            context.call(tool, {"amount": 1} if tool == "pay" else {})
    finally:
        time.sleep(input.get("lingers", 0))
    if input.get("fails"):
        raise context.SystemError("down")
    return {"score": input.get("score", 1)}
"""
PAY = """

def pay(arguments, context):
    return {"paid": arguments["amount"]}
"""
CHEAP = {"model": "small", "input_tokens": 60, "output_tokens": 40, "cost": "0.25", "currency": "EUR"}
ANYTHING = {
    "type": "object",
    "properties": {key: {} for key in ("usage", "tools", "fails", "score", "sleeps", "dies", "lingers")},
}
FREE = [{"name": "clerk", "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": "handlers:work",
         "input_schema": ANYTHING}]  # fmt: skip


def ended(world, publish, *, head="", step="", steps=None, **input):
    publish(
        f"workflow: capped\nversion: 1.0.0\n{head}steps:\n"
        + (steps or f"  - run: {{agent: clerk, retry: {{max_attempts: 2, backoff: 1s}}{step}}}\n"),
        HANDLERS, agents=FREE,
    )  # fmt: skip
    execution = make.start(world, "capped", **input)
    drive(execution)
    return execution


def books():
    return [
        (line.model, line.amount, line.input_tokens, line.output_tokens) for line in LedgerEntry.objects.order_by("at")
    ]


class TestWhoeverStarts:
    def begun(self, world, publish, envelope, handlers=HANDLERS, **input):
        publish("workflow: capped\nversion: 1.0.0\nsteps:\n  - run: {agent: clerk}\n", handlers, agents=FREE)
        execution = executions.start(
            workflow="capped", input=input, unit=world.unit.name, by=world.ada, envelope=envelope
        )
        drive(execution)
        return execution

    def test_may_allow_fewer_tools_than_the_workflow(self, world, publish):
        execution = self.begun(world, publish, {"allowed_actions": ["pay"]}, tools=["look"])

        assert execution.steps.get().why == "Whoever started this does not allow the tool look."

    @pytest.mark.parametrize(("most", "made"), [(0, 0), (2, 2), (3, 3)])
    def test_may_allow_so_many_calls(self, world, publish, most, made):
        execution = self.begun(world, publish, {"tool_budget": most}, tools=["look"] * 3)

        assert Action.objects.filter(execution_id=execution.pk).count() == made
        assert execution.status == ("succeeded" if most == 3 else "dead_lettered")

    def test_may_allow_one_call_that_is_asked_again(self, world, publish):
        """What people approved and let lapse is the same call, not another one."""
        execution = self.begun(world, publish, {"tool_budget": 1}, tools=["pay"])
        approve(asked(execution), world.grace)
        void_granted(action_id=Action.objects.get().pk, by=make.SETUP, why="the record changed")

        drive(execution)

        assert [one.status for one in Action.objects.order_by("created_at")] == ["void", "held"]

    @pytest.mark.parametrize(
        ("condition", "why"),
        [
            ("tool.name == 'look' && execution.workflow == 'capped'", ""),
            ("args.sum > 5", ' (it could not be evaluated, so the stricter branch applies: there is no "sum")'),
        ],
    )
    def test_may_want_people_asked_where_nobody_would_be(self, world, publish, condition, why):
        execution = self.begun(world, publish, {"approval_conditions": [condition]}, tools=["look"])

        held = Action.objects.get()
        assert (held.status, held.required, held.tier) == ("held", 1, "customer_facing")
        assert held.reasons == [f"Whoever started this wants a person asked where “{condition}”{why}"]
        assert held.policy_version == "tier informational, envelope"
        approve(asked(execution), world.grace)
        drive(execution)
        assert Execution.objects.get().status == "succeeded"

    def test_has_a_person_asked_where_it_was_stored_with_a_condition_that_is_none(self, world, publish):
        publish("workflow: capped\nversion: 1.0.0\nsteps:\n  - run: {agent: clerk}\n", HANDLERS, agents=FREE)
        execution = make.start(world, "capped", tools=["look"])
        Execution.objects.filter(pk=execution.pk).update(envelope={"approval_conditions": ["amount >"]})

        drive(execution)

        held = Action.objects.get()
        assert (held.status, held.required) == ("held", 1)
        assert "it could not be evaluated, so the stricter branch applies" in held.reasons[0]

    def test_may_want_nobody_asked_less(self, world, publish):
        self.begun(world, publish, {"approval_conditions": ["args.amount == 1"]}, tools=["pay"])

        without = self.begun(world, publish, {"approval_conditions": ["args.amount == 2"]}, tools=["pay"])

        with_it, as_ever = Action.objects.order_by("created_at")
        assert with_it.required == as_ever.required == 1
        assert with_it.reasons == [
            *as_ever.reasons,
            "Whoever started this wants a person asked where “args.amount == 1”",
        ]
        assert as_ever.execution_id == without.pk

    def test_may_want_people_asked_about_what_a_reviewer_makes_of_the_call(self, world, publish):
        """The condition is asked again about the edited arguments, and adds nobody to those who are asked already."""
        execution = self.begun(world, publish, {"approval_conditions": ["args.amount == 2"]}, tools=["pay"])
        request = asked(execution)

        edit(request_id=request.pk, by=world.grace, digest=request.digest, revision=1, arguments={"amount": 2})

        assert Action.objects.get().policy_version.endswith("envelope")

    def test_may_allow_one_call_that_two_branches_want_at_once(self, world, publish, monkeypatch):
        two = "".join(f"  - {key}: {{agent: clerk, needs: []}}\n" for key in ("one", "two"))
        publish(f"workflow: capped\nversion: 1.0.0\nsteps:\n{two}", HANDLERS, agents=FREE)
        execution = executions.start(
            workflow="capped",
            input={"tools": ["look"]},
            unit=world.unit.name,
            by=world.ada,
            envelope={"tool_budget": 1},
        )
        fences = [claimed.fence for claimed in claim_due(limit=2, worker="one")]
        judge = calls.judge

        def judge_slowly(**given):
            """Meanwhile the other branch has its whole turn."""
            while fences:
                make.run(fences.pop())
            return judge(**given)

        monkeypatch.setattr(calls, "judge", judge_slowly)
        make.run(fences.pop())
        drive(execution)

        assert Action.objects.filter(execution_id=execution.pk).count() == 1
        assert sorted(statuses(execution).values()) == ["dead_letter", "success"]

    def test_counts_a_call_that_a_reviewer_edited(self, world, publish):
        execution = self.begun(world, publish, {"tool_budget": 1}, HANDLERS + PAY, tools=["pay", "look"])
        request = asked(execution)
        edit(request_id=request.pk, by=world.grace, digest=request.digest, revision=request.revision,
             arguments={"amount": 2})  # fmt: skip
        approve(asked(execution), world.linus)

        drive(execution)

        assert [(one.tool, one.status) for one in actions(execution)] == [("pay", "succeeded")]


class TestMoney:
    def test_that_was_unknown_and_is_corrected_is_known_to_the_cap(self, world, publish):
        """Otherwise nothing but starting anew would help."""
        publish(
            "workflow: capped\nversion: 1.0.0\nmax_cost: 1\nsteps:\n  - run: {agent: clerk}\n", HANDLERS, agents=FREE
        )
        execution = make.start(world, "capped", usage=[{"model": "nobody-knows", "input_tokens": 5}])
        drive(execution)
        line = LedgerEntry.objects.get()
        correct(line, to=Decimal("0.30"), why="the invoice", by=world.ada, currency=world.unit.currency)

        assert [(one.cost, one.currency) for one in spent(execution.pk)] == [
            (Decimal(0), "EUR"), (Decimal("0.30"), "EUR"),
        ]  # fmt: skip


class TestUsage:
    def test_is_charged_call_by_call(self, world, publish):
        ended(world, publish, usage=[CHEAP, CHEAP, {"model": "large", "input_tokens": 5}])

        one = ("small", Decimal("0.25"), 60, 40)
        assert books() == [one, one, ("large", None, 5, 0)]

    def test_is_charged_when_the_handler_takes_too_long(self, world, publish):
        ended(world, publish, usage=[CHEAP], sleeps=5, step=", timeout: 1s")

        assert [amount for _, amount, *_ in books()] == [Decimal("0.25")] * 2

    def test_is_charged_when_the_handler_does_not_come_back(self, world, publish):
        ended(world, publish, usage=[CHEAP, CHEAP], dies=True)

        assert len(books()) == 4

    def test_is_charged_when_the_run_is_held_and_unwinds_slowly(self, world, publish):
        ended(world, publish, usage=[CHEAP], tools=["pay"], lingers=0.5)

        assert len(books()) == 1

    def test_is_charged_when_the_lease_was_lost_meanwhile(self, world, publish):
        """Somebody else has the step, and does it again; what this run used is on the bill all the same."""
        publish("workflow: capped\nversion: 1.0.0\nsteps:\n  - run: {agent: clerk}\n", HANDLERS, agents=FREE)
        make.start(world, "capped", usage=[CHEAP], tools=["pay"])
        (claim,) = claim_due(limit=1, worker="one")
        segment = begin(claim.fence)
        lapse(claim.fence)
        sweep()

        run_to_its_end(segment)

        assert len(books()) == 1

    def test_may_name_a_prompt_that_no_file_can_have(self, world, publish):
        execution = ended(world, publish, usage=[CHEAP | {"prompt": "\u6f22" * 100}])

        assert (execution.status, len(books())) == ("succeeded", 1)

    def test_of_a_failed_attempt_is_charged_as_well(self, world, publish):
        execution = ended(world, publish, usage=[CHEAP], fails=True)

        assert execution.status == "dead_lettered"
        assert [line[0] for line in books()] == ["small", "small"]

    def test_of_a_tool_stands_with_its_action(self, world, publish):
        ended(world, publish, tools=["look"])

        line = LedgerEntry.objects.get(model="tool-model")
        assert (line.tool, line.input_tokens, line.action_id is not None) == ("look", 3, True)

    def test_of_one_step_lets_the_next_begin_like_any_other(self, world, publish):
        """A try that has not begun is given back uncounted when its worker dies: one that runs has to have begun."""
        steps = "  - run: {agent: clerk}\n  - again: {agent: clerk, needs: [run]}\n"

        execution = ended(world, publish, steps=steps, usage=[CHEAP])

        assert execution.status == "succeeded"
        assert not Attempt.objects.filter(execution_id=execution.pk, started_at=None).exists()


class TestACapThatTheFirstSendHasMet:
    """Whether it happened is looked up all the same: that uses nothing."""

    FEE = 'def send(arguments, context):\n    context.usage(model="fee", cost="1", currency="EUR")\n'

    def begun(self, world, governed, provider, kind, happened):
        handlers = providers.HANDLERS.replace("def send(arguments, context):\n", self.FEE)
        governed(f"  - send: {{tool: send_{kind}, ref: R-1}}\n", handlers, head="max_cost: 1\n")
        provider.plan("drop" if happened else "vanish")
        provider.finding = {"happened": "yes" if happened else "no", "result": {"ref": "R-1"}}
        execution = make.start(world, "outside")
        drive(execution)
        return execution

    @pytest.mark.parametrize("kind", ["a", "b"])
    def test_ends_well_where_the_books_know_it(self, world, governed, provider, kind):
        execution = self.begun(world, governed, provider, kind, happened=True)

        assert (execution.status, len(provider.sends)) == ("succeeded", 1)

    def test_ends_well_where_a_person_knows_it(self, world, governed, provider):
        execution = self.begun(world, governed, provider, "c", happened=True)
        assert statuses(execution) == {"send": "unknown_outcome"}
        say(execution, world.ada, "happened", result={"ref": "R-1"})
        drive(execution)

        assert (execution.status, len(provider.sends)) == ("succeeded", 1)

    def test_lets_nothing_be_sent_again(self, world, governed, provider):
        execution = self.begun(world, governed, provider, "a", happened=False)

        assert (statuses(execution), len(provider.sends)) == ({"send": "dead_letter"}, 1)
        assert "the workflow's cap is 1" in execution.dead_letters.get().message


class TestACap:
    def test_on_the_tokens_of_a_step_ends_it_without_a_retry(self, world, publish):
        execution = ended(world, publish, step=", token_budget: 99", usage=[CHEAP])

        assert attempts(execution, "run") == [("failed", "budget")]
        assert execution.status == "dead_lettered"
        assert "100 tokens used; the step's budget is 99" in execution.why + execution.dead_letters.get().message

    def test_that_is_just_met_is_not_broken(self, world, publish):
        assert ended(world, publish, step=", token_budget: 100, max_cost: 0.25", usage=[CHEAP]).status == "succeeded"

    def test_on_the_cost_of_a_step(self, world, publish):
        execution = ended(world, publish, step=", max_cost: 0.24", usage=[CHEAP])

        assert attempts(execution, "run") == [("failed", "budget")]

    def test_on_cost_does_not_take_an_unknown_cost_for_nothing(self, world, publish):
        execution = ended(world, publish, step=", max_cost: 10", usage=[{"model": "m", "input_tokens": 1}])

        assert attempts(execution, "run") == [("failed", "budget")]
        assert "unknown" in execution.dead_letters.get().message

    def test_on_cost_names_the_currency_of_a_call_that_is_not_the_units(self, world, publish):
        execution = ended(world, publish, step=", max_cost: 10", usage=[CHEAP | {"currency": "USD"}])

        assert attempts(execution, "run") == [("failed", "budget")]
        words = "A call was paid in USD, and the step's cap counts EUR, its unit's currency: it cannot be kept."
        assert words in execution.dead_letters.get().message

    def test_on_all_tokens_stops_the_step_that_would_go_beyond(self, world, publish):
        two = "  - one: {agent: clerk}\n  - two: {agent: clerk}\n"
        execution = ended(world, publish, head="max_tokens: 100\n", steps=two, usage=[CHEAP])

        assert statuses(execution) == {"one": "success", "two": "dead_letter"}
        assert len(books()) == 1

    def test_on_all_tokens_stops_nobody_from_asking_people(self, world, publish):
        steps = "  - one: {agent: clerk}\n  - sign: {required: 1}\n"
        execution = ended(world, publish, head="max_tokens: 100\n", steps=steps, usage=[CHEAP])

        assert statuses(execution) == {"one": "success", "sign": "awaiting_approval"}

    def test_on_all_cost(self, world, publish):
        two = "  - one: {agent: clerk}\n  - two: {agent: clerk}\n"
        execution = ended(world, publish, head="max_cost: 0.49\n", steps=two, usage=[CHEAP])

        assert statuses(execution) == {"one": "success", "two": "dead_letter"}

    def test_on_steps_lets_that_many_run(self, world, publish):
        three = "".join(f"  - {key}: {{agent: clerk}}\n" for key in ("one", "two", "three"))
        execution = ended(world, publish, head="max_steps: 2\n", steps=three)

        assert statuses(execution) == {"one": "success", "two": "success", "three": "dead_letter"}

    @pytest.mark.parametrize("handed_out", [slice(None), slice(None, None, -1)])
    def test_on_steps_lets_that_many_run_of_those_that_are_claimed_together(self, world, publish, handed_out):
        two = "".join(f"  - {key}: {{agent: clerk, needs: []}}\n" for key in ("one", "two"))
        publish(f"workflow: capped\nversion: 1.0.0\nmax_steps: 1\nsteps:\n{two}", HANDLERS, agents=FREE)
        execution = make.start(world, "capped")

        segments = [begin(claimed.fence) for claimed in claim_due(limit=2, worker="one")]
        for segment in sorted(segments, key=lambda one: one.key)[handed_out]:
            run_to_its_end(segment)

        assert statuses(execution) == {"one": "success", "two": "dead_letter"}

    def test_on_tools_of_the_workflow_refuses_the_agents_call(self, world, publish):
        execution = ended(world, publish, head="allowed_tools: [pay]\n", tools=["look"])

        assert attempts(execution, "run") == [("failed", "business")]
        assert "does not allow the tool look" in execution.why

    def test_on_tools_of_the_step_refuses_the_agents_call(self, world, publish):
        execution = ended(world, publish, step=", allowed_tools: [pay]", tools=["look"])

        assert "does not allow the tool look" in execution.why


class TestAScore:
    def test_below_the_least_one_fails_the_step_for_good(self, world, publish):
        execution = ended(world, publish, step=", min_score: 0.92", score=0.9)

        assert attempts(execution, "run") == [("failed", "business")]
        assert execution.status == "failed"

    @pytest.mark.parametrize("score", ["high", True, [1]])
    def test_that_is_no_number_is_not_what_was_promised(self, world, publish, score):
        execution = ended(world, publish, step=", min_score: 0.92", score=score)

        assert attempts(execution, "run") == [("failed", "output_schema")]
        assert execution.status == "dead_lettered"

    def test_that_reaches_it_passes(self, world, publish):
        assert ended(world, publish, step=", min_score: 0.92", score=0.92).status == "succeeded"


class TestATool:
    def test_registered_after_the_release_is_not_part_of_it(self, world, publish):
        publish("workflow: capped\nversion: 1.0.0\nsteps:\n  - run: {agent: clerk}\n", HANDLERS, agents=FREE)
        late = {"name": "late", "version": "1", "effect": "read", "tier": "informational", "entry": "handlers:look"}
        import_tools([late], by=make.SETUP, file="late")
        execution = make.start(world, "capped", tools=["late"])

        drive(execution)

        assert "has no tool late" in execution.why

    def test_replaced_since_the_release_is_not_called_under_a_contract_nobody_approved(self, world, publish):
        publish("workflow: capped\nversion: 1.0.0\nsteps:\n  - run: {agent: clerk}\n", HANDLERS, agents=FREE)
        look = next(tool for tool in make.TOOLS if tool["name"] == "look")
        import_tools([{**look, "version": "2"}], by=make.SETUP, file="newer")
        execution = make.start(world, "capped", tools=["look"])

        drive(execution)

        assert execution.status == "failed"
        assert "look 1 of this release was replaced by 2" in execution.why
