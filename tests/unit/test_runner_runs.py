"""One run from job to outcome: results, declared failures, proposals, parking, reuse."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.engine.runners.pool import Answer, Call, Done, Failure, Limits, Parked, RunnerPool
from tests.unit.runner_world import descendants, failure, job, result


@pytest.fixture(scope="module")
def pool() -> Iterator[RunnerPool]:
    pool = RunnerPool()
    yield pool
    pool.close()


class TestAResult:
    def test_comes_back_with_its_canonical_text(self, pool: RunnerPool) -> None:
        outcome = pool.run(job("echo", {"b": 1, "a": ["ä", None, 2.5]}))

        assert isinstance(outcome, Done)
        assert outcome.result == {"b": 1, "a": ["ä", None, 2.5]}
        assert outcome.raw == '{"a":["ä",null,2.5],"b":1}'

    def test_comes_with_what_was_printed_and_logged(self, pool: RunnerPool) -> None:
        outcome = pool.run(job("talk"))

        assert outcome.logs.splitlines() == [
            "said to standard output",
            "said to standard error",
            "said to the log",
        ]
        assert pool.run(job("echo")).logs == ""

    def test_keeps_both_ends_of_a_log_that_is_too_long(self, pool: RunnerPool) -> None:
        logs = pool.run(job("hostile:print_forever")).logs

        assert logs.startswith("line 0 ")
        assert "line 19999 " in logs
        assert "bytes left out" in logs
        assert len(logs) < 70_000

    def test_tells_the_handler_its_key_attempt_and_deadline(self, pool: RunnerPool) -> None:
        given = result(pool.run(job("key", context={"idempotency_key": "K-1", "attempt": 3})))

        assert (given["key"], given["attempt"]) == ("K-1", 3)
        assert 9 < given["left"] <= 10

    def test_is_the_same_for_a_set_in_every_process(self, pool: RunnerPool) -> None:
        orders = [result(pool.run(job("order_of_a_set", trust_key=key)))["order"] for key in ("one", "two")]

        assert orders[0] == orders[1]


class TestADeclaredFailure:
    @pytest.mark.parametrize(
        ("entry", "failure_class", "message"),
        [
            ("business", "business", "no such account"),
            ("system", "system", "down for maintenance"),
            ("unknown", "unknown_outcome", "sent, no answer"),
        ],
    )
    def test_keeps_its_class_and_words(self, pool: RunnerPool, entry: str, failure_class: str, message: str) -> None:
        outcome = failure(pool.run(job(entry)))

        assert (outcome.failure_class, outcome.message) == (failure_class, message)

    def test_does_not_cost_the_child(self, pool: RunnerPool) -> None:
        before = descendants()
        failure(pool.run(job("business")))

        # A spare may join meanwhile; what was there must still be there.
        assert before <= descendants()


class TestABug:
    def test_shows_the_author_where(self, pool: RunnerPool) -> None:
        outcome = failure(pool.run(job("bug")))

        assert outcome.failure_class == "bug"
        assert outcome.message == "KeyError: 'missing'"
        assert 'return {"never": given["missing"]}' in outcome.detail["traceback"]

    @pytest.mark.parametrize("entry", ["nowhere:handler", "handlers:nothing", "handlers"])
    def test_is_what_an_entry_that_does_not_exist_is(self, pool: RunnerPool, entry: str) -> None:
        changes: dict[str, Any] = {"trust_key": entry}

        assert failure(pool.run(job(f"{entry}", **changes))).failure_class == "bug"

    def test_is_not_what_a_disk_is_that_takes_no_code(self, pool: RunnerPool) -> None:
        outcome = failure(pool.run(job("echo", code={"x" * 300: ""}, trust_key="no room")))

        assert outcome.failure_class == "system"
        assert outcome.message.startswith("No runner: OSError")


class TestTheCodeOfAJob:
    def test_is_its_files_to_the_letter_and_nothing_else(self, pool: RunnerPool) -> None:
        code = {
            "here.py": "import os\nfrom inner import said\n\n"
            "def files(given, context):\n"
            "    home = os.path.dirname(__file__)\n"
            "    found = [os.path.relpath(os.path.join(at, name), home) for at, _, names in os.walk(home) for name in names]\n"
            "    with open(os.path.join(home, 'rules.txt'), 'rb') as rules:\n"
            "        return {'files': sorted(found), 'rules': rules.read().decode(), 'said': said.WORDS}\n",
            "inner/said.py": "WORDS = 'grün'\n",
            "rules.txt": "one\r\ntwo\n",
        }

        assert result(pool.run(job("here:files", code=code, trust_key="to the letter"))) == {
            "files": ["here.py", "inner/said.py", "rules.txt"],
            "rules": "one\r\ntwo\n",
            "said": "grün",
        }


class TestTheEnvironmentOfAJob:
    @pytest.mark.parametrize("name", ["DATABASE_URL", "PGHOST", "PGPASSWORD", "SECRET_KEY", "LD_PRELOAD"])
    def test_never_names_a_secret_of_the_control_plane(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"never given {name}"):
            job("echo", env={name: "x"})

    def test_grants_the_ports_of_its_addresses(self) -> None:
        env = {"ERP_URL": "http://127.0.0.1:8100/api", "BANK": "https://bank.example", "REGION": "eu"}

        assert job("echo", env=env, ports=(25,)).granted_ports() == [25, 53, 443, 8100]
        assert job("echo", env=env, ports=(25,), offline=True).granted_ports() == []


class TestACall:
    def test_is_answered_by_the_engine_in_order(self, pool: RunnerPool) -> None:
        calls: list[Call] = []

        def answer(call: Call) -> Answer:
            calls.append(call)
            return Answer.result({"posted": call.arguments["number"]})

        outcome = pool.run(job("post", {"times": 3}, kind="agent"), answer)

        assert result(outcome) == {"answers": [{"posted": 0}, {"posted": 1}, {"posted": 2}]}
        assert [(call.tool, call.raw, call.number) for call in calls] == [
            ("erp.post", '{"number":0}', 0),
            ("erp.post", '{"number":1}', 1),
            ("erp.post", '{"number":2}', 2),
        ]

    def test_may_be_made_in_another_child_of_the_same_pool(self, pool: RunnerPool) -> None:
        def run_the_tool(call: Call) -> Answer:
            return Answer.result(result(pool.run(job("echo", call.arguments))))

        outcome = pool.run(job("post", {"times": 2}, kind="agent"), run_the_tool)

        assert result(outcome) == {"answers": [{"number": 0}, {"number": 1}]}

    def test_that_is_refused_is_a_business_error_the_handler_may_catch(self, pool: RunnerPool) -> None:
        refuse = lambda call: Answer.refused("denied", "not in this country")  # noqa: E731

        assert result(pool.run(job("post_or_explain", kind="agent"), refuse)) == {
            "refused": "denied",
            "why": "not in this country",
            "is_business": True,
        }
        outcome = failure(pool.run(job("post", {"times": 1}, kind="agent"), refuse))
        assert (outcome.failure_class, outcome.detail["refused"]) == ("business", "denied")

    def test_does_not_count_the_engines_time_against_the_handler(self, pool: RunnerPool) -> None:
        def slowly(call: Call) -> Answer:
            time.sleep(0.4)
            return Answer.result({})

        outcome = pool.run(job("post", {"times": 2}, kind="agent", timeout_seconds=0.5), slowly)

        assert isinstance(outcome, Done)
        assert outcome.seconds < 0.4

    def test_of_a_tool_is_a_bug(self, pool: RunnerPool) -> None:
        outcome = failure(pool.run(job("post", {"times": 1}), lambda call: Answer.result({})))

        assert (outcome.failure_class, outcome.message) == (
            "bug",
            "Only an agent's handler may propose tool calls.",
        )

    def test_is_not_answered_for_ever(self, pool: RunnerPool) -> None:
        talkative = job("post", {"times": 20}, kind="agent", max_calls=7)

        outcome = failure(pool.run(talkative, lambda call: Answer.result({})))

        assert outcome.message == "The handler proposed more than 7 calls."

    def test_whose_answer_raises_here_kills_the_child_and_raises(self, pool: RunnerPool) -> None:
        def break_down(call: Call) -> Answer:
            raise TimeoutError("the database does not answer")

        with pytest.raises(TimeoutError, match="the database"):
            pool.run(job("post", {"times": 1}, kind="agent", trust_key="doomed"), break_down)
        assert result(pool.run(job("count", trust_key="doomed")))["runs"] == 1


class TestParking:
    def test_ends_the_run_at_the_call(self, pool: RunnerPool) -> None:
        outcome = pool.run(job("post", {"times": 2}, kind="agent"), lambda call: Answer.park())

        assert isinstance(outcome, Parked)
        assert (outcome.call.tool, outcome.call.arguments) == ("erp.post", {"number": 0})

    def test_keeps_the_child_of_a_handler_that_unwinds(self, pool: RunnerPool) -> None:
        first = result(pool.run(job("count", trust_key="parking")))
        pool.run(job("post", {"times": 1}, kind="agent", trust_key="parking"), lambda call: Answer.park())

        assert result(pool.run(job("count", trust_key="parking")))["runs"] == first["runs"] + 1

    @pytest.mark.parametrize("entry", ["stubborn", "swallowing", "slow_cleanup"])
    def test_is_at_once_and_final_whatever_the_handler_does_next(self, pool: RunnerPool, entry: str) -> None:
        calls: list[Call] = []

        def park(call: Call) -> Answer:
            calls.append(call)
            return Answer.park()

        started = time.monotonic()
        outcome = pool.run(job(entry, kind="agent", trust_key=entry), park)

        assert isinstance(outcome, Parked)
        assert len(calls) == 1
        assert time.monotonic() - started < 3
        assert result(pool.run(job("count", trust_key=entry)))["runs"] == 1

    def test_can_be_a_failure_decided_by_the_engine(self, pool: RunnerPool) -> None:
        outcome = pool.run(
            job("stubborn", kind="agent"), lambda call: Answer.fail("budget", "Nothing left in October.")
        )

        assert isinstance(outcome, Failure)
        assert (outcome.failure_class, outcome.message) == ("budget", "Nothing left in October.")


class TestReuse:
    def test_shares_a_process_and_its_modules_between_runs_of_one_release(self, pool: RunnerPool) -> None:
        first, second = (result(pool.run(job("count", trust_key="shared"))) for _ in range(2))

        assert second["runs"] == first["runs"] + 1

    @pytest.mark.parametrize("change", [{"trust_key": "release-2"}, {"env": {"REGION": "eu"}}, {"ports": (1,)}])
    def test_never_crosses_releases_environments_or_grants(self, pool: RunnerPool, change: dict[str, Any]) -> None:
        result(pool.run(job("count")))

        assert result(pool.run(job("count", **change)))["runs"] == 1

    def test_leaves_every_run_an_empty_folder(self, pool: RunnerPool) -> None:
        first = result(pool.run(job("keep_a_file", trust_key="files")))
        second = result(pool.run(job("count", trust_key="files")))

        assert first["files"] == ["deep"]
        assert (second["runs"], second["files"]) == (2, [])

    def test_by_fork_gives_every_run_the_modules_as_imported(self, pool: RunnerPool) -> None:
        runs = [result(pool.run(job("count", isolation="fork"))) for _ in range(3)]

        assert [run["runs"] for run in runs] == [1, 1, 1]
        assert len({run["pid"] for run in runs}) == 3
        assert len({run["parent"] for run in runs}) == 1

    def test_by_fork_answers_calls_and_parks(self, pool: RunnerPool) -> None:
        forked = job("post", {"times": 1}, kind="agent", isolation="fork")

        assert result(pool.run(forked, lambda call: Answer.result(1))) == {"answers": [1]}
        assert isinstance(pool.run(forked, lambda call: Answer.park()), Parked)
        assert result(pool.run(forked, lambda call: Answer.result(2))) == {"answers": [2]}

    def test_ends_after_the_number_of_runs_that_was_set(self) -> None:
        pool = RunnerPool(limits=Limits(runs=2))
        counts = [result(pool.run(job("count")))["runs"] for _ in range(5)]
        pool.close()

        assert counts == [1, 2, 1, 2, 1]

    def test_keeps_no_more_children_than_asked(self) -> None:
        pool = RunnerPool(max_idle=2, spares=0)
        before = len(descendants())
        for number in range(5):
            result(pool.run(job("echo", trust_key=f"release-{number}")))
        kept = len(descendants()) - before
        pool.close()

        assert kept == 2 * 2  # a keeper and a child each

    def test_serves_many_threads_at_once(self, pool: RunnerPool) -> None:
        together = threading.Barrier(6)

        def run(number: int) -> int:
            together.wait(10)
            return int(result(pool.run(job("echo", {"number": number})))["number"])

        with ThreadPoolExecutor(6) as threads:
            assert list(threads.map(run, range(6))) == list(range(6))
