"""Between no answer and the truth: looks that come back, people who say what happened, and never a send on a guess."""

import pytest
from django.db import connection

from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.gate.doubt import LOOKS
from orchestrator.models import OutcomeAnswer
from orchestrator.operations.registry import import_tools
from orchestrator.queries.unknown_outcomes import doubts_of
from tests import trail
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import actions, drive, statuses, step, time_to_look
from tests.engine.test_unknown_outcomes import say, started

CLERK = [{"name": "clerk", "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": "handlers:work",
          "input_schema": {"type": "object", "properties": {"tool": {}, "refs": {}}}}]  # fmt: skip
RECEIPT = {"type": "object", "required": ["receipt"], "properties": {"receipt": {"type": "string"}}}


def alerts(execution):
    return trail.story(execution.pk).count("alert.unknown_outcome")


class TestBooksThatSayNothingYet:
    def dropped(self, world, governed, provider):
        execution = started(world, governed, "b")
        provider.plan("drop")
        drive(execution)
        return execution

    def test_are_asked_again_until_they_know(self, world, governed, provider):
        execution = self.dropped(world, governed, provider)
        time_to_look()
        drive(execution)
        assert (statuses(execution), actions(execution)[0].looks) == ({"send": "unknown_outcome"}, 2)

        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}
        time_to_look()
        drive(execution)

        assert execution.status == "succeeded"
        assert len(provider.sends) == 1
        assert actions(execution)[0].next_look_at is None

    def test_are_not_asked_before_the_pause_is_over(self, world, governed, provider):
        execution = self.dropped(world, governed, provider)
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}

        drive(execution)

        assert statuses(execution) == {"send": "unknown_outcome"}

    def test_are_asked_so_often_and_then_a_person_is_reminded(self, world, governed, provider):
        execution = self.dropped(world, governed, provider)
        told = alerts(execution)
        for _ in range(LOOKS):
            time_to_look()
            drive(execution)

        story = trail.story(execution.pk)
        assert story.count("action.reconciled") == LOOKS
        assert story.count("action.reminded") == 1
        assert alerts(execution) == told + 1
        assert len(provider.sends) == 1
        assert execution.status == "waiting"

    def test_and_cannot_be_reached_are_no_reason_to_give_up_or_to_send(self, world, governed, provider):
        execution = started(world, governed, "b")
        provider.plan("drop")
        provider.finding = None

        drive(execution)
        time_to_look()
        drive(execution)

        assert statuses(execution) == {"send": "unknown_outcome"}
        assert actions(execution)[0].looks == 2
        assert len(provider.sends) == 1


class TestBooksThatDoNotGiveTheAnswer:
    STEP = "  - send: {{tool: send_{}, ref: R-1, non_empty: [ref]}}\n"

    @pytest.mark.parametrize("result", [None, {"ref": ""}, "R-1"])
    def test_leave_it_to_a_person_what_came_of_it(self, world, governed, provider, result):
        governed(self.STEP.format("b"))
        provider.plan("drop")
        provider.finding = {"happened": "yes", "detail": "entry 4711", "result": result}
        execution = make.start(world, "outside")
        drive(execution)
        assert statuses(execution) == {"send": "unknown_outcome"}
        (row,) = doubts_of(actions(execution))
        assert row.tried.last_look.startswith("entry 4711; it is in their books, but not what send_b answered")

        with pytest.raises(Invalid):
            say(execution, world.ada, "happened", result={"ref": ""})
        say(execution, world.ada, "happened", result={"ref": "R-1"})
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])
        assert step(execution, "send").output == {"ref": "R-1"}

    def test_are_no_reason_to_ask_where_the_same_key_gets_the_answer(self, world, governed, provider):
        governed(self.STEP.format("a"))
        provider.plan("drop")
        provider.finding = {"happened": "yes"}
        execution = make.start(world, "outside")

        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])
        assert step(execution, "send").output == {"ref": "R-1"}


class TestAToolReplacedSince:
    @pytest.mark.parametrize("kind", ["A", "C"])
    def test_is_not_sent_to_again_on_the_strength_of_its_old_class(self, world, governed, provider, kind):
        execution = started(world, governed, "a")
        provider.plan("drop")
        make.work()
        import_tools([providers.tool("A", version="2", idempotency_class=kind)], by=make.SETUP, file="tools")

        drive(execution)

        assert statuses(execution) == {"send": "unknown_outcome"}
        assert [row.status for row in actions(execution)] == ["unknown"]
        assert len(provider.sends) == 1


class TestAPersonsAnswer:
    @pytest.fixture
    def parked(self, world, governed, provider):
        tools = [providers.tool("C", probe=None, output_schema=RECEIPT)]
        governed("  - send: {tool: send_c, ref: R-1}\n  - after: {tool: send_c, ref: '${receipt}'}\n", tools=tools)
        execution = make.start(world, "outside")
        provider.plan("drop")
        drive(execution)
        return execution

    def test_gives_the_step_its_result(self, world, parked, provider):
        provider.plan("vanish")

        say(parked, world.ada, "happened", result={"receipt": "R-77"})
        drive(parked)

        assert step(parked, "send").output == {"receipt": "R-77"}
        assert [ref for _, ref in provider.sends] == ["R-1", "R-77"]

    @pytest.mark.parametrize("result", [None, {}, {"receipt": 5}, ["R-77"]])
    def test_needs_a_result_that_the_tool_could_have_given(self, world, parked, result):
        with pytest.raises(Invalid) as refused:
            say(parked, world.ada, "happened", result=result)

        assert refused.value.errors[0][0] == "/result"
        assert actions(parked)[0].status == "unknown"

    def test_needs_a_code_that_speaks_for_it(self, world, parked):
        with pytest.raises(Invalid) as refused:
            say(parked, world.ada, "did_not", code="in_their_books")

        assert refused.value.errors[0][0] == "/code"

    def test_that_cannot_tell_names_who_looks_further_and_when(self, world, parked, provider):
        say(parked, world.ada, "cannot_tell", owner="treasury", remind_seconds=3600)
        drive(parked)
        kept = OutcomeAnswer.objects.get()
        assert (kept.owner, kept.code, kept.note) == ("treasury", "no_access", "entry 4711")
        told = alerts(parked)

        time_to_look()
        drive(parked)

        assert statuses(parked)["send"] == "unknown_outcome"
        assert alerts(parked) == told + 1
        assert len(provider.sends) == 1

    def test_is_asked_for_once(self, world, parked):
        say(parked, world.ada, "did_not")

        with pytest.raises(Stale):
            say(parked, world.ada, "did_not")

    def test_is_a_persons_of_that_unit_who_operates(self, world, parked):
        with pytest.raises(Forbidden):
            say(parked, world.grace, "did_not")
        with pytest.raises(NotVisible):
            say(parked, world.eve, "did_not")
        with pytest.raises((Forbidden, NotVisible)):
            say(parked, make.SETUP, "did_not")

        assert not OutcomeAnswer.objects.exists()

    def test_is_recorded_for_good(self, world, parked):
        say(parked, world.ada, "did_not")

        assert "action.answered_by_person" in trail.story(parked.pk)
        with pytest.raises(Exception, match="append-only"), connection.cursor() as cursor:
            cursor.execute("UPDATE orchestrator_outcomeanswer SET verdict = 'happened'")


class TestTwoCallsUnderOneBusinessKey:
    """The other system's books show an effect, and cannot say of which call."""

    def second_in_doubt(self, world, governed, provider, kind):
        governed("  - run: {agent: clerk}\n", agents=CLERK)
        execution = make.start(world, "outside", tool=f"send_{kind}", refs=["R-1", "R-1"])
        provider.plan("ok", "vanish")
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}
        drive(execution)
        return execution

    def test_class_a_sends_the_second_under_its_own_key(self, world, governed, provider):
        execution = self.second_in_doubt(world, governed, provider, "a")

        assert (execution.status, provider.effects) == ("succeeded", ["R-1", "R-1"])

    def test_class_b_asks_a_person_and_sends_nothing(self, world, governed, provider):
        execution = self.second_in_doubt(world, governed, provider, "b")

        assert (statuses(execution), provider.effects) == ({"run": "unknown_outcome"}, ["R-1"])
        assert len(provider.sends) == 2

    def test_books_that_show_nothing_speak_for_both(self, world, governed, provider):
        provider.finding = {"happened": "no"}
        governed("  - run: {agent: clerk}\n", agents=CLERK)
        execution = make.start(world, "outside", tool="send_b", refs=["R-1", "R-1"])
        provider.plan("vanish", "vanish")

        for _ in range(3):
            drive(execution)
            time_to_look()

        assert (execution.status, provider.effects) == ("succeeded", ["R-1", "R-1"])
