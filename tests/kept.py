"""Built once, laid down for every further test: what the system's own verbs made of people, units and definitions.

A builder that is called with the same arguments writes the same rows. The second time somebody asks, the rows that its
verbs add are remembered; from then on those rows are inserted as they were, with one statement instead of a hundred.
What they wrote into the trail is told again, by audit_append, so that every chain holds, whatever else was written
before. Times are moved along: what was made a moment ago then is made a moment ago now.

Each test still has rows of its own, in its own transaction or in tables emptied before. The ids are the same each time,
or new ones, where a process remembers things by them (releases).
"""

import pickle
import re
from collections.abc import Callable, Hashable
from itertools import groupby
from typing import Any

from django.db import connection, transaction
from psycopg.rows import dict_row, tuple_row
from psycopg.sql import Literal
from psycopg.types.json import Jsonb

from audit.ids import new_id_text

TABLES = """
SELECT c.relname, array_agg(quote_ident(a.attname) ORDER BY a.attnum),
  array_agg(a.atttypid = 'timestamptz'::regtype ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND pg_relation_size(c.oid) > 0
  AND c.relname NOT IN ('audit_auditevent', 'audit_auditstream', 'test_witness') GROUP BY 1
"""
TOLD = """
SELECT id::text, stream, event, actor, actor_name, object_id::text AS object, unit_id::text AS unit, before, after, why, data
FROM audit_auditevent WHERE at >= %s ORDER BY at, seq
"""
OTHERS = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
# What a release is made of, beside its folder; and then whom and what a folder may name.
DEFINED = """
SELECT id || status FROM budgets_businessunit
UNION ALL SELECT id || status FROM orchestrator_tool
UNION ALL SELECT id || status FROM orchestrator_agent
UNION ALL SELECT id || status FROM approvals_approvalpolicy
"""
NAMED = f"""{DEFINED}
UNION ALL SELECT id || username FROM auth_user
UNION ALL SELECT id::text FROM orchestrator_release
"""
STANDING = "SELECT md5(string_agg(row, ' ' ORDER BY row)) FROM ({}) AS standing (row)"
ID = re.compile(r"\(([0-9a-f]{8}-[0-9a-f-]{27}),")
# Definitions are born as drafts, and people are told of by triggers: neither is wanted of rows that have been through it.
TRIGGERS = "SELECT set_config('session_replication_role', '{}', true)"


class Kept:
    """What one call of a builder added, and what it gave back."""

    def __init__(
        self, since: str, added: dict[str, list[str]], columns: dict[str, str], made: Any, *, anew: bool
    ) -> None:
        found = [ID.match(row) for rows in added.values() for row in rows] if anew else []
        self.ids = sorted(one[1] for one in found if one)
        told = _asked(TOLD, [since], dict_row)
        self.made = pickle.dumps(made)
        self.told = [(stream, list(facts)) for stream, facts in groupby(told, key=lambda fact: fact.pop("stream"))]
        since = Literal(since).as_string()
        self.rows = [
            f"INSERT INTO {table} SELECT {columns[table].format(since=since)} FROM unnest({_array(rows)}::{table}[])"
            for table, rows in added.items()
        ]

    def lay_down(self) -> Any:
        statements = [TRIGGERS.format("replica"), *self.rows, TRIGGERS.format("origin")]
        for stream, facts in self.told:
            told = Jsonb([{**fact, "id": new_id_text()} for fact in facts])
            statements.append(f"SELECT audit_append({_text(stream)}, {_text(told)})")
        script = "; ".join(statements)
        for before in self.ids:
            script = script.replace(before, new_id_text())
        with transaction.atomic():
            # Several statements are one trip where nothing is prepared.
            connection.connection.execute(script, prepare=False)
        return pickle.loads(self.made)


_asked_for: set[Hashable] = set()
_kept: dict[Hashable, Kept | None] = {}


def once(key: Hashable, build: Callable[[], Any], *, anew: bool = False) -> Any:
    """What `build` makes: by its verbs, or by the rows they made before. The key says everything it depends on.

    `anew`: the rows get other ids each time, so that what `build` gives back must not hold any.
    """
    if key not in _asked_for:
        _asked_for.add(key)
        return build()
    if key not in _kept:
        return _remembered(key, build, anew=anew)
    kept = _kept[key]
    return build() if kept is None else kept.lay_down()


def standing(of: str = NAMED) -> str:
    """Part of the key where something depends on all people and definitions there are."""
    connection.ensure_connection()
    return _asked(STANDING.format(of))[0][0]


def _remembered(key: Hashable, build: Callable[[], Any], *, anew: bool) -> Any:
    connection.ensure_connection()
    if _asked(OTHERS):
        return build()  # what they write meanwhile could not be told apart
    since, before = _asked("SELECT clock_timestamp()::text")[0][0], _filled()
    made = build()
    after = _filled()
    added = {table: [row for row in rows if row not in before.get(table, ())] for table, rows in after.items()}
    # What changes rows that were there before cannot be had by adding some.
    changed = any(row not in after[table] for table, rows in before.items() for row in rows)
    filled = {table: rows for table, rows in added.items() if rows}
    _kept[key] = None if changed else Kept(since, filled, _columns(), made, anew=anew)
    return made


def forget() -> None:
    """Whoever changes the tables themselves has what was kept built anew."""
    _asked_for.clear()
    _kept.clear()


def _filled() -> dict[str, dict[str, None]]:
    """Every row there is, as text, in the order in which it lies there."""
    tables = [table for table, *_ in _asked(TABLES)]
    everything = " UNION ALL ".join(f"SELECT '{table}', {table}::text FROM {table}" for table in tables)
    rows: dict[str, dict[str, None]] = {table: {} for table in tables}
    for table, row in _asked(everything):
        rows[table][row] = None
    return rows


def _columns() -> dict[str, str]:
    """Table -> its columns as they are inserted, with the times moved along."""
    moved = (
        "CASE WHEN {0} >= {{since}}::timestamptz THEN {0} + (clock_timestamp() - {{since}}::timestamptz) ELSE {0} END"
    )
    return {
        table: ", ".join(moved.format(name) if is_time else name for name, is_time in zip(names, times, strict=True))
        for table, names, times in _asked(TABLES)
    }


def _array(rows: list[str]) -> str:
    return f"ARRAY[{', '.join(_text(row) for row in rows)}]"


def _text(value: Any) -> str:
    return Literal(value).as_string(connection.connection)


def _asked(query: str, parameters: list[Any] | None = None, row_factory: Any = tuple_row) -> list[Any]:
    """Beside Django: not one of the queries that a test counts."""
    with connection.connection.cursor(row_factory=row_factory) as cursor:
        return cursor.execute(query, parameters, prepare=False).fetchall()
