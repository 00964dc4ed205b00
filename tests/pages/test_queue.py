"""The approvals queue: filters in the address, paging by key, rows that say what they are to the reader."""

import json
import re
from base64 import urlsafe_b64encode

import pytest
from django.urls import reverse

from approvals.models import StopScope
from approvals.operations.stops import Target, engage
from approvals.queries import queue
from approvals.queries.queue import QueueFilters
from tests import make
from tests.pages.asking import PART


def titles(page):
    return [part.split("<")[0] for part in page.content.decode().split('<a class="strong" href="/approvals/')[1:]]


def found(browser, **keys):
    return browser.get(reverse("approvals"), keys, headers=PART).content.decode()


def _cursor(value):
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# Cursors of the right length that hold what no row can.
ODD = [
    _cursor([["u", 5], ["u", 5], ["u", 5]]), "W" * 1_500, _cursor([["", "a"]] * 3), _cursor([["", "\0"]] * 3),
    urlsafe_b64encode(b"[" * 1_500).decode(),
]  # fmt: skip


class TestFilters:
    @pytest.fixture(autouse=True)
    def requests(self, unit, grace, linus):
        make.policy()
        self.small, self.large = make.request("10.00", reference="SMALL"), make.request("9999.00", reference="LARGE")
        self.gone = make.rejected(make.request(reference="GONE"), linus)
        self.own = make.request(reference="OWN", by=make.actor(grace))

    @pytest.mark.parametrize(
        ("keys", "shown"),
        [
            ({}, {"SMALL", "LARGE", "OWN"}),
            ({"state": "me"}, {"SMALL", "LARGE"}),
            ({"state": "rejected"}, {"GONE"}),
            ({"state": "any"}, {"SMALL", "LARGE", "GONE", "OWN"}),
            ({"tier": "financial"}, {"LARGE"}),
            ({"q": "SMALL"}, {"SMALL"}),
            ({"action": "erp.post_adjustment"}, {"SMALL", "LARGE", "OWN"}),
            ({"due": "1"}, set()),
            ({"state": "nonsense", "tier": "x", "unit": "y"}, {"SMALL", "LARGE", "OWN"}),
        ],
    )
    def test_show_what_they_say(self, as_grace, keys, shown):
        page = found(as_grace, **keys)

        assert {name for name in ("SMALL", "LARGE", "GONE", "OWN") if f"for {name}" in page} == shown

    def test_say_what_a_row_is_to_the_reader(self, as_grace):
        page = found(as_grace, state="any")

        assert page.count("can decide") == 2
        assert page.count("you asked") == 1

    def test_say_of_a_stopped_row_that_it_can_only_be_rejected(self, unit, as_grace, ada):
        target = Target(scope=StopScope.UNIT, unit_id=unit.pk)
        engage(target=target, by=make.actor(ada), reason="it pays twice")

        page = found(as_grace)

        assert (page.count("can decide"), page.count("can reject; stopped")) == (0, 2)

    def test_offer_to_act_on_several_only_to_whoever_may_review(self, as_grace, as_vera, as_ada):
        offered = [("bulk-form" in page, 'name="item"' in page) for page in map(found, (as_grace, as_vera, as_ada))]

        assert offered == [(True, True), (False, False), (False, False)]

    def test_stand_as_chips_that_take_them_away(self, as_grace):
        page = as_grace.get(reverse("approvals"), {"tier": "financial", "q": "LARGE"}).content.decode()

        assert 'href="/approvals/?q=LARGE"' in page
        assert 'href="/approvals/?tier=financial"' in page

    @pytest.mark.parametrize(
        ("name", "query"),
        [
            ("approvals", {"action": "erp.gone"}),
            ("approvals", {"q": "x" * 300}),
            ("executions", {"state": "no-such"}),
            ("actions", {"tool": "erp.gone"}),
            ("failure_groups", {"unit": "not-an-id"}),
            ("audit", {"since": "yesterday"}),
        ],
    )
    def test_that_cannot_be_applied_do_not_stand_there_as_if_they_were(self, as_grace, name, query):
        """A view saved under an action that is no longer there shows every row: who acts on all that match has to know."""
        page = as_grace.get(reverse(name), query).content.decode()

        assert page.count("not known, not applied") == 1
        assert "not known, not applied" not in as_grace.get(reverse(name)).content.decode()
        assert (
            "x" * 200
            not in page.partition('aria-label="Active filters"')[2].partition("Clear all")[0].partition("href")[0]
        )

    def test_that_match_nothing_offer_to_clear_them(self, as_grace):
        assert "Nothing matches these filters" in found(as_grace, q="no such thing")


class TestPaging:
    def test_walks_forth_and_back_over_every_row_once(self, unit, grace):
        actor = make.actor(grace)
        wanted = [make.request().pk for _ in range(7)]
        rows = queue.queue(actor, QueueFilters())

        forth, cursor = [], ""
        while True:
            page = queue.DUE_FIRST.slice(rows, after=cursor, size=3)
            forth.append([row.pk for row in page.rows])
            cursor = page.older
            if not cursor:
                break
        back = queue.DUE_FIRST.slice(rows, before=page.newer, size=3)

        assert [pk for page in forth for pk in page] == wanted
        assert [row.pk for row in back.rows] == forth[-2]

    def test_names_what_cannot_be_seen_in_the_label_of_a_box_and_stays_in_it(self, unit, as_grace):
        make.request(reference='ADJ\u202e"><b>')

        label = re.search(r'aria-label="(Select [^"]*)"', found(as_grace))[1]

        assert "[U+202E RIGHT-TO-LEFT OVERRIDE]&quot;&gt;&lt;b&gt;" in label
        assert "<" not in label

    @pytest.mark.parametrize("cursor", ["x", "!!!!", "W10", "WzEsMiwzXQ", "bnVsbA", "é", *ODD])
    def test_takes_a_cursor_of_somebody_else_for_the_first_page(self, unit, as_grace, cursor):
        make.request()

        for key in ("after", "before"):
            assert "ADJ-" in found(as_grace, **{key: cursor})
