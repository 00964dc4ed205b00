"""What lasts is an alert for as long as it lasts: a budget that is used up, a send that nobody can account for."""

from decimal import Decimal

import pytest
from django.db import connection

from approvals.models import Notice
from audit.definitions import activate, draft
from audit.models import AuditEvent
from budgets.models import Budget, BudgetWindow
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from orchestrator.engine.alerts import rules as alert_rules
from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.engine.sweep import sweep
from orchestrator.models import Action, Alert
from orchestrator.operations import alerts, unknown_outcomes
from orchestrator.operations.unknown_outcomes import Said
from tests import worlds as make
from tests.engine.driving import die_after_sending, drive, statuses

pytestmark = pytest.mark.usefixtures("looks_at_once")


@pytest.fixture
def a_day_later(monkeypatch):
    """The trail cannot be changed, so rules look back from now."""
    return lambda: monkeypatch.setattr(alert_rules, "EVENT_HOURS", 0)


def told():
    return list(Notice.objects.filter(kind__startswith="alert").order_by("id").values_list("kind", flat=True))


def limited(limit, version=1):
    row = Budget(
        name="finance",
        version=version,
        measure="money",
        currency="EUR",
        limit=limit,
        window="month",
        thresholds=[80, 100],
    )
    draft(row, by=make.SETUP)
    activate(row, by=make.SETUP)
    anything_is_budgeted.again()


def spend(world, amount):
    charge(Usage(cost=Decimal(amount), currency="EUR"), Place(unit_id=world.unit.pk))
    judge_all()


def open_alerts():
    return sorted(Alert.objects.active().values_list("title", flat=True))


class TestABudget:
    @pytest.fixture
    def spent(self, world):
        limited(100)
        spend(world, 85)
        return Alert.objects.get()

    def test_is_an_alert_until_it_is_not_used_up_any_more(self, spent, a_day_later):
        assert (spent.title, spent.severity) == ("Budget: finance has reached 80 %", "warning")
        assert (spent.detail, spent.evidence) == ("85 of 100 EUR spent", "/budgets/")

        a_day_later()
        judge_all()
        assert open_alerts() == [spent.title]

        limited(1000, version=2)
        judge_all()
        assert open_alerts() == []
        assert told() == ["alert", "alert_over"]

    def test_that_goes_on_to_its_limit_is_told_though_somebody_knows_of_the_first_threshold(self, world, spent):
        alerts.acknowledge(alert_id=spent.pk, by=world.ada, why="I have asked for more")

        spend(world, 20)

        assert open_alerts() == ["Budget: finance has reached 100 %", "Budget: finance has reached 80 %"]
        assert told() == ["alert", "alert_urgent"]
        assert Alert.objects.get(title="Budget: finance has reached 100 %").severity == "critical"

    def test_stays_the_alert_that_an_older_version_raised(self, spent):
        assert spent.subject == str(BudgetWindow.objects.get().pk)
        Alert.objects.update(rule="events", title="Budget: finance")

        judge_all()

        assert open_alerts() == ["Budget: finance has reached 80 %"]
        assert told() == ["alert"]

    def test_of_a_window_that_has_ended_is_over(self, spent):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE budgets_budgetwindow SET starts_at = starts_at - interval '2 months', "
                "ends_at = ends_at - interval '2 months'"
            )

        judge_all()

        assert open_alerts() == []
        assert BudgetWindow.objects.get().spent == 85


class TestASendWithoutAnAnswer:
    @pytest.fixture
    def parked(self, world, governed):
        """The worker was killed after it had sent: nobody can look it up, so a person is asked."""
        governed("  - send: {tool: send_c, ref: R-1}\n")
        execution = make.start(world, "outside")
        die_after_sending(world, execution, "send_c")
        drive(execution)
        assert statuses(execution) == {"send": "unknown_outcome"}
        judge_all()
        return Action.objects.get()

    def test_of_a_worker_that_died_is_an_alert_at_once(self, parked):
        alert = Alert.objects.get(kind="unknown_outcome")

        assert (alert.status, alert.severity, alert.title) == ("open", "critical", "Unknown outcome: outside / send")
        assert (alert.evidence, alert.count) == (parked.get_absolute_url(), 1)

    def test_is_one_until_somebody_has_said_what_happened(self, world, parked, a_day_later):
        a_day_later()
        judge_all()
        assert open_alerts() == ["Unknown outcome: outside / send"]

        said = Said(verdict="happened", code="in_their_books", note="it is in their books", result={"ref": "R-1"})
        unknown_outcomes.answer(action_id=parked.pk, by=world.ada, said=said)
        judge_all()
        assert open_alerts() == []

    def test_is_told_again_when_whoever_knows_of_it_wanted_to_be_reminded(self, world, parked):
        alerts.acknowledge(alert_id=Alert.objects.get().pk, by=world.ada, why="I have asked the bank")
        said = Said(verdict="cannot_tell", code="no_access", note="the bank is closed", remind_seconds=60)
        unknown_outcomes.answer(action_id=parked.pk, by=world.ada, said=said)
        for _ in range(2):  # as of two sends of the same step
            with connection.cursor() as cursor:
                cursor.execute("UPDATE orchestrator_action SET next_look_at = clock_timestamp()")
            sweep()
        judge_all()

        assert AuditEvent.objects.filter(event="action.reminded").count() == 2
        assert told() == ["alert_urgent", "alert_urgent"]
        assert Alert.objects.get().status == "acknowledged"

    def test_stays_the_alert_that_an_older_version_raised(self, parked):
        Alert.objects.update(rule="events")

        judge_all()

        assert Alert.objects.get().rule == "unknown_outcomes"
        assert told() == ["alert_urgent"]
