"""A run reaches the hosts its tool or agent lists, and no others: whichever library it uses, and whatever it says afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.engine.runners.pool import Outcome, RunnerPool
from orchestrator.runner.egress import place_of
from tests.unit.runner_world import failure, job, result
from tests.unit.test_runner_http import Server, says, server


@pytest.fixture(scope="module")
def pool() -> Iterator[RunnerPool]:
    pool = RunnerPool()
    yield pool
    pool.close()


@pytest.fixture
def erp() -> Iterator[Server]:
    with server(says(200)) as listening:
        yield listening


def reach(pool: RunnerPool, function: str, erp: Server, *listed: str, **given: Any) -> Outcome:
    """Run a handler that is granted the server's port, and these hosts."""
    port = int(erp.url.rpartition(":")[2])
    fields = {"url": erp.url, "host": "127.0.0.1", "port": port} | given
    return pool.run(job(f"reaching:{function}", fields, env={"ERP_URL": erp.url}, egress=listed))


WAYS = ["open_url", "connect"]


class TestAListedHost:
    @pytest.mark.parametrize("function", WAYS)
    def test_is_reached(self, pool: RunnerPool, erp: Server, function: str) -> None:
        result(reach(pool, function, erp, "127.0.0.1"))

    def test_is_reached_at_its_port(self, pool: RunnerPool, erp: Server) -> None:
        result(reach(pool, "open_url", erp, erp.url.removeprefix("http://")))

    def test_is_not_reached_at_another(self, pool: RunnerPool, erp: Server) -> None:
        assert failure(reach(pool, "open_url", erp, "127.0.0.1:1")).failure_class == "policy"

    @pytest.mark.parametrize("asked", ["localhost", "LOCALHOST"])
    def test_by_its_name_is_reached_at_the_addresses_of_the_name(
        self, pool: RunnerPool, erp: Server, asked: str
    ) -> None:
        result(reach(pool, "open_url", erp, "localhost", url=erp.url.replace("127.0.0.1", asked)))

    def test_is_reached_where_its_name_leads(self, pool: RunnerPool, erp: Server) -> None:
        result(reach(pool, "connect_where_a_name_leads", erp, "localhost", host="localhost"))

    def test_by_the_name_of_its_domain_may_be_looked_up(self, pool: RunnerPool, erp: Server) -> None:
        outcome = failure(reach(pool, "look_up", erp, "*.bank.invalid", host="erp.bank.invalid"))

        assert outcome.detail["exception"] == "gaierror"


class TestAStranger:
    @pytest.mark.parametrize("function", [*WAYS, "send_a_packet", "keep_quiet"])
    def test_is_not_reached_and_the_run_fails_for_good(self, pool: RunnerPool, erp: Server, function: str) -> None:
        outcome = failure(reach(pool, function, erp, "erp.bank.example"))

        assert outcome.failure_class == "policy"
        assert "127.0.0.1" in outcome.message
        assert "may reach only erp.bank.example" in outcome.message
        assert outcome.detail == {"nothing_was_sent": True}
        assert erp.requests == []

    def test_is_not_even_looked_up(self, pool: RunnerPool, erp: Server) -> None:
        secret = "account-4711.stranger.example"

        outcome = failure(reach(pool, "look_up", erp, "*.bank.example", host=secret))

        assert (outcome.failure_class, secret in outcome.message) == ("policy", True)

    def test_after_a_listed_host_leaves_open_what_happened_there(self, pool: RunnerPool, erp: Server) -> None:
        urls = [erp.url, erp.url.replace("127.0.0.1", "127.0.0.2")]

        outcome = failure(reach(pool, "both", erp, "127.0.0.1", urls=urls))

        assert (outcome.failure_class, outcome.detail) == ("policy", {"nothing_was_sent": False})
        assert len(erp.requests) == 1

    @pytest.mark.parametrize("function", ["connect_by_name", "bind_to_a_name"])
    def test_is_not_looked_up_on_the_way_to_a_connection_either(
        self, pool: RunnerPool, erp: Server, function: str
    ) -> None:
        secret = "account-4711.stranger.invalid"

        outcome = failure(reach(pool, function, erp, "erp.bank.example", host=secret))

        assert (outcome.failure_class, secret in outcome.message) == ("policy", True)

    def test_is_no_program_that_starts_without_being_told(self, pool: RunnerPool, erp: Server) -> None:
        told = result(reach(pool, "spawn_quietly", erp, "127.0.0.1"))

        assert told == {"started": "seccomp" not in pool.isolation()[1]}

    def test_is_another_program_as_well(self, pool: RunnerPool, erp: Server) -> None:
        """Nobody sees where it would connect to."""
        outcome = failure(reach(pool, "run_a_program", erp, "127.0.0.1"))

        assert (outcome.failure_class, "another program (true)" in outcome.message) == ("policy", True)

    def test_reached_for_before_a_call_ends_the_run_before_it(self, pool: RunnerPool, erp: Server) -> None:
        asked = []
        agent = job("reaching:call_and_say_nothing", {"url": erp.url}, kind="agent", egress=("erp.bank.example",))

        outcome = failure(pool.run(agent, asked.append))

        assert (outcome.failure_class, asked) == ("policy", [])

    def test_after_a_connection_that_an_earlier_run_left_open_leaves_open_what_happened(
        self, pool: RunnerPool, erp: Server
    ) -> None:
        result(reach(pool, "post_on_the_open_line", erp, "127.0.0.1"))

        outcome = failure(reach(pool, "post_on_the_open_line", erp, "127.0.0.1"))

        assert (outcome.failure_class, outcome.detail) == ("policy", {"nothing_was_sent": False})

    def test_is_everybody_for_a_list_that_cannot_be_read(self, pool: RunnerPool, erp: Server) -> None:
        """Of a release that was made before lists were judged."""
        assert failure(reach(pool, "open_url", erp, erp.url)).failure_class == "policy"

    def test_is_told_in_a_fork_too(self, pool: RunnerPool, erp: Server) -> None:
        stranger = job("reaching:open_url", {"url": erp.url}, isolation="fork", egress=("erp.bank.example",))

        assert failure(pool.run(stranger)).failure_class == "policy"
        assert erp.requests == []


class TestWithoutAList:
    @pytest.mark.parametrize("function", WAYS)
    def test_the_ports_decide(self, pool: RunnerPool, erp: Server, function: str) -> None:
        result(reach(pool, function, erp))

    def test_so_they_do_after_a_run_that_had_one(self, pool: RunnerPool, erp: Server) -> None:
        result(reach(pool, "open_url", erp, "127.0.0.1"))

        result(reach(pool, "connect", erp, host="127.0.0.1"))


class TestAnEntry:
    @pytest.mark.parametrize(
        ("entry", "place"),
        [
            ("erp.bank.example", ("erp.bank.example", 0)),
            ("ERP.bank.example:8443", ("erp.bank.example", 8443)),
            ("*.bank.example:443", ("*.bank.example", 443)),
            ("10.1.2.3", ("10.1.2.3", 0)),
            ("[::1]:443", ("::1", 443)),
        ],
    )
    def test_is_a_host_and_perhaps_a_port(self, entry: str, place: tuple[str, int]) -> None:
        assert place_of(entry) == place

    @pytest.mark.parametrize(
        "entry",
        ["", "*", "*.", "a.*.example", "https://erp.example", "erp.example/path", "me@erp.example", "erp.example:99999",
         "erp.example:0", ".example", "erp example", "erp.example:", "erp.example\n"],
    )  # fmt: skip
    def test_is_nothing_else(self, entry: str) -> None:
        with pytest.raises(ValueError, match="names no host"):
            place_of(entry)
