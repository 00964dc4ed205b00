"""A worker begins when the database is as its code needs it. Until then it says once what is missing, and waits."""

import threading

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from audit import fitting
from orchestrator.engine.workers.supervisor import Supervisor
from tests.worlds import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

MISSING = {
    "a migration": (
        "UPDATE django_migrations SET app = 'gone' WHERE name = '0017_health'",
        "UPDATE django_migrations SET app = 'orchestrator' WHERE app = 'gone'",
        "(1 not applied)",
    ),
    "its grants": (
        "REVOKE ALL ON approvals_signintries, approvals_decision FROM CURRENT_USER",
        "GRANT ALL ON approvals_signintries, approvals_decision TO CURRENT_USER",
        "(2 tables closed to us)",
    ),
    "everything": (
        "ALTER TABLE django_migrations RENAME TO hidden",
        "ALTER TABLE hidden RENAME TO django_migrations",
        "(none applied)",
    ),
}


def do(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def waiting(settings):
    """A supervisor that waits in a thread of its own, and what it came to."""
    settings.SWEEP_SECONDS = 0.05
    supervisor, found = Supervisor(), []

    def wait():
        found.append(supervisor.wait_for_the_database())
        connection.close()

    thread = threading.Thread(target=wait)
    yield supervisor, thread, found
    supervisor.stop()
    thread.join(10)


@pytest.mark.parametrize("what", MISSING)
class TestADatabaseThatLacks:
    def test_is_named_once_and_waited_for(self, waiting, caplog, what):
        _, thread, found = waiting
        take, give_back, words = MISSING[what]
        do(take)
        try:
            thread.start()
            wait_until(lambda: caplog.messages, seconds=10)
            thread.join(0.3)
            assert (found, thread.is_alive(), len(caplog.messages)) == ([], True, 1)
        finally:
            do(give_back)
        thread.join(10)

        assert found == [True]
        assert words in caplog.messages[0]
        assert "manage.py migrate" in caplog.messages[0]


class TestToldToStop:
    def test_while_it_waits_it_begins_nothing(self, waiting):
        supervisor, thread, found = waiting
        do(MISSING["a migration"][0])
        try:
            thread.start()
            supervisor.stop()
            thread.join(10)
        finally:
            do(MISSING["a migration"][1])

        assert found == [False]


def test_migrations_are_known_by_their_files():
    assert fitting.migrations_of_this_code() == frozenset(MigrationLoader(None).disk_migrations)
