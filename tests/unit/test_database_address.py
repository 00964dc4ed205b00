"""What an operator writes into DATABASE_URL reaches PostgreSQL's own client, whole."""

from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from config.database import in_a_sentence, settings_of


def read(dsn):
    return settings_of(dsn, kept_seconds=60)


def test_names_the_place():
    found = read("postgresql://ann:s%3Acret@db.example:5433/books")

    assert {key: found[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")} == {
        "NAME": "books", "USER": "ann", "PASSWORD": "s:cret", "HOST": "db.example", "PORT": "5433",
    }  # fmt: skip


@pytest.mark.parametrize(
    "key", ["sslmode=verify-full", "sslrootcert=/ca.pem", "target_session_attrs=read-write", "connect_timeout=2"]
)
def test_hands_on_what_it_does_not_know(key):
    name, _, value = key.partition("=")

    assert read(f"postgresql://db.example/books?{key}")["OPTIONS"][name] == value


def test_keeps_its_own_session_settings_beside_those_of_the_address():
    options = read("postgresql://db.example/books?options=-c%20statement_timeout%3D9s")["OPTIONS"]["options"]

    assert options.startswith("-c idle_in_transaction_session_timeout=60s")
    assert options.endswith("-c statement_timeout=9s")


def test_leaves_the_name_to_a_service_file():
    found = read("postgresql:///?service=prod")

    assert (found["NAME"], found["OPTIONS"]["service"]) == ("", "prod")


def test_takes_the_usual_name_where_none_is_given():
    assert read("postgresql://db.example")["NAME"] == "holdpoint"


def test_refuses_what_is_no_address_without_repeating_it():
    with pytest.raises(ImproperlyConfigured) as refused:
        read("postgresql://ann:secret@db.example/books?sslmod=verify-full")

    assert "DATABASE_URL" in str(refused.value)
    assert "secret@" not in str(refused.value).replace("holdpoint:secret@", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT * FROM of_a_later_version", "Run `manage.py migrate` as the owner of its tables."),
        ("SELECT * FROM pg_authid", "Give its role the privileges anew"),
        ("SET LOCAL transaction_read_only = on; CREATE TABLE never (n int)", "DATABASE_URL must lead to the primary."),
        ("SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)", "Nothing was half done: try again"),
        # What is met behind a pooler that gives each transaction another session.
        ("EXECUTE of_another_session", "Let it pool sessions"),
        ("PREPARE twice AS SELECT 1; PREPARE twice AS SELECT 1", "Let it pool sessions"),
        ("SELECT 1 / 0", ""),
    ],
)
def test_what_keeps_a_command_from_its_work_is_a_sentence_with_a_remedy(statement, said):
    with pytest.raises(DatabaseError) as found, connection.cursor() as cursor:
        cursor.execute(statement)

    told = in_a_sentence(found.value)
    assert said in told
    assert bool(told) == bool(said)
    assert "\n" not in told


@pytest.mark.django_db(transaction=True)
def test_works_on_a_server_that_was_told_to_write_dates_and_isolate_otherwise():
    """By its configuration, or as a setting of the database or the role, which weighs more."""
    told = {
        "datestyle": "'SQL, DMY'",
        "intervalstyle": "'sql_standard'",
        "default_transaction_isolation": "'serializable'",
    }
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    other = connection.copy()
    with connection.cursor() as cursor:
        try:
            for setting, value in told.items():
                cursor.execute(f"ALTER DATABASE {name} SET {setting} = {value}")
            with other.cursor() as fresh:
                fresh.execute("SELECT now(), interval '1 day 2 hours', current_setting('transaction_isolation')")
                now, interval, isolation = fresh.fetchone()
        finally:
            other.close()
            cursor.execute(f"ALTER DATABASE {name} RESET ALL")

    assert (type(now), interval, isolation) == (datetime, timedelta(days=1, hours=2), "read committed")
