"""The figures page: who may see it, its numbers as links and as CSV, its constant cost; and the suggestion of a pause."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import make
from tests.pages.asking import browser_of


def text(answer):
    return answer.content.decode()


@pytest.fixture
def decided(unit, grace):
    make.policy("posts", condition="", required=1)
    make.rejected(make.request(), grace)
    return make.approved(make.request(), grace)


class TestThePage:
    def test_shows_numbers_that_lead_to_their_rows(self, decided, as_kay):
        answer = as_kay.get(reverse("figures"))
        cells = {cell.text: cell.url for table in answer.context["tables"] for _, row in table["rows"] for cell in row}
        assert "50.0 %" in cells

        address = f"{reverse('figure_rows')}?policy=posts&what=approved"
        assert address.replace("&", "&amp;") in text(answer)
        rows = text(as_kay.get(address))
        assert decided.title in rows
        assert rows.count("data-row") == 1

    def test_names_no_reviewer(self, decided, as_kay):
        assert "grace" not in text(as_kay.get(reverse("figures")))
        assert "grace" not in text(as_kay.get(f"{reverse('figure_rows')}?policy=posts&what=approved"))

    def test_is_for_auditors_and_administrators(self, decided, unit, as_grace, as_vera, as_eve):
        from django.contrib.auth.models import Permission

        boss = make.person("boss", "view", of=unit, staff=True)
        boss.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))

        for name in ("figures", "figures_csv", "figure_rows"):
            assert as_grace.get(reverse(name)).status_code == 403
            assert as_vera.get(reverse(name)).status_code == 403
            assert browser_of(boss).get(reverse(name)).status_code == 200
        assert "posts" not in text(as_eve.get(reverse("figures")))
        assert "Figures" not in text(as_grace.get(reverse("approvals")))

    def test_says_what_to_do_where_there_is_nothing(self, as_kay):
        assert "Nothing was asked for in this range" in text(as_kay.get(reverse("figures")))

    def test_keeps_the_range_in_its_address(self, decided, as_kay, unit):
        there = as_kay.get(f"{reverse('figures')}?since=2020-01-01&until=2020-01-31&unit={unit.pk}")

        assert "Nothing was asked for in this range" in text(there)
        assert "figures.csv?since=2020-01-01&amp;until=2020-01-31" in text(there)
        for wrong in ("since=yesterday", "unit=nowhere", "since=9999-12-31", "until=9999-12-31", "since=0001-01-01"):
            assert as_kay.get(f"{reverse('figures')}?{wrong}").status_code == 200, wrong

    def test_opens_no_unit_that_is_not_theirs(self, decided, unit, as_eve):
        foreign = as_eve.get(f"{reverse('figure_rows')}?policy=posts&what=approved&unit={unit.pk}")

        assert decided.title not in text(foreign)

    def test_costs_the_same_however_many_policies(self, decided, as_kay, grace):
        def cost():
            with CaptureQueriesContext(connection) as asked:
                as_kay.get(reverse("figures"))
            return len(asked)

        cost()
        few = cost()
        for number in range(4):
            make.policy(f"more-{number}", condition="", required=1)
            make.approved(make.request(), grace)

        assert cost() == few
        assert few <= 15


class TestTheSheet:
    def test_says_the_same_as_the_page(self, decided, as_kay):
        answer = as_kay.get(reverse("figures_csv"))
        header, *lines = [line.split(",") for line in text(answer).splitlines()]
        posts = next(dict(zip(header, line, strict=True)) for line in lines if line[0] == "posts")

        assert answer["Content-Type"].startswith("text/csv")
        assert (posts["decided"], posts["approved_percent"], posts["load_median"], posts["reviewers"]) == (
            "2", "50.0", "", "",
        )  # fmt: skip
        assert lines[0][0] == "All policies"


class TestAPause:
    def test_is_suggested_after_an_hour_without_one(self, unit, grace, as_grace):
        waiting = make.request()
        assert "Time for a pause?" not in text(as_grace.get(reverse("approvals")))
        for _ in range(7):
            make.approved(make.request(), grace)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE approvals_decision DISABLE TRIGGER USER")
            cursor.execute(
                "UPDATE approvals_decision AS d SET at = at - make_interval(mins => 1 + 10 * row::int) FROM "
                "(SELECT id, row_number() OVER () - 1 AS row FROM approvals_decision) AS n WHERE n.id = d.id"
            )
            cursor.execute("ALTER TABLE approvals_decision ENABLE TRIGGER USER")

        assert "Time for a pause?" in text(as_grace.get(reverse("approvals")))
        assert "Time for a pause?" in text(as_grace.get(waiting.get_absolute_url()))
