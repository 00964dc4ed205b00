"""A handler that does its worst changes nothing but the outcome of its own attempt."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.engine.runners.pool import Done, Failure, Outcome, RunnerPool
from tests.unit.runner_world import LADDER, failure, job, mark, result, sleeping

NASTY = [
    ("daemonise_and_hang", "timeout"),
    ("fork_bomb", "timeout"),
    ("hang", "timeout"),
    ("hang_deaf", "timeout"),
    ("spin", "timeout"),
    ("stop_itself", "timeout"),
    ("exit_silently", "crash"),
    ("exit_loudly", "crash"),
    ("segfault", "crash"),
    ("shoot_everybody", "crash"),
    ("close_everything", "crash"),
    ("garbage_everywhere", "protocol"),
    ("forge", "protocol"),
    ("huge_frame", "protocol"),
    ("send_a_deep_nest", "protocol"),
    ("return_50_mb", "too_large"),
    ("return_an_object", "bug"),
    ("return_a_list", "bug"),
    ("return_nan", "bug"),
    ("return_a_lone_surrogate", "bug"),
    ("return_nul", "bug"),
    ("return_a_deep_nest", "bug"),
    ("raise_exit", "bug"),
    ("raise_something_odd", "bug"),
    ("allocate_4_gb", "bug"),
    ("one_big_file", "bug"),
]
PATIENCE = {"timeout": 0.3}
# Finished as asked, but not left as found.
UNTIDY = [
    "fork_and_return",
    "daemonise",
    "leave_a_thread",
    "patch_json",
    "change_environment",
    "set_an_alarm",
    "leak_files",
    "lock_a_folder",
]
# The most this machine allows, and the least that protects the engine: with no wall at all, a handler of the
# engine's own user could shoot it. As root every handler is another user.
RUNGS = {"all walls": LADDER[0], "fewest walls": LADDER[2] if os.geteuid() == 0 else LADDER[1]}


@pytest.fixture(scope="module", params=RUNGS)
def pool(request: pytest.FixtureRequest) -> Iterator[RunnerPool]:
    pool = RunnerPool(walls=RUNGS[request.param])
    yield pool
    pool.close()


def run(pool: RunnerPool, entry: str, mark: str = "0", **changes: Any) -> Outcome:
    return pool.run(job(f"hostile:{entry}", {"mark": mark}, trust_key=entry, **changes))


def is_as_before(pool: RunnerPool, entry: str) -> bool:
    """The next run of the same release gets a fresh child and what it asked for."""
    count = result(pool.run(job("count", trust_key=entry)))
    return bool(count["runs"] == 1 and count["files"] == [])


class TestANastyHandler:
    @pytest.mark.parametrize(("entry", "failure_class"), NASTY)
    def test_fails_by_itself(self, pool: RunnerPool, entry: str, failure_class: str) -> None:
        strays = mark()
        outcome = failure(run(pool, entry, strays, timeout_seconds=PATIENCE.get(failure_class, 20)))

        assert outcome.failure_class == failure_class, outcome
        assert sleeping(strays) == []
        assert is_as_before(pool, entry)

    @pytest.mark.parametrize("entry", UNTIDY)
    def test_is_believed_but_its_child_is_replaced(self, pool: RunnerPool, entry: str) -> None:
        strays = mark()
        assert isinstance(run(pool, entry, strays), Done)

        assert sleeping(strays) == []
        assert is_as_before(pool, entry)

    def test_that_patches_builtins_breaks_only_its_own_run(self, pool: RunnerPool) -> None:
        assert isinstance(run(pool, "patch_builtins"), Done | Failure)

        assert is_as_before(pool, "patch_builtins")

    @pytest.mark.parametrize("entry", ["garbage_on_stdout", "run_a_program"])
    def test_may_be_odd_without_being_nasty(self, pool: RunnerPool, entry: str) -> None:
        assert isinstance(run(pool, entry), Done)
        assert result(pool.run(job("count", trust_key=entry)))["runs"] == 1

    @pytest.mark.parametrize(
        ("entry", "failure_class"),
        [
            ("exit_loudly", "crash"),
            ("hang", "timeout"),
            ("garbage_everywhere", "protocol"),
            ("return_nan", "bug"),
        ],
    )
    def test_fails_by_itself_in_a_fork_too(self, pool: RunnerPool, entry: str, failure_class: str) -> None:
        outcome = failure(run(pool, entry, isolation="fork", timeout_seconds=PATIENCE.get(failure_class, 20)))

        assert outcome.failure_class == failure_class
        assert is_as_before(pool, entry)

    @pytest.mark.parametrize("entry", ["fork_and_return", "daemonise"])
    def test_leaves_no_process_behind_a_fork(self, pool: RunnerPool, entry: str) -> None:
        strays = mark()
        assert isinstance(run(pool, entry, strays, isolation="fork"), Done)

        assert sleeping(strays) == []

    @pytest.mark.parametrize("entry", ["fill_the_disk", "fill_with_nothing"])
    def test_that_fills_the_disk_is_stopped(self, pool: RunnerPool, entry: str) -> None:
        outcome = failure(run(pool, entry))

        assert "No space left" in outcome.message or "more than a run may write" in outcome.logs
        assert is_as_before(pool, entry)

    def test_that_digs_deeper_than_paths_are_long_leaves_an_empty_folder(self, pool: RunnerPool) -> None:
        assert result(pool.run(job("hostile:dig", {"depth": 3000}, trust_key="dig", timeout_seconds=60))) == {
            "depth": 3000
        }

        assert result(pool.run(job("count", trust_key="dig")))["files"] == []


class TestWhatIsReported:
    def test_of_a_crash_are_the_exit_code_and_the_last_words(self, pool: RunnerPool) -> None:
        outcome = failure(run(pool, "exit_loudly"))

        assert outcome.message == "The handler's process ended with exit code 3."
        assert outcome.detail == {"exit_code": 3}
        assert outcome.logs == "last words\n"

    def test_of_a_fault_is_the_signal(self, pool: RunnerPool) -> None:
        assert failure(run(pool, "segfault")).message == "The handler's process was killed by SIGSEGV."

    def test_is_text_a_database_can_hold(self, pool: RunnerPool) -> None:
        outcome = failure(run(pool, "raise_with_odd_text"))

        assert len(outcome.message) < 3000
        assert "\0" not in outcome.message
        assert outcome.message.encode().decode() == outcome.message

    def test_of_printed_garbage_is_text_a_database_can_hold(self, pool: RunnerPool) -> None:
        logs = run(pool, "garbage_on_stdout").logs

        assert "\0" not in logs
        assert "\\ud800 printed" in logs


class TestATimeout:
    def test_comes_when_it_was_set_and_ends_the_process_before_it_is_told(self, pool: RunnerPool) -> None:
        strays = mark()
        run(pool, "exit_silently")  # so that a spare is there
        started = time.monotonic()
        outcome = failure(run(pool, "daemonise_and_hang", strays, timeout_seconds=0.5))

        assert outcome.message == "The handler took longer than 0.5 seconds."
        assert 0.5 <= time.monotonic() - started < 3
        assert sleeping(strays) == []
