"""3,000 recorded model calls arrive as they once did, only faster, at a budget of tokens too small for them.

The arrivals and sizes are those of a public trace (Azure LLM inference, CC BY 4.0; Patel et al., "Splitwise", ISCA 2024). No
model is called: each execution reports the tokens that its call used. `make load` prints the figures; SPEED=8 is how much
faster than recorded they arrive.
"""

import csv
import os
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import F, Sum
from django.urls import reverse

from audit.definitions import activate, draft
from budgets.models import Block, Budget, BudgetWindow, LedgerEntry, Reservation
from orchestrator.models import Attempt, Execution, Step
from orchestrator.operations import executions
from tests import make as people
from tests import plant as plants
from tests import trail
from tests import worlds as make
from tests.pages.asking import browser_of
from tests.plant import running_plant
from tests.worlds import wait_until

TRACE = Path(os.environ.get("TOKEN_TRACE", Path(__file__).resolve().parents[3] / "shared" / "data" / "llm_token_trace"))
FILES = ("AzureLLMInferenceTrace_conv_first2000.csv", "AzureLLMInferenceTrace_code_first1000.csv")
SPEED = float(os.environ.get("SPEED", "8"))
CALLS = int(os.environ.get("CALLS", "3000"))  # the first so many of them
WORST = 9_000  # tokens: more than any call of the trace used
SHARE = 0.6  # of what they need is there at first
WORKFLOW = f"""workflow: traced
version: 1.0.0
input: {{type: object, required: [context, generated], properties: {{context: {{type: integer}}, generated: {{type: integer}}}}}}
steps:
  - ask: {{agent: asker, token_budget: {WORST}}}
"""
HANDLERS = """
def ask(input, context):
    context.usage(model="recorded", input_tokens=input["context"], output_tokens=input["generated"])
    return {"answered": True}
"""
ASKED = {"type": "object", "properties": {"context": {"type": "integer"}, "generated": {"type": "integer"}}}
AGENTS = [{"name": "asker", "owner": "olga", "unit": "finance", "allowed_tools": [], "entry": "handlers:ask",
           "input_schema": ASKED}]  # fmt: skip

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(0),
    pytest.mark.skipif(not TRACE.is_dir(), reason=f"the recorded trace is not at {TRACE}"),
]


def arrivals() -> list[tuple[float, int, int]]:
    """Seconds after the first one, tokens given, tokens made; both files together, in the order of time."""
    rows = [row for name in FILES for row in csv.DictReader((TRACE / name).open())]
    at = [datetime.fromisoformat(row["TIMESTAMP"][:26]) for row in rows]
    first = min(at)
    found = [
        ((when - first).total_seconds(), int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for when, row in zip(at, rows, strict=True)
    ]
    return sorted(found)[:CALLS]


def put_in_force(version: int, limit: int) -> None:
    row = Budget(
        name="traced-tokens", version=version, workflow="traced", measure="tokens", limit=limit, window="always"
    )
    draft(row, by=make.SETUP)
    activate(row, by=make.SETUP)


class Watch:
    """Looks at the window again and again for as long as the block runs: is it ever past its limit?"""

    def __enter__(self):
        self.looks, self.over, self._end = 0, [], threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _look(self):
        while not self._end.wait(0.02):
            self.over += BudgetWindow.objects.filter(spent__gt=F("limit") - F("reserved")).values_list(
                "spent", "reserved"
            )
            self.looks += 1
        connection.close()


class TestTheRecordedArrivals:
    def test_spend_what_there_is_wait_visibly_for_the_rest_and_add_up(
        self, tmp_path, settings, postgres_server, capsys
    ):
        trail.install()
        calls = arrivals()
        needed = sum(given + made for _, given, made in calls)
        limit = int(needed * SHARE)
        with running_plant(
            tmp_path, settings, postgres_server.dsn(connection.settings_dict["NAME"]), HANDS="4"
        ) as plant:
            make.publish(tmp_path / "traced", WORKFLOW, HANDLERS, agents=AGENTS)
            put_in_force(1, limit)
            with Watch() as watch:
                late = self._arrive(calls, plant)
                wait_until(self._rests, seconds=300)
                window = BudgetWindow.objects.get(budget="traced-tokens")
                held, spent = Step.objects.filter(status="budget_hold").count(), int(window.spent)
                sheet = browser_of(people.person("vera", "view", of=plant.world.unit)).get(reverse("budgets_csv"))
                raised_at = plants.database_clock()
                put_in_force(2, needed * 2)
                wait_until(lambda: not Execution.objects.exclude(status="succeeded").exists(), seconds=600)
                took = (plants.database_clock() - raised_at).total_seconds()

        with capsys.disabled():
            sys.stdout.write(
                f"\n{len(calls)} calls of {needed:,} tokens, {SPEED:g} times as fast as recorded, "
                f"the last start {late:.1f} s late; limit {limit:,}: {spent:,} spent, {held} executions held; "
                f"after the limit rose the rest took {took:.0f} s; "
                f"{watch.looks} looks, past the limit at {len(watch.over)}\n"
            )
        assert watch.looks > 100
        assert watch.over == []
        # Those that did not fit wait, and each is known by name. Room for one worst case is all that may be left.
        assert held > 0
        assert limit - WORST < spent <= limit
        (row,) = csv.DictReader(sheet.content.decode().splitlines())
        assert int(row["waiting"]) == held
        assert not Reservation.objects.exists()
        self._three_books_agree(calls, window)

    def _three_books_agree(self, calls, window) -> None:
        """Everything ran once; the trace, the ledger and the budget's window say the same."""
        window.refresh_from_db()
        line = LedgerEntry.objects.aggregate(given=Sum("input_tokens"), made=Sum("output_tokens"))
        assert (line["given"], line["made"]) == (sum(call[1] for call in calls), sum(call[2] for call in calls))
        assert window.spent == line["given"] + line["made"]
        assert not Block.objects.exists()
        assert Attempt.objects.filter(status="succeeded").count() == len(calls)

    def _arrive(self, calls, plant) -> float:
        """Start one execution at each moment. How late the last one was, in seconds."""
        began = time.monotonic()
        for at, given, made in calls:
            time.sleep(max(0.0, began + at / SPEED - time.monotonic()))
            executions.start(
                workflow="traced", input={"context": given, "generated": made}, unit="finance", by=plant.world.ada
            )
        return time.monotonic() - began - calls[-1][0] / SPEED

    def _rests(self) -> bool:
        """What is not over waits for room, and nothing is reserved any more."""
        under_way = Step.objects.exclude(status__in=["success", "budget_hold"]).exists()
        return not under_way and not Reservation.objects.exists()
