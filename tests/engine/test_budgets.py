"""Budgets that hold: what has no room waits, visibly, with the reason, and goes on by itself; every reservation ends."""

import json
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction

from audit.actors import agent as agent_actor
from audit.definitions import NeedsTwo, SamePerson, activate, draft, retire
from audit.ids import new_id
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Refusal
from budgets.models import (
    Block,
    Budget,
    BudgetDay,
    BudgetException,
    BudgetWindow,
    BusinessUnit,
    LedgerEntry,
    Price,
    Reservation,
)
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from budgets.reserving import OverBudget, Spot, Worst, anything_is_budgeted, release, reserve
from orchestrator.engine.alerts.lasting_rules import budgets
from orchestrator.engine.budgeting import reserve_for
from orchestrator.engine.claims import claim_due
from orchestrator.engine.segment import begin
from orchestrator.engine.sweep import sweep
from orchestrator.gate.budgeting import run_of
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import redeem
from orchestrator.gate.report import report
from orchestrator.models import Action, Step
from orchestrator.operations import corrections, executions
from tests import make as more
from tests import worlds as make
from tests.engine.driving import drive, statuses
from tests.pages.asking import browser_of

LOOKING = "workflow: looking\nversion: 1.0.0\nsteps:\n  - look: {tool: look}\n"
pytestmark = pytest.mark.usefixtures("looks_at_once")

# Moments of two years that are outside of their window, or in one that is not of their day, or not the one that goes before the
# next.
EVERY_HALF_HOUR = """
SELECT zone, at, w.* FROM unnest(ARRAY['Africa/Cairo', 'America/Santiago', 'America/Havana', 'Atlantic/Azores', 'Europe/Oslo',
    'Australia/Lord_Howe', 'Pacific/Kiritimati', 'UTC']) AS zone
CROSS JOIN generate_series('2026-01-01T00:00Z'::timestamptz, '2028-01-01T00:00Z', '30 minutes') AS at
CROSS JOIN LATERAL budget_window_at(%(period)s, zone, at) AS w
CROSS JOIN LATERAL budget_window_at(%(period)s, zone, w.ends_at) AS following
WHERE NOT (w.starts_at <= at AND at < w.ends_at AND following.starts_at = w.ends_at
  AND (w.starts_at AT TIME ZONE zone)::date = date_trunc(%(period)s, at AT TIME ZONE zone)::date)
LIMIT 3
"""


def budget(name="finance-runs", **fields):
    row = Budget(name=name, **{"measure": "runs", "limit": 1, "window": "day", **fields})
    draft(row, by=make.SETUP)
    activate(row, by=make.SETUP)
    anything_is_budgeted.again()
    return row


def window(name="finance-runs"):
    return BudgetWindow.objects.get(budget=name)


def called(world):
    return propose(tool="look", arguments={}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)


def begun(world):
    """A step whose worker has reserved, and does nothing any more."""
    make.start(world, "looking")
    claim = claim_due(limit=1, worker="gone")[0]
    reserve_for(begin(claim.fence))
    return claim.fence


def is_exact():
    """I18: what is open is what is reserved."""
    for row in BudgetWindow.objects.all():
        assert row.reserved == sum((one.amount for one in row.reservations.all()), Decimal(0))


@pytest.fixture
def looking(world, tmp_path):
    make.publish(tmp_path / "looking", LOOKING, make.HANDLERS)
    return world


class TestASendWhoseAnswerWasLost:
    """It used its budget up, and is looked up all the same: that takes no room."""

    def sent(self, world, governed, provider, kind, happened):
        budget(unit_id=world.unit.pk)
        governed(f"  - send: {{tool: send_{kind}, ref: R-1}}\n")
        provider.plan("drop" if happened == "yes" else "vanish")
        provider.finding = {"happened": happened, "result": {"ref": "R-1"}}
        execution = make.start(world, "outside")
        drive(execution)
        return execution

    @pytest.mark.parametrize("kind", ["a", "b"])
    def test_ends_well_where_the_books_know_it(self, world, governed, provider, kind):
        execution = self.sent(world, governed, provider, kind, "yes")

        assert (execution.status, len(provider.sends)) == ("succeeded", 1)
        assert window().spent == 1
        is_exact()

    def test_waits_for_room_where_it_has_to_be_sent_again(self, world, governed, provider):
        execution = self.sent(world, governed, provider, "a", "no")

        assert (statuses(execution), len(provider.sends)) == ({"send": "budget_hold"}, 1)
        is_exact()


class TestAnException:
    """One held execution goes on over the limit; two people let it, and it is for nobody else."""

    @pytest.fixture
    def held(self, looking):
        budget(unit_id=looking.unit.pk)
        for _ in range(3):
            make.start(looking, "looking")
        make.work()
        first, second = Step.objects.filter(status="budget_hold").order_by("id")
        return first, second

    def drafted(self, step, by=make.SETUP):
        row = BudgetException(
            name="month-end",
            budget="finance-runs",
            unit_id=step.unit_id,
            execution_id=step.execution_id,
            why="the audit is today",
        )
        draft(row, by=by)
        return row

    def statuses(self, *steps):
        sweep()
        make.work()
        return [Step.objects.get(pk=step.pk).status for step in steps]

    def test_lets_that_one_go_on_counts_what_it_uses_and_leaves_the_others_waiting(self, held):
        let, other = held
        row = self.drafted(let)
        assert self.statuses(let, other) == ["budget_hold", "budget_hold"]

        activate(row, by=make.SETUP)

        assert self.statuses(let, other) == ["success", "budget_hold"]
        assert (window().spent, window().reserved) == (2, 0)
        story = AuditEvent.objects.filter(object_id=row.pk).order_by("seq").values_list("event", flat=True)
        assert list(story) == ["budget_exception.draft", "budget_exception.active"]
        is_exact()

    def test_is_told_where_the_execution_answers_for_itself_and_never_as_room(self, looking, held):
        row = self.drafted(held[0], by=looking.grace)
        activate(row, by=looking.linus)
        self.statuses(*held)

        browser = browser_of(get_user_model().objects.get(username="olga"))
        address = f"/executions/{held[0].execution_id}/"
        page = " ".join(browser.get(f"{address}?tab=evidence").content.decode().split())
        (told,) = browser.get(f"/api/v1{address}evidence/").json()["exceptions"]
        (why,) = AuditEvent.objects.filter(object_id=held[0].pk, before="budget_hold").values_list("why", flat=True)

        assert why == "exception month-end: it goes on over the budget finance-runs (the audit is today)"
        assert "It was let go on over the budget finance-runs: " in page
        assert f"user:{looking.grace.user_id}</code> drafted" in page
        assert (told["budget"], told["why"]) == ("finance-runs", "the audit is today")
        assert (told["drafted_by"], told["activated_by"]) == (looking.grace.key, looking.linus.key)
        assert browser.get(f"/api/v1/executions/{held[1].execution_id}/evidence/").json()["exceptions"] == []

    def test_takes_two_people(self, looking, held):
        row = self.drafted(held[0], by=looking.grace)
        with pytest.raises(SamePerson):
            activate(row, by=looking.grace)
        assert self.statuses(*held) == ["budget_hold", "budget_hold"]

    def test_is_refused_where_nothing_waits(self, looking, held):
        row = self.drafted(held[0])
        executions.cancel(execution_id=held[0].execution_id, by=looking.ada, why="not needed")
        sweep()
        with pytest.raises(Refusal) as refused:
            activate(row, by=make.SETUP)
        assert refused.value.code == "nothing_waits"

    def test_opens_no_other_budget(self, looking, held):
        budget("tokens-too", unit_id=looking.unit.pk, measure="tokens", limit=5, assumed=10)
        activate(self.drafted(held[0]), by=make.SETUP)

        assert self.statuses(held[0]) == ["budget_hold"]
        assert "tokens-too has no room" in Step.objects.get(pk=held[0].pk).why
        assert window().spent == 1

    def test_cannot_be_without_a_reason(self, held):
        row = BudgetException(name="x", budget="finance-runs", execution_id=held[0].execution_id, why="")
        with pytest.raises(IntegrityError), transaction.atomic():
            draft(row, by=make.SETUP)


class TestAStep:
    def test_without_room_waits_says_why_and_goes_on_when_the_limit_rises(self, looking):
        budget(unit_id=looking.unit.pk)
        first = make.start(looking, "looking")
        second = make.start(looking, "looking")
        make.work()

        held = Step.objects.get(status="budget_hold")
        assert held.execution_id in {first.pk, second.pk}
        for words in (
            "finance-runs has no room",
            "at most 1 run needed, 1 of 1 run spent",
            "begins anew",
            "activated by another",
        ):
            assert words in held.why
        sweep()
        make.work()
        assert Step.objects.filter(pk=held.pk, status="budget_hold").exists()

        budget(unit_id=looking.unit.pk, limit=2, version=2)
        sweep()
        make.work()

        assert not Step.objects.exclude(status="success").exists()
        assert (window().spent, window().reserved) == (2, 0)
        assert not Block.objects.exists()
        assert not Reservation.objects.exists()

    def test_goes_on_when_the_window_turns(self, looking):
        budget(unit_id=looking.unit.pk)
        for _ in range(2):
            make.start(looking, "looking")
        make.work()
        ended = window()
        BudgetWindow.objects.filter(pk=ended.pk).update(starts_at="2020-01-01T00:00Z", ends_at="2020-01-02T00:00Z")

        sweep()
        make.work()

        assert not Step.objects.exclude(status="success").exists()
        assert sorted(BudgetWindow.objects.values_list("spent", flat=True)) == [1, 1]

    def test_that_waits_goes_with_its_execution(self, looking):
        budget(unit_id=looking.unit.pk, limit=Decimal("0.5"))
        started = make.start(looking, "looking")
        make.work()
        executions.cancel(execution_id=started.pk, by=looking.ada, why="not needed")

        budget(unit_id=looking.unit.pk, limit=5, version=2)
        sweep()

        assert Step.objects.get().status == "cancelled"
        assert not Block.objects.exists()

    def test_is_not_held_up_by_a_budget_of_another_workflow_agent_or_unit(self, looking):
        elsewhere = more.unit("elsewhere")
        budget("others", workflow="other", limit=Decimal("0.5"))
        budget("robots", agent="robot", limit=Decimal("0.5"))
        budget("elsewhere", unit_id=elsewhere.pk, limit=Decimal("0.5"))
        make.start(looking, "looking")
        make.work()

        assert Step.objects.get().status == "success"
        assert not BudgetWindow.objects.exists()

    def test_over_a_budget_that_only_warns_runs_and_one_event_tells_of_each_threshold(self, looking):
        budget(unit_id=looking.unit.pk, limit=2, is_hard=False, thresholds=[50, 100])
        for _ in range(4):
            make.start(looking, "looking")
        make.work()

        assert window().spent == 4
        told = AuditEvent.objects.filter(event="alert.budget").order_by("seq")
        assert [json.loads(event.data)["percent"] for event in told] == [50, 100]


class TestABudgetOfEveryUnit:
    def test_tells_the_units_at_the_top_by_its_name(self, world):
        more.unit("treasury", "Treasury", parent=world.unit)
        budget("company", measure="money", currency="EUR", limit=100, window="always", thresholds=[80])

        charge(Usage(cost=Decimal(85), currency="EUR"), Place(unit_id=world.unit.pk))

        (seen,) = budgets()
        assert (seen.unit_id, seen.title) == (world.unit.pk, "Budget: company has reached 80 %")
        assert seen.detail == "85 of 100 EUR spent"


class TestABudgetOfTokens:
    def test_counts_as_many_as_may_be_reported(self, world):
        """A yearly sum of tokens, or one report of very many, has more than ten digits."""
        budget("tokens", measure="tokens", limit=Decimal(10) ** 14, window="always", is_hard=False)

        for _ in range(3):
            charge(Usage(input_tokens=10**12), Place(unit_id=world.unit.pk))

        assert window("tokens").spent == 3 * 10**12


class TestACorrection:
    def test_of_a_call_counts_for_whoever_asked_for_the_call(self, world):
        """A foreign agent's call has a requester without an execution."""
        fiona = more.person("fiona", "view", of=world.unit)
        fiona.user_permissions.add(Permission.objects.get(codename="add_ledgerentry"))
        asked = called(world)
        budget("asker", measure="money", currency="EUR", limit=500, requester=asked.requester, is_hard=False)
        ticket = redeem(action_id=asked.pk, by=make.SETUP)
        report(action_id=asked.pk, fence=ticket.fence, outcome="success", by=make.SETUP,
               usage=Usage(cost=Decimal(100), currency="EUR"))  # fmt: skip
        line = LedgerEntry.objects.get(action_id=asked.pk, amount=100)

        corrections.correct(
            line_id=line.pk, wanted=corrections.Wanted(to=Decimal(1), why="the bill"), by=more.actor(fiona)
        )

        assert window("asker").spent == 1


class TestABudgetOfARelease:
    def test_holds_what_runs_under_it_and_nothing_of_the_next(self, looking, tmp_path):
        first = make.start(looking, "looking")
        budget(release=first.release.digest)
        second = make.start(looking, "looking")
        make.publish(tmp_path / "next", LOOKING.replace("1.0.0", "1.1.0"), make.HANDLERS)
        third = make.start(looking, "looking")
        make.work()

        ended = {step.execution_id: step.status for step in Step.objects.all()}
        assert ended == {first.pk: "success", second.pk: "budget_hold", third.pk: "success"}
        assert (window().spent, window().reserved) == (1, 0)

    def test_counts_what_is_reported_and_read_for_it(self, looking):
        run = make.start(looking, "looking")
        budget("tokens", measure="tokens", limit=1000, release=run.release.digest)
        whose = run_of(run.pk, run.unit_id)
        charge(Usage(model="m", input_tokens=70), Place(unit_id=run.unit_id, execution_id=run.pk, **whose._asdict()))

        assert window("tokens").spent == 70

    def test_is_not_used_up_by_another_unit_that_names_its_execution(self, looking):
        run = make.start(looking, "looking")
        budget(release=run.release.digest)

        assert run_of(run.pk, run.unit_id).release == run.release.digest
        assert run_of(run.pk, more.unit("elsewhere").pk) == ("", "", "")

    def test_cannot_become_one_of_another(self, world):
        budget(release="a" * 64)
        with pytest.raises(Refusal, match="counts something else: release"):
            budget(version=2, release="b" * 64)


class TestWhoDiesBetweenReservingAndSettling:
    def test_gives_its_room_back_when_the_lease_has_run_out(self, looking):
        budget(unit_id=looking.unit.pk)
        fence = begun(looking)
        assert window().reserved == 1

        more.later("orchestrator_attempt", "lease_expires_at", fence, 3600)
        sweep()

        assert (window().spent, window().reserved) == (0, 0)
        assert not Reservation.objects.exists()

    def test_gives_its_room_back_when_the_execution_is_cancelled(self, looking):
        budget(unit_id=looking.unit.pk)
        begun(looking)
        executions.cancel(execution_id=Step.objects.get().execution_id, by=looking.ada, why="not needed")

        assert (window().spent, window().reserved) == (0, 0)


class TestMoney:
    def test_leaves_the_reservation_it_was_made_under_and_the_rest_is_free_again(self, world):
        budget("euros", measure="money", currency="EUR", limit=10)
        spot = Spot(unit_id=world.unit.pk, holder=new_id())
        reserve(spot, Worst(money=Decimal(10), currency="EUR"))
        charge(Usage(model="m", cost=Decimal("8.5"), currency="EUR"), Place(unit_id=world.unit.pk, holder=spot.holder))

        assert (window("euros").spent, window("euros").reserved) == (Decimal("8.5"), Decimal("1.5"))
        is_exact()
        release(spot.holder, ran=True)
        assert window("euros").reserved == 0

    def test_of_a_provider_that_overcharges_counts_whole(self, world):
        budget("euros", measure="money", currency="EUR", limit=10)
        spot = Spot(unit_id=world.unit.pk, holder=new_id())
        reserve(spot, Worst(money=Decimal(10), currency="EUR"))
        charge(Usage(model="m", cost=Decimal(11), currency="EUR"), Place(unit_id=world.unit.pk, holder=spot.holder))
        release(spot.holder, ran=True)

        assert (window("euros").spent, window("euros").reserved) == (11, 0)
        with pytest.raises(OverBudget, match="11 of 10 EUR spent"):
            reserve(Spot(unit_id=world.unit.pk, holder=new_id()), Worst(money=Decimal("0.01"), currency="EUR"))

    def test_that_nobody_knows_or_in_another_currency_is_counted_beside_the_sum(self, world):
        budget("euros", measure="money", currency="EUR", limit=10)
        charge(Usage(model="nobody-knows-it", input_tokens=5), Place(unit_id=world.unit.pk))
        charge(Usage(model="m", cost=Decimal(3), currency="USD"), Place(unit_id=world.unit.pk))

        assert (window("euros").spent, window("euros").unknown) == (0, 2)

    def test_of_something_that_names_no_most_reserves_a_hundredth_or_what_the_budget_says(self, world):
        budget("euros", measure="money", currency="EUR", limit=10)
        budget("tokens", measure="tokens", limit=1000, assumed=70)
        reserve(Spot(unit_id=world.unit.pk, holder=new_id()), Worst())

        assert window("euros").reserved == Decimal("0.1")
        assert window("tokens").reserved == 70


class TestNestedBudgets:
    def test_are_taken_all_or_none(self, world):
        below = more.unit("below", parent=world.unit)
        budget("above", unit_id=world.unit.pk, limit=5)
        budget("below", unit_id=below.pk, limit=1)
        reserve(Spot(unit_id=below.pk, holder=new_id()), Worst())
        with pytest.raises(OverBudget, match="below has no room"):
            reserve(Spot(unit_id=below.pk, holder=new_id()), Worst())

        assert (window("above").reserved, window("below").reserved) == (1, 1)
        is_exact()


class TestAForeignAgent:
    def test_is_told_what_holds_it_up_and_its_grant_stands(self, world):
        budget(unit_id=world.unit.pk)
        ticket = redeem(action_id=called(world).pk, by=make.SETUP)
        assert window().reserved == 1
        waiting = called(world)
        with pytest.raises(OverBudget, match="finance-runs has no room") as refused:
            redeem(action_id=waiting.pk, by=make.SETUP)

        assert (refused.value.status_code, refused.value.code) == (409, "over_budget")
        assert "activated by another" in refused.value.remedy
        assert "activated by another" not in refused.value.message
        assert Action.objects.get(pk=waiting.pk).status == "granted"
        report(action_id=ticket.action.pk, fence=ticket.fence, outcome="success", by=make.SETUP)
        assert (window().spent, window().reserved) == (1, 0)

    @pytest.mark.parametrize("of_a_unit", [True, False])
    def test_is_told_no_figures_of_a_budget_it_cannot_read(self, world, of_a_unit):
        desk = more.unit("desk", parent=world.unit)
        budget("secret", unit_id=world.unit.pk if of_a_unit else None)
        by = agent_actor("clerk", unit_ids=frozenset({desk.pk}), scopes=frozenset())
        redeem(action_id=called(world).pk, by=make.SETUP)
        waiting = propose(tool="look", arguments={}, agent="clerk", unit_id=desk.pk, by=by)
        with pytest.raises(OverBudget) as refused:
            redeem(action_id=waiting.pk, by=by)

        assert refused.value.message.startswith("A budget of a unit above has no room. It begins anew ")
        assert "secret" not in refused.value.message
        assert refused.value.retry_after

    def test_that_pays_for_a_call_reserves_its_price(self, world):
        price = Price(name="look", kind="tool", subject="look", currency="EUR", per_call=Decimal("0.4"),
                      valid_from=database_now())  # fmt: skip
        draft(price, by=make.SETUP)
        activate(price, by=make.SETUP)
        budget("euros", measure="money", currency="EUR", limit=1)
        ticket = redeem(action_id=called(world).pk, by=make.SETUP)
        assert window("euros").reserved == Decimal("0.4")

        report(action_id=ticket.action.pk, fence=ticket.fence, outcome="success", by=make.SETUP)

        assert (window("euros").spent, window("euros").reserved) == (Decimal("0.4"), 0)
        assert LedgerEntry.objects.get().amount == Decimal("0.4")


class TestWhatIsLeftBehind:
    def test_is_found_by_the_sweep(self, world):
        budget(limit=5)
        reserve(Spot(unit_id=world.unit.pk, holder=new_id()), Worst())
        sweep()
        assert window().reserved == 1

        more.later("budgets_reservation", "at", Reservation.objects.get().pk, 61)
        sweep()

        assert window().reserved == 0
        assert not Reservation.objects.exists()

    def test_of_a_call_that_was_sent_and_never_reported_is_a_run_all_the_same(self, world):
        budget(limit=2)
        ticket = redeem(action_id=called(world).pk, by=make.SETUP)
        more.later("budgets_reservation", "at", Reservation.objects.get().pk, 3_601)
        more.later("orchestrator_action", "redeemed_at", ticket.action.pk, 3_601)
        sweep()
        assert (window().spent, window().reserved) == (1, 0)

        report(action_id=ticket.action.pk, fence=ticket.fence, outcome="success", by=make.SETUP)

        assert (window().spent, window().reserved) == (1, 0)


class TestTheDatabase:
    def test_refuses_a_reservation_past_the_limit_whoever_writes_it(self, world):
        budget(limit=5)
        reserve(Spot(unit_id=world.unit.pk, holder=new_id()), Worst())
        with pytest.raises(IntegrityError, match="has no room"), transaction.atomic():
            BudgetWindow.objects.update(reserved=6)


class TestTheWindow:
    def test_begins_at_midnight_of_the_unit(self, world):
        BusinessUnit.objects.filter(pk=world.unit.pk).update(time_zone="Pacific/Kiritimati")
        budget(unit_id=world.unit.pk, window="month")
        reserve(Spot(unit_id=world.unit.pk, holder=new_id()), Worst())

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT starts_at AT TIME ZONE 'Pacific/Kiritimati' = date_trunc('month', now() AT TIME ZONE "
                "'Pacific/Kiritimati'), ends_at > now() FROM budgets_budgetwindow"
            )
            assert cursor.fetchone() == (True, True)

    @pytest.mark.parametrize(
        "period", ["day", pytest.param("week", marks=pytest.mark.slow), pytest.param("month", marks=pytest.mark.slow)]
    )
    def test_holds_every_moment_once_also_where_clocks_change_at_midnight(self, db, period):
        """Cairo and Santiago skip midnight, Havana has it twice, the Azores do both; elsewhere it is an ordinary hour."""
        with connection.cursor() as cursor:
            cursor.execute(EVERY_HALF_HOUR, {"period": period})
            assert cursor.fetchall() == []


class TestTheDaysOfAWindow:
    def days(self, name="finance-runs"):
        return list(BudgetDay.objects.filter(window__budget=name).order_by("day").values_list("day", "spent"))

    def test_come_to_what_it_spent_whatever_spent_it(self, looking):
        budget(unit_id=looking.unit.pk, limit=5)
        budget("euros", measure="money", currency="EUR", limit=10, unit_id=looking.unit.pk)
        make.start(looking, "looking")
        make.work()
        line = charge(Usage(model="m", cost=Decimal(3), currency="EUR"), Place(unit_id=looking.unit.pk))
        correct(line, to=Decimal(1), why="the invoice", by=looking.ada)

        today = database_now().date()
        assert self.days() == [(today, window().spent)] == [(today, 1)]
        assert self.days("euros") == [(today, window("euros").spent)] == [(today, 1)]

    def test_are_days_where_the_unit_is(self, world):
        BusinessUnit.objects.filter(pk=world.unit.pk).update(time_zone="Pacific/Kiritimati")
        budget("tokens", measure="tokens", limit=10, unit_id=world.unit.pk)
        charge(Usage(model="m", input_tokens=3), Place(unit_id=world.unit.pk))

        assert self.days("tokens") == [(database_now().astimezone(ZoneInfo("Pacific/Kiritimati")).date(), 3)]

    def test_end_with_the_window_also_for_what_is_used_late(self, world):
        budget(limit=5)
        spot = Spot(unit_id=world.unit.pk, holder=new_id())
        reserve(spot, Worst())
        BudgetWindow.objects.update(starts_at="2020-01-01T00:00Z", ends_at="2020-01-02T00:00Z")
        release(spot.holder, ran=True)

        assert self.days() == [(date(2020, 1, 1), 1)]


class TestAHigherLimit:
    def test_needs_two_people(self, world):
        budget()
        higher = Budget(name="finance-runs", version=2, measure="runs", limit=9, window="day")
        draft(higher, by=world.ada)
        with pytest.raises(SamePerson):
            activate(higher, by=world.ada)
        activate(higher, by=world.grace)

        assert Budget.objects.get(status="active").limit == 9

    def test_warns_again_on_the_way_to_it(self, world):
        """Raising the limit is what one does after a warning; the next one has to come as well."""
        spot = Place(unit_id=world.unit.pk)
        money = {"measure": "money", "currency": "EUR", "window": "always", "thresholds": [80, 100]}
        budget("pot", limit=100, **money)
        charge(Usage(cost=Decimal(100), currency="EUR"), spot)
        budget("pot", version=2, limit=1_000, **money)

        for _ in range(9):
            charge(Usage(cost=Decimal(100), currency="EUR"), spot)

        told = [json.loads(event.data) for event in AuditEvent.objects.filter(event="alert.budget").order_by("seq")]
        reached = [(one["percent"], one["limit"].partition(".")[0]) for one in told]
        assert reached == [(80, "100"), (100, "100"), (80, "1000"), (100, "1000")]

    @pytest.mark.parametrize(("spent", "limit"), [(10**12, "0.0000000001"), (-400, "100")])
    def test_or_a_lower_one_comes_into_force_whatever_was_spent(self, world, spent, limit):
        """Far over it, or below nothing after a correction of another window's line."""
        money = {"measure": "tokens", "window": "always"}
        budget("pot", limit=10**13, **money)
        charge(Usage(input_tokens=10), Place(unit_id=world.unit.pk))
        BudgetWindow.objects.update(spent=spent)

        budget("pot", version=2, limit=Decimal(limit), **money)

        assert (window("pot").limit, window("pot").told) == (Decimal(limit), 0)

    def test_is_not_reached_by_taking_the_budget_away(self, world):
        with pytest.raises(NeedsTwo):
            retire(budget(), by=world.ada)

    def test_cannot_come_by_counting_something_else(self, world):
        budget()
        with pytest.raises(Refusal, match="counts something else: window"):
            budget(version=2, window="year")
