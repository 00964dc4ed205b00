"""How much goes out at a time. What is over a limit waits for its turn, visibly; nothing of it is lost or counted as a try."""

import pytest

from audit.definitions import NeedsTwo, activate, draft, retire
from audit.models import AuditEvent
from audit.refusals import Stale
from orchestrator.engine.sweep import sweep
from orchestrator.gate import limits
from orchestrator.gate.limits import Limited
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import redeem
from orchestrator.gate.report import report
from orchestrator.models import Action, Breaker, Limit, Step
from orchestrator.operations import executions
from orchestrator.operations.registry import import_tools
from orchestrator.queries.limits import limits as standing
from tests import make as more
from tests import worlds as make
from tests.engine.driving import attempts, drive
from tests.races.racing import race

LOOKING = "workflow: looking\nversion: 1.0.0\nsteps:\n  - look: {tool: look}\n"


pytestmark = pytest.mark.usefixtures("looks_at_once")


def limit(name="looks", **fields):
    row = Limit(name=name, **fields)
    draft(row, by=make.SETUP)
    activate(row, by=make.SETUP)
    limits.anything_is_limited.again()
    return row


def asked(world, tool="look", unit=None):
    """A call of a foreign agent that nobody has to approve."""
    return propose(tool=tool, arguments={}, agent="clerk", unit_id=(unit or world.unit).pk, by=make.SETUP)


def sent(world, **more):
    ticket = redeem(action_id=asked(world, **more).pk, by=make.SETUP)
    return ticket.action, ticket.fence


def ended(call, outcome="success"):
    action, fence = call
    return report(action_id=action.pk, fence=fence, outcome=outcome, by=make.SETUP, message="as the test wants it")


def past(row, column, seconds=3600):
    more.later(type(row)._meta.db_table, column, row.pk, seconds)


class TestCallsAMinute:
    def test_beyond_the_limit_are_refused_with_the_time_to_ask_again(self, world):
        limit(per_minute=12)  # one every five seconds, two within the ten that may come together
        sent(world)
        sent(world)

        over = asked(world)
        with pytest.raises(Limited, match="allows 12 a minute") as refused:
            redeem(action_id=over.pk, by=make.SETUP)

        assert 0 < refused.value.seconds <= 5
        over.refresh_from_db()
        assert over.status == "granted"

    def test_go_out_again_when_time_has_passed(self, world):
        row = limit(per_minute=12)
        sent(world), sent(world)
        past(Breaker.objects.get(limit=row), "next_at", 5)

        assert sent(world)[0].status == "redeemed"

    def test_of_other_tools_units_and_agents_are_not_counted(self, world):
        elsewhere = more.unit("elsewhere")
        limit("tool", per_minute=1, tool="wire")
        limit("unit", per_minute=1, unit_id=elsewhere.pk)
        limit("agent", per_minute=1, agent="somebody")

        assert [sent(world)[0].status for _ in range(3)] == ["redeemed"] * 3

    def test_take_no_place_anywhere_where_one_limit_refuses(self, world):
        wide, narrow = limit("wide", per_minute=60), limit("narrow", per_minute=1)
        sent(world)
        before = Breaker.objects.get(limit=wide).next_at

        with pytest.raises(Limited, match="narrow"):
            sent(world)

        assert Breaker.objects.get(limit=wide).next_at == before
        assert narrow.allows == "1 a minute"


class TestCallsAtOnce:
    def test_are_let_out_when_one_under_way_has_ended(self, world):
        limit(at_once=1)
        first = sent(world)
        with pytest.raises(Limited, match="allows 1 at once"):
            sent(world)

        ended(first)

        assert sent(world)[0].status == "redeemed"

    def test_are_let_out_an_hour_after_a_foreign_agent_was_last_heard_of(self, world):
        limit(at_once=1)
        call, _ = sent(world)
        past(call, "redeemed_at")

        assert sent(world)[0].status == "redeemed"
        (row,) = standing(world.ada)
        assert row.under_way == 1

    def test_of_other_tools_and_agents_take_no_place_of_a_limit_that_names_its_own(self, world):
        import_tools([{**make.TOOLS[2], "name": "peek"}], by=make.SETUP, file="tools")
        limit(at_once=1, tool="look", agent="clerk")
        sent(world, tool="peek")

        assert sent(world)[0].status == "redeemed"
        with pytest.raises(Limited, match="allows 1 at once"):
            sent(world)

    def test_never_get_the_same_last_place_twice(self, world):
        limit(at_once=2)
        calls = [asked(world).pk for _ in range(6)]

        outcomes = race(*(lambda pk=pk: redeem(action_id=pk, by=make.SETUP) for pk in calls))

        assert sum(isinstance(outcome, Limited) for outcome in outcomes) == 4
        assert Action.objects.filter(status="redeemed").count() == 2


class TestABreaker:
    def test_opens_after_so_many_failures_in_a_row_and_lets_one_try_later(self, world):
        row = limit(breaks_after=2, break_seconds=60)
        ended(sent(world), "system_error"), ended(sent(world), "unknown")
        with pytest.raises(Limited, match="open after 2 failures in a row"):
            sent(world)

        past(Breaker.objects.get(limit=row), "until")
        trying = sent(world)
        with pytest.raises(Limited, match="next try is under way"):
            sent(world)
        ended(trying)

        assert Breaker.objects.get(limit=row).status == "closed"
        assert sent(world)[0].status == "redeemed"
        events = (
            AuditEvent.objects.filter(event__startswith="breaker.")
            .order_by("at", "seq")
            .values_list("event", flat=True)
        )
        assert list(events) == ["breaker.closed", "breaker.open", "breaker.trying", "breaker.closed"]

    def test_opens_again_when_the_try_fails_and_when_nothing_is_heard_of_it(self, world):
        row = limit(breaks_after=1)
        ended(sent(world), "system_error")
        past(Breaker.objects.get(limit=row), "until")
        ended(sent(world), "system_error")
        breaker = Breaker.objects.get(limit=row)
        assert (breaker.status, breaker.failures) == ("open", 2)

        past(breaker, "until")
        sent(world)  # and no word of it
        past(breaker, "until")

        assert sent(world)[0].status == "redeemed"
        assert Breaker.objects.get(limit=row).status == "trying"

    def test_takes_a_refusal_of_the_other_system_for_an_answer(self, world):
        row = limit(breaks_after=2)
        ended(sent(world), "system_error"), ended(sent(world), "business_error"), ended(sent(world), "system_error")

        breaker = Breaker.objects.get(limit=row)
        assert (breaker.status, breaker.failures) == ("closed", 1)

    def test_is_closed_by_a_person_who_says_why(self, world):
        row = limit(breaks_after=1)
        ended(sent(world), "system_error")
        breaker = Breaker.objects.get(limit=row)

        limits.close(breaker_id=breaker.pk, by=world.ada, why="the vendor says it is back")

        assert sent(world)[0].status == "redeemed"
        (event,) = AuditEvent.objects.filter(event="breaker.closed", actor=world.ada.key)
        assert event.why == "the vendor says it is back"
        with pytest.raises(Stale):
            limits.close(breaker_id=breaker.pk, by=world.ada, why="twice")


class TestAStep:
    @pytest.fixture
    def waiting(self, world, publish):
        """The tool's one place is taken from outside, so the step waits for its turn."""
        publish(LOOKING)
        self.limit = limit(at_once=1, tool="look", why="the bureau allows one connection")
        self.other = sent(world)
        execution = make.start(world, "looking")
        make.work()
        return execution

    def test_waits_visibly_and_its_try_does_not_count(self, waiting):
        step = Step.objects.get(execution=waiting)

        assert (step.status, step.tries, step.waits_for) == ("throttled", 0, self.limit.pk)
        assert "the bureau allows one connection" in step.why
        waiting.refresh_from_db()
        assert waiting.status == "waiting"
        sweep()  # not before its time
        assert Step.objects.get(execution=waiting).status == "throttled"

    def test_goes_on_by_itself_when_its_turn_has_come(self, waiting):
        ended(self.other)
        past(Step.objects.get(execution=waiting), "due_at")

        drive(waiting)

        assert waiting.status == "succeeded"
        assert attempts(waiting, "look") == [("parked", ""), ("succeeded", "")]

    def test_waits_on_as_long_as_there_is_no_place(self, waiting):
        for _ in range(3):
            past(Step.objects.get(execution=waiting), "due_at")
            drive(waiting)

        assert Step.objects.get(execution=waiting).status == "throttled"
        assert Action.objects.filter(execution_id=waiting.pk).count() == 1

    def test_can_be_cancelled(self, world, waiting):
        executions.cancel(execution_id=waiting.pk, by=world.ada, why="no longer wanted")

        assert Step.objects.get(execution=waiting).status == "cancelled"


class TestAQueue:
    def test_that_is_full_refuses_further_executions(self, world, publish):
        publish(LOOKING)
        limit("queue", most_queued=2, unit_id=world.unit.pk)
        make.start(world, "looking"), make.start(world, "looking")

        with pytest.raises(Limited, match="2 executions wait"):
            make.start(world, "looking")
        make.work()
        assert make.start(world, "looking").status == "queued"


class TestALimit:
    def test_is_taken_out_of_force_by_two_people_only(self, world):
        row = limit(per_minute=1)

        with pytest.raises(NeedsTwo):
            retire(row, by=world.ada)

    def test_goes_on_where_the_version_before_stood(self, world):
        limit(breaks_after=3)
        ended(sent(world), "system_error")

        again = limit(version=2, breaks_after=3)

        assert Breaker.objects.get(limit=again).failures == 1
        assert Breaker.objects.in_force().count() == 1

    def test_that_is_open_stays_open_in_its_next_version(self, world):
        first = limit(breaks_after=1, break_seconds=600)
        ended(sent(world), "system_error")

        again = limit(version=2, breaks_after=1, per_minute=60)

        was, now = Breaker.objects.get(limit=first), Breaker.objects.get(limit=again)
        assert (now.status, now.until, now.why) == ("open", was.until, "1 failure")
        with pytest.raises(Limited, match="open after 1 failure until"):
            sent(world)

    def test_of_a_unit_counts_what_is_below_it(self, world):
        below = more.unit("payments", parent=world.unit)
        limit(at_once=1, unit_id=world.unit.pk)
        sent(world, unit=below)

        with pytest.raises(Limited):
            sent(world)

    def test_costs_nothing_while_there_is_none(self, world, django_assert_num_queries):
        limits.anything_is_limited()
        action = asked(world)

        with django_assert_num_queries(0):
            limits.admit(action)
            limits.observe(action)
