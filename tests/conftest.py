"""What every test may use. The database server itself is in tests/db.py, which pytest loads before any settings."""

import pytest

from config.postgres import Server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, postgres_server: Server) -> None:
    """Have the server up before pytest-django makes the test database. Only a conftest overrides a plugin's fixture."""
