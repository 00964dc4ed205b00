"""What every test may use. The database server itself is in tests/db.py, which pytest loads before any settings."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as drawn
from whitenoise.middleware import WhiteNoiseMiddleware

from audit import strangers
from budgets.reserving import anything_is_budgeted
from orchestrator.gate import limits

# On a machine that does other things as well, drawing a value may take as long as it likes.
drawn.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
drawn.load_profile("any machine")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, migrated: str) -> None:
    """Have the server up before pytest-django makes the test database, as a copy of one that is migrated. Only a
    conftest overrides a plugin's fixture."""
    connection.settings_dict["TEST"]["TEMPLATE"] = migrated


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database cannot be dropped under a connection that a thread of ours (heartbeat, long poll) still keeps."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.fixture(autouse=True, scope="session")
def no_draws_by_chance() -> None:
    """A test that wants a second look says so; none happens to others by the luck of the draw."""
    settings.SECOND_LOOK_PERCENT = 0


KEPT = {"django_content_type", "auth_permission", "orchestrator_costfold"}
# Tables that refuse a DELETE: what was recorded is never taken away, except here.
APPEND_ONLY = """
SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 8 = 8
"""


def empty_tables(_: TransactionTestCase) -> None:
    """Take away what a test committed. Django truncates every table with all its indexes and makes the permissions anew,
    which takes several times as long as most tests; this empties the few tables that have a row."""
    tables = [name for name in connection.introspection.django_table_names(only_existing=True) if name not in KEPT]
    filled = rows(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in tables))
    guarded = sorted(set(filled) & set(rows(APPEND_ONLY)))
    statements = [
        *(f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in guarded),
        *(f"DELETE FROM {name}" for name in filled),
        # Foreign keys are looked at once, at the end, when both sides are gone.
        "SET CONSTRAINTS ALL IMMEDIATE",
        *(f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in guarded),
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(statements))


def rows(query: str) -> list[str]:
    """The first column."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """Between tests that commit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
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


@pytest.fixture(autouse=True)
def strangers_begin_anew() -> None:
    """Tests run faster than strangers may knock: what one of them left out is none of the next one's business."""
    strangers.few.update({event: strangers.Few() for event in strangers.MANY})


@pytest.fixture
def looks_at_once() -> Iterator[None]:
    """Limits and budgets that the test puts in force are seen at once, and none of it by the next test."""
    limits.anything_is_limited.again()
    anything_is_budgeted.again()
    yield
    limits.anything_is_limited.again()
    anything_is_budgeted.again()
