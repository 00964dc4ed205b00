"""Beside the trail: what the tables that are never changed held of each day, for an anchor to keep; and whether rows that move
stand where the trail says.

The trail repeats neither a decision's note nor what a line of the ledger costs, so a change by whoever may switch triggers off
leaves every chain whole. What they cannot change is a digest on another host.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.apps import apps
from django.db import connection

from audit.ids import earliest_id
from audit.lifecycle import Governed, run

# An id begins with the millisecond at which it was made, by its host's clock; its row is seen once its transaction has ended.
MARGIN = timedelta(hours=1)
NAMED = 5
CHAINED = "audit_auditevent"
# Follows the server that a database is read into (orchestrator.engine.sums.moved), and says nothing of what happened.
NO_EVIDENCE = "written_in"

_TABLES = f"""
SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attname) FILTER (WHERE a.attname <> '{NO_EVIDENCE}')
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_attribute AS k ON k.attrelid = c.oid AND k.attname = 'id' AND k.atttypid = 'uuid'::regtype
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.tgfoid = 'append_only'::regproc AND t.tgtype & 24 = 24 AND t.tgenabled <> 'D' AND c.relname <> '{CHAINED}'
GROUP BY 1 ORDER BY 1
"""
_DAYS = """
SELECT day::text, count(*), encode(sha256(string_agg(sha256(convert_to(line, 'UTF8')), ''::bytea ORDER BY id)), 'hex')
FROM (SELECT (to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
        AT TIME ZONE 'UTC')::date AS day, id, ROW({columns})::text AS line FROM {table} WHERE id < %s) AS told
GROUP BY day ORDER BY day
"""
# All events about one row are in one stream.
_MOVED_ELSEWISE = """
SELECT t.id::text, t.status, told.after FROM {table} AS t CROSS JOIN LATERAL (
  SELECT e.after FROM audit_auditevent AS e
  WHERE e.object_id = t.id AND e.after <> '' AND split_part(e.event, '.', 1) = %s ORDER BY e.seq DESC LIMIT 1) AS told
WHERE told.after <> t.status ORDER BY t.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What a table held: by which columns, and of each day how many rows and a digest over them."""

    columns: list[str]
    days: Mapping[str, tuple[int, str]]


def held(until: datetime) -> dict[str, Held]:
    """Of every table whose rows are never changed, what was made before that moment. Inside a transaction."""
    return {name: Held(columns, _days(name, columns, until)) for name, columns in _tables().items()}


def differences(until: datetime, tables: Mapping[str, Held]) -> str:
    """The tables that no longer hold what they held, in words; "" when all do. Inside a transaction."""
    there = _tables() if tables else {}
    found = [
        words for name, table in sorted(tables.items()) for words in _differences(name, table, there.get(name), until)
    ]
    more = [f"{len(found) - NAMED} more days differ"] if len(found) > NAMED else []
    return f"Not as the anchor says: {'; '.join([*found[:NAMED], *more])}." if found else ""


def moved_elsewise() -> str:
    """The first row whose status is not the one that the trail says it moved to last, in words; "" when there is none."""
    for model in apps.get_models():
        if issubclass(model, Governed):
            noun = model.lifecycle.noun
            statement = _MOVED_ELSEWISE.format(table=model._meta.db_table)
            for pk, status, told in run(statement, [noun.replace(" ", "_")]):
                return f"The {noun} {pk} is {status}, and the last its events say of it is {told}: it was changed beside them."
    return ""


def _differences(name: str, table: Held, columns: list[str] | None, until: datetime) -> Iterator[str]:
    if columns is None:
        yield f"{name} may be changed: the trigger that refuses it is gone or switched off"
        return
    if lost := sorted(set(table.columns) - set(columns)):
        yield f"{name} has no {lost[0]} any more"
        return
    days = _days(name, table.columns, until)
    for day in sorted({*days, *table.days}):
        (rows, is_now), (had, was) = days.get(day, (0, "")), table.days.get(day, (0, ""))
        if rows != had:
            yield f"{name} has {rows} rows of {day}, and had {had}"
        elif is_now != was:
            yield f"{name} says something else in its {rows} rows of {day} than it did"


def _tables() -> dict[str, list[str]]:
    """Each with its columns."""
    return dict(run(_TABLES, []))


def _days(name: str, columns: list[str], until: datetime) -> dict[str, tuple[int, str]]:
    quoted = connection.ops.quote_name
    with connection.cursor() as cursor:
        told = _DAYS.format(columns=", ".join(map(quoted, columns)), table=quoted(name))
        cursor.execute(told, [earliest_id(until)])
        return {day: (rows, digest) for day, rows, digest in cursor.fetchall()}
