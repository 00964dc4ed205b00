"""An operator drains 1,204 letters of one cause on the first try: real workers, and a tool that is mended while they do it.

At every moment somebody looks, the items of the operation add up to the letters it was confirmed for; and the books of the
system outside show one effect for each. `make drain` runs it; `LETTERS=40 make drain` is a first look.
"""

import os
import sys
import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import connection

from orchestrator.models import DeadLetter, FailureGroup, Operation
from orchestrator.operations import executions
from tests import make, worlds
from tests.engine import provider
from tests.faults import scenarios
from tests.faults.outside import Ledger
from tests.faults.player import ask, books
from tests.plant import Worker
from tests.worlds import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(0)]
LETTERS = int(os.environ.get("LETTERS", "1204"))
REFS = [f"A-{number}" for number in range(LETTERS)]
STEPS = "steps:\n  - send: {tool: send_a, retry: {max_attempts: 1}}\n"
WORKFLOW = f"workflow: drained\nversion: 1.0.0\n{scenarios.REF_INPUT}{STEPS}"
# Long enough for every letter to be sent while its tool is still broken.
BROKEN = ["down"] * 20


@pytest.fixture
def ledger(tmp_path):
    outside = Ledger(tmp_path / "books.jsonl")
    yield outside
    outside.kill()


@pytest.fixture
def worker(postgres_server, people, ledger, tmp_path, settings):
    """A real one, on the test's database, and the workflow whose tool it cannot reach."""
    make.person("olga", "view", "review")
    worlds.publish(tmp_path / "drained", WORKFLOW, scenarios.HANDLERS, tools=provider.TOOLS, agents=scenarios.AGENTS,
                   release=provider.RELEASE)  # fmt: skip
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    environment = {**os.environ, "DATABASE_URL": dsn, "VAR_DIR": str(tmp_path / "var"), "ERP_URL": ledger.url,
                   "WORKERS": "2", "DJANGO_ALLOW_ASYNC_UNSAFE": ""}  # fmt: skip
    worker = Worker(environment, tmp_path / "worker.log")
    yield worker
    worker.stop()


@pytest.fixture
def group(worker, people, ledger):
    """Every letter has the same cause: the system outside is down."""
    for ref in REFS:
        ask(ledger.url, "/plan", {"ref": ref, "deeds": BROKEN})
    for ref in REFS:
        executions.start(
            workflow="drained", input={"ref": ref}, unit="finance", by=make.actor(people), business_key=ref
        )
    wait_until(lambda: DeadLetter.objects.filter(status="open").count() == LETTERS, seconds=1200)
    return FailureGroup.objects.get()


@contextmanager
def adding_up(operation):
    """Looks again and again. Answers the looks, each of which must be of all letters."""
    over, looks = threading.Event(), []

    def look():
        while not over.wait(0.2):
            looks.append(Counter(Operation.objects.get(pk=operation.pk).items.values_list("status", flat=True)))
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


def confirmed(ada, number, speed="600"):
    """From the group's page over the preview to a confirmation with the number typed."""
    page = ada.page
    page.get_by_label("Which letters").select_option("all")
    page.get_by_role("button", name="Redrive…").click()
    page.get_by_text(f"These are exactly {number} letter").wait_for()
    assert ada.axe() == []
    page.get_by_label("Speed limit").select_option(speed)
    if number > 100:
        page.get_by_label("Number of letters").fill(str(number))
    page.get_by_role("button", name="Redrive").click()
    page.get_by_role("button", name="Pause sending").wait_for()
    return Operation.objects.latest("created_at")


def stopped_itself(page, operation):
    """The page says so by itself, and what is under way has come back."""
    page.get_by_text("It stopped itself:").first.wait_for(timeout=600_000)
    wait_until(lambda: not operation.items.filter(status="under_way").exists(), seconds=60)


class TestAnOperator:
    def test_drains_the_group_on_the_first_try(self, opened, group, ledger, tmp_path, capsys):
        ada = opened("ada")
        page = ada.page
        page.goto(group.get_absolute_url())
        page.get_by_role("button", name="Take", exact=True).click()
        page.get_by_role("button", name="Take over").wait_for()
        operation = confirmed(ada, LETTERS)

        with adding_up(operation) as looks:
            self._sees_it_through(page, operation, ledger, tmp_path)

        ended = Counter(operation.items.values_list("status", flat=True))
        assert ended == {"fixed": LETTERS - 2, "failed": 2}
        assert {look.total() for look in looks} == {LETTERS}
        page.goto(group.get_absolute_url())
        self._redrives_what_failed_again(ada)
        page.goto(group.get_absolute_url())
        page.screenshot(path=tmp_path / "4-group.png", full_page=True)

        assert set(DeadLetter.objects.values_list("status", flat=True)) == {"fixed"}
        assert all(len(books(ledger.url, ref)["effects"]) == 1 for ref in REFS)
        with capsys.disabled():
            sys.stdout.write(
                f"\n{LETTERS} letters: {dict(ended)}, then the two; {len(looks)} looks, all of {LETTERS}; {tmp_path}\n"
            )

    def _sees_it_through(self, page, operation, ledger, pictures):
        """One fails, for its tool is still broken. It is mended; ten, the rest; one of the rest fails again."""
        stopped_itself(page, operation)
        assert operation.items.filter(status="waiting").count() == LETTERS - 1
        page.screenshot(path=pictures / "1-one.png", full_page=True)

        ask(ledger.url, "/mend", {})
        fails_again = operation.items.select_related("letter__execution").get(place=LETTERS // 2)
        ask(ledger.url, "/plan", {"ref": fails_again.letter.execution.business_key, "deeds": ["down"]})
        page.get_by_role("button", name="Go on all the same").click()
        page.get_by_role("button", name="Pause sending").wait_for()
        page.screenshot(path=pictures / "2-going-on.png", full_page=True)
        stopped_itself(page, operation)
        page.screenshot(path=pictures / "3-rest.png", full_page=True)
        page.get_by_role("button", name="Go on all the same").click()
        wait_until(lambda: _is_done(operation), seconds=600)

    def _redrives_what_failed_again(self, ada):
        second = confirmed(ada, 2)
        wait_until(lambda: _is_done(second), seconds=120)
        ada.page.locator("#progress").get_by_text("2 seen to succeed").wait_for()


def _is_done(operation):
    return Operation.objects.get(pk=operation.pk).status == "done"
