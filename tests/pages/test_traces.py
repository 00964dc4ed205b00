"""The pages of traces: search, waterfall, one part, the next children. What an agent wrote is inert."""

import gzip
import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse

from audit.lifecycle import database_now
from audit.models import Span
from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.models import Action, Execution
from orchestrator.queries import trace_conditions
from tests import make
from tests.api.conftest import Caller, make_token
from tests.pages.asking import PART, browser_of
from tests.pages.test_query_budget import cost


@pytest.fixture
def execution(unit):
    return make.execution("waiting")


def shown(browser, execution, query="", **more):
    return browser.get(f"{reverse('trace', args=[execution.trace_id])}{query}", **more)


def spend(run, amount, currency="USD"):
    usage = Usage(cost=Decimal(amount), currency=currency, model="house", input_tokens=10)
    return charge(usage, Place(unit_id=run.unit_id, execution_id=run.pk))


@pytest.fixture
def of_every_kind(unit):
    """Traces by name: one that holds a call, one that failed, one whose step used up its retries, one that was paid for."""
    found = {"held": make.execution("waiting"), "failed": make.execution("failed"), "paid": make.execution("succeeded")}
    spend(found["paid"], "1.50")
    return {**found, "letter": make.execution("dead_lettered")}


def shown_in(runs, answer):
    page = answer.content.decode()
    return {name for name, run in runs.items() if reverse("trace", args=[run.trace_id]) in page}


HOWEVER_MUCH = pytest.mark.parametrize(
    ("few", "kept"),
    [(trace_conditions.FEW, trace_conditions.KEPT), (0, trace_conditions.KEPT), (0, 0)],
    ids=["read first", "looked up in what was read", "each looked into"],
)


class TestTheSearch:
    def test_lists_what_began_a_trace_and_leads_to_it(self, execution, as_grace):
        page = as_grace.get("/traces/").content.decode()

        assert reverse("trace", args=[execution.trace_id]) in page

    def test_says_what_will_be_here(self, unit, as_grace):
        assert "No traces yet" in as_grace.get("/traces/").content.decode()

    def test_offers_to_clear_what_matches_nothing(self, execution, as_grace):
        assert "Clear all" in as_grace.get("/traces/?q=nothing-like-this").content.decode()

    def test_keeps_only_what_was_slower(self, execution, as_grace):
        assert reverse("trace", args=[execution.trace_id]) not in as_grace.get("/traces/?slower=3600").content.decode()

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("agent=poster", "held"),
            ("tool=erp.post_adjustment", "held"),
            ("error=any", "failed letter"),
            ("error=system", "letter"),
            ("error=business", "failed"),
            ("error=timeout", ""),
            ("cost=1", "paid"),
            ("cost=10", ""),
            ("begun_from=2020-01-01", "held failed letter paid"),
            ("begun_until=2020-01-01", ""),
            ("state=failed&error=any", "failed"),
            ("begun_from=x&cost=x&error=%00&agent=nobody", "held failed letter paid"),
            ("begun_from=9999-12-31&begun_until=9999-12-31", ""),
        ],
    )
    def test_finds_by_what_happened_in_it(self, of_every_kind, as_grace, query, found):
        assert shown_in(of_every_kind, as_grace.get(f"/traces/?{query}")) == set(found.split())

    @HOWEVER_MUCH
    def test_finds_the_same_however_much_of_it_happened(self, of_every_kind, as_grace, monkeypatch, few, kept):
        """Down to what undid it, which alone called this tool, and failed so."""
        monkeypatch.setattr(trace_conditions, "FEW", few)
        monkeypatch.setattr(trace_conditions, "KEPT", kept)
        undo = make.undo_of(of_every_kind["paid"])
        make.later("orchestrator_execution", "created_at", of_every_kind["held"].pk, 7_200)
        Action.objects.filter(execution_id=of_every_kind["held"].pk).update(
            execution_id=undo.pk, tool="erp.undo", failure_class="bug"
        )
        for query, found in {
            "tool=erp.undo": "paid",
            "error=bug": "paid",
            "error=any": "failed letter paid",
            "error=business": "failed",
            "error=timeout": "",
            "slower=1": "",
            "cost=1": "paid",
        }.items():
            assert shown_in(of_every_kind, as_grace.get(f"/traces/?{query}")) == set(found.split()), query
        later = database_now() + timedelta(seconds=90)
        Execution.objects.filter(pk=of_every_kind["failed"].pk).update(finished_at=later)
        assert shown_in(of_every_kind, as_grace.get("/traces/?slower=60")) == {"failed"}

    @HOWEVER_MUCH
    def test_tells_nothing_of_what_hangs_below_in_a_unit_the_reader_does_not_see(
        self, of_every_kind, as_grace, monkeypatch, few, kept
    ):
        monkeypatch.setattr(trace_conditions, "FEW", few)
        monkeypatch.setattr(trace_conditions, "KEPT", kept)
        undo, elsewhere = make.undo_of(of_every_kind["paid"]), make.unit("elsewhere").pk
        Execution.objects.filter(pk=undo.pk).update(unit_id=elsewhere)
        Action.objects.filter(execution_id=of_every_kind["held"].pk).update(
            execution_id=undo.pk, unit_id=elsewhere, failure_class="bug"
        )
        undo.refresh_from_db()
        spend(undo, "9.00")

        api = Caller(make_token("poster", "finance"))
        for query in ("agent=poster", "error=bug", "cost=9"):
            assert api.get(f"traces/?{query}")[1]["results"] == [], query
        page = as_grace.get("/traces/").content.decode()
        assert "1.50" in page
        assert "10.50" not in page

    def test_has_the_same_rows_over_the_api(self, of_every_kind):
        api = Caller(make_token("poster", "finance"))
        for query, found in {
            "agent=poster": "held",
            "tool=erp.post_adjustment": "held",
            "error=any": "failed letter",
            "error=system": "letter",
            "cost=1.5": "paid",
            "cost=1.51": "",
            "slower=0&status=failed": "failed",
            "slower=3600": "",
            "unit=finance&created_before=2020-01-01T00:00:00Z": "",
            "unit=nowhere": "",
        }.items():
            rows = api.get(f"traces/?{query}")[1]["results"]
            ids = {str(run.trace_id): name for name, run in of_every_kind.items()}
            assert {ids[row["id"]] for row in rows} == set(found.split()), query

    @pytest.mark.parametrize("query", ["slower=x", "cost=-1", "cost=1e9", "tools=x", "error=%00", "cursor=x"])
    def test_says_what_a_bad_parameter_should_be(self, unit, query):
        make.agent()
        assert Caller(make_token("poster", "finance")).get(f"traces/?{query}")[0] == 400

    def test_costs_what_the_whole_trace_costs_currencies_apart(self, of_every_kind, as_grace):
        """Undoing it is part of it; two currencies never reach a limit together."""
        run = of_every_kind["paid"]
        undone = make.undo_of(run)
        spend(undone, "9.00")
        spend(undone, "5.00", "EUR")
        row = Caller(make_token("poster", "finance")).get("traces/?cost=10")[1]["results"][0]

        assert [(one["currency"], Decimal(one["cost"])) for one in row["costs"]] == [
            ("EUR", 5),
            ("USD", Decimal("10.5")),
        ]
        assert shown_in(of_every_kind, as_grace.get("/traces/?cost=10")) == {"paid"}
        assert Caller(make_token("poster", "finance")).get("traces/?cost=11")[1]["results"] == []

    def test_finds_nothing_by_what_the_reader_may_not_see(self, of_every_kind, as_eve):
        for query in ("", "?agent=poster", "?error=any", "?cost=1"):
            assert shown_in(of_every_kind, as_eve.get(f"/traces/{query}")) == set()
        make.agent("other", of=make.unit("elsewhere"))
        assert Caller(make_token("other", "elsewhere")).get("traces/?error=any")[1]["results"] == []

    def test_costs_the_same_however_many_traces(self, of_every_kind, as_grace):
        few = cost(as_grace, "/traces/?error=any")
        for _ in range(3):
            make.execution("failed")

        assert cost(as_grace, "/traces/?error=any") == few <= 15

    def test_pages_under_its_filters(self, unit):
        for _ in range(3):
            make.execution("failed")
        api = Caller(make_token("poster", "finance"))
        first = api.get("traces/?error=any&limit=2")[1]
        second = api.get("traces/?" + first["next"].partition("?")[2])[1]

        assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 1, None)


class TestTheWaterfall:
    def test_shows_parts_with_their_kind_and_state(self, execution, as_grace):
        page = shown(as_grace, execution).content.decode()

        parts = (execution.workflow, "erp.post_adjustment", "approval", "policy", "Waiting")
        assert [text for text in parts if text not in page] == []

    def test_says_how_long_its_drawing_is_as_the_head_of_the_page_does(self, execution, as_grace):
        page = shown(as_grace, execution).content.decode()

        took = re.search(r'When, of <span class="num">([^<]+)</span>', page)[1]
        assert page.partition("When, of")[0].count(took) == 1

    def test_tells_of_one_part_beside_it(self, execution, as_grace):
        action = Action.objects.get(execution_id=execution.pk)

        page = shown(as_grace, execution, f"?span={action.pk}").content.decode()

        assert action.digest in page
        assert action.get_absolute_url() in page

    @pytest.mark.parametrize("view", ["tree", "hot", "errors", "tools", "nonsense"])
    def test_can_be_looked_at_in_other_ways(self, execution, as_grace, view):
        assert shown(as_grace, execution, f"?view={view}").status_code == 200

    @pytest.mark.parametrize("query", ["?span=x", "?focus=x", "?span=01a220fa-a7e9-7751-a527-ed56539bc948"])
    def test_ignores_what_is_no_part(self, execution, as_grace, query):
        assert shown(as_grace, execution, query).status_code == 200

    def test_says_how_many_parts_the_hot_path_passes_by(self, execution, as_grace):
        page = shown(as_grace, execution, "?view=hot")

        assert page.context["beside"] == 1
        assert "Beside this path, and never on it: 1 part without times" in page.content.decode()
        assert "Beside this path" not in shown(as_grace, execution).content.decode()

    def test_is_found_by_the_id_of_a_call(self, execution, as_grace):
        action = Action.objects.get(execution_id=execution.pk)

        answer = as_grace.get(reverse("trace", args=[action.pk]))

        assert answer.status_code == 302
        assert answer["Location"] == f"/traces/{execution.trace_id}/?focus={action.pk}&span={action.pk}"

    def test_of_another_unit_is_not_there(self, execution, client):
        stranger = browser_of(make.person("stranger", "view", of=make.unit("elsewhere", "Elsewhere")))

        assert shown(stranger, execution).status_code == 404
        assert stranger.get(reverse("trace", args=[uuid4()])).status_code == 404

    def test_shows_what_an_agent_named_a_part_as_text(self, execution, as_grace):
        now = database_now()
        Span.objects.create(
            trace_id=execution.trace_id, parent_id=execution.pk, unit_id=execution.unit_id, kind="<i>llm</i>",
            name="<script>x</script>\u202eevil", started_at=now, ended_at=now, attributes={"prompt": "<b>" + "x" * 9_000},
        )  # fmt: skip
        span = Span.objects.get()

        page = shown(as_grace, execution, f"?span={span.pk}").content.decode()

        assert "<script>x" not in page
        assert "<i>llm" not in page
        assert "<b>x" not in page
        assert "RIGHT-TO-LEFT OVERRIDE" in page

    def test_asks_constantly_many_queries(self, execution, as_grace, django_assert_max_num_queries):
        with django_assert_max_num_queries(25):
            shown(as_grace, execution)


class TestTenThousandParts:
    @pytest.fixture
    def large(self, execution):
        make.ten_thousand_parts(execution)
        return execution

    def test_begin_with_a_small_page_that_shows_the_error(self, large, as_grace):
        page = shown(as_grace, large).content

        assert page.count(b"<tr data-row") <= 200
        assert len(gzip.compress(page)) <= 40_000
        assert b"part 9876" in page

    def test_open_in_small_pieces(self, large, as_grace):
        part = Span.objects.get(name="part 1")

        piece = as_grace.get(reverse("trace_children", args=[large.trace_id, part.pk]), headers=PART).content

        assert piece.count(b"<tr data-row") == 200
        assert b"<html" not in piece
        assert len(gzip.compress(piece)) <= 15_000
        assert b"133 more of 333" in piece

    def test_open_without_script_as_a_page(self, large, as_grace):
        part = Span.objects.get(name="part 1")

        page = as_grace.get(reverse("trace_children", args=[large.trace_id, part.pk])).content.decode()

        assert "<h1>Parts of part 1</h1>" in page
