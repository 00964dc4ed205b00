"""A database that was read into another server, as from a dump: transactions of that one mean nothing here.

Whoever follows the ledger or the trail remembers the transaction it has got to. A new server begins to count anew, so it would
take everything for known that is written from now on. The server is known by its identifier, which a dump leaves behind.
"""

import logging

from django.db import ProgrammingError, connection

from audit import events
from audit.actors import system
from orchestrator.models import (
    CostFold,
    CostRollup,
    LevelRollup,
    OutcomeRollup,
    RunCost,
    RunLevel,
    RunTotal,
    TraceExport,
)
from orchestrator.models.trace_export import START

logger = logging.getLogger(__name__)
KEPT = (CostRollup, OutcomeRollup, RunCost, LevelRollup, RunLevel, RunTotal)
MARKS = ("before", "runs_before", "levels_before", "totals_before")
# What is seen here was written by transactions that have ended, or by this one: any other comes from another server.
FOREIGN = (
    "written_in >= pg_snapshot_xmax(pg_current_snapshot()){as_kept} AND written_in <> pg_current_xact_id(){as_kept}"
)
TABLES = {"budgets_ledgerentry": "", "audit_auditevent": "::text::bigint"}


class NotTheOwner(Exception):
    """Only the owner of the tables may adopt what was written on another server."""


def settle_in(state: CostFold, server: str, until: int) -> None:
    """With `state` locked: where this is another server than before, nothing is kept any more, and traces out go on from here.

    Pages are right without it, and slow, until `rebuild`.
    """
    if state.server == server:
        return
    if state.server or _is_ahead(state, until):
        logger.warning(
            "this database came from another server: run manage.py rebuild_rollups as the owner of its tables"
        )
        for model in KEPT:
            model._default_manager.all().delete()
        for mark in MARKS:
            setattr(state, mark, 0)
        TraceExport.objects.update(written_in=until, last_id=START)
        data = {"server": server, "server_before": state.server}
        events.record("database.moved", by=system("engine"), stream="database", data=data)
    state.server = server
    state.save()


def _is_ahead(state: CostFold, until: int) -> bool:
    """Migrated elsewhere, and followed by nobody there: it names no server, but transactions that have not begun here."""
    return any(getattr(state, mark) > until for mark in MARKS)


def adopt() -> int:
    """Rows of transactions of another server are written as of before all of this one's. How many.

    Only the mark that followers go by is changed: no digest of the trail covers it. Raises NotTheOwner.
    """
    try:
        return sum(_adopt(table, FOREIGN.format(as_kept=as_kept)) for table, as_kept in TABLES.items())
    except ProgrammingError:
        raise NotTheOwner(
            "This database came from another server: run this once as the owner of its tables, as `migrate` is."
        ) from None


def _adopt(table: str, foreign: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table} WHERE {foreign})")
        if not cursor.fetchone()[0]:
            return 0
        # The triggers that keep what is recorded from being changed.
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE {table} SET written_in = '0' WHERE {foreign}")
        changed: int = cursor.rowcount
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {table} ENABLE TRIGGER USER")
    return changed
