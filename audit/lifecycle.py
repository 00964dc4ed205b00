"""The only writer of status columns in the system: move() for one row, Moves for several rows in one statement.

A lifecycle is a table one can read in a meeting. Every move is legal by that table, guarded by the status the caller
saw, and recorded in the audit stream in the same transaction, or nothing happened at all. The database holds the
same table as a trigger (see `guard_sql`), so that SQL typed by hand cannot skip it either.
"""

import re
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from django.db.models.sql import UpdateQuery
from psycopg.pq import ExecStatus
from psycopg.types.json import Jsonb

from audit import events
from audit.actors import Actor
from audit.ids import new_id
from audit.inserting import insert_of
from audit.refusals import Stale

# Raised by the SQL function audit_expect when a guarded move found fewer rows than it should have.
STALE_SQLSTATE = "HP001"
TAKEN_OVER = "The step is no longer under this lease: somebody else has taken it over."


class IllegalMove(Exception):
    """A bug: the code asked for an edge that the lifecycle does not have."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A noun, its table of edges, and the statuses a row may be born in."""

    noun: str
    edges: Mapping[str, Set[str]]
    initial: Set[str]

    def refuse_illegal(self, before: str, to: str) -> None:
        if to not in self.edges.get(before, frozenset()):
            raise IllegalMove(f"{self.noun}: {before} -> {to} is not an edge")

    @property
    def final(self) -> frozenset[str]:
        return frozenset(status for status, following in self.edges.items() if not following)

    @property
    def pairs(self) -> list[str]:
        return sorted(f"{before}>{after}" for before, following in self.edges.items() for after in following)


class Governed(models.Model):
    """A row whose status only this module writes. Subclasses name their lifecycle and audit stream."""

    lifecycle: ClassVar[Lifecycle]
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    status: Any

    class Meta:
        abstract = True

    @property
    def stream(self) -> str:
        """Events of one stream are hash-chained in order. Default: one stream per object."""
        return f"{self.lifecycle.noun.replace(' ', '_')}:{self.pk}"

    @property
    def stream_unit(self) -> UUID | None:
        return getattr(self, "unit_id", None)


def move(
    row: Governed,
    *,
    to: str,
    by: Actor,
    why: str = "",
    data: Mapping[str, Any] | None = None,
    guard: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Change one row's status and record it. `guard` adds conditions to the WHERE (a fence, a revision).

    `why` goes into the event, and onto the row where the row keeps its last reason.

    Raises Stale when the row is no longer in the status, or no longer meets the guard, that the caller saw.
    """
    before = row.status
    row.lifecycle.refuse_illegal(before, to)
    if why and any(column.name == "why" for column in row._meta.concrete_fields):
        columns["why"] = why[:1000]
    fact = events.fact(
        f"{row.lifecycle.noun.replace(' ', '_')}.{to}",
        by=by,
        object_id=row.pk,
        unit_id=row.stream_unit,
        before=before,
        after=to,
        why=why,
        data=data,
    )
    computed = [name for name, value in columns.items() if hasattr(value, "resolve_expression")]
    found = _update_and_record(row, {"status": before, **(guard or {})}, {"status": to, **columns}, fact, computed)
    if found is None:
        raise Stale(f"This {row.lifecycle.noun} is no longer {before.replace('_', ' ')}: somebody was faster.")
    for name, value in {**columns, "status": to, **found}.items():
        setattr(row, name, value)


def _update_and_record(
    row: Governed, same: Mapping[str, Any], columns: Mapping[str, Any], fact: dict[str, Any], computed: list[str]
) -> dict[str, Any] | None:
    """The guarded UPDATE and its event in one statement. What expressions such as Now() came to; None: no such row."""
    rows: Any = type(row)._default_manager
    query = rows.filter(pk=row.pk, **same).query.chain(UpdateQuery)
    query.add_update_values(columns)
    update, params = query.get_compiler(connection=connection).as_sql()
    fields: dict[str, Any] = {column.name: column for column in row._meta.concrete_fields}
    names = "".join(f", {connection.ops.quote_name(fields[name].column)}" for name in computed)
    text = f"WITH moved AS ({update} RETURNING 1{names}) SELECT audit_append(%s, %s), moved.* FROM moved"
    arguments: list[Any] = [*params, row.stream, Jsonb([fact])]
    with connection.cursor() as cursor:
        cursor.execute(text, arguments)
        found = cursor.fetchone()
    return dict(zip(computed, found[2:], strict=True)) if found else None


def born(row: Governed, *, by: Actor, why: str = "", data: Mapping[str, Any] | None = None) -> None:
    """Insert a row in one of its initial statuses, with the audit event that says so."""
    birth = birth_of(row, by=by, why=why, data=data)
    # Both or nothing. No savepoint inside a caller's transaction: whoever survives a refused birth holds one of their own.
    with transaction.atomic(savepoint=False):
        row.save(force_insert=True)
        events.append(row.stream, birth)


def birth_of(row: Governed, *, by: Actor, why: str = "", data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The audit event of a row that is inserted in one of its initial statuses."""
    if row.status not in row.lifecycle.initial:
        raise IllegalMove(f"{row.lifecycle.noun}: no row is born {row.status}")
    return events.fact(
        f"{row.lifecycle.noun.replace(' ', '_')}.{row.status}",
        by=by,
        object_id=row.pk,
        unit_id=row.stream_unit,
        after=row.status,
        why=why,
        data=data,
    )


def note(row: Governed, event: str, *, by: Actor, why: str = "", data: Mapping[str, Any] | None = None) -> None:
    """Record a fact about a row that changes no status: one of two signatures, a heartbeat lost, a probe's answer."""
    events.append(row.stream, events.fact(event, by=by, object_id=row.pk, unit_id=row.stream_unit, why=why, data=data))


class Moves:
    """Several guarded moves, other writes and their audit events (one stream) as ONE statement; all or nothing.

    The text depends only on the shape of the work, so PostgreSQL prepares each shape once per connection.
    """

    def __init__(self, *, stream: str, unit_id: UUID, by: Actor, lock: Governed | None = None) -> None:
        """`lock` names the row that orders writers of this stream: it is locked before any other row is touched."""
        self._stream, self._unit_id, self._by = stream, unit_id, by
        self._parts: list[str] = []
        self._params: list[Any] = []
        self._after_lock = ""
        if lock is not None:
            self._parts.append(
                f"locked AS MATERIALIZED (SELECT id FROM {lock._meta.db_table} WHERE id = %s FOR NO KEY UPDATE)"
            )
            self._params.append(lock.pk)
            self._after_lock = " AND EXISTS (SELECT 1 FROM locked)"
        self._moved: list[str] = []
        self._events: list[dict[str, Any]] = []
        self._calls: list[str] = []
        self._call_params: list[Any] = []

    def born(
        self, row: Governed, *, sql: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        """Insert a row in an initial status. `sql` gives columns the database computes (its clock)."""
        self._events.append(birth_of(row, by=self._by, data=data))
        self.also(*insert_of(row, sql=sql))

    def notify(self, channel: str, payload: str = "") -> None:
        """Ring a doorbell when this commits. A hint only: every listener also polls."""
        self._calls.append("pg_notify(%s, %s)")
        self._call_params += [channel, payload]

    def move(
        self,
        model: type[Governed],
        row_id: UUID,
        *,
        before: str,
        to: str,
        set_sql: str = "",
        set_params: tuple[Any, ...] = (),
        guard_sql: str = "",
        guard_params: tuple[Any, ...] = (),
        why: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        model.lifecycle.refuse_illegal(before, to)
        name = f"m{len(self._moved)}"
        self._parts.append(
            f"{name} AS (UPDATE {model._meta.db_table} SET status = %s{', ' + set_sql if set_sql else ''}"
            f" WHERE id = %s AND status = %s{' AND ' + guard_sql if guard_sql else ''}"
            f"{self._after_lock} RETURNING 1)"
        )
        self._params += [to, *set_params, row_id, before, *guard_params]
        self._moved.append(name)
        self.event(
            f"{model.lifecycle.noun.replace(' ', '_')}.{to}", row_id, before=before, after=to, why=why, data=data
        )

    def event(
        self,
        name: str,
        object_id: UUID,
        *,
        before: str = "",
        after: str = "",
        why: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a fact beside the moves, e.g. the birth of a row that `also` inserts."""
        self._events.append(
            events.fact(
                name,
                by=self._by,
                object_id=object_id,
                unit_id=self._unit_id,
                before=before,
                after=after,
                why=why,
                data=data,
            )
        )

    def also(self, sql: str, *params: Any) -> None:
        """A further data-modifying statement of the same all-or-nothing unit (no row changes its status in it)."""
        self._parts.append(f"a{len(self._parts)} AS ({sql})")
        self._params += params

    def execute(self) -> None:
        """Run it. Raises Stale, with nothing changed, when any guard no longer holds."""
        counted = " + ".join(f"(SELECT count(*) FROM {name})" for name in self._moved) or "0"
        calls = ", ".join([f"audit_expect(%s, {counted})", "audit_append(%s, %s)", *self._calls])
        text = f"WITH {', '.join(self._parts)} SELECT {calls}" if self._parts else f"SELECT {calls}"
        params = [*self._params, len(self._moved), self._stream, Jsonb(self._events), *self._call_params]
        with stale_where_a_guard_failed():
            run(text, params)


@contextmanager
def stale_where_a_guard_failed() -> Iterator[None]:
    """Raises Stale for a statement of several guarded moves of which not all found their row; nothing is changed."""
    try:
        yield
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") == STALE_SQLSTATE:
            raise Stale(TAKEN_OVER) from None
        raise


def move_picked(
    *,
    lifecycle: Lifecycle,
    table: str,
    before: str,
    to: str,
    pick: str,
    returning: str,
    set_sql: str = "",
    guard: str = "true",
    name: str = "moved",
) -> str:
    """SQL text of CTEs `<name>_pick` and `<name>`: every row that `pick` selects, moved at once (a claim, a batch settled).

    `pick` selects at least `id`, of rows it has locked or whose owner is locked; `guard` sees the row as t and its pick
    as p. The caller counts or appends the audit event of every row of `<name>`.
    """
    lifecycle.refuse_illegal(before, to)
    # The old status comes out of the pick: as a literal beside t.status it would lead the planner into a partial index
    # of that status, whose entries are nearly all dead on a busy table.
    return (
        f"{name}_pick AS MATERIALIZED (SELECT k.*, '{before}'::text AS was FROM ({pick}) AS k), "
        f"{name} AS (UPDATE {table} AS t SET status = '{to}'{', ' + set_sql if set_sql else ''} "
        f"FROM {name}_pick AS p WHERE t.id = p.id AND t.status = p.was AND {guard} RETURNING {returning})"
    )


def run(
    text: str, params: list[Any] | dict[str, Any], *, on: BaseDatabaseWrapper | None = None
) -> list[tuple[Any, ...]]:
    """Execute a hot statement with server-side binding, prepared; rows, or [] when it returns none.

    `on` is another connection than this thread's own. Errors are Django's, as everywhere: whoever survives a lost
    database has one kind of error to survive.
    """
    line: Any = on or connections[DEFAULT_DB_ALIAS]
    line.ensure_connection()
    numbered, names = _numbered(text)
    values = [params[name] for name in names] if isinstance(params, dict) else params
    with line.wrap_database_errors, psycopg.RawCursor(line.connection) as cursor:
        cursor.execute(numbered, values, prepare=True)
        # Asking for the result's status is free; `description` would describe every column first.
        found = cursor.pgresult
        return cursor.fetchall() if found is not None and found.status == ExecStatus.TUPLES_OK else []


_PLACE = re.compile(r"%(?:\((\w+)\))?s|%%")


@lru_cache(maxsize=256)
def _numbered(text: str) -> tuple[str, tuple[str, ...]]:
    """The statement with PostgreSQL's own $1 places, and the names they stand for. psycopg would parse a long one anew
    at every call."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1] is None or found[1] not in names:
            names.append(found[1] or "")
            return f"${len(names)}"
        return f"${names.index(found[1]) + 1}"

    return _PLACE.sub(place, text), tuple(names)


def guard_sql(table: str, edges: list[str], initial: list[str]) -> tuple[str, str]:
    """(forward, reverse) SQL that makes the database refuse every unlisted edge of a table. Used by migrations."""
    name = f"{table}_lifecycle"
    return (
        f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OF status ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION lifecycle_guard('{{{','.join(edges)}}}', '{{{','.join(initial)}}}')",
        f"DROP TRIGGER {name} ON {table}",
    )


def database_now() -> datetime:
    """The database's clock: the only clock that deadlines and leases are compared with."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


__all__ = ["Governed", "IllegalMove", "Lifecycle", "Moves", "Now", "born", "database_now", "guard_sql", "move", "note"]
