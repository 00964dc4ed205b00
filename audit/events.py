"""Writing the audit trail: facts go into one hash-chained stream by the SQL function audit_append, nowhere else."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from audit.actors import Actor
from audit.canonical import canonical
from audit.ids import new_id_text

SECURITY_STREAM = "security"


def fact(
    name: str,
    *,
    by: Actor,
    object_id: UUID | None = None,
    unit_id: UUID | None = None,
    before: str = "",
    after: str = "",
    why: str = "",
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One event as audit_append takes it. `data` holds ids, digests and numbers: never a payload or a secret."""
    return {
        "id": new_id_text(),
        "event": name,
        "actor": by.key,
        "actor_name": by.name,
        "object": str(object_id) if object_id else None,
        "unit": str(unit_id) if unit_id else None,
        "before": before,
        "after": after,
        "why": why,
        "data": canonical(data) if data else "",
    }


def append(stream: str, *facts: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        arguments: list[Any] = [stream, Jsonb(list(facts))]
        cursor.execute("SELECT audit_append(%s, %s)", arguments)


def record(
    name: str,
    *,
    by: Actor,
    stream: str = SECURITY_STREAM,
    object_id: UUID | None = None,
    unit_id: UUID | None = None,
    why: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """A fact that is not a status change: a sign-in, a refusal, a secret viewed, a policy edited."""
    append(stream, fact(name, by=by, object_id=object_id, unit_id=unit_id, why=why, data=data))
