"""What `migrate` refuses before it does anything."""

import psycopg
import pytest
from django.core.checks import run_checks
from django.db import connection


@pytest.fixture
def elsewhere(postgres_server, transactional_db):
    """Look at a database of another encoding until the test ends."""
    here = connection.settings_dict["NAME"]
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as door:

        def look(encoding):
            connection.close()
            door.execute(f"CREATE DATABASE other ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
            connection.settings_dict["NAME"] = "other"

        yield look
        connection.close()
        connection.settings_dict["NAME"] = here
        door.execute("DROP DATABASE IF EXISTS other")


def ids():
    return [error.id for error in run_checks(databases=["default"]) if error.id.startswith("audit.")]


class TestTheEncoding:
    @pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
    def test_that_cannot_hold_every_text_is_refused_with_the_way_to_make_another(self, elsewhere, encoding):
        elsewhere(encoding)

        (error,) = [error for error in run_checks(databases=["default"]) if error.id == "audit.E003"]

        assert f"The encoding of the database is {encoding}" in error.msg
        assert "ENCODING 'UTF8'" in error.hint

    @pytest.mark.django_db
    def test_of_unicode_is_taken(self):
        assert ids() == []

    def test_is_asked_of_no_database_by_commands_that_name_none(self):
        assert [error.id for error in run_checks() if error.id.startswith("audit.")] == []
