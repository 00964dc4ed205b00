"""The pages of traces: search, waterfall, one part, the next children. What an agent wrote is inert."""

import gzip
from uuid import uuid4

import pytest
from django.db import connection
from django.urls import reverse

from audit.lifecycle import database_now
from audit.models import Span
from orchestrator.models import Action
from tests import make
from tests.pages.asking import PART, browser_of


@pytest.fixture
def execution(unit):
    return make.execution("waiting")


def shown(browser, execution, query="", **more):
    return browser.get(f"{reverse('trace', args=[execution.trace_id])}{query}", **more)


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


class TestTheWaterfall:
    def test_shows_parts_with_their_kind_and_state(self, execution, as_grace):
        page = shown(as_grace, execution).content.decode()

        parts = (execution.workflow, "erp.post_adjustment", "approval", "policy", "Waiting")
        assert [text for text in parts if text not in page] == []

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
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO audit_span (id, trace_id, parent_id, unit_id, kind, name, started_at, ended_at, status, attributes) "
                "SELECT md5('part ' || n)::uuid, %s, CASE WHEN n < 30 THEN %s ELSE md5('part ' || (n %% 30))::uuid END, %s, "
                "'llm', 'part ' || n, now(), now() + n * interval '1 ms', CASE WHEN n = 9876 THEN 'error' ELSE 'ok' END, '{}' "
                "FROM generate_series(0, 9999) AS n",
                [execution.trace_id, execution.pk, execution.unit_id],
            )
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
