"""What a success costs: every line in one bucket, by what became of its execution; the same on page, in file and over API."""

import csv
import io
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.urls import reverse

from approvals.models import ApprovalRequest
from budgets.models import Price
from budgets.operations import Place, charge, charge_review, correct
from budgets.pricing import Usage
from orchestrator.engine.retries import Failure
from orchestrator.engine.settle import settle_failure, settle_success
from orchestrator.models import CostFold, Execution
from orchestrator.operations import executions
from tests import make
from tests.engine.driving import timers_come_due
from tests.pages.asking import browser_of

pytestmark = pytest.mark.django_db


def text(answer):
    return answer.content.decode()


def usage_of(cost, currency="USD"):
    return Usage(cost=cost and Decimal(cost), currency=currency if cost else "", model="house", input_tokens=10)


def spend(run, cost, currency="USD"):
    return charge(usage_of(cost, currency), Place(unit_id=run.unit_id, agent="poster", execution_id=run.pk))


def results(browser, query=""):
    """What the API says, by workflow."""
    answer = browser.get(f"/api/v1/costs/outcomes/{query}")
    assert answer.status_code == 200, answer.content
    return {one["workflow"]: one for one in answer.json()["results"]}


def buckets(browser, workflow="closing"):
    """Of the only currency, without what is nothing."""
    (spending,) = results(browser)[workflow]["spendings"]
    return {name: Decimal(amount) for name, amount in spending["buckets"].items() if Decimal(amount)}


class TestEveryLine:
    @pytest.mark.parametrize(
        ("status", "bucket"),
        [
            ("succeeded", "succeeded"),
            ("failed", "failed"),
            ("dead_lettered", "failed"),
            ("cancelled", "turned_down"),
            ("running", "under_way"),
            ("waiting", "under_way"),
        ],
    )
    def test_counts_by_what_became_of_its_execution(self, unit, as_vera, status, bucket):
        run = make.execution(status)
        spend(run, "0.50")
        assert buckets(as_vera) == {bucket: Decimal("0.5")}
        assert results(as_vera)["closing"]["executions"][bucket] == 1

    def test_of_an_execution_that_a_person_ended_by_saying_no_is_turned_down(self, unit, as_vera, grace):
        run = make.execution("waiting")
        spend(run, "0.50")
        make.rejected(ApprovalRequest.objects.get(execution_id=run.pk), grace)
        settle_failure(make.claimed(run), Failure("business", "Rejected: no invoice", {}))
        assert Execution.objects.get(pk=run.pk).status == "failed"
        assert buckets(as_vera) == {"turned_down": Decimal("0.5")}

    def test_of_people_is_reviewing_whatever_became_of_it(self, unit, as_vera):
        make._activated(
            Price(name="people", kind="review", currency="USD", per_hour=60, valid_from="2020-01-01T00:00Z")
        )
        run = make.execution("succeeded")
        charge_review(60, Place(unit_id=run.unit_id, execution_id=run.pk))
        assert buckets(as_vera) == {"review": Decimal(1)}

    def test_of_a_try_that_failed_and_was_made_again_is_waste_even_in_a_success(self, unit, as_vera):
        run = make.execution(attempts=2)
        first = make.at_second_step(run)
        first.usages.append(usage_of("0.30"))
        settle_failure(first, Failure("system", "The ERP answered 503.", {}), input={"rows": 3})
        assert buckets(as_vera) == {"under_way": Decimal("0.3")}
        timers_come_due()
        second = make.claimed(run)
        second.usages.append(usage_of("0.50"))
        settle_success(second, input={"rows": 3}, output={"posted": 3})
        assert Execution.objects.get(pk=run.pk).status == "succeeded"
        assert buckets(as_vera) == {"repeated": Decimal("0.3"), "succeeded": Decimal("0.5")}

    def test_of_a_call_that_is_sent_again_counts_in_the_try_that_sent_it(self, unit, as_vera):
        """The call is the same in every try, and was proposed in the first one."""
        run = make.execution(attempts=2)
        first = make.at_second_step(run)
        call = make.held_in(run)
        place = Place(unit_id=run.unit_id, agent="poster", execution_id=run.pk, action_id=call.pk)
        charge(usage_of("0.30"), place)
        settle_failure(first, Failure("system", "The ERP answered 503.", {}), input={"rows": 3})
        timers_come_due()
        second = make.claimed(run)
        charge(usage_of("0.50"), place)
        settle_success(second, input={"rows": 3}, output={"posted": 3})
        assert buckets(as_vera) == {"repeated": Decimal("0.3"), "succeeded": Decimal("0.5")}

    def test_of_a_last_try_is_no_repetition(self, unit, as_vera):
        run = make.execution(attempts=1)
        only = make.at_second_step(run)
        only.usages.append(usage_of("0.30"))
        settle_failure(only, Failure("system", "The ERP answered 503.", {}), input={"rows": 3})
        assert buckets(as_vera) == {"failed": Decimal("0.3")}

    def test_that_is_corrected_counts_as_corrected(self, unit, as_vera, kay):
        line = spend(make.execution("succeeded"), None)
        assert results(as_vera)["closing"]["unknown"] == 1
        correct(line, to=Decimal("0.40"), currency="USD", why="The invoice", by=make.actor(kay))
        assert buckets(as_vera) == {"succeeded": Decimal("0.4")}
        assert results(as_vera)["closing"]["unknown"] == 0


class TestTheCostOfASuccess:
    def test_is_all_that_was_spent_by_what_succeeded(self, unit, as_vera):
        for status, cost in (("succeeded", "0.10"), ("succeeded", "0.20"), ("failed", "0.30"), ("cancelled", "0.15")):
            spend(make.execution(status), cost)
        (spending,) = results(as_vera)["closing"]["spendings"]
        assert Decimal(spending["per_success"]) == Decimal("0.375")
        assert (Decimal(spending["amount"]), Decimal(spending["waste"])) == (Decimal("0.75"), Decimal("0.45"))
        (row,) = as_vera.get(reverse("cost_outcomes")).context["rows"]
        assert (row.per_success, row.waste, row.whole) == ("0.38", "60.0 %", "0.75")
        assert [count for count, _ in row.counts] == [2, 1, 1, 0]

    def test_is_not_known_while_nothing_has_succeeded(self, unit, as_vera):
        spend(make.execution("failed"), "0.10")
        assert results(as_vera)["closing"]["spendings"][0]["per_success"] is None
        assert as_vera.get(reverse("cost_outcomes")).context["rows"][0].per_success == "unknown"

    def test_is_told_per_currency(self, unit, as_vera):
        run = make.execution("succeeded")
        spend(run, "0.10")
        spend(run, "0.20", "EUR")
        spendings = results(as_vera)["closing"]["spendings"]
        assert [(one["currency"], Decimal(one["per_success"])) for one in spendings] == [
            ("EUR", Decimal("0.2")),
            ("USD", Decimal("0.1")),
        ]

    def test_is_the_same_in_the_file(self, unit, as_vera):
        spend(make.execution("succeeded"), "0.10")
        spend(make.execution("failed"), "0.30")
        (row,) = csv.DictReader(io.StringIO(text(as_vera.get(reverse("cost_outcomes_csv")))))
        told = ("executions_succeeded", "executions_failed", "amount", "amount_failed", "per_success")
        assert [Decimal(row[name]) for name in told] == [1, 1, Decimal("0.4"), Decimal("0.3"), Decimal("0.4")]

    def test_changes_with_a_late_outcome(self, unit, as_vera, ada):
        run = make.execution("waiting")
        spend(run, "0.10")
        assert buckets(as_vera) == {"under_way": Decimal("0.1")}
        executions.cancel(execution_id=run.pk, by=make.actor(ada), why="Not needed")
        assert buckets(as_vera) == {"turned_down": Decimal("0.1")}


class TestSumsThatAreNotMadeYet:
    """After an upgrade: executions were there before the sums."""

    def test_are_read_from_the_ledger_and_the_page_says_so_until_the_command_has_run(self, unit, as_vera):
        spend(make.execution("succeeded"), "0.10")
        CostFold.objects.update(runs_before=0)
        assert "rebuild_rollups" in text(as_vera.get(reverse("cost_outcomes")))
        assert buckets(as_vera) == {"succeeded": Decimal("0.1")}
        call_command("rebuild_rollups", verbosity=0)
        assert buckets(as_vera) == {"succeeded": Decimal("0.1")}
        assert "rebuild_rollups" not in text(as_vera.get(reverse("cost_outcomes")))


class TestWhoSees:
    def test_nobody_sees_a_strangers_unit(self, unit, as_eve):
        spend(make.execution("succeeded"), "0.10")
        assert results(as_eve) == {}
        assert as_eve.get(f"{reverse('cost_outcomes')}?unit={unit.pk}").context["rows"] == []
        assert "closing" not in text(as_eve.get(reverse("cost_outcomes_csv")))

    def test_signed_out_people_are_asked_to_sign_in(self, client, db):
        assert client.get(reverse("cost_outcomes")).status_code == 302


class TestTheAddress:
    @pytest.mark.parametrize(
        "wrong", ["since=x", "since=2999-01-01", "since=0001-01-01", "until=0001-01-01", "unit=no"]
    )
    def test_that_makes_no_sense_is_read_as_one_that_does_on_the_page(self, unit, as_vera, wrong):
        for name in ("cost_outcomes", "cost_outcomes_csv"):
            assert as_vera.get(f"{reverse(name)}?{wrong}").status_code == 200

    @pytest.mark.parametrize("wrong", ["since=x", "since=2999-01-01", "since=2020-01-01", "until=9999-12-31", "from=1"])
    def test_that_makes_no_sense_is_refused_by_the_api(self, unit, as_vera, wrong):
        assert as_vera.get(f"/api/v1/costs/outcomes/?{wrong}").status_code == 400

    def test_of_a_unit_means_those_below_it(self, unit):
        browser = browser_of(make.person("olga", "view", of=unit))
        spend(make.execution("succeeded"), "0.10")
        assert set(results(browser, "?unit=finance")) == {"closing"}
        assert results(browser, "?unit=elsewhere") == {}


class TestColumns:
    def test_are_of_what_something_was_spent_on_and_its_numbers_stand_under_them(self, unit, as_vera):
        spend(make.execution("succeeded"), "0.50")
        spend(make.execution("failed"), "0.25")
        page = as_vera.get(reverse("cost_outcomes"))

        assert page.context["headers"] == ["On successes", "On failures"]
        assert [row.money for row in page.context["rows"]] == [["0.50", "0.25"]]
        assert page.context["counted"] == ["Done", "Failed", "Rejected or cancelled", "Under way"]
