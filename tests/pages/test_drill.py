"""Every figure of the service levels and of what a success costs leads to a list with as many rows as the figure says."""

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from approvals.models import ApprovalRequest
from audit.actors import agent
from audit.lifecycle import database_now
from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.engine.retries import Failure
from orchestrator.engine.settle import settle_failure
from orchestrator.gate.propose import propose
from orchestrator.health import refused as refusals
from orchestrator.health.levels import COUNTS, GROUPS, Span, levels
from orchestrator.health.resolution import KINDS
from orchestrator.models import Action, Execution
from orchestrator.operations import dead_letters
from orchestrator.queries.behind import CALLS, FIGURES, Behind, calls_behind, executions_behind
from orchestrator.queries.cost_outcomes import OUTCOMES
from orchestrator.views.drill import WORDS
from tests import make

pytestmark = pytest.mark.django_db
LINK = re.compile(
    r'<a href="(/(?:executions|actions|dead-letters/letters|alerts)/\?figure=[^"]+)">(?:<[^>]+>)?([\d,]+)(?:</[^a][^>]*>)?</a>'
)


def spend(run, cost, currency="USD"):
    usage = Usage(cost=cost and Decimal(cost), currency=currency if cost else "", model="house", input_tokens=10)
    return charge(usage, Place(unit_id=run.unit_id, execution_id=run.pk))


@pytest.fixture
def many(unit, grace):
    """Executions that ended in every way, some paid for, mended or rejected, calls that were denied, and another unit's."""
    for status in ("succeeded", "succeeded", "failed", "dead_lettered", "cancelled", "running", "waiting"):
        spend(make.execution(status), "0.10")
    spend(make.execution("succeeded"), None)
    spend(make.execution("succeeded"), "0.10", "EUR")
    make.execution("failed", name="opening")
    rejected = make.execution("waiting")
    make.rejected(ApprovalRequest.objects.get(execution_id=rejected.pk), grace)
    settle_failure(make.claimed(rejected), Failure("business", "Rejected: no invoice", {}))
    mended = make.dead_letter()
    dead_letters.requeue(letter_id=mended.pk, by=make.actor(make.person("operator", "view", "operate")))
    make.succeeded(mended)
    for _ in range(2):
        propose(
            tool="no.such", arguments={}, agent="poster", unit_id=unit.pk, execution_id=rejected.pk,
            by=agent("poster", unit_ids=frozenset({unit.pk}), scopes=frozenset()),
        )  # fmt: skip
    make.letter(of=make.unit("sales", "Sales"))
    helped = make.execution("succeeded")
    for name in ("poster", "looker"):
        propose(
            tool="no.such", arguments={}, agent=name, unit_id=unit.pk, execution_id=helped.pk,
            by=agent(name, unit_ids=frozenset({unit.pk}), scopes=frozenset()),
        )  # fmt: skip
    make.doubt(of=unit)
    make.alert(of=unit)


def listed(browser, address):
    """How many rows the list behind an address has, page by page."""
    found, page = 0, unescape(address)
    while page:
        answer = browser.get(page)
        assert answer.status_code == 200, page
        text = answer.content.decode()
        assert "Behind the figure" in text
        found += text.count("<tr data-row>")
        newer = re.search(r'href="([^"]*[?&]after=[^"]*)"', text)
        page = unescape(newer.group(1)) if newer else ""
    return found


def links(page):
    return [(address, int(number.replace(",", ""))) for address, number in LINK.findall(page)]


class TestEveryFigure:
    @pytest.mark.slow
    @pytest.mark.parametrize("by", list(GROUPS))
    def test_of_the_service_levels_counts_its_list(self, many, unit, as_vera, by):
        """Those in words on the page, too: the numbers are the ones that the file has."""
        page = as_vera.get(reverse("levels"), {"by": by, "unit": str(unit.pk)}).content.decode()
        lines = csv.DictReader(io.StringIO(as_vera.get(reverse("levels_csv"), {"by": by}).content.decode()))

        found = dict(links(page))
        assert {address: listed(as_vera, address) for address in found} == found
        whole = next(line for line in lines if line[by] == "all")
        assert sum(number > 0 for number in found.values()) > 10
        assert int(whole["denied"]) == 4
        for kind in KINDS:
            assert any(f"figure={kind}_open" in address and number for address, number in found.items()), kind

    def test_counts_what_the_statement_counts(self, many, unit, vera):
        """A percentage's link shows no number of its own: each condition beside the count."""
        now = database_now()
        since, until = now - timedelta(days=1), now + timedelta(hours=1)
        for by in GROUPS:
            for level in levels(Span(units=frozenset({unit.pk}), since=since, until=until), by=by):
                place = {"since": since, "until": until, "tree": unit.pk, "by": by, "line": level.called}
                runs, calls = Execution.objects.all(), Action.objects.all()
                counted = {
                    name: calls_behind(calls, Behind(figure=name, **place)).count()
                    if name in CALLS
                    else executions_behind(runs, Behind(figure=name, **place)).count()
                    for name in COUNTS
                }
                assert counted == dict(level.counts), (by, level.called)

    def test_of_where_the_time_went_counts_what_it_tells_of(self, many, unit):
        now = database_now()
        since, until = now - timedelta(days=1), now + timedelta(hours=1)
        for by in GROUPS:
            told = levels(Span(units=frozenset({unit.pk}), since=since, until=until), by=by)
            for one in (line for line in told if line.stages):
                place = Behind(figure="staged", since=since, until=until, tree=unit.pk, by=by, line=one.called)
                assert executions_behind(Execution.objects.all(), place).count() == one.staged > 0, (by, one.called)

    def test_of_what_a_success_costs_counts_its_list(self, many, as_vera):
        page = as_vera.get(reverse("cost_outcomes")).content.decode()

        found = dict(links(page))
        assert len(found) >= 5
        assert {address: listed(as_vera, address) for address in found} == found

    def test_has_its_condition_and_its_words(self):
        assert set(FIGURES) == set(WORDS)
        resolved = {f"{kind}_{state}" for kind in KINDS for state in ("resolved", "open")}
        refused = {f"refused_{kind}" for kind in refusals.KINDS if kind != refusals.REQUESTS}
        assert set(COUNTS) | set(OUTCOMES) | resolved | refused | {"staged"} == set(FIGURES)


class TestTheList:
    def test_is_empty_for_who_does_not_see_the_unit(self, many, as_vera, as_eve):
        address, number = links(as_vera.get(reverse("levels")).content.decode())[0]

        assert number > 0
        assert listed(as_eve, address) == 0

    def test_says_which_figure_it_shows_and_takes_it_away(self, many, as_vera):
        address = next(
            one for one, _ in links(as_vera.get(reverse("levels")).content.decode()) if "figure=ended" in one
        )
        page = as_vera.get(unescape(address)).content.decode()

        assert "Behind the figure: Ended by themselves" in page
        assert 'class="chip" href="/executions/"' in page or 'class="chip" href="?"' in page

    @pytest.mark.parametrize("lists", ["executions", "actions", "dead_letters", "alerts"])
    @pytest.mark.parametrize(
        "moments", [("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"), ("0009-01-01", "9999-12-31")]
    )
    def test_survives_years_that_nobody_can_write_in_another_zone(self, as_vera, lists, moments):
        figure = {"dead_letters": "letters_open", "alerts": "alerts_open"}.get(lists, "asked")
        query = {"figure": figure, "asked_from": moments[0], "asked_until": moments[1]}

        page = as_vera.get(reverse(lists), query)

        assert page.status_code == 200
        assert "Behind the figure" not in page.content.decode()

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "query",
        ["figure=x", "figure=asked", "figure=asked&asked_from=x&asked_until=y", "figure=asked&tree=x&by=x&line=%00"],
    )
    def test_survives_any_address(self, many, as_vera, query):
        assert "Behind the figure" not in as_vera.get(f"/executions/?{query}").content.decode()
        assert as_vera.get(f"/actions/?{query}").status_code == 200
