"""A real worker is frozen with SIGSTOP, as a whole and only its muscle, and the health page says so within seconds."""

import re
import time
from contextlib import contextmanager

import psutil
import pytest
from django.db import connection

from tests import make as people
from tests.pages.asking import browser_of
from tests.plant import running_plant
from tests.worlds import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server):
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    with running_plant(tmp_path, settings, dsn, HEALTH_LIMITS="workers=3:5") as plant:
        settings.HEALTH_LIMITS = settings.HEALTH_LIMITS | {"workers": (3, 5)}
        yield plant


@pytest.fixture
def seen(plant):
    """State and text of a tile, as an operator sees it now."""
    browser = browser_of(people.person("otto", "view", "operate", of=plant.world.unit))

    def look(key):
        text = browser.get("/health/").content.decode().split(f'id="tile-{key}"')[1].split("</li>")[0]
        return re.search(r'data-state="(\w+)"', text)[1], text

    return look


@contextmanager
def frozen(processes):
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


class TestAWorker:
    def test_is_good_then_frozen_then_good_again(self, plant, seen):
        wait_until(lambda: seen("workers")[0] == "good", seconds=30)
        assert {seen(key)[0] for key in ("sweep", "clusters", "clock")} == {"good"}

        with frozen([psutil.Process(plant.worker.pid), *plant.worker.family()]):
            began = time.monotonic()
            wait_until(lambda: seen("workers")[0] == "down", seconds=15)
            assert time.monotonic() - began < 10
            assert "silent for" in seen("workers")[1]
            assert seen("clusters")[0] == "unknown"

        wait_until(lambda: seen("workers")[0] == "good", seconds=15)

    def test_whose_muscle_alone_is_frozen_still_beats_and_says_that_it_was_restarted(self, plant, seen):
        wait_until(lambda: len(plant.worker.muscles()) > 2 and seen("clusters")[0] == "good", seconds=60)
        for process in plant.worker.muscles():
            process.suspend()
        plant.order(1, "fee")

        wait_until(lambda: "claimed work does not progress" in seen("clusters")[1], seconds=60)

        assert seen("clusters")[0] != "good"
        assert seen("workers")[0] == "good"
        wait_until(lambda: "restarting the django-q2 cluster" in plant.worker.log.read_text(), seconds=30)

    def test_that_was_told_to_stop_leaves_nobody(self, plant, seen):
        wait_until(lambda: seen("workers")[0] == "good", seconds=30)
        plant.worker.stop()

        state, text = seen("workers")

        assert state == "down"
        assert "No worker reports" in text
        plant.worker.start()
        wait_until(lambda: seen("workers")[0] == "good", seconds=30)
