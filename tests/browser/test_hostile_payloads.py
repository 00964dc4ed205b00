"""Hostile payloads in a real Chromium: what can be seen there adds up to the bytes that would be signed."""

import pytest

from audit.canonical import digest_text
from tests.pages.test_hostile_payloads import through_the_door
from tests.payloads import payloads
from tests.reading_back import FROM_THE_DOM, snapshot_on

OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
# Three of each kind by default; `-m load` takes all 500.
SAMPLE = [payload for payload in payloads() if payload.number in {0, 11, 24}]


def look_at(person, sample):
    """Open each payload's review page. Returns how many were shown, locked, refused."""
    page, ends = person.page, {"shown": 0, "locked": 0, "refused": 0}
    page.on("dialog", lambda dialog: person.problems.append(f"a dialog opened: {dialog.message}"))
    for payload in sample:
        request = through_the_door(payload)
        if request is not None:
            page.goto(request.get_absolute_url())
            assert_true_or_locked(page, request, payload)
            assert page.evaluate("document.querySelectorAll('#decision-form [type=submit]').length") == 1
        ends[payload.becomes] += 1
        assert (request is None) == (payload.becomes == "refused")
    return ends


def assert_true_or_locked(page, request, payload):
    if page.locator("#locked").count():
        assert payload.becomes == "locked", payload
        assert page.locator("#decision_verdict_approve").is_disabled()
        assert page.locator("#locked").is_visible()
        return
    page.evaluate(OPEN_ALL)
    rows = page.evaluate(FROM_THE_DOM)
    assert [row for row in rows if not row["seen"] or row["foreign"]] == [], payload
    assert digest_text(snapshot_on(rows)) == request.digest, payload


class TestHostilePayloads:
    @pytest.mark.slow
    @pytest.mark.timeout(300)
    def test_can_be_read_to_the_last_byte_or_not_be_approved(self, unit, people, opened):
        ends = look_at(opened("grace"), SAMPLE)

        assert sum(ends.values()) == 60
        assert all(ends.values())

    @pytest.mark.load
    @pytest.mark.timeout(1800)
    def test_all_500(self, unit, people, opened):
        assert look_at(opened("grace"), payloads()) == {"shown": 350, "locked": 75, "refused": 75}

    def test_ask_the_outside_for_nothing(self, unit, people, opened):
        person, asked = opened("grace"), []
        person.page.on("request", lambda request: asked.append(request.url))
        for payload in SAMPLE:
            if payload.kind in {"html", "markdown", "fake_button"}:
                person.page.goto(through_the_door(payload).get_absolute_url())

        home = person.page.evaluate("location.origin")
        assert [url for url in asked if not url.startswith(home)] == []
        assert all("/static/" in url or "/approvals/" in url for url in asked)
