"""Taking back what an execution did: the last effect first, one at a time, through the gate, and each at most once."""

import json
from uuid import uuid4

import pytest

from approvals.models import StopScope
from approvals.operations import stops
from approvals.operations.stops import Target
from audit.actors import agent
from audit.canonical import digest
from audit.refusals import Forbidden, Invalid, NotVisible
from orchestrator.engine import calls
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import NotEditable, edit
from orchestrator.gate.redeem import redeem
from orchestrator.gate.undo import AlreadyUndone, CannotBeUndone, undo
from orchestrator.models import Action, Execution, Tool
from orchestrator.operations import dead_letters, executions, unknown_outcomes
from orchestrator.operations.patches import NotPatchable, current_input, patch
from orchestrator.operations.undo_plan import plan_of
from orchestrator.operations.unknown_outcomes import Said
from orchestrator.queries.dead_letters import letter_page
from orchestrator.queries.undoing import rollback_rates, undoings_of
from orchestrator.releases.undoing import StillRunning, undo_execution
from tests import make as kit
from tests import signing
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import ENGINE, approve, asked, begin, claim, drive, lapse, reject, statuses
from tests.engine.provider import HANDLERS

THREE = """
  - one: {tool: send_a, ref: R-1}
  - two: {tool: send_a, ref: R-2}
  - three: {tool: send_a, ref: R-3}
"""


def tools(**take_back):
    """`send_a` can be taken back, `send_b` cannot, `fetch` only reads; `take_back` may be anything."""
    back = providers.tool("A", name="take_back", entry="handlers:take_back", **take_back)
    return [back, providers.tool("A", compensate_with="take_back"), *providers.TOOLS[1:4]]


@pytest.fixture
def done(world, governed):
    """An execution that is over, of a workflow with these steps."""

    def run(steps=THREE, handlers=HANDLERS, *, defined=None, **take_back):
        governed(steps, handlers, tools=defined or tools(**take_back))
        execution = make.start(world, "outside")
        drive(execution)
        assert execution.status == "succeeded"
        return execution

    return run


def state(execution):
    found = undoings_of([execution])[execution.pk]
    return found.state, found.undone, found.left


def back(execution, by, **more):
    return undo_execution(execution_id=execution.pk, by=by, why="posted to the wrong month", **more)


def compensations(execution):
    undone = Action.objects.filter(execution_id=execution.pk)
    return list(Action.objects.filter(undoes_id__in=undone.values("pk")).order_by("created_at"))


def send_and_die(provider):
    """The compensation of the first step goes out and takes effect; the worker that sent it is never heard of again."""
    segment = begin(claim().fence)
    action = calls._propose(segment, "take_back", {"ref": "R-1"}, 0)
    ticket = redeem(action_id=action.pk, by=ENGINE, fence=segment.fence)
    provider.take(ticket.idempotency_key, {"ref": "-R-1"})
    lapse(segment.fence)


class TestUndoing:
    def test_takes_back_every_effect_the_last_one_first(self, world, done, provider):
        execution = done()

        run = back(execution, world.ada)
        drive(run)

        assert run.status == "succeeded"
        assert provider.effects == ["R-1", "R-2", "R-3", "-R-3", "-R-2", "-R-1"]
        assert state(execution) == ("compensated", 3, 0)
        execution.refresh_from_db()
        assert execution.status == "succeeded"

    def test_begins_the_next_only_when_the_one_before_is_signed_and_done(self, world, done, provider):
        execution = done(tier="customer_facing")
        run = back(execution, world.ada)
        drive(run)
        assert [row.status for row in compensations(execution)] == ["held"]
        assert state(execution) == ("compensating", 0, 3)

        approve(asked(run), world.grace)
        drive(run)

        assert [row.status for row in compensations(execution)] == ["succeeded", "held"]
        assert provider.effects[3:] == ["-R-3"]
        assert state(execution) == ("compensating", 1, 2)

    def test_is_signed_to_the_letter_or_not_at_all(self, world, done, provider):
        execution = done("  - one: {tool: send_a, ref: R-1}\n", tier="customer_facing")
        run = back(execution, world.ada)
        drive(run)
        request = asked(run)

        with pytest.raises(NotEditable, match="to the letter"):
            edit(request_id=request.pk, by=world.linus, digest=request.digest, revision=1, arguments={"ref": "R-9"})

        approve(asked(run), world.grace)
        drive(run)
        assert provider.effects == ["R-1", "-R-1"]

    def test_stops_at_a_no_and_can_be_asked_for_the_rest(self, world, done, provider):
        execution = done(tier="customer_facing")
        run = back(execution, world.ada)
        drive(run)
        approve(asked(run), world.grace)
        drive(run)
        reject(asked(run), world.grace)
        drive(run)
        assert (run.status, state(execution)) == ("failed", ("partly_compensated", 1, 2))

        again = back(execution, world.ada)
        for _ in range(2):
            drive(again)
            approve(asked(again), world.grace)
        drive(again)

        assert provider.effects[3:] == ["-R-3", "-R-2", "-R-1"]
        assert state(execution) == ("compensated", 3, 0)

    def test_can_be_of_chosen_effects_only(self, world, done, provider):
        execution = done()
        middle = plan_of(execution).effects[1].action

        drive(back(execution, world.ada, only=[middle.pk]))

        assert provider.effects[3:] == ["-R-2"]
        assert state(execution) == ("partly_compensated", 1, 2)

    def test_leaves_what_a_person_did_in_a_tools_place_and_says_so(self, world, governed, provider):
        signed = providers.tool("A", name="signed", tier="customer_facing", compensate_with="take_back")
        governed(
            "  - one: {tool: send_a, ref: R-1}\n  - two: {tool: signed, ref: R-2}\n", HANDLERS, tools=[*tools(), signed]
        )
        execution = make.start(world, "outside")
        drive(execution)
        request = asked(execution)
        said = signing.voice(request, "done_by_hand", by=world.grace)
        answer_instead(request_id=request.pk, by=world.grace, voice=said, result={"ok": "by hand"})
        drive(execution)

        drive(back(execution, world.ada))

        assert [effect.state for effect in plan_of(execution).effects] == ["cannot", "undone"]
        assert state(execution) == ("partly_compensated", 1, 1)

    def test_of_an_effect_whose_compensation_fails_waits_as_a_dead_letter(self, world, done, provider):
        execution = done("  - one: {tool: send_a, ref: R-1}\n")
        provider.plan(*["down"] * 5)
        run = back(execution, world.ada)
        drive(run)
        letter = run.dead_letters.get()
        assert (run.status, letter.component) == ("dead_lettered", "take_back")
        assert undoings_of([execution])[execution.pk].is_stuck

        dead_letters.requeue(letter_id=letter.pk, by=world.ada)
        drive(run)

        assert provider.effects == ["R-1", "-R-1"]
        assert state(execution) == ("compensated", 1, 0)

    def test_waits_while_the_compensating_tool_is_stopped(self, world, done, provider):
        execution = done()
        target = Target(scope=StopScope.TOOL, tool="take_back", unit_id=world.unit.pk)
        stop = stops.engage(target=target, by=world.ada, reason="The reversal books wrongly")
        run = back(execution, world.ada)
        drive(run)
        assert (statuses(run)["undo_1"], provider.effects) == ("stopped", ["R-1", "R-2", "R-3"])

        stops.lift(stop_id=stop.pk, by=world.ada, why="The reversal was corrected")
        drive(run)

        assert state(execution) == ("compensated", 3, 0)


class TestWhateverBreaks:
    @pytest.mark.parametrize("deed", ["drop", "vanish", "down"])
    def test_each_effect_is_taken_back_once_under_one_key(self, world, done, provider, deed):
        execution = done()
        provider.plan(deed)

        drive(back(execution, world.ada))

        assert provider.effects[3:] == ["-R-3", "-R-2", "-R-1"]
        assert len({key for key, ref in provider.sends if ref == "-R-3"}) == 1

    def test_a_worker_that_died_after_sending_leaves_no_second_compensation(self, world, done, provider):
        execution = done("  - one: {tool: send_a, ref: R-1}\n")
        run = back(execution, world.ada)
        send_and_die(provider)
        drive(run)

        assert run.status == "succeeded"
        assert len(compensations(execution)) == 1
        assert provider.effects == ["R-1", "-R-1"]

    def test_nothing_is_sent_again_when_the_compensation_is_in_doubt(self, world, done, provider):
        execution = done("  - one: {tool: send_a, ref: R-1}\n", idempotency_class="C", probe=None)
        provider.plan("drop")
        run = back(execution, world.ada)
        drive(run)
        assert statuses(run) == {"undo_1": "unknown_outcome"}
        executions.cancel(execution_id=run.pk, by=world.ada, why="no time")

        with pytest.raises(AlreadyUndone, match="Whether it is undone is not known"):
            back(execution, world.ada)

        assert provider.effects == ["R-1", "-R-1"]
        assert len(provider.sends) == 2

    def test_what_a_person_finds_not_to_have_happened_is_undone_by_another_try(self, world, done, provider):
        execution = done("  - one: {tool: send_a, ref: R-1}\n", idempotency_class="C", probe=None)
        provider.plan("vanish")
        run = back(execution, world.ada)
        drive(run)
        executions.cancel(execution_id=run.pk, by=world.ada, why="no time")
        said = Said(verdict="did_not", code="not_in_their_books", note="no such entry")
        answered = unknown_outcomes.answer(action_id=compensations(execution)[0].pk, said=said, by=world.ada)
        assert answered.status == "failed"

        drive(back(execution, world.ada))

        assert provider.effects == ["R-1", "-R-1"]
        assert state(execution) == ("compensated", 1, 0)


class TestARefusal:
    def test_says_who_asked_before_while_it_is_under_way(self, world, done):
        execution = done(tier="customer_facing")
        run = back(execution, world.ada)
        drive(run)

        with pytest.raises(AlreadyUndone, match="ada asked for this on"):
            back(execution, world.ada)
        (held,) = compensations(execution)
        with pytest.raises(AlreadyUndone, match="It is being undone: ada asked for it on"):
            undo(action_id=held.undoes_id, by=world.ada, why="once more")

        assert Execution.objects.undoing().count() == 1

    def test_says_who_undid_it(self, world, done):
        execution = done()
        drive(back(execution, world.ada))

        with pytest.raises(AlreadyUndone, match="It is undone: ada asked for it on"):
            back(execution, world.ada)

    def test_sends_one_who_is_too_early_to_cancel_first(self, world, governed, provider):
        governed(THREE, HANDLERS, tools=tools())
        execution = make.start(world, "outside")

        with pytest.raises(StillRunning) as refused:
            back(execution, world.ada)
        assert refused.value.remedy == "Cancel it first, then undo what it did."

        segment = begin(claim().fence)
        executions.cancel(execution_id=execution.pk, by=world.ada, why="wrong month")
        assert segment is not None
        with pytest.raises(CannotBeUndone, match="no effect"):
            back(execution, world.ada)

    def test_is_given_to_who_does_not_operate_and_strangers_find_nothing(self, world, done):
        execution = done()

        with pytest.raises(Forbidden):
            back(execution, world.grace)
        with pytest.raises(Forbidden, match="Only people"):
            back(execution, agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset()))
        with pytest.raises(NotVisible):
            back(execution, world.eve)
        with pytest.raises(Invalid):
            undo_execution(execution_id=execution.pk, by=world.ada, why=" ")

        assert not Execution.objects.undoing().exists()

    def test_meets_who_starts_it_by_its_name_where_others_sign(self, world, done):
        execution = done("  - one: {tool: send_a, ref: R-1}\n", tier="customer_facing")
        run = back(execution, world.ada)
        drive(run)
        reject(asked(run), world.grace)
        drive(run)
        elsewhere = kit.unit("sales")
        mallory = kit.actor(kit.person("mallory", "view", "operate", of=elsewhere))
        again = {"workflow": run.workflow, "release": run.release.digest, "input": {"reason": "anyway"}}

        with pytest.raises(Invalid) as refused:
            executions.start(**again, unit="sales", by=mallory)

        assert refused.value.errors[0][:2] == ("/workflow", "undo")
        assert len(compensations(execution)) == 1

    def test_names_what_was_chosen_and_is_no_effect_of_it(self, world, done):
        execution, other = done("  - one: {tool: send_a, ref: R-1}\n  - look: {tool: fetch, ref: R-2}\n"), uuid4()
        sent, read = (
            Action.objects.filter(execution_id=execution.pk).order_by("tool").values_list("pk", flat=True)[::-1]
        )

        for strange in (other, read):
            with pytest.raises(CannotBeUndone, match=f"Action {strange} is no effect of this execution"):
                back(execution, world.ada, only=[sent, strange])

    def test_meets_the_undoing_of_an_undo(self, world, done):
        run = back(done(), world.ada)
        drive(run)

        with pytest.raises(CannotBeUndone, match="undoes another"):
            back(run, world.ada)


class TestEveryEffectAnswers:
    def why(self, execution):
        return {effect.action.business_key: effect.why for effect in plan_of(execution).effects}

    def test_how_it_is_undone_or_why_not(self, world, done):
        final = providers.tool("A", name="final", effect="irreversible", compensate_with="take_back")
        execution = done(
            "  - look: {tool: fetch, ref: R-0}\n  - one: {tool: send_a, ref: R-1}\n"
            "  - two: {tool: send_b, ref: R-2}\n  - three: {tool: final, ref: R-3}\n",
            defined=[*tools(), final],
        )

        assert self.why(execution) == {
            "R-1": "Can be undone by take_back, which is itself gated.",
            "R-2": "Cannot be undone: no compensating tool is registered for send_b.",
            "R-3": "Cannot be undone: what it does is irreversible.",
        }
        with pytest.raises(CannotBeUndone, match="irreversible"):
            back(execution, world.ada, only=[plan_of(execution).effects[0].action.pk])
        # As a contract of before could say.
        Tool.objects.filter(name="send_b").update(compensate_with="send_b")
        assert self.why(execution)["R-2"].startswith("Cannot be undone: the tool itself is named to take it back")

    def test_by_what_the_step_says_before_what_its_tool_says(self, world, done, provider):
        execution = done("  - two: {tool: send_b, ref: R-2, compensate_with: take_back}\n")

        drive(back(execution, world.ada))

        assert provider.effects == ["R-2", "-R-2"]

    def test_with_what_the_effect_answered_where_its_arguments_do_not_say(self, world, done, provider):
        handlers = HANDLERS.replace('"-" + arguments["ref"]', '"-" + arguments["receipt"]').replace(
            'return context.http_json("POST", URL + "/effects", arguments,',
            'return {"receipt": "of " + arguments["ref"]} | context.http_json("POST", URL + "/effects", arguments,',
        )
        receipt = {"type": "object", "required": ["receipt"], "properties": {"receipt": {"type": "string"}}}
        execution = done("  - one: {tool: send_a, ref: R-1}\n", handlers, input_schema=receipt, business_key=None)

        drive(back(execution, world.ada))

        assert provider.effects == ["R-1", "-of R-1"]

    def test_to_the_letter_and_with_nothing_of_the_compensation_before(self, world, done):
        schema = {"type": "object", "required": ["ref"], "properties": {"ref": {"type": "string"}, "note": {}}}
        sends = 'context.http_json("POST", URL + "/effects", {"ref": "-"'
        handlers = HANDLERS.replace(f"return {sends}", f'return {{"note": "mine"}} | {sends}')
        steps = "  - one: {tool: send_a, ref: 'R-$${1}'}\n  - two: {tool: send_a, ref: R-2}\n"
        execution = done(steps, handlers, input_schema=schema)

        drive(back(execution, world.ada))

        given = [json.loads(row.arguments) for row in compensations(execution)]
        assert given == [{"ref": "R-2"}, {"ref": "R-${1}"}]

    def test_that_it_lacks_what_its_compensation_needs(self, world, done):
        number = {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}}}
        execution = done("  - one: {tool: send_a, ref: R-1}\n", input_schema=number, business_key=None)

        (why,) = self.why(execution).values()
        assert why.startswith("Cannot be undone: take_back cannot be given what it needs")

    def test_and_no_patch_changes_what_is_taken_back(self, world, done, provider):
        execution = done(THREE.splitlines()[1])
        provider.plan(*["down"] * 5)
        run = back(execution, world.ada)
        drive(run)
        letter = run.dead_letters.get()
        before = current_input(letter.step)

        with pytest.raises(NotPatchable, match="to the letter"):
            patch(letter_id=letter.pk, by=world.ada, before_digest=digest(before), after={"ref": "R-9"}, why="a typo")

        assert not letter_page(world.ada, letter.pk).may_patch
        dead_letters.requeue(letter_id=letter.pk, by=world.ada)
        drive(run)
        assert provider.effects == ["R-1", "-R-1"]


class TestTheRate:
    def test_counts_executions_that_ended_and_those_that_were_undone(self, world, done):
        first = done()
        make.start(world, "outside")
        drive()
        drive(back(first, world.ada))

        (row,) = rollback_rates(world.ada)

        assert (row.workflow, row.ended, row.compensated, row.percent) == ("outside", 2, 1, 50.0)
        assert rollback_rates(world.eve) == []
