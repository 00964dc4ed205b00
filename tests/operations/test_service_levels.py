"""Service levels are counted from what happened: each figure on a world of known executions, what is not known is not zero."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from audit.lifecycle import database_now
from budgets.models import BusinessUnit, LedgerEntry
from orchestrator.engine.alerts.alerting import judge_slowly
from orchestrator.health.levels import Span, culprit, judged, levels
from orchestrator.models import Alert, Execution
from orchestrator.operations import dead_letters
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


def span(*units):
    now = database_now()
    return Span(
        units=frozenset(unit.pk for unit in units), since=now - timedelta(days=1), until=now + timedelta(hours=1)
    )


def whole(unit, **more):
    return levels(span(unit), **more)[0]


def pay(execution, amount, currency="USD", *, agent="poster"):
    known = {"basis": "reported", "amount": Decimal(amount), "currency": currency} if amount else {"basis": "unknown"}
    return LedgerEntry.objects.create(unit_id=execution.unit_id, execution_id=execution.pk, agent=agent, **known)


def shift(execution, *, total):
    """The execution took so long from end to end, its attempts what they took."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orchestrator_execution SET created_at = finished_at - make_interval(secs => %s) WHERE id = %s",
            [total, execution.pk],
        )


def attempts_take(execution, *spans):
    """Attempts of the execution ran from and to so many seconds before its end."""
    with connection.cursor() as cursor:
        for number, (begin, end) in enumerate(spans):
            cursor.execute(
                "UPDATE orchestrator_attempt SET started_at = e.finished_at - make_interval(secs => %s), "
                "finished_at = e.finished_at - make_interval(secs => %s) FROM orchestrator_execution AS e "
                "WHERE e.id = %s AND orchestrator_attempt.id = (SELECT a.id FROM orchestrator_attempt AS a JOIN "
                "orchestrator_step AS s ON s.id = a.step_id WHERE s.execution_id = e.id ORDER BY s.position LIMIT 1 OFFSET %s)",
                [begin, end, execution.pk, number],
            )


class TestShares:
    def test_count_each_ending_once_and_leave_out_what_has_not_ended(self, unit):
        for status in ("succeeded", "succeeded", "failed", "dead_lettered", "cancelled", "running", "waiting"):
            make.execution(status)
        found = whole(unit)

        assert found.share("succeeded", "ended") == 50.0
        assert found.share("completed", "asked") == pytest.approx(100 * 4 / 7)
        assert found.share("escalated", "asked") == pytest.approx(100 / 7)
        assert found.share("leaked", "asked") == pytest.approx(100 * 2 / 7)

    def test_keep_a_failure_that_reached_a_person_also_after_it_was_mended(self, unit):
        letter = make.dead_letter()
        dead_letters.requeue(letter_id=letter.pk, by=make.actor(make.person("operator", "view", "operate")))
        make.succeeded(letter)
        found = whole(unit)

        assert (found.counts["succeeded"], found.counts["leaked"]) == (1, 1)

    def test_are_not_known_where_there_is_nothing_to_divide_by(self, unit):
        found = whole(unit)

        assert found.share("succeeded", "ended") is None
        assert [one.state for one in judged(found)] == ["unknown"] * 3
        assert not any(one.out for one in judged(found))

    def test_are_told_by_workflow_unit_and_release_and_only_of_the_units_asked_for(self, unit):
        make.execution("succeeded")
        make.execution("failed", name="other")
        make.letter(of=make.unit("sales", "Sales"))

        assert [one.called for one in levels(span(unit))] == ["", "closing", "other"]
        assert [one.called for one in levels(span(unit), by="unit")] == ["", "Finance"]
        assert levels(span(unit), by="release")[1].called.startswith("closing 1.0.0 (")
        assert sum(one.counts["asked"] for one in levels(span(unit))[1:]) == whole(unit).counts["asked"] == 2


class TestOverhead:
    def test_is_what_neither_an_attempt_nor_a_person_took_and_counts_parallel_time_once(self, unit):
        done = make.execution("succeeded")
        shift(done, total=10)
        attempts_take(done, (9, 4), (6, 1))

        assert whole(unit).times["overhead_p50"] == pytest.approx(2.0, abs=0.01)
        assert whole(unit).times["took_p50"] == pytest.approx(10.0, abs=0.01)

    def test_is_not_measured_where_something_was_tried_again(self, unit):
        letter = make.dead_letter()
        dead_letters.requeue(letter_id=letter.pk, by=make.actor(make.person("operator", "view", "operate")))
        make.succeeded(letter)

        assert (whole(unit).times["overhead_p50"], whole(unit).counts["measured"]) == (None, 0)


class TestCost:
    def test_is_the_mean_of_successes_that_are_known_to_the_last_line(self, unit):
        for lines in (["0.10", "0.20"], ["0.50"], ["9.00", None], []):
            done = make.execution("succeeded")
            for amount in lines:
                pay(done, amount)
        pay(make.execution("failed"), "7.00")
        pay(make.execution("succeeded"), "1.00", "EUR")
        found = whole(unit)

        assert (found.cost, found.counts["priced"]) == (pytest.approx(0.40), 2)

    def test_that_was_unknown_and_is_corrected_is_known(self, unit):
        line = pay(make.execution("succeeded"), None)
        assert whole(unit).cost is None
        known = {"basis": "reported", "amount": Decimal("0.30"), "currency": "USD"}
        about = {"unit_id": line.unit_id, "execution_id": line.execution_id}
        LedgerEntry.objects.create(kind="correction", corrects=line, why="invoice", **about, **known)

        assert whole(unit).cost == pytest.approx(0.30)


class TestARange:
    def out(self, unit):
        asked = span(unit)
        found, *groups = levels(asked)
        return {one.key: culprit(one.key, asked, found, groups) for one in judged(found) if one.out}

    def test_that_is_kept_names_nobody(self, unit):
        pay(make.execution("succeeded"), "0.20")

        assert self.out(unit) == {}

    def test_of_success_names_the_step_in_which_most_failed(self, unit):
        make.execution("succeeded")
        make.execution("failed")
        make.execution("dead_lettered")
        make.execution("failed", name="other")

        assert self.out(unit)["success"] == "closing / post: 2 of 3 failures"

    def test_of_cost_names_who_spent_most(self, unit):
        done = make.execution("succeeded")
        pay(done, "0.10")
        pay(done, "0.90", agent="looker")

        assert self.out(unit)["cost"] == "looker: USD 0.90 of USD 1.00, 90 %"

    def test_of_cost_says_what_is_less_than_a_cent(self, unit, settings):
        settings.SERVICE_LEVELS = {**settings.SERVICE_LEVELS, "cost": (0, 0.001)}
        done = make.execution("succeeded")
        pay(done, "0.0012")
        pay(done, "0.0038", agent="looker")

        assert self.out(unit)["cost"] == "looker: USD 0.003800 of USD 0.005000, 76 %"

    def test_of_overhead_names_the_workflow(self, unit):
        done = make.execution("succeeded")
        shift(done, total=10)
        attempts_take(done, (9, 4), (6, 1))
        make.execution("succeeded", name="quick")

        assert self.out(unit)["overhead"].startswith("closing: 95 % below 2.0")


class TestAnAlert:
    def failing(self, unit, number):
        letter = make.letter()
        make.copies(letter, number - 1)
        return letter

    def test_is_raised_for_the_units_owner_with_the_culprit_and_ends_by_itself(self, unit):
        owner = make.person("olga", "view", of=unit)
        BusinessUnit.objects.filter(pk=unit.pk).update(owner=get_user_model().objects.get(pk=owner.pk))
        self.failing(unit, 20)
        judge_slowly()
        judge_slowly()

        alert = Alert.objects.get()
        assert (alert.kind, alert.owner_name, alert.count, alert.status) == ("level_success", "olga", 20, "open")
        assert "closing / post: 20 of 20 failures" in alert.detail

        Execution.objects.update(created_at=database_now() - timedelta(hours=25))
        judge_slowly()
        alert.refresh_from_db()
        assert alert.status == "resolved"

    def test_is_not_raised_for_a_few(self, unit):
        self.failing(unit, 19)
        judge_slowly()

        assert not Alert.objects.exists()
