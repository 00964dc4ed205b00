"""Every status has a word, a tone and a shape."""

import re
from pathlib import Path

import pytest

from approvals.models import PolicyVerdict, Verdict
from approvals.rules.policies import TIERS
from approvals.statuses import BREAK_GLASS, BULK, EVALUATION_CASE, POLICY, REQUEST, SECOND_LOOK, SEEDED_ITEM, STOP
from audit.templatetags._status import PILLS, pill, signatures
from orchestrator.models import Severity
from orchestrator.models.definition import Effect
from orchestrator.statuses import (
    ACTION,
    ALERT,
    ATTEMPT,
    BREAKER,
    DEAD_LETTER,
    EXECUTION,
    FAILURE_GROUP,
    ITEM,
    OPERATION,
    STEP,
)

ROOT = Path(__file__).resolve().parents[2]
TONES = {"neutral", "info", "progress", "wait", "ok", "danger", "critical"}
SPRITE = set(re.findall(r'<symbol id="([a-z-]+)"', (ROOT / "static/icons.svg").read_text(encoding="utf-8")))
ROWS = [(domain, status, known) for domain, pills in PILLS.items() for status, known in pills.items()]
# A lifecycle's statuses, and beside them what a row comes to without a move.
STATUSES = {
    "execution": {*EXECUTION.edges, "compensating", "compensated", "partly_compensated", "not_compensated"},
    "step": {*STEP.edges},
    "attempt": {*ATTEMPT.edges},
    "action": {*ACTION.edges, "unreported"},
    "request": {*REQUEST.edges, "escalated", "overdue"},
    "dead_letter": {*DEAD_LETTER.edges},
    "failure_group": {*FAILURE_GROUP.edges},
    "operation": {*OPERATION.edges},
    "operation_item": {*ITEM.edges},
    "alert": {*ALERT.edges},
    "breaker": {*BREAKER.edges},
    "bulk": {*BULK.edges},
    "stop": {*STOP.edges},
    "break_glass": {*BREAK_GLASS.edges},
    "second_look": {*SECOND_LOOK.edges},
    "test_item": {*SEEDED_ITEM.edges},
    "evaluation_case": {*EVALUATION_CASE.edges},
    "definition": {*POLICY.edges},
    "decision": {*Verdict},
    "verdict": {*PolicyVerdict, "allow"},
    "severity": {*Severity},
    "tier": {*TIERS},
    "effect": {*Effect, "continue", "take over by hand"},
}


class TestPill:
    @pytest.mark.parametrize(("domain", "statuses"), STATUSES.items())
    def test_exists_for_every_status_and_for_no_other(self, domain, statuses):
        assert set(PILLS[domain]) == statuses

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
