"""Days that make no sense: every page of costs or figures says what it read instead and why; the API refuses them by field."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from budgets.operations import Place, import_call
from budgets.pricing import Usage
from orchestrator.queries.days import before, named

pytestmark = pytest.mark.django_db
PAGES = ["costs", "cost_changes", "cost_outcomes", "cost_lines", "levels"]
WRONG = {
    "since=nonsense": "“nonsense” is not a day. It is left out. Write a day as 2026-01-31.",
    "since=2026-03-20&until=2026-03-10": "20 Mar 2026 is after 10 Mar 2026. 10 to 20 Mar 2026 is taken.",
    "since=1999-01-01&until=2000-02-01": "1 Jan 1999 is outside of 1 Jan 2000 to 30 Dec 2999.",
}


def text(answer):
    return answer.content.decode()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_page_says_what_it_changed_and_why(unit, as_vera, page, wrong):
    answer = text(as_vera.get(f"{reverse(page)}?{wrong}"))
    assert "These are not the days that you asked for." in answer
    assert WRONG[wrong] in answer


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_nothing_about_days_that_make_sense(unit, as_vera, page):
    for query in ("", "?since=2026-03-10&until=2026-03-20", "?until=2026-02-10"):
        assert "not the days that you asked for" not in text(as_vera.get(reverse(page) + query))


def test_the_fields_hold_the_days_that_are_shown(unit, as_vera):
    answer = as_vera.get(f"{reverse('costs')}?since=2026-03-20&until=2026-03-10")
    assert 'name="since" value="2026-03-10"' in text(answer)
    assert (str(answer.context["span"].since), str(answer.context["span"].until)) == ("2026-03-10", "2026-03-20")


def test_more_days_than_a_page_takes_are_said_to_be_cut(unit, as_vera):
    for page in ("cost_outcomes", "levels"):
        answer = text(as_vera.get(f"{reverse(page)}?since=2026-01-01&until=2026-06-30"))
        assert "These are more than 92 days. 31 Mar to 30 Jun 2026 is shown." in answer


def test_a_last_day_alone_ends_as_many_days_as_are_usual(unit, as_vera, as_kay):
    for person, page, span, days in ((as_vera, "levels", "span", 7), (as_kay, "figures", "range", 30)):
        shown = person.get(f"{reverse(page)}?until=2026-03-10").context[span]
        assert (shown.until - shown.since, str(shown.until.date())) == (timedelta(days=days), "2026-03-11")


def test_figures_of_policies_say_what_they_changed(unit, as_kay):
    for page in ("figures", "figure_rows"):
        answer = text(as_kay.get(f"{reverse(page)}?since=2026-03-20&until=2026-03-10"))
        assert "20 Mar 2026 is after 10 Mar 2026. 10 to 20 Mar 2026 is taken." in answer


def test_days_to_compare_with_that_are_not_before_are_said(unit, as_vera):
    answer = text(as_vera.get(f"{reverse('cost_changes')}?since=2026-03-02&until=2026-03-03&against=2026-03-02"))
    assert "Against days from: 2 Mar 2026 is not before 2 Mar 2026. It is compared with 28 Feb to 1 Mar 2026." in answer


def test_what_was_typed_is_shown_and_never_run(unit, as_vera):
    assert "<script>alert" not in text(as_vera.get(f"{reverse('costs')}?since=<script>alert(1)</script>"))


@pytest.mark.parametrize(
    ("query", "detail", "remedy"),
    [
        ("since=nonsense", "since: “nonsense” is not a day.", "Write a day as 2026-01-31."),
        ("since=2026-03-20&until=2026-03-10", "since: 20 Mar 2026 is after 10 Mar 2026.", "Choose a first day up to"),
        ("since=2026-01-01&until=2026-06-30", "since: These are more than 92 days.", "Ask for the rest by itself."),
        ("until=9999-12-31", "until: 31 Dec 9999 is outside of", "Choose a day in between."),
    ],
)  # fmt: skip
def test_the_api_refuses_them_by_field_with_what_to_do(unit, as_vera, query, detail, remedy):
    answer = as_vera.get(f"/api/v1/costs/outcomes/?{query}")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "bad_parameter")
    assert problem["detail"].startswith(detail)
    assert problem["remedy"].startswith(remedy)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("from=2026-03-20T00:00:00Z&to=2026-03-10T00:00:00Z", "from: It is not before `to`."),
        ("to=2026-03-10", "to: "),
    ],
)
def test_the_api_refuses_moments_that_make_no_sense_for_sums(unit, as_vera, query, detail):
    answer = as_vera.get(f"/api/v1/costs/?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)


class TestLastMonth:
    """It means the same everywhere, and is called by its days."""

    def test_is_compared_with_by_both_pages_alike(self, unit, as_vera):
        for day, cost in (("2026-02-01", "1"), ("2026-02-10", "2"), ("2026-02-11", "4"), ("2026-03-10", "5")):
            moment = datetime.fromisoformat(f"{day}T12:00:00+00:00")
            usage = Usage(cost=Decimal(cost), currency="USD", model="house")
            import_call(usage, Place(unit_id=unit.pk, agent="poster"), at=moment)
        days = "?since=2026-03-01&until=2026-03-10"
        (table,) = as_vera.get(f"{reverse('costs')}{days}").context["tables"]
        (changed,) = as_vera.get(f"{reverse('cost_changes')}{days}").context["tables"]
        assert table["change"] == changed["relative"] == "+66.7 %"

    @pytest.mark.parametrize("page", ["costs", "cost_changes"])
    def test_is_named_by_its_days(self, unit, as_vera, page):
        today = datetime.now(UTC).date()
        last = today.replace(day=1) - timedelta(days=1)
        answer = as_vera.get(reverse(page))
        this_month, last_month = [title for title, _ in answer.context["months"]]
        assert this_month.startswith(named(today.replace(day=1), today))
        assert last_month.startswith(named(last.replace(day=1), last))
        assert named(*before(today.replace(day=1), today)) in text(answer)
        assert "ast month" not in text(answer)
