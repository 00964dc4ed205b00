"""The ERP of the example as an oracle: whatever goes wrong, its books show what really happened."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.example_world import ERP, System, running

Fields = dict[str, Any]


@pytest.fixture
def erp(tmp_path: Path) -> Iterator[System]:
    with running(ERP, tmp_path) as system:
        yield system


def adjustment(reference: str = "ADJ-1", **changes: Any) -> Fields:
    fields = {"account": "6855", "counter_account": "1800", "amount": "12.40", "currency": "EUR"}
    return {"reference": reference, "batch_id": "B-1", **fields, **changes}


def post(erp: System, reference: str = "ADJ-1", timeout: float = 10, **changes: Any) -> tuple[int, Fields]:
    return erp.ask("POST", "/postings", adjustment(reference, **changes), key=f"key-{reference}", timeout=timeout)


def written(erp: System, reference: str = "ADJ-1") -> list[tuple[str, int, int]]:
    found = erp.get(f"/postings?reference={reference}")["postings"]
    return [(item["status"], item["lines_written"], item["lines_expected"]) for item in found]


class TestStarting:
    def test_prints_one_ready_line_with_its_address(self, erp: System) -> None:
        assert erp.ready_line.startswith("erp ready on http://127.0.0.1:")
        assert erp.get("/healthz") == {"service": "erp", "status": "ok"}


class TestPosting:
    def test_writes_four_lines_that_balance_and_leave_the_clearing_account_empty(self, erp: System) -> None:
        status, posting = post(erp)

        assert (status, posting["status"], posting["lines_written"]) == (200, "complete", 4)
        balances = {item["account"]: item["balance"] for item in erp.get("/books")["accounts"]}
        assert balances["6855"] == {"EUR": "12.40"}
        assert balances["1800"] == {"EUR": "-12.40"}
        assert balances["1460"] == {"EUR": "0.00"}

    def test_answers_a_repeated_key_with_the_same_posting(self, erp: System) -> None:
        first, again = post(erp), post(erp)

        assert first == again
        assert erp.get("/books")["totals"] == {"postings": 1, "lines": 4}

    def test_refuses_a_used_key_with_another_body(self, erp: System) -> None:
        post(erp)

        status, answer = post(erp, amount="99.00")

        assert status == 422
        assert "key-ADJ-1 was used with another body" in answer["error"]
        assert erp.get("/books")["totals"]["postings"] == 1

    def test_books_twice_whoever_posts_under_two_keys(self, erp: System) -> None:
        erp.ask("POST", "/postings", adjustment(), key="key-1")
        erp.ask("POST", "/postings", adjustment(), key="key-2")
        erp.ask("POST", "/postings", adjustment())

        assert written(erp) == [("complete", 4, 4)] * 3

    def test_books_once_when_thirty_duplicates_arrive_together(self, erp: System) -> None:
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda _: post(erp), range(30)))

        assert all(answer == answers[0] for answer in answers)
        assert erp.get("/books")["totals"] == {"postings": 1, "lines": 4}

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"amount": "0.00"}, "above zero"),
            ({"amount": "-5.00"}, "above zero"),
            ({"amount": "1.005"}, "at most two decimals"),
            ({"amount": "NaN"}, "not an amount"),
            ({"amount": "a lot"}, "not an amount"),
            ({"amount": "50000.01"}, "above the posting limit 50000.00"),
            ({"account": "9999"}, "no account '9999'"),
            ({"currency": ""}, "'currency' is missing"),
        ],
    )
    def test_refuses_what_it_cannot_book(self, erp: System, changes: Fields, message: str) -> None:
        status, answer = post(erp, **changes)

        assert status in (404, 422)
        assert message in answer["error"]
        assert erp.get("/books")["totals"]["postings"] == 0


class TestAccounts:
    def test_master_data_gets_a_new_revision_only_from_people(self, erp: System) -> None:
        post(erp)
        assert erp.get("/accounts/6855")["revision"] == 1

        erp.ask("PATCH", "/accounts/6855", {"status": "blocked"})

        assert (erp.get("/accounts/6855")["revision"], post(erp, "ADJ-2")[0]) == (2, 422)


class TestFaults:
    def test_a_time_out_after_part_of_a_posting_shows_as_partial_and_the_same_key_completes_it(
        self, erp: System
    ) -> None:
        erp.plan("timeout_after_partial", seconds=5)

        with pytest.raises(TimeoutError):
            post(erp, timeout=0.3)
        assert written(erp) == [("partial", 2, 4)]

        # While the first call still hangs: a retry must not have to wait for it.
        assert post(erp, timeout=2)[0] == 200
        assert written(erp) == [("complete", 4, 4)]

    @pytest.mark.parametrize("mode", ["error_after_effect", "drop_reply"])
    def test_an_effect_nobody_answered_for_is_there_and_the_same_key_finds_it(self, erp: System, mode: str) -> None:
        erp.plan(mode)

        first = _outcome(erp)

        assert first == {"error_after_effect": 500, "drop_reply": "RemoteDisconnected"}[mode]
        assert written(erp) == [("complete", 4, 4)]
        assert post(erp)[0] == 200
        assert written(erp) == [("complete", 4, 4)]

    def test_a_slow_call_may_take_effect_after_its_caller_gave_up(self, erp: System) -> None:
        erp.plan("slow", seconds=0.6)

        with pytest.raises(TimeoutError):
            post(erp, timeout=0.2)
        assert written(erp) == []
        assert post(erp)[0] == 200
        time.sleep(0.8)

        assert written(erp) == [("complete", 4, 4)]

    def test_down_does_nothing_and_says_so_while_books_and_faults_stay_reachable(self, erp: System) -> None:
        erp.plan("down", times=2)

        assert post(erp)[0] == 503
        assert erp.ask("GET", "/postings?reference=ADJ-1")[0] == 503
        assert erp.get("/books")["totals"]["postings"] == 0
        assert post(erp)[0] == 200

    def test_strikes_only_what_it_matches_and_only_so_often(self, erp: System) -> None:
        erp.plan("error_after_effect", times=1, match={"reference": "ADJ-2"})

        assert [post(erp, reference)[0] for reference in ("ADJ-1", "ADJ-2", "ADJ-2")] == [200, 500, 200]
        assert erp.get("/faults")["faults"][0]["fired"] == 1

    def test_none_forgets_what_was_planned(self, erp: System) -> None:
        erp.plan("down", times=100)
        erp.plan("none")

        assert post(erp)[0] == 200

    @pytest.mark.parametrize(
        "fields", [{"mode": "explode"}, {"mode": "slow", "times": 0}, {"mode": "down", "moed": 1}, {}]
    )
    def test_a_fault_it_does_not_know_is_refused(self, erp: System, fields: Fields) -> None:
        assert erp.ask("POST", "/faults", fields)[0] == 422


class TestReversing:
    def test_mirrors_the_posting_once(self, erp: System) -> None:
        post(erp)

        first = erp.ask("POST", "/reversals", {"reference": "ADJ-1"}, key="undo")
        again = erp.ask("POST", "/reversals", {"reference": "ADJ-1"}, key="undo")

        assert first == again
        assert first[1]["reference"] == "REV-ADJ-1"
        assert written(erp) == [("reversed", 4, 4)]
        assert all(set(item["balance"].values()) <= {"0.00"} for item in erp.get("/books")["accounts"])

    def test_refuses_a_second_reversal_and_an_unknown_reference(self, erp: System) -> None:
        post(erp)
        erp.ask("POST", "/reversals", {"reference": "ADJ-1"}, key="undo")

        assert erp.ask("POST", "/reversals", {"reference": "ADJ-1"}, key="undo-2")[0] == 422
        assert erp.ask("POST", "/reversals", {"reference": "ADJ-9"}, key="undo-3")[0] == 422

    def test_closes_a_partial_posting_so_that_its_key_adds_no_further_line(self, erp: System) -> None:
        erp.plan("timeout_after_partial", seconds=0)
        _outcome(erp)

        erp.ask("POST", "/reversals", {"reference": "ADJ-1"}, key="undo")
        post(erp)

        assert written(erp) == [("reversed", 2, 4)]
        assert written(erp, "REV-ADJ-1") == [("complete", 2, 2)]


class TestKilled:
    def test_in_the_middle_of_a_posting_it_wakes_with_a_partial_one_that_the_same_key_completes(
        self, erp: System
    ) -> None:
        erp.plan("timeout_after_partial", seconds=30)
        with pytest.raises(TimeoutError):
            post(erp, timeout=0.3)

        erp.kill()
        erp.start()

        assert written(erp) == [("partial", 2, 4)]
        assert post(erp)[0] == 200
        assert written(erp) == [("complete", 4, 4)]

    def test_at_any_moment_it_has_every_acknowledged_posting_and_each_once_after_retries(self, erp: System) -> None:
        references = [f"ADJ-{number}" for number in range(240)]
        acknowledged: list[str] = []
        enough = threading.Event()
        killer = threading.Thread(target=lambda: enough.wait(30) and erp.kill())
        killer.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda reference: _note(erp, reference, acknowledged, enough), references))
        killer.join()
        assert 0 < len(acknowledged) < len(references), "the kill must land in the middle"

        erp.start()
        survived = {item["reference"]: item["status"] for item in erp.get("/books")["postings"]}
        assert {survived[reference] for reference in acknowledged} == {"complete"}

        assert {post(erp, reference)[0] for reference in references} == {200}
        assert Counter(item["reference"] for item in erp.get("/books")["postings"]) == Counter(references)
        assert erp.get("/books")["totals"]["lines"] == 4 * len(references)


def _note(erp: System, reference: str, acknowledged: list[str], enough: threading.Event) -> None:
    try:
        status, _ = post(erp, reference)
    except (OSError, http.client.HTTPException):
        return
    assert status == 200
    acknowledged.append(reference)
    if len(acknowledged) >= 40:
        enough.set()


def _outcome(erp: System) -> int | str:
    try:
        return post(erp)[0]
    except ConnectionError as error:
        return type(error).__name__
