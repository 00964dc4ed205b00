"""Recorded agent runs go through the real gate over HTTP, a scripted reviewer signs, and the books agree.

The recordings are real ones when they lie beside the project (or where REPLAY_DATA says), else those of the sample
that was written for the example.
"""

import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from http.client import RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.db import connection

from approvals.models import Decision
from orchestrator.models import Action
from orchestrator.operations.registry import import_agents, import_policies, import_tools
from tests.api.conftest import IMPORTER, make_person, make_token

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "replay_runs"
SAMPLE = EXAMPLE / "sample"
REAL = Path(os.environ.get("REPLAY_DATA", ROOT.parent / "shared" / "data" / "tau2_gpt41"))

pytestmark = pytest.mark.django_db(transaction=True)

OK = b'HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\n{"id": "a1"}'
REJECTED = b'HTTP/1.0 201 Created\r\n\r\n{"id": "a1", "status": "rejected"}'
# What a server sends before it hangs up: an answer cut short, or what stands between it and the world says.
NOTHING = b""
HALF = OK[:-4]
HALF_WITHOUT_LENGTH = b'HTTP/1.0 200 OK\r\n\r\n{"id": '
BAD_GATEWAY = b"HTTP/1.0 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>No</html>"
HALF_A_REFUSAL = b'HTTP/1.0 503 Unavailable\r\nContent-Length: 999\r\n\r\n{"code"'
GATEWAY_TIMEOUT = b"HTTP/1.0 504 Gateway Timeout\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n[]"
LIMITED = b'HTTP/1.0 429 Too Many Requests\r\nRetry-After: %d\r\n\r\n{"code": "limited", "detail": "Full."}'
GONE_WRONG = b"HTTP/1.0 500 Internal Server Error\r\n\r\n<html>No</html>"


@pytest.fixture
def example(monkeypatch):
    """The example's own modules, found as its scripts find them."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import client
    import definitions
    import recordings
    import replay
    import reviewer
    import totals

    yield {module.__name__: module for module in (client, definitions, recordings, replay, reviewer, totals)}
    for name in ("client", "definitions", "recordings", "replay", "reviewer", "totals"):
        sys.modules.pop(name, None)


def run_all(example, live_server, unit, data):
    """Import, then replay while the reviewer signs: what the README's commands do."""
    grace = make_person("grace", unit, "view", "review")
    definitions, recordings = example["definitions"], example["recordings"]
    import_tools(definitions.tool_items(data), by=IMPORTER, file="tools.json")
    import_agents(definitions.agent_items(data, unit="support", owner="owner"), by=IMPORTER, file="agents.json")
    import_policies(definitions.policy_items(), by=IMPORTER, file="policies.json")
    token = make_token(recordings.AGENT)
    recorded, right = recordings.runs(data), recordings.labels(data)
    decided = []

    def sign():
        try:
            decided.append(example["reviewer"].review(right, grace.username, patience=60))
        finally:
            connection.close()

    signing = threading.Thread(target=sign)
    signing.start()
    ends = replay_all(example, live_server, token, recorded)
    signing.join()
    client = example["client"].Holdpoint(live_server.url, token)
    stored = example["totals"].found(client, recorded)
    return recorded, stored, ends, decided[0], token


def replay_all(example, live_server, token, recorded):
    client = example["client"].Holdpoint(live_server.url, token)
    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(lambda run: example["replay"].replay(client, run, 100), recorded), Counter())


def test_the_sample_agrees_and_a_second_replay_changes_nothing(example, live_server, unit, owner):
    recorded, stored, ends, decided, token = run_all(example, live_server, unit, SAMPLE)

    lines, agree = example["totals"].table(example["totals"].expected(recorded), stored, ends)
    assert agree, lines
    assert decided == (3, 1)
    assert ends == {"succeeded": 6, "failed": 2, "rejected": 1}
    assert stored["tool errors"] == 2
    assert "Escalation" in Action.objects.get(tool="retail.transfer_to_human_agents").reasons[0]

    again = replay_all(example, live_server, token, recorded)

    assert again == ends
    assert example["totals"].found(example["client"].Holdpoint(live_server.url, token), recorded) == stored


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not REAL.is_dir(), reason="the recorded runs are not beside the project (REPLAY_DATA)")
def test_the_60_recorded_runs_add_up_to_what_their_readme_says(example, live_server, unit, owner):
    recorded, stored, ends, decided, _ = run_all(example, live_server, unit, REAL)

    assert len(recorded) == 60
    assert stored | {"cost (USD)": round(stored["cost (USD)"], 4)} == {
        "tool calls": 447,
        "tool errors": 13,
        "model calls": 682,
        "input tokens": 3_420_463,
        "output tokens": 47_022,
        "cost (USD)": Decimal("2.6719"),
        "passed": 360,
        "held": 87,
        "escalations": 5,
    }
    assert decided == (71, 16)
    assert ends == {"succeeded": 447 - 13 - 16, "failed": 13, "rejected": 16}
    assert Decision.objects.count() == 87


@contextmanager
def playing(*answers):
    """A server that sends these raw bytes, one for each request, and hangs up. None: it says nothing for a while."""
    asked, left = [], list(answers)

    class Conversation(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((self.headers["Idempotency-Key"], self.rfile.read(int(self.headers["Content-Length"]))))
            answer = left.pop(0)
            if answer is None:
                time.sleep(2)
                return
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Conversation) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


class TestAKey:
    def test_of_a_call_is_its_own_where_the_model_gave_two_calls_one_id(self, example):
        calls = tuple(
            example["recordings"].ToolCall("call_1", turn, "retail.get_order", {"order": "W1"}, "{}", False, "")
            for turn in (3, 5)
        )

        with playing(REJECTED, REJECTED) as (url, asked):
            ends = example["replay"].replay(
                example["client"].Holdpoint(url, "token"), example["recordings"].Run("run", "retail", calls), 1
            )

        assert ends == {"rejected": 2}
        assert [key for key, _ in asked] == ["run:turn-3:call_1", "run:turn-5:call_1"]


class TestTheClient:
    @pytest.fixture
    def post(self, example, monkeypatch):
        """One POST against a server that gives these answers: what came of it, and what the server was asked."""
        monkeypatch.setattr(example["client"], "LONG_POLL_SECONDS", 0.5)

        def posted(*answers):
            with playing(*answers) as (url, asked):
                try:
                    return example["client"].Holdpoint(url, "token").post("actions/", {"tool": "x"}, key="one"), asked
                except Exception as error:
                    return error, asked

        return posted

    @pytest.mark.parametrize(
        "first",
        [NOTHING, None, HALF, HALF_WITHOUT_LENGTH, BAD_GATEWAY, HALF_A_REFUSAL, GATEWAY_TIMEOUT, LIMITED % 0],
        ids=["nothing", "too late", "half", "half, no length", "502", "half a 503", "504", "429"],
    )
    def test_sends_again_under_the_same_key_what_got_no_answer(self, post, first):
        answer, asked = post(first, OK)

        assert answer == {"id": "a1"}
        assert asked == [("one", b'{"tool": "x"}')] * 2

    def test_waits_as_long_as_it_is_asked_to(self, post):
        began = time.monotonic()

        answer, _ = post(LIMITED % 1, OK)

        assert answer == {"id": "a1"}
        assert time.monotonic() - began >= 1

    def test_says_no_at_once_when_it_is_asked_to_wait_for_long(self, post):
        refused, asked = post(LIMITED % 3600)

        assert (refused.code, str(refused), len(asked)) == ("limited", "429 limited: Full.", 1)

    def test_does_not_send_again_what_failed_for_good(self, post):
        refused, asked = post(GONE_WRONG)

        assert (refused.code, str(refused), len(asked)) == ("", "500 no code: no reason was given", 1)

    def test_gives_up_in_the_end(self, post, example, monkeypatch):
        monkeypatch.setattr(example["client"], "TRIES", 2)

        error, asked = post(NOTHING, NOTHING)

        assert (type(error), len(asked)) == (RemoteDisconnected, 2)
