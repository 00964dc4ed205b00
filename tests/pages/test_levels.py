"""The page of service levels, the same as a file, and over the API."""

import csv
import io
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.urls import reverse

from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.engine.alerts.alerting import judge_slowly
from orchestrator.engine.alerts.drift_rules import DRIFT_RULES
from orchestrator.engine.alerts.rules import SLOW_RULES
from orchestrator.health import level_rows
from orchestrator.health.resolution import KINDS
from orchestrator.health.stages import STAGES
from orchestrator.models import CostFold, ServiceLevel
from orchestrator.queries.alerts import QUALITY_RULES
from orchestrator.views.levels import COLUMNS
from tests import make
from tests.api.conftest import Caller, make_token
from tests.pages.test_query_budget import cost


@pytest.fixture
def three(unit):
    for status in ("succeeded", "succeeded", "failed"):
        make.execution(status)


def text_of(answer):
    return answer.content.decode()


class TestThePage:
    def test_is_empty_in_words(self, as_ada):
        assert "Nothing was asked for in this range" in text_of(as_ada.get(reverse("levels")))

    def test_shows_ranges_with_the_culprit_and_what_is_not_known(self, three, as_ada):
        page = text_of(as_ada.get(reverse("levels")))

        assert "closing / post: 1 of 1 failures" in page
        assert "66.7 %" in page
        assert "closing / post: 1 of 1 failures" in text_of(as_ada.get(reverse("levels"), {"by": "agent"}))
        assert "not known" in page

    def test_names_limits_and_figures_to_the_digits_that_tell_them_apart(self, unit, as_ada):
        for figure, low, high in (("success", "99.95", "100"), ("cost", "0.0025", "0.004")):
            make._activated(ServiceLevel(name=figure, unit_id=unit.pk, figure=figure, low=low, high=high))
        for cost_of_it in ("0.00031", "0.00033"):
            usage = Usage(cost=Decimal(cost_of_it), currency="USD", model="small")
            charge(usage, Place(unit_id=unit.pk, execution_id=make.execution("succeeded").pk))
        page = text_of(as_ada.get(reverse("levels"), {"unit": str(unit.pk)}))

        assert "at least 99.95 %" in page
        assert "USD 0.0025 to USD 0.004" in page
        assert page.count("USD 0.00032") == 3
        rows = csv.DictReader(io.StringIO(text_of(as_ada.get(reverse("levels_csv"), {"unit": str(unit.pk)}))))
        assert {row["cost_usd"] for row in rows} == {"0.00032"}

    @pytest.mark.parametrize(
        ("percent", "reads"),
        [(100, "100.0 %"), (99.99, "over 99.9 %"), (99.94, "99.9 %"), (0.04, "under 0.1 %"), (0, "0.0 %")],
    )
    def test_says_all_or_nothing_of_all_and_nothing_only(self, percent, reads):
        assert COLUMNS[1].reads(percent) == reads

    def test_shows_nothing_of_other_units(self, three, as_eve, unit):
        for asked in ({}, {"unit": str(unit.pk)}):
            assert "closing" not in text_of(as_eve.get(reverse("levels"), asked))

    @pytest.mark.parametrize("by", ["workflow", "unit", "release", "agent", "x"])
    def test_survives_any_address(self, three, as_ada, by):
        asked = {"by": by, "since": "9999-12-31", "until": "x", "unit": "\0"}
        assert as_ada.get(reverse("levels"), asked).status_code == 200
        assert as_ada.get(reverse("levels"), {"by": by}).status_code == 200

    def test_costs_the_same_however_many_executions(self, three, as_ada):
        few = cost(as_ada, reverse("levels"))
        for name in ("a", "b", "c"):
            make.execution("failed", name=name)

        assert cost(as_ada, reverse("levels")) == few <= 17


class TestWhatDoesNotLookRight:
    def test_is_shown_with_its_owner_and_to_who_sees_the_unit(self, three, as_ada, as_eve, unit):
        make.copies(make.letter(), 24)
        judge_slowly()

        page = text_of(as_ada.get(reverse("levels")))
        assert "success" in page.split('id="alerts"')[1].split("</section>")[0].lower()
        assert "No alerts about levels, drift or silence" in text_of(as_eve.get(reverse("levels")))

    def test_is_what_the_slow_rules_see(self):
        assert set(QUALITY_RULES) == {*SLOW_RULES, *DRIFT_RULES}


class TestMoreThanAreReadOneByOne:
    @pytest.fixture(autouse=True)
    def many(self, three, monkeypatch):
        monkeypatch.setattr(level_rows, "EXACT_UP_TO", 2)

    def test_are_said_to_have_times_from_a_histogram(self, as_ada):
        page = text_of(as_ada.get(reverse("levels")))

        assert "times are within 5 %" in page
        assert "66.7 %" in page
        (whole, *_) = csv.DictReader(io.StringIO(text_of(as_ada.get(reverse("levels_csv")))))
        assert (whole["exact"], whole["success_percent"]) == ("no", "66.6667")
        assert Caller(make_token("poster", "finance")).get("kpis/")[1]["exact"] is False

    def test_are_not_said_so_where_they_are_few(self, as_ada, monkeypatch):
        monkeypatch.setattr(level_rows, "EXACT_UP_TO", 3)

        assert "times are within 5 %" not in text_of(as_ada.get(reverse("levels")))
        (whole, *_) = csv.DictReader(io.StringIO(text_of(as_ada.get(reverse("levels_csv")))))
        assert whole["exact"] == "yes"
        assert Caller(make_token("poster", "finance")).get("kpis/")[1]["exact"] is True


class TestAfterAnUpgrade:
    def test_the_figures_are_right_and_the_page_says_what_to_run(self, three, as_ada):
        CostFold.objects.update(levels_before=0)
        page = text_of(as_ada.get(reverse("levels")))

        assert "66.7 %" in page
        assert "rebuild_rollups" in page
        call_command("rebuild_rollups", verbosity=0)
        assert "rebuild_rollups" not in text_of(as_ada.get(reverse("levels")))


class TestTheFile:
    def test_holds_plain_numbers_with_what_they_are_of(self, three, as_ada):
        rows = list(csv.DictReader(io.StringIO(text_of(as_ada.get(reverse("levels_csv"))))))

        assert [row["workflow"] for row in rows] == ["all", "closing"]
        assert (rows[0]["success_percent"], rows[0]["success_percent_of"], rows[0]["cost_usd"]) == ("66.6667", "3", "")

    def test_holds_where_the_time_went_and_nothing_where_nothing_succeeded(self, three, as_ada):
        make.execution("failed", name="opening")
        rows = list(csv.DictReader(io.StringIO(text_of(as_ada.get(reverse("levels_csv"))))))
        shares = [float(rows[0][f"{name}_percent"]) for name in STAGES]

        assert (rows[0]["staged"], round(sum(shares))) == ("2", 100)
        assert (rows[2]["workflow"], rows[2]["staged"], rows[2]["people_p95"]) == ("opening", "0", "")

    def test_of_the_time_to_resolution_has_a_line_of_each_kind(self, three, as_ada):
        make.dead_letter()
        rows = list(csv.DictReader(io.StringIO(text_of(as_ada.get(reverse("levels_resolution_csv"))))))

        assert [(row["kind"], row["resolved"], row["open"], row["median"]) for row in rows] == [
            ("letters", "0", "1", ""), ("doubts", "0", "0", ""), ("alerts", "0", "0", "")
        ]  # fmt: skip


class TestTheAPI:
    def test_answers_the_same_figures(self, three):
        status, body, _ = Caller(make_token("poster", "finance")).get("kpis/?unit=finance&by=workflow")

        assert status == 200
        assert (body["all"]["counts"]["ended"], body["results"][0]["name"], body["all"]["cost_usd"]) == (
            3,
            "closing",
            None,
        )
        assert (body["all"]["staged"], set(body["all"]["stages"])) == (2, set(STAGES))
        assert [(one["kind"], one["resolved"], one["open"]) for one in body["resolution"]] == [
            (kind, 0, 0) for kind in KINDS
        ]
        assert [(one["key"], one["out"]) for one in body["ranges"]] == [
            ("cost", False),
            ("overhead", False),
            ("success", True),
        ]

    @pytest.mark.parametrize("query", ["by=x", "since=yesterday", "bye=workflow", "since=2020-01-01T00:00:00Z"])
    def test_refuses_what_it_cannot_use(self, three, query):
        assert Caller(make_token("poster", "finance")).get(f"kpis/?{query}")[0] == 400

    def test_tells_nothing_of_other_units(self, three):
        make.unit("sales", "Sales")
        make.agent("seller", of=make.unit("sales"))
        status, body, _ = Caller(make_token("seller", "sales")).get("kpis/?unit=finance")

        assert (status, body["all"]["counts"]["asked"]) == (200, 0)
