"""New rows as INSERT statements, for whoever writes them within a statement of their own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.expressions import DatabaseDefault
from django.utils.duration import duration_iso_string


def insert_of(row: models.Model, *, sql: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    """The INSERT of a new row and its values, as `Moves.also` takes them. `sql` gives columns the database computes."""
    computed = sql or {}
    # Found once: the proxy looks for this thread's connection at each use.
    line = connections[DEFAULT_DB_ALIAS]
    given = [(column, value) for column, value in _given(row) if column.column not in computed]
    places = ", ".join([*["%s"] * len(given), *computed.values()])
    names = ", ".join([*(str(column.column) for column, _ in given), *computed])
    values = [column.get_db_prep_save(value, line) for column, value in given]
    return f"INSERT INTO {row._meta.db_table} ({names}) VALUES ({places})", *values


def insert_of_all(rows: Sequence[models.Model], *, place: str) -> tuple[str, str]:
    """The INSERT of new rows of one model, all with the same columns left to the database, and their values as JSON.

    `place` is the name of the parameter that takes the JSON.
    """
    columns = [column for column, _ in _given(rows[0])]
    values = [{column.column: getattr(row, column.attname) for column in columns} for row in rows]
    table, names = rows[0]._meta.db_table, ", ".join(str(column.column) for column in columns)
    text = (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %({place})s::json)"
    )
    return text, json.dumps(values, default=_in_json)


def _given(row: models.Model) -> Iterator[tuple[Any, Any]]:
    """Its columns and their values; those with a database default are left to the database."""
    for column in row._meta.concrete_fields:
        value = getattr(row, column.attname)
        if not isinstance(value, DatabaseDefault):
            yield column, value


def _in_json(value: object) -> str:
    """What JSON has no type for, as PostgreSQL reads it."""
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return duration_iso_string(value)
        case UUID():
            return str(value)
    raise TypeError(f"{type(value).__name__} is not written as JSON here")
