"""What makes two failures the same cause: everything that differs by itself is left out, and nothing else."""

import time

import pytest

from orchestrator.engine.dead_letters.causes import fingerprint_of, pattern_of

# Messages as real libraries and systems write them, and what is left of each.
REAL = [
    ("The ERP answered 503.", "the erp answered <number>."),
    ("Timeout after 30.0 s calling ledger.post (attempt 3 of 5)",
     "timeout after <number> s calling ledger.post (attempt <number> of <number>)"),
    ("KeyError: 'vat_id'", "keyerror: <value>"),
    ('connection to server at "10.0.3.17", port 5432 failed: Connection refused',
     "connection to server at <value>, port <number> failed: connection refused"),
    ("HTTPConnectionPool(host='erp.local', port=8080): Max retries exceeded with url: /journal/9931",
     "httpconnectionpool(host=<value>, port=<number>): max retries exceeded with url: <path>"),
    ("[Errno 2] No such file or directory: '/tmp/run-8812/ledger.csv'",
     "[errno <number>] no such file or directory: <value>"),
    ("Posting ADJ-2026-0042 was refused: period 2026-10 is closed", "posting <id> was refused: period <number> is closed"),
    ("Could not read C:\\data\\in\\x.csv", "could not read <path>"),
    ("at 2026-11-28T02:17:49.123Z the line went dead (request 01936f0e-7c1a-7d55-9b1e-3f2a4860c0de)",
     "at <time> the line went dead (request <id>)"),
    ("0x7fde12 in deadbeef01", "<id> in <id>"),
    ("Customer anna.lind@halden.example has no IBAN", "customer <address> has no iban"),
    ("GET https://erp.local/api/v1/items/17?x=2 -> 429", "get <address> -> <number>"),
    ("the output does not fit its schema at /lines/3/amount: '12,50' is not a number",
     "the output does not fit its schema at <path>: <value> is not a number"),
    ("Exceeded 95% of the quota", "exceeded <number> of the quota"),
    ("user42 not found;  sku A17\nmissing", "<id> not found; sku <id> missing"),
]  # fmt: skip
PLAIN = [
    "It can't be done; doesn't exist",
    "The lease ran out: the worker died or lost its connection.",
    "facade failed",
]


class TestTheMessage:
    @pytest.mark.parametrize(("message", "pattern"), REAL)
    def test_loses_what_differs_from_letter_to_letter(self, message, pattern):
        assert pattern_of(message) == pattern

    @pytest.mark.parametrize("message", PLAIN)
    def test_keeps_its_words(self, message):
        assert pattern_of(message) == message.lower()

    @pytest.mark.parametrize(
        "message", ["A" * 5000, "a-a_" * 2000, "a." * 3000 + "@", "'" * 4000, "0" * 4000, "a/" * 3000]
    )
    def test_written_to_be_slow_is_not(self, message):
        began = time.process_time()
        pattern_of(message)
        assert time.process_time() - began < 0.1


class TestTheFingerprint:
    FACTS = {"failure_class": "system", "component": "erp.post", "step": "post", "pattern": "it broke"}

    def test_is_the_same_for_the_same_cause(self):
        one, two = (pattern_of(f"Order {number} was refused") for number in (17, 4711))
        assert fingerprint_of(**{**self.FACTS, "pattern": one}) == fingerprint_of(**{**self.FACTS, "pattern": two})

    @pytest.mark.parametrize("name", FACTS)
    def test_differs_with_each_of_its_parts(self, name):
        assert fingerprint_of(**self.FACTS) != fingerprint_of(**{**self.FACTS, name: "another"})
