"""Recorded agent runs go through the real gate over HTTP, a scripted reviewer signs, and the books agree.

The recordings are real ones when they lie beside the project (or where REPLAY_DATA says), else those of the sample
that was written for the example.
"""

import os
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
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
