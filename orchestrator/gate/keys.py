"""Under which name an effect is known: the business key of the world outside, and the idempotency key that is minted here."""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from audit.conditions import compile_expression
from audit.refusals import Invalid
from orchestrator.models import Action, Execution, Tool
from orchestrator.models.action import ENDED_UNUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in one of our own executions the call stands: the idempotency key is minted from it."""

    execution: Execution
    step_id: UUID
    # The attempt that proposes.
    fence: UUID
    step_key: str
    occurrence: int
    revision: int = 1
    # The key of an earlier revision that was sent: what may have happened under it must not happen under another.
    sent_under: str = ""
    # The approval of an earlier revision that is void now: its reviewers are shown what has changed since.
    replaces: UUID | None = None


def business_key_for(tool: Tool | None, arguments: dict[str, Any], named: str, *, is_foreign: bool) -> str:
    """A foreign agent names the effect where the tool does not: by another name it would be hidden that it was sent before."""
    of_tool = business_key_of(tool, arguments)
    return of_tool or named if is_foreign else named or of_tool


def business_key_of(tool: Tool | None, arguments: dict[str, Any]) -> str:
    """The name the outside world knows this effect by, from the tool's template; "" when it has none."""
    if tool is None or not tool.business_key:
        return ""
    value = compile_expression(tool.business_key, {"args": "dyn"}).evaluate({"args": arguments})
    return "" if value.error else str(value.value)


def mint_key(action: Action, place: Place | None, hint: str) -> str:
    """Keys are minted here, never by a model. A revision of what was never sent is a new act with a key of its own."""
    if place is not None and place.sent_under:
        return place.sent_under
    if action.undoes_id:
        # Not from the hint: the agent could use the same one first, and block the undoing of its own act. Nor from the
        # place: whoever undoes it, the other side sees one key, until one try is known to have come to nothing.
        tries = Action.objects.filter(undoes_id=action.undoes_id).exclude(status__in=ENDED_UNUSED).count()
        parts = ["undo", str(action.undoes_id), *([f"t{tries}"] if tries else [])]
    elif place is not None:
        parts = [str(place.execution.pk), place.step_key, str(place.occurrence), action.business_key]
        if place.revision > 1:
            parts.append(f"r{place.revision}")
    elif hint:
        parts = [str(action.unit_id), action.agent, action.tool, hint]
    else:
        return f"hp-{action.pk}"
    return f"hp-{hashlib.sha256(chr(31).join(parts).encode()).hexdigest()[:40]}"


def one_at_a_time(key: str) -> None:
    """The same hint from two threads at once: the second waits here and then finds the first one's action."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def earlier_under(action: Action) -> Action | None:
    earlier = (
        Action.objects.filter(tool=action.tool, idempotency_key=action.idempotency_key)
        .exclude(status__in=ENDED_UNUSED)
        .first()
    )
    if earlier is not None and not earlier.is_call(action.tool, action.arguments):
        raise Invalid(
            "This hint was used for a call with other arguments.",
            errors=[("/idempotency_hint", "mismatch", f"Action {earlier.pk} holds other arguments under this hint.")],
        )
    return earlier
