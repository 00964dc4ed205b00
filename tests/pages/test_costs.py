"""The costs page: what it sums up, as a table, as a file, over the API and as the lines behind it; who sees what."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from budgets.models import LedgerEntry
from budgets.operations import Place, charge, correct, import_call
from budgets.pricing import Usage
from orchestrator.models import Cost
from orchestrator.queries import cost_lines
from tests import make
from tests.operations.test_prices import RECORDED, recorded_calls
from tests.pages.asking import browser_of

pytestmark = pytest.mark.django_db


def text(answer):
    return answer.content.decode()


def spend(unit, cost="0.10", currency="USD", *, execution=None, agent="poster", model="house"):
    usage = Usage(
        cost=cost and Decimal(cost), currency=currency if cost else "", model=model, input_tokens=100, output_tokens=10
    )
    place = Place(unit_id=unit.pk, agent=agent, execution_id=execution and execution.pk)
    return charge(usage, place)


def totals(answer):
    return {table["currency"]: table["total"].amount for table in answer.context["tables"]}


def file_of(browser, query=""):
    return list(csv.DictReader(io.StringIO(text(browser.get(f"{reverse('costs_csv')}{query}")))))


class TestTheSums:
    def test_keep_currencies_apart_and_unknown_out_of_every_amount(self, unit, as_vera):
        spend(unit, "0.10")
        spend(unit, "0.25", "EUR")
        spend(unit, None)
        page = as_vera.get(reverse("costs"))
        assert totals(page) == {"EUR": Decimal("0.25"), "USD": Decimal("0.10"), "": 0}
        assert "Cost unknown" in text(page)
        assert [table["total"].unknown for table in page.context["tables"]] == [0, 0, 1]

    def test_are_the_same_on_the_page_in_the_file_over_the_api_and_in_the_lines(self, unit, as_vera):
        for number in range(1, 8):
            spend(unit, f"0.{number:03}", "USD" if number % 3 else "EUR", agent=f"agent-{number % 2}")
        spend(unit, None)
        query = "?by=agent"
        on_page = {key: value for key, value in totals(as_vera.get(reverse("costs") + query)).items() if key}
        in_file: dict[str, Decimal] = {}
        for row in file_of(as_vera, query):
            if row["currency"]:
                in_file[row["currency"]] = in_file.get(row["currency"], 0) + Decimal(row["amount"])
        over_api: dict[str, Decimal] = {}
        for row in as_vera.get("/api/v1/costs/?group_by=agent").json()["results"]:
            if row["cost"] is not None:
                over_api[row["currency"]] = over_api.get(row["currency"], 0) + Decimal(row["cost"])
        lines = dict(as_vera.get(reverse("cost_lines")).context["cost"].amounts)
        assert on_page == in_file == over_api == lines == {"EUR": Decimal("0.009"), "USD": Decimal("0.019")}

    def test_count_many_lines_in_thousands(self, unit, as_vera):
        one = spend(unit)
        columns = [field.attname for field in LedgerEntry._meta.concrete_fields if not field.primary_key]
        same = {name: getattr(LedgerEntry.objects.get(pk=one.pk), name) for name in columns}
        LedgerEntry.objects.bulk_create(LedgerEntry(**same) for _ in range(1_233))

        page = text(as_vera.get(reverse("costs")))

        assert page.count('<span class="num">1,234</span>') == 2
        assert ">1234<" not in page

    def test_know_the_workflow_the_release_and_who_asked(self, unit, as_vera):
        run = make.execution()
        spend(unit, "0.10", execution=run)
        found = Cost.objects.get(agent="poster")
        assert (found.workflow, found.release, found.requester) == (run.workflow, str(run.release_id), run.requester)
        page = text(as_vera.get(f"{reverse('costs')}?by=release&then=requester"))
        assert str(run.release) in page
        assert run.requester in page

    def test_say_what_changed_against_as_many_days_before(self, unit, as_vera):
        line = spend(unit, "0.30")
        line.refresh_from_db()
        day = line.at.date()
        page = as_vera.get(f"{reverse('costs')}?since={day}&until={day}")
        assert [table["change"] for table in page.context["tables"]] == ["new"]

    def test_by_day_are_of_the_days_that_are_shown_and_compare_all_of_them_with_those_before(self, unit, as_vera):
        for day, cost in (("2026-03-09", "4"), ("2026-03-10", "1"), ("2026-03-11", "5")):
            moment = datetime.fromisoformat(f"{day}T12:00:00+00:00")
            import_call(Usage(cost=Decimal(cost), currency="USD"), Place(unit_id=unit.pk), at=moment)
        query = "?since=2026-03-10&until=2026-03-11&by=day&then="
        (table,) = as_vera.get(f"{reverse('costs')}{query}").context["tables"]
        assert [(row.names, row.change) for row in table["rows"]] == [(("2026-03-11",), ""), (("2026-03-10",), "")]
        assert table["change"] == "+50.0 %"
        assert [(row["day"], row["amount_before"]) for row in file_of(as_vera, query)] == [
            ("2026-03-11", ""),
            ("2026-03-10", ""),
        ]

    def test_a_correction_changes_the_sum_and_makes_an_unknown_cost_known(self, unit, as_vera, kay):
        line = spend(unit, None)
        correct(line, to=Decimal("0.40"), currency="USD", why="The invoice", by=make.actor(kay))
        page = as_vera.get(reverse("costs"))
        assert totals(page)["USD"] == Decimal("0.40")
        assert [table["total"].unknown for table in page.context["tables"]] == [0, 0]
        assert "corrected" in text(page)


class TestTheLines:
    def test_are_those_behind_the_number_that_was_followed(self, unit, as_vera):
        run = make.execution()
        spend(unit, "0.10", execution=run)
        spend(unit, "0.20", agent="other", model="another")
        page = as_vera.get(f"{reverse('costs')}?by=workflow&then=model")
        for row in page.context["tables"][0]["rows"]:
            behind = as_vera.get(row.url)
            assert dict(behind.context["cost"].amounts) == {"USD": row.sums.amount}
        assert len(page.context["tables"][0]["rows"]) == 2

    @pytest.mark.parametrize(
        "by", ["unit", "workflow", "requester", "release", "day", "kind", "basis", "provider", "tool"]
    )
    @pytest.mark.parametrize("many", [0, cost_lines.MANY], ids=["as of many", "as of few"])
    def test_come_to_the_same_by_every_dimension(self, unit, as_vera, by, many, monkeypatch):
        monkeypatch.setattr(cost_lines, "MANY", many)
        spend(unit, "0.10", execution=make.execution())
        spend(unit, "0.20")
        for row in as_vera.get(f"{reverse('costs')}?by={by}&then=").context["tables"][0]["rows"]:
            behind = as_vera.get(row.url).context
            assert dict(behind["cost"].amounts) == {"USD": row.sums.amount}
            assert sum(line.amount for line in behind["listing"].rows) == row.sums.amount

    def test_are_found_page_by_page_on_whatever_days_they_lie_and_counted_to_the_last(self, unit, as_vera, kay):
        now = datetime.now(UTC)
        for number in range(110):
            usage = Usage(cost=Decimal("0.01"), currency="USD", model="house", input_tokens=100, output_tokens=10)
            at = now - timedelta(days=number % 3 if number < 70 else 20, seconds=number)
            line = import_call(usage, Place(unit_id=unit.pk, agent="poster"), at=at)
        correct(line, to=Decimal("0.03"), currency="USD", why="The invoice", by=make.actor(kay))
        first = f"{reverse('cost_lines')}?since={(now - timedelta(days=30)).date()}"
        pages = [as_vera.get(first)]
        while older := pages[-1].context["listing"].older:
            pages.append(as_vera.get(f"{first}&after={older}"))
        seen = [line for page in pages for line in page.context["listing"].rows]
        assert seen == list(LedgerEntry.objects.order_by("-at", "-id"))
        assert [(page.context["total"], page.context["cost"].lines) for page in pages] == [("111", 110)] * 3
        back = as_vera.get(f"{first}&before={pages[2].context['listing'].newer}")
        assert back.context["listing"].rows == pages[1].context["listing"].rows

    def test_come_as_a_file_to_the_last_digit_and_to_the_sum_of_the_page(self, unit, as_vera, kay):
        run = make.execution()
        line = spend(unit, "0.123456", execution=run)
        correct(line, to=Decimal("0.2"), currency="USD", why="=HYPERLINK(1)", by=make.actor(kay))
        spend(unit, "0.10", agent="other")
        page = as_vera.get(f"{reverse('cost_lines')}?agent=poster")

        found = as_vera.get(page.context["csv"])
        rows = list(csv.DictReader(io.StringIO(b"".join(found.streaming_content).decode())))

        assert [row["amount"] for row in rows] == ["0.076544", "0.123456"]
        assert sum(Decimal(row["amount"]) for row in rows) == dict(page.context["cost"].amounts)["USD"]
        assert [row["execution_id"] for row in rows] == [str(run.pk)] * 2
        assert rows[0]["why"] == "'=HYPERLINK(1)"
        assert "0.123456" in text(page)

    def test_that_no_spreadsheet_opens_are_refused_with_what_to_do(self, unit, as_vera, monkeypatch):
        monkeypatch.setattr(cost_lines, "MOST_IN_A_FILE", 1)
        spend(unit)
        spend(unit)
        answer = as_vera.get(reverse("cost_lines_csv"))
        assert answer.status_code == 409
        assert "2 lines are behind this number, and a file holds 1." in text(answer)
        assert "Choose fewer days" in text(answer)

    def test_say_of_which_unit_they_are(self, unit, as_vera):
        spend(unit)
        assert "Finance and below" in text(as_vera.get(f"{reverse('cost_lines')}?unit={unit.pk}"))

    def test_lead_to_the_execution(self, unit, as_vera):
        run = make.execution()
        spend(unit, execution=run)
        shown = text(as_vera.get(reverse("cost_lines")))
        assert f'href="{run.get_absolute_url()}"><span class="oid"><code title="{run.pk}">EXE-' in shown

    def test_of_a_value_that_is_none_are_none(self, unit, as_vera):
        spend(unit)
        assert "No line is behind this number" in text(as_vera.get(f"{reverse('cost_lines')}?release=nonsense"))


class TestWhoSees:
    def test_nobody_sees_a_strangers_unit(self, unit, as_eve):
        spend(unit)
        for name in ("costs", "costs_csv", "cost_lines"):
            for query in ("", f"?unit={unit.pk}", f"?unit={unit.pk}&only=1"):
                assert "poster" not in text(as_eve.get(reverse(name) + query + ("&" if query else "?") + "by=agent"))

    def test_a_unit_counts_with_those_below_it(self, unit):
        below = make.unit("payables", "Payables", parent=unit)
        spend(below, "0.20")
        spend(unit, "0.10")
        browser = browser_of(make.person("olga", "view", of=unit))
        assert totals(browser.get(f"{reverse('costs')}?unit={unit.pk}")) == {"USD": Decimal("0.30")}
        assert totals(browser.get(f"{reverse('costs')}?unit={unit.pk}&only=1")) == {"USD": Decimal("0.10")}

    def test_signed_out_people_are_asked_to_sign_in(self, client, db):
        assert client.get(reverse("costs")).status_code == 302


class TestTheAddress:
    @pytest.mark.parametrize(
        "wrong", ["since=yesterday", "by=nothing", "unit=nowhere", "until=0001-01-01", "since=9999-12-31", "then=unit"]
    )
    def test_that_makes_no_sense_is_read_as_one_that_does(self, unit, as_vera, wrong):
        spend(unit)
        for name in ("costs", "costs_csv", "cost_lines"):
            assert as_vera.get(f"{reverse(name)}?{wrong}").status_code == 200

    def test_of_days_without_costs_says_so(self, unit, as_vera):
        spend(unit)
        assert "Nothing was spent in these days" in text(
            as_vera.get(f"{reverse('costs')}?since=2020-01-01&until=2020-01-31")
        )

    def test_a_hostile_name_is_shown_and_never_run(self, unit, as_vera):
        spend(unit, agent="=cmd|calc", model="<script>alert(1)</script>")
        assert "<script>alert" not in text(as_vera.get(f"{reverse('costs')}?by=model"))
        assert file_of(as_vera, "?by=agent&then=")[0]["agent"] == "'=cmd|calc"


class TestTheChart:
    DAYS = 3

    @pytest.fixture
    def spent(self, unit):
        now = datetime.now(UTC)
        for days in range(self.DAYS):
            for number in range(1, 12):
                usage = Usage(
                    cost=Decimal(number) / 100 + days, currency="USD" if number < 11 else "EUR", model=f"m{number}"
                )
                import_call(usage, Place(unit_id=unit.pk, agent="poster"), at=now - timedelta(days=days))
        spend(unit, None)
        since = (now - timedelta(days=self.DAYS - 1)).date()
        return f"?by=model&then=&since={since}&until={now.date()}"

    def test_comes_to_the_same_as_the_table_the_file_and_the_lines_behind_each_mark(self, unit, as_vera, spent):
        page = as_vera.get(reverse("costs") + spent)
        charts = {chart.currency: chart.drawn for chart in page.context["charts"]}
        drawn = {
            currency: sum(cell.amount for series in chart.series for cell in series.cells)
            for currency, chart in charts.items()
        }
        in_file = {currency: Decimal(0) for currency in drawn}
        for row in file_of(as_vera, spent):
            if row["currency"]:
                in_file[row["currency"]] += Decimal(row["amount"])
        assert drawn == in_file == {key: value for key, value in totals(page).items() if key}
        assert len(charts["USD"].series) == 8
        for series in charts["USD"].series[:7]:
            for cell in series.cells:
                assert dict(as_vera.get(cell.url).context["cost"].amounts) == {"USD": cell.amount}

    def test_leads_from_all_others_to_the_day(self, unit, as_vera, spent):
        chart = next(
            one.drawn for one in as_vera.get(reverse("costs") + spent).context["charts"] if one.currency == "USD"
        )
        others = chart.series[-1]
        assert others.name == "All others"
        behind = as_vera.get(others.cells[0].url)
        day = sum(series.cells[0].amount for series in chart.series)
        assert totals(behind)["USD"] == day

    def test_says_its_gist(self, unit, as_vera, spent):
        page = text(as_vera.get(reverse("costs") + spent))
        assert "USD 31.65 in 3 days; most on" in page
        assert "; m10 is 10.4 % of it." in page

    def test_is_as_high_as_it_says_where_something_hangs_below_the_line(self, unit, as_vera, kay):
        line = spend(unit, "10.00")
        correct(line, to=Decimal(4), why="The invoice", by=make.actor(kay))
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        (chart,) = as_vera.get(f"{reverse('costs')}?by=kind&then=&since={yesterday}").context["charts"]

        assert chart.drawn.highest == "10.00"
        assert ": 4.00" in chart.drawn.sentence

    def test_is_left_out_for_one_day_and_for_very_many(self, unit, as_vera, spent):
        assert as_vera.get(f"{reverse('costs')}?since=2020-01-01").context["charts"] == []
        today = datetime.now(UTC).date()
        assert as_vera.get(f"{reverse('costs')}?since={today}&until={today}").context["charts"] == []


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"the recorded runs are not at {RECORDED}")
def test_the_recorded_calls_come_to_what_was_reported_wherever_one_looks(unit, as_vera):
    for usage, told in recorded_calls():
        charge(replace(usage, cost=told, currency="USD"), Place(unit_id=unit.pk, agent="retail"))
    charge(Usage(model="gpt-4o-of-nobody-knows-when", input_tokens=1000, output_tokens=10), Place(unit_id=unit.pk))

    page = as_vera.get(f"{reverse('costs')}?by=unit&then=")
    in_file = [row for row in file_of(as_vera, "?by=unit&then=") if row["currency"] == "USD"]
    over_api = [row for row in as_vera.get("/api/v1/costs/").json()["results"] if row["currency"] == "USD"]

    assert round(totals(page)["USD"], 4) == Decimal("2.6719")
    assert [Decimal(row["amount"]) for row in in_file] == [totals(page)["USD"]]
    assert [Decimal(row["cost"]) for row in over_api] == [totals(page)["USD"]]
    assert [table["total"].lines for table in page.context["tables"]] == [682, 1]
    assert page.context["tables"][1]["total"].unknown == 1


# Four weeks are looked at, and two have to be on record.
LAST_DAY_OF_OLD_RECORDS = 14


class TestTheForecast:
    def earlier(self, unit, days):
        now = datetime.now(UTC)
        for back in range(1, days + 1):
            usage = Usage(cost=Decimal(2), currency="USD", model="house", input_tokens=100, output_tokens=10)
            import_call(usage, Place(unit_id=unit.pk, agent="poster"), at=now - timedelta(days=back))

    def test_stands_under_this_month_with_its_band_and_burn_rate(self, unit, as_vera):
        self.earlier(unit, 20)
        page = as_vera.get(reverse("costs"))
        assert "Burn rate" in text(page)
        (seen,) = page.context["forecasts"]
        assert (seen.currency, seen.a_day) == ("USD", 2)
        assert seen.likely == seen.spent + 2 * seen.days_left

    def test_is_not_made_of_too_few_days_or_for_other_ranges(self, unit, as_vera):
        self.earlier(unit, 10)
        assert "Burn rate" not in text(as_vera.get(reverse("costs")))
        self.earlier(unit, 20)
        assert "Burn rate" not in text(as_vera.get(reverse("costs") + "?since=2026-01-01"))
        assert "Burn rate" in text(as_vera.get(reverse("costs")))

    def test_is_there_before_anything_was_spent_this_month(self, unit, as_vera):
        """As on the morning of every first day."""
        now = datetime.now(UTC)
        if now.day > LAST_DAY_OF_OLD_RECORDS:
            pytest.skip("so late in a month, two weeks on record are of this month")
        for back in range(now.day, 28):
            usage = Usage(cost=Decimal(2), currency="USD", model="house", input_tokens=100, output_tokens=10)
            import_call(usage, Place(unit_id=unit.pk, agent="poster"), at=now - timedelta(days=back))
        page = text(as_vera.get(reverse("costs")))
        assert "Burn rate" in page
        assert "Nothing was spent" in page

    def test_counts_nothing_of_other_units(self, unit, as_vera):
        self.earlier(make.unit("elsewhere"), 20)
        assert as_vera.get(reverse("costs")).context["forecasts"] == []
