"""What every test may use. The database server itself is in tests/db.py, which pytest loads before any settings."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from config.postgres import Server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, postgres_server: Server) -> None:
    """Have the server up before pytest-django makes the test database. Only a conftest overrides a plugin's fixture."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database cannot be dropped under a connection that a thread of ours (heartbeat, long poll) still keeps."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(autouse=True, scope="session")
def no_draws_by_chance() -> None:
    """A test that wants a second look says so; none happens to others by the luck of the draw."""
    settings.SECOND_LOOK_PERCENT = 0


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> None:
    """A slow hash protects real passwords; the tests' worlds make thousands of people whose passwords are public."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
