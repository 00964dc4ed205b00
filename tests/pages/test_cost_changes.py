"""What got dearer, and why: the page, its file, its parts, and who sees it."""

import csv
import io
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from budgets.models import Price
from budgets.operations import Place, correct, import_call
from budgets.pricing import Usage
from orchestrator.queries.cost_parts import PARTS
from tests import make
from tests.pages.asking import browser_of

pytestmark = pytest.mark.django_db


def today():
    """Asked by each test: the run itself may be at work at midnight."""
    return datetime.now(UTC).date()


def yesterday():
    return today() - timedelta(days=1)


def days():
    return f"?since={today()}&until={today()}&against={yesterday()}&against_until={yesterday()}"


def text(answer):
    return answer.content.decode()


def spend(unit, cost, *, on=None, execution=None, currency="USD", model="small", tokens=1000):
    """A line of that day: written as of then, as a call that was reported then would be."""
    usage = Usage(cost=cost and Decimal(cost), currency=currency if cost else "", model=model, input_tokens=tokens)
    moment = datetime.combine(on or today(), time.min, UTC)
    return import_call(
        usage, Place(unit_id=unit.pk, agent="poster", execution_id=execution and execution.pk), at=moment
    )


def shown(browser, query=None):
    tables = browser.get(reverse("cost_changes") + (query or days())).context["tables"]
    return {table["currency"]: table["rows"] for table in tables}


def file_of(browser, query=None):
    return list(csv.DictReader(io.StringIO(text(browser.get(reverse("cost_changes_csv") + (query or days()))))))


class TestTheChanges:
    def test_name_the_workflow_and_why_it_is_dearer(self, unit, as_vera):
        run = make.execution()
        spend(unit, "10", on=yesterday(), execution=run)
        spend(unit, "30", execution=run, model="large")
        (row,) = shown(as_vera)["USD"]
        assert (row.what, row.change, row.relative) == (run.workflow, "+20.00", "+200.0 %")
        assert row.sentence == (
            "USD 20.00 more: 20.00 because large took the place of small: 100.0 % of the tokens instead of 0.0 %."
        )
        assert row.sentence in text(as_vera.get(reverse("cost_changes") + days()))

    def test_stand_the_largest_first_whichever_way(self, unit, as_vera):
        first, second = make.execution(), make.execution(name="opening")
        spend(unit, "1", on=yesterday(), execution=first)
        spend(unit, "3", execution=first)
        spend(unit, "9", on=yesterday(), execution=second)
        assert [row.change for row in shown(as_vera)["USD"]] == ["\u22129.00", "+2.00"]

    def test_are_told_by_their_parts_in_the_file_to_the_last_digit(self, unit, as_vera):
        run = make.execution()
        for number in range(1, 4):
            spend(unit, f"0.{number:010}", on=yesterday(), execution=run, tokens=7)
            spend(unit, f"0.0{number:09}", execution=run, model="large" if number == 2 else "small", tokens=11)
        (row,) = file_of(as_vera)
        change = Decimal(row["amount"]) - Decimal(row["amount_before"])
        assert Decimal(row["change"]) == change == sum(Decimal(row[part]) for part in PARTS)
        assert row["why"] == shown(as_vera)["USD"][0].sentence

    def test_lead_to_the_lines_of_both_times(self, unit, as_vera):
        spend(unit, "1", on=yesterday())
        spend(unit, "3")
        (row,) = shown(as_vera)["USD"]
        for url, amount in ((row.url_before, 1), (row.url, 3)):
            assert dict(as_vera.get(url).context["cost"].amounts) == {"USD": Decimal(amount)}

    def test_keep_currencies_apart_and_count_what_nobody_knows(self, unit, as_vera):
        spend(unit, "1")
        spend(unit, "2", currency="EUR")
        spend(unit, None)
        tables = shown(as_vera)
        assert {currency: [row.change for row in rows] for currency, rows in tables.items()} == {
            "EUR": ["+2.00"],
            "USD": ["+1.00"],
        }
        assert "Not in these sums: 1 line of unknown cost (0 before)" in text(
            as_vera.get(reverse("cost_changes") + days())
        )

    def test_name_a_workflow_of_which_no_cost_is_known(self, unit, as_vera):
        spend(unit, None)
        assert [(row.unknown, row.unknown_before) for row in shown(as_vera)[""]] == [(1, 0)]
        assert file_of(as_vera)[0]["change"] == ""

    def test_say_a_correction_is_one(self, unit, as_vera, kay):
        line = spend(unit, "5", on=yesterday())
        correct(line, to=Decimal(4), why="The invoice", by=make.actor(kay))
        assert "because corrections of older lines came to \u22121.00" in shown(as_vera)["USD"][0].sentence


def call(unit, *, cached, on, provider="", is_batch=False):
    """A call that is priced by its tokens, on that day."""
    usage = Usage(
        model="small", provider=provider, input_tokens=1_000_000, cached_input_tokens=cached, output_tokens=200_000,
        is_batch=is_batch,
    )  # fmt: skip
    moment = datetime.combine(on, time.min, UTC)
    return import_call(usage, Place(unit_id=unit.pk, agent="poster"), at=moment)


def price(unit, name, begins, *, output, provider=""):
    """A contract of that unit, in force from that day on."""
    since = datetime.combine(begins, time.min, UTC)
    rates = {"input": Decimal(2), "cached_input": Decimal(1), "output": Decimal(output)}
    where = {"subject": "small", "provider": provider, "unit_id": unit.pk, "currency": "USD"}
    return make._activated(Price(name=name, valid_from=since, **where, **rates))


class TestWhyATokenIsDearer:
    """By the rates that the ledger keeps with each estimated line."""

    def test_other_kinds_of_tokens_move_no_rate(self, unit, as_vera):
        price(unit, "small", yesterday(), output="8.5")
        call(unit, cached=800_000, on=yesterday())
        call(unit, cached=200_000, on=today())
        (row,) = file_of(as_vera)
        assert told(row) == {"kinds": Decimal("0.60")}
        assert "20.0 % instead of 80.0 % of the input came from a cache" in row["why"]

    def test_a_dearer_contract_moves_the_rates_alone(self, unit, as_vera):
        price(unit, "small", yesterday(), output="8.5")
        price(unit, "small-dearer", today(), output="12.5")
        call(unit, cached=800_000, on=yesterday())
        call(unit, cached=800_000, on=today())
        (row,) = file_of(as_vera)
        assert told(row) == {"rates": Decimal("0.80")}
        assert "the rates of small changed: output 12.5 instead of 8.5 per million tokens" in row["why"]

    def test_another_provider_of_the_same_model_is_another_model(self, unit, as_vera):
        price(unit, "small", yesterday(), output="8.5", provider="here")
        price(unit, "small-there", yesterday(), output="12.5", provider="there")
        call(unit, cached=800_000, on=yesterday(), provider="here")
        call(unit, cached=800_000, on=today(), provider="there")
        (row,) = file_of(as_vera)
        assert told(row) == {"mix": Decimal("0.80")}
        assert "small of there took the place of small of here" in row["why"]

    def test_amounts_that_were_reported_are_not_split(self, unit, as_vera):
        spend(unit, "1", on=yesterday())
        spend(unit, "3")
        (row,) = file_of(as_vera)
        assert told(row) == {"price": Decimal(2)}

    def test_reads_the_ledger_once_however_many_models_and_units(self, unit, as_vera, django_assert_max_num_queries):
        price(unit, "small", yesterday(), output="8.5")
        for provider in ("", "a", "b", "c"):
            call(unit, cached=800_000, on=yesterday(), provider=provider)
            call(unit, cached=100_000, on=today(), provider=provider)
        as_vera.get(reverse("cost_changes") + days())
        with django_assert_max_num_queries(15) as counted:
            as_vera.get(reverse("cost_changes") + days())
        assert len([one for one in counted if "budgets_ledgerentry" in one["sql"]]) == 1


def told(row):
    return {name: Decimal(row[name]) for name in PARTS if Decimal(row[name])}


class TestTheDays:
    def test_are_this_month_against_as_many_days_of_the_last_one(self, unit, as_vera):
        page = as_vera.get(reverse("cost_changes"))
        now, before = page.context["now"], page.context["before"]
        assert (now.since, now.until) == (today().replace(day=1), today())
        assert before.since == (now.since - timedelta(days=1)).replace(day=1)
        assert before.until < now.since

    @pytest.mark.parametrize(
        ("asked", "against"),
        [
            ("since=2026-03-01&until=2026-03-31", ("2026-02-01", "2026-02-28")),
            ("since=2026-02-01&until=2026-02-28", ("2026-01-01", "2026-01-31")),
            ("since=2026-03-01&until=2026-03-30", ("2026-02-01", "2026-02-28")),
            ("since=2026-03-01&until=2026-03-09", ("2026-02-01", "2026-02-09")),
            ("since=2026-03-02&until=2026-03-03", ("2026-02-28", "2026-03-01")),
            ("since=2026-03-02&until=2026-03-03&against=2026-01-01&against_until=2026-03-02", ("2026-01-01", "2026-03-01")),
            ("since=2026-03-02&until=2026-03-03&against=2026-03-02", ("2026-02-28", "2026-03-01")),
        ],
    )  # fmt: skip
    def test_that_are_compared_never_overlap(self, unit, as_vera, asked, against):
        before = as_vera.get(f"{reverse('cost_changes')}?{asked}").context["before"]
        assert (before.since.isoformat(), before.until.isoformat()) == against

    @pytest.mark.parametrize(
        "wrong", ["since=x", "since=0001-01-01", "against=9999-12-31", "unit=no", "until=1999-01-01"]
    )
    def test_that_make_no_sense_are_read_as_ones_that_do(self, unit, as_vera, wrong):
        for name in ("cost_changes", "cost_changes_csv"):
            assert as_vera.get(f"{reverse(name)}?{wrong}").status_code == 200

    def test_without_costs_say_so(self, unit, as_vera):
        assert "Nothing was spent in either time" in text(as_vera.get(reverse("cost_changes")))


class TestWhoSees:
    def test_nobody_sees_a_strangers_unit(self, unit, as_eve):
        spend(unit, "1")
        assert shown(as_eve) == {}
        assert shown(as_eve, f"{days()}&unit={unit.pk}") == {}
        assert file_of(as_eve, f"{days()}&unit={unit.pk}") == []

    def test_a_unit_counts_with_those_below_it(self, unit):
        below = make.unit("payables", "Payables", parent=unit)
        spend(below, "2")
        browser = browser_of(make.person("olga", "view", of=unit))
        assert [row.row.unit for row in shown(browser, f"{days()}&unit={unit.pk}")["USD"]] == ["Payables"]

    def test_signed_out_people_are_asked_to_sign_in(self, client, db):
        assert client.get(reverse("cost_changes")).status_code == 302


def test_a_hostile_name_is_shown_and_never_run(unit, as_vera):
    spend(unit, "1", model="<script>alert(1)</script>", on=yesterday())
    spend(unit, "2", model="=cmd|calc")
    page = text(as_vera.get(reverse("cost_changes") + days()))
    assert "<script>alert" not in page
    assert "took the place of &lt;script&gt;" in page
