"""Every status has a word, a tone and a shape."""

import re
from pathlib import Path

import pytest

from audit.templatetags._status import PILLS, pill, signatures

ROOT = Path(__file__).resolve().parents[2]
TONES = {"neutral", "info", "progress", "wait", "ok", "danger", "critical"}
SPRITE = set(re.findall(r'<symbol id="([a-z-]+)"', (ROOT / "static/icons.svg").read_text(encoding="utf-8")))
ROWS = [(domain, status, known) for domain, pills in PILLS.items() for status, known in pills.items()]
# Every status of the data model; the lists live in the apps' statuses modules, which the floor may not import.
STATUSES = {
    "step": "pending in_progress success business_error system_error scheduled dead_letter awaiting_approval"
    " budget_hold unknown_outcome cancelled skipped",
    "execution": "queued running waiting succeeded failed dead_lettered cancelled timed_out",
    "attempt": "running succeeded failed parked lost released",
    "action": "proposed held granted redeemed succeeded failed unknown denied rejected expired withdrawn void undone",
    "request": "pending approved used rejected expired withdrawn void",
    "dead_letter": "open redriven fixed discarded ended",
    "definition": "draft active retired",
    "verdict": "allow hold deny",
    "tier": "informational customer_facing financial",
    "effect": "read write irreversible continue",
    "failure": "business system unknown_outcome lost budget policy determinism empty_result timeout",
}


class TestPill:
    @pytest.mark.parametrize(("domain", "statuses"), STATUSES.items())
    def test_exists_for_every_status(self, domain, statuses):
        assert set(statuses.split()) <= set(PILLS[domain])

    @pytest.mark.parametrize(("domain", "status", "known"), ROWS)
    def test_has_a_tone_of_the_token_layer_and_an_icon_of_the_sprite(self, domain, status, known):
        assert known.tone in TONES
        assert known.icon in SPRITE

    def test_tells_the_statuses_of_a_domain_apart_by_word(self):
        for pills in PILLS.values():
            words = [known.word for known in pills.values()]
            assert len(words) == len(set(words))

    def test_shows_an_unlisted_status_as_what_it_is(self):
        assert pill("step", "brand_new") == ("Brand new", "neutral", "question")

    def test_of_signatures_is_done_only_when_all_are_there(self):
        assert signatures(1, 2) == ("1 of 2", "progress", "people")
        assert signatures(2, 2) == ("2 of 2", "ok", "check")
