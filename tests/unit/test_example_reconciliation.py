"""The reconciliation's handlers over its real systems: upload, look up, post, probe, report."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from orchestrator.runner.context import BusinessError, SystemFault, UnknownOutcome
from tests.unit.example_world import ERP, EXAMPLES, LEDGER, System, Ungated, contracts, load, running

handlers = load("reconciliation", "handlers")

Fields = dict[str, Any]
SMALL = EXAMPLES / "reconciliation/data/small"


@dataclass
class World:
    erp: System
    ledger: System


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with running(ERP, tmp_path / "erp") as erp, running(LEDGER, tmp_path / "ledger") as ledger:
        monkeypatch.setenv("ERP_URL", erp.url)
        monkeypatch.setenv("LEDGER_URL", ledger.url)
        monkeypatch.setattr(handlers, "WRITE_SECONDS", 0.4)
        yield World(erp, ledger)


def files(folder: Path = SMALL) -> Fields:
    return {name: _read(folder / f"{name}.csv") for name in ("bank", "ledger")}


def _read(path: Path) -> list[Fields]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


UNTIL_POSTING = ("register_batch", "fetch_batch", "list_postings", "classify_batch")
POSTING = ("post_adjustments", "report")


def run(given: Fields, steps: tuple[str, ...] = (*UNTIL_POSTING, *POSTING)) -> Fields:
    """The steps of workflow.yaml in order, each over the input and what came before; keys of its own."""
    known, context = dict(given), Ungated(handlers, key=uuid4().hex)
    for step in steps:
        known |= getattr(handlers, step)(known, context)
    return known


def adjustment(**changes: Any) -> Fields:
    accounts = {"account": "6855", "counter_account": "1800", "customer_facing": False}
    return {"reference": "ADJ-1", "amount": "12.40", "currency": "EUR", **accounts, **changes}


class TestRun:
    def test_posts_every_adjustment_of_the_small_sample_once(self, world: World) -> None:
        outcome = run(files())

        assert "3 adjustments posted" in outcome["summary"]
        assert [item["status"] for item in world.erp.get("/books")["postings"]] == ["complete"] * 3

    def test_of_the_same_files_again_posts_nothing_twice(self, world: World) -> None:
        run(files())

        again = run(files())

        assert "0 adjustments posted, 3 in the books already" in again["summary"]
        assert world.erp.get("/books")["totals"]["postings"] == 3

    def test_that_looked_before_another_run_posted_turns_down_what_is_booked_meanwhile(self, world: World) -> None:
        first, second = run(files(), UNTIL_POSTING), run(files(), UNTIL_POSTING)

        run(first, POSTING)
        late = run(second, POSTING)

        assert world.erp.get("/books")["totals"]["postings"] == 3
        assert (len(late["posted"]), len(late["refused"])) == (0, 3)
        assert "P-000001 already carries this reference; an earlier run booked it" in late["needs_attention"][0]

    def test_of_a_batch_that_was_reversed_posts_nothing_and_names_what_was_reversed(self, world: World) -> None:
        before = run(files())
        for number, posted in enumerate(before["posted"]):
            handlers.reverse_adjustment(posted, Ungated(handlers, f"undo {number}"))

        again = run(files())

        assert "0 adjustments posted, 0 in the books already" in again["summary"]
        told = [line.partition(":")[0] for line in again["needs_attention"] if "reversed since" in line]
        assert told == sorted(posted["reference"] for posted in before["posted"])

    def test_under_another_batch_name_is_another_batch(self, world: World) -> None:
        first, second = run(files()), run({**files(), "batch": "friday"})

        assert first["batch_id"] != second["batch_id"]
        assert world.erp.get("/books")["totals"]["postings"] == 6

    def test_leaves_what_an_earlier_run_half_posted_to_a_person(self, world: World) -> None:
        known = handlers.register_batch(files(), Ungated(handlers))
        reference = f"ADJ-{known['batch_id'][2:10]}-BS-0402"
        world.erp.plan("timeout_after_partial", seconds=0, match={"method": "POST"})
        with pytest.raises(UnknownOutcome):
            handlers.post_adjustment(adjustment(reference=reference, batch_id=known["batch_id"]), Ungated(handlers))

        outcome = run(files())

        assert len(outcome["posted"]) == 2
        assert any(reference in line and "half posted" in line for line in outcome["needs_attention"])

    def test_goes_on_after_a_person_turned_one_adjustment_down(self, world: World) -> None:
        world.erp.ask("PATCH", "/accounts/6855", {"status": "blocked"})

        outcome = run(files())

        assert (len(outcome["posted"]), len(outcome["refused"])) == (2, 1)
        assert "account 6855 is blocked" in outcome["needs_attention"][0]
        assert "2 adjustments posted" in outcome["summary"]

    def test_counts_one_as_one(self) -> None:
        given = {"batch_id": "B-1", "counts": {"matched": 1}, "posted": [{}], "refused": [], "unsettled": []}

        said = handlers.report(given, None)["summary"]

        assert said == (
            "Batch B-1: 1 row matched, 1 adjustment posted, 0 in the books already, 0 turned down, 0 rows left to a bookkeeper."
        )

    def test_of_more_than_a_step_may_propose_leaves_the_rest_to_the_next_run(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(handlers, "MOST_POSTINGS", 2)
        given = {**run(files(), UNTIL_POSTING)}

        first = run(given, POSTING)
        second = run(files())

        assert (len(first["posted"]), first["left"]) == (2, 1)
        assert first["needs_attention"][0] == (
            "1 adjustment left to the next run, a run proposes 2: run the same files again"
        )
        assert (len(second["posted"]), second["left"]) == (1, 0)
        assert not any("next run" in line for line in second["needs_attention"])


class TestRegister:
    def test_refuses_broken_files_before_anything_is_uploaded(self, world: World) -> None:
        with pytest.raises(BusinessError, match=r"bank file, row 2 \(BS-0502\), column booked_on"):
            handlers.register_batch(files(SMALL.parent / "broken"), Ungated(handlers))

        assert world.ledger.get("/books")["batches"] == []

    def test_refuses_what_the_next_step_could_not_hand_on(self, world: World) -> None:
        many = {
            name: [{**row, "reference": f"{row['reference']}-{number}"} for number in range(1500) for row in given]
            for name, given in files().items()
        }

        with pytest.raises(
            BusinessError, match=r"take 1,\d{3},\d{3} bytes, and a batch may have 950,000; export a shorter"
        ):
            handlers.register_batch(many, Ungated(handlers))

        assert world.ledger.get("/books")["batches"] == []

    def test_keeps_equal_files_once(self, world: World) -> None:
        first = handlers.register_batch(files(), Ungated(handlers))

        assert handlers.register_batch(files(), Ungated(handlers, "another key")) == first
        assert len(world.ledger.get("/books")["batches"]) == 1

    def test_a_batch_survives_a_killed_ledger(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        known = handlers.register_batch(files(), Ungated(handlers))

        world.ledger.kill()
        with pytest.raises(SystemFault):
            handlers.fetch_batch(known, Ungated(handlers))
        world.ledger.start()
        monkeypatch.setenv("LEDGER_URL", world.ledger.url)

        assert handlers.fetch_batch(known, Ungated(handlers))["bank"] == files()["bank"]

    def test_an_empty_batch_breaks_the_promise_of_the_output_schema(self, world: World) -> None:
        known = handlers.register_batch(files(), Ungated(handlers))
        world.ledger.plan("empty")

        broken = handlers.fetch_batch(known, Ungated(handlers))

        assert not _schema("tools", "ledger.fetch_batch", "output_schema").is_valid(broken)


class TestPostingThatNobodyAnsweredFor:
    @pytest.mark.parametrize(
        ("mode", "happened"),
        [("timeout_after_partial", "partly"), ("error_after_effect", "yes"), ("drop_reply", "yes")],
    )
    def test_is_unknown_then_found_by_its_business_key_then_posted_exactly_once(
        self, world: World, mode: str, happened: str
    ) -> None:
        world.erp.plan(mode, seconds=2, match={"method": "POST"})

        with pytest.raises(UnknownOutcome):
            handlers.post_adjustment(adjustment(), Ungated(handlers))
        assert handlers.find_posting(adjustment(), Ungated(handlers))["happened"] == happened
        assert handlers.post_adjustment(adjustment(), Ungated(handlers))["status"] == "complete"

        assert world.erp.get("/books")["totals"] == {"postings": 1, "lines": 4}

    def test_did_not_happen_when_the_erp_was_down(self, world: World) -> None:
        world.erp.plan("down")

        with pytest.raises(SystemFault):
            handlers.post_adjustment(adjustment(), Ungated(handlers))

        assert handlers.find_posting(adjustment(), Ungated(handlers))["happened"] == "no"

    def test_is_for_a_person_when_two_postings_carry_its_reference(self, world: World) -> None:
        for key in ("one", "two"):
            world.erp.ask("POST", "/postings", adjustment(), key=key)

        assert handlers.find_posting(adjustment(), Ungated(handlers))["happened"] == "unknown"


class TestPostingWhatAnotherRunHasBooked:
    @pytest.mark.parametrize(
        ("state", "words"),
        [
            ("complete", "an earlier run booked it"),
            ("partial", "an earlier run left it half posted"),
            ("reversed", "an earlier run booked it, and it was reversed since"),
        ],
    )
    def test_is_refused_before_anything_is_sent(self, world: World, state: str, words: str) -> None:
        if state == "partial":
            world.erp.plan("timeout_after_partial", seconds=0)
        with suppress(ConnectionError):
            world.erp.ask("POST", "/postings", adjustment(), key="an earlier run")
        if state == "reversed":
            handlers.reverse_adjustment(adjustment(), Ungated(handlers, "undo"))
        before = world.erp.get("/books")["totals"]

        with pytest.raises(BusinessError, match=f"P-000001 already carries this reference; {words}$"):
            handlers.post_adjustment(adjustment(), Ungated(handlers))

        assert world.erp.get("/books")["totals"] == before

    def test_waits_when_the_erp_cannot_be_asked(self, world: World) -> None:
        world.erp.plan("down", match={"method": "GET"})

        with pytest.raises(SystemFault):
            handlers.post_adjustment(adjustment(), Ungated(handlers))

        assert world.erp.get("/books")["totals"]["postings"] == 0


class TestReversal:
    def test_takes_the_arguments_of_the_posting_it_takes_back(self, world: World) -> None:
        handlers.post_adjustment(adjustment(), Ungated(handlers))
        assert _schema("tools", "erp.reverse_adjustment", "input_schema").is_valid(adjustment())
        assert handlers.find_reversal(adjustment(), Ungated(handlers))["happened"] == "no"

        handlers.reverse_adjustment(adjustment(), Ungated(handlers, "undo"))

        assert handlers.find_reversal(adjustment(), Ungated(handlers))["happened"] == "yes"
        assert handlers.find_posting(adjustment(), Ungated(handlers))["result"]["status"] == "reversed"


class TestRecord:
    def test_stays_equal_through_our_own_postings_and_changes_with_the_master_data(self, world: World) -> None:
        before = handlers.read_account(adjustment(), Ungated(handlers))
        handlers.post_adjustment(adjustment(), Ungated(handlers))
        assert handlers.read_account(adjustment(), Ungated(handlers)) == before

        world.erp.ask("PATCH", "/accounts/6855", {"posting_limit": "10.00"})

        assert handlers.read_account(adjustment(), Ungated(handlers)) != before


class TestContracts:
    def test_hold_for_everything_a_run_of_the_large_sample_says(self, world: World) -> None:
        outcome = run(files(SMALL.parent))

        for name in ("classifier", "poster", "reporter"):
            _schema("agents", name, "output_schema").validate(outcome)
        for proposal in outcome["adjustments"]:
            _schema("tools", "erp.post_adjustment", "input_schema").validate(proposal)
        for receipt in outcome["posted"]:
            _schema("tools", "erp.post_adjustment", "output_schema").validate(receipt)


def _schema(kind: str, name: str, side: str) -> Draft202012Validator:
    schema = next(item[side] for item in contracts(handlers, kind) if item["name"] == name)
    assert json.dumps(schema)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
