"""What every test may use. The database server itself is in tests/db.py, which pytest loads before any settings."""

import gc
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase, client
from hypothesis import HealthCheck
from hypothesis import settings as drawn
from whitenoise.middleware import WhiteNoiseMiddleware

from audit import strangers
from budgets.reserving import anything_is_budgeted
from config.postgres import Server
from orchestrator.engine import every
from orchestrator.gate import limits
from orchestrator.health import exposition

# On a machine that does other things as well, drawing a value may take as long as it likes.
drawn.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
drawn.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Seven thousand collected tests are no garbage: what looks for some need not look through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test without the database finds no connection that another one left open: Django would look after it."""
    if item.get_closest_marker("django_db") is None:
        connection.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, migrated: str) -> None:
    """Have the server up before pytest-django makes the test database, as a copy of one that is migrated. Only a
    conftest overrides a plugin's fixture."""
    connection.settings_dict["TEST"]["TEMPLATE"] = migrated


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any, postgres_server: Server) -> Iterator[None]:
    """The test database cannot be dropped under a connection that a thread of ours (heartbeat, long poll) still keeps, or
    makes anew: nobody is let in any more, and everybody is shown out, from outside."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(EMPTY_TABLES)
    yield
    connection.close()
    name = connection.settings_dict["NAME"]
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as door:
        door.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        door.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
            [name],
        )


@pytest.fixture(autouse=True, scope="session")
def no_draws_by_chance() -> None:
    """A test that wants a second look says so; none happens to others by the luck of the draw."""
    settings.SECOND_LOOK_PERCENT = 0


@pytest.fixture(autouse=True, scope="session")
def sweeps_leave_nothing_for_later() -> None:
    """Rounds follow each other within milliseconds here, and each is to see everything."""
    every.SHARE = float("inf")


# Empties every table that has pages, without the triggers: what was recorded is never taken away, except here.
EMPTY_TABLES = """
CREATE OR REPLACE FUNCTION test_empty_tables() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  _table regclass;
BEGIN
  -- For this transaction. As part of the function's head it would be in every dump, and no other server would take that in.
  PERFORM set_config('session_replication_role', 'replica', true);
  FOR _table IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission', 'orchestrator_costfold')
    AND pg_relation_size(oid) > 0
  LOOP
    EXECUTE 'DELETE FROM ' || _table;
  END LOOP;
END $$;
"""


def empty_tables(_: TransactionTestCase) -> None:
    """Take away what a test committed. Django truncates every table with all its indexes and makes the permissions anew,
    which takes several times as long as most tests; this empties the few tables that were ever written to."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT test_empty_tables()")


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """Between tests that commit. The connection stays: a new one has read no catalogue and planned nothing yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        patch.setattr(TransactionTestCase, "_should_reload_connections", lambda self: False)
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> None:
    """A slow hash protects real passwords; the tests' worlds make thousands of people whose passwords are public."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True, scope="session")
def quick_static() -> Iterator[None]:
    """Every test client loads the middleware anew, and whitenoise then looks at every static file there is: once is enough."""
    look, seen = WhiteNoiseMiddleware.add_files_from_finders, {}

    def remember(self: WhiteNoiseMiddleware) -> None:
        if not seen:
            look(self)
            seen.update(self.files)
        self.files.update(seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remember)
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_pages() -> Iterator[None]:
    """Django copies the context of every template of a page, those of a form's fields included; a test looks at the first."""
    store = client.store_rendered_templates

    def store_the_first(kept: dict[str, Any], **rendered: Any) -> None:
        if not kept:
            store(kept, **rendered)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "store_rendered_templates", store_the_first)
        yield


@pytest.fixture(autouse=True)
def processes_begin_anew() -> None:
    """What a process remembers is none of the next test's business: how many strangers knocked, what a unit's figures were."""
    strangers.few.update({event: strangers.Few() for event in strangers.MANY})
    exposition.forget()


@pytest.fixture
def looks_at_once() -> Iterator[None]:
    """Limits and budgets that the test puts in force are seen at once, and none of it by the next test."""
    limits.anything_is_limited.again()
    anything_is_budgeted.again()
    yield
    limits.anything_is_limited.again()
    anything_is_budgeted.again()
