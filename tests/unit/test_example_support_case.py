"""The support workflow's handlers over its CRM: which case goes where, and what is written once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.runner.context import BusinessError, UnknownOutcome
from tests.unit.example_world import CRM, EXAMPLES, System, Ungated, load, running

handlers = load("support_case_resolution", "handlers")

Fields = dict[str, Any]
CASES = {
    case["case_id"]: case
    for case in json.loads((EXAMPLES / "support_case_resolution/data/cases.json").read_text(encoding="utf-8"))
}
SEARCH = {"corpus": "policy_corpus_2026_02", "max_results": 5}


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    with running(CRM, tmp_path) as system:
        monkeypatch.setenv("CRM_URL", system.url)
        monkeypatch.setattr(handlers, "SECONDS", 0.4)
        yield system


def judged(case_id: str) -> Fields:
    """The steps up to `validate`; each sees the case and what came before."""
    known = {**CASES[case_id], **SEARCH}
    for step in ("intake_classifier", "kb_search", "response_writer", "policy_checker"):
        known |= getattr(handlers, step)(known, Ungated(handlers))
    return known


def classified(message: str) -> Fields:
    found: Fields = handlers.intake_classifier({"case_id": "CASE-1", "message": message}, Ungated(handlers))
    return found


class TestJudging:
    @pytest.mark.parametrize(
        ("case_id", "intent", "refund", "confidence", "score"),
        [
            ("CASE-1001", "damaged_goods", 89.90, 0.95, 1.0),
            ("CASE-1002", "damaged_goods", 1140.00, 0.95, 1.0),
            ("CASE-1003", "charged_twice", 348.50, 0.95, 1.0),
            ("CASE-1004", "account_access", 0, 0.95, 1.0),
            ("CASE-1005", "late_delivery", 0, 0.6, 1.0),
            ("CASE-1006", "invoice_copy", 0, 0.95, 1.0),
            ("CASE-1009", "damaged_goods", 0, 0.95, 0.8),
        ],
    )
    def test_gives_each_sample_the_verdict_its_readme_names(
        self, case_id: str, intent: str, refund: float, confidence: float, score: float
    ) -> None:
        verdict = judged(case_id)

        found = [verdict[name] for name in ("intent", "refund_amount", "confidence", "score")]
        assert found == [intent, refund, confidence, score]

    @pytest.mark.parametrize("case_id", ["CASE-1007", "CASE-1008"])
    def test_leaves_what_rules_must_not_answer_to_a_person(self, case_id: str) -> None:
        with pytest.raises(BusinessError, match="a person must"):
            handlers.intake_classifier(CASES[case_id], Ungated(handlers))

    @pytest.mark.parametrize(
        ("message", "claimed"),
        [
            ("Broken. We paid EUR 1,140.00.", 1140.00),
            ("Broken. We paid 1,140.00 EUR for it", 1140.00),
            ("Broken. We paid €89.90, yes, EUR 89.90, for order 5521", 89.90),
            ("Order 5521 EUR 89.90 came broken", 89.90),
            ("Broken. What now?", 0),
        ],
    )
    def test_reads_the_one_amount_a_message_names(self, message: str, claimed: float) -> None:
        assert classified(message)["claimed_amount"] == claimed

    @pytest.mark.parametrize(
        ("message", "words"),
        [
            ("Twelve chairs of order 5521 are damaged. We paid EUR 1.140,00 for them.", "EUR 1.140,00 is not written"),
            ("Damaged. We paid 1.140,00 EUR.", "EUR 1.140,00 is not written"),
            ("Damaged, EUR 89.905", "EUR 89.905 is not written"),
            ("Damaged, EUR 1,14.00", "EUR 1,14.00 is not written"),
            ("Damaged, EUR 1 140.00", "EUR 1 is not written"),
            ("Damaged, shipping was EUR 5.00, chairs EUR 1,140.00", "it names EUR 5.00 and EUR 1,140.00"),
            ("Damaged: 5.00 EUR 1,140.00", "it names EUR 5.00 and EUR 1,140.00"),
        ],
    )
    def test_leaves_an_amount_in_doubt_to_a_person_where_it_would_be_refunded(self, message: str, words: str) -> None:
        with pytest.raises(BusinessError, match=f"{words}.*: a person must say what is claimed"):
            classified(message)

    def test_minds_no_amount_where_nothing_is_refunded(self) -> None:
        assert classified("I cannot log in to pay EUR 1.140,00 and EUR 5.00")["claimed_amount"] == 5.00

    def test_quotes_the_rule_that_applies_and_names_the_refund(self) -> None:
        reply = judged("CASE-1001")["reply"]

        assert "you get the full price back" in reply
        assert "photo" not in reply
        assert reply.endswith("We refund EUR 89.90.")


class TestSearch:
    def test_puts_the_article_about_the_matter_first(self) -> None:
        found = handlers.kb_search({**SEARCH, "query": "charged twice"}, Ungated(handlers))

        assert found["articles"][0]["id"] == "billing-twice"

    def test_gives_no_more_than_was_asked_for(self) -> None:
        asked = {**SEARCH, "query": "refund the price of the order", "max_results": 2}

        assert len(handlers.kb_search(asked, Ungated(handlers))["articles"]) == 2

    def test_names_the_known_versions_when_the_corpus_is_misspelt(self) -> None:
        with pytest.raises(BusinessError, match="known: policy_corpus_2026_02"):
            handlers.kb_search({"query": "refund", "corpus": "policy_2026"}, Ungated(handlers))


class TestUpdatingTheCase:
    def update(self, **changes: Any) -> Fields:
        return {"case_id": "CASE 1/a", "intent": "x", "reply": "Dear all", "refund_amount": 5.5, **changes}

    @pytest.mark.parametrize("mode", ["drop_reply", "error_after_effect"])
    def test_is_written_once_although_nobody_answered(self, crm: System, mode: str) -> None:
        assert handlers.find_update(self.update(), Ungated(handlers))["happened"] == "no"
        crm.plan(mode)

        with pytest.raises(UnknownOutcome):
            handlers.update_case(self.update(), Ungated(handlers))
        found = handlers.find_update(self.update(), Ungated(handlers))
        again = handlers.update_case(self.update(), Ungated(handlers))

        assert (found["happened"], found["result"]) == ("yes", again)
        assert len(crm.get("/books")["updates"]) == 1

    def test_is_not_mistaken_for_an_older_update_of_the_same_case(self, crm: System) -> None:
        handlers.update_case(self.update(reply="An older answer"), Ungated(handlers))

        assert handlers.find_update(self.update(), Ungated(handlers))["happened"] == "no"

    def test_is_refused_under_a_key_that_wrote_something_else(self, crm: System) -> None:
        handlers.update_case(self.update(), Ungated(handlers))

        with pytest.raises(BusinessError, match="used for another update"):
            handlers.update_case(self.update(refund_amount=900), Ungated(handlers))

    def test_survives_a_killed_crm(self, crm: System, monkeypatch: pytest.MonkeyPatch) -> None:
        first = handlers.update_case(self.update(), Ungated(handlers))

        crm.kill()
        crm.start()
        monkeypatch.setenv("CRM_URL", crm.url)

        assert handlers.update_case(self.update(), Ungated(handlers)) == first
