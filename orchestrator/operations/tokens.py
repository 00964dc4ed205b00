"""Machines' keys: issued once, stored as a hash, scoped, bound to one agent and unit, expiring, revocable.

Checking a presented token is `owner_of`; turning it into an answer to a request is orchestrator.api.auth.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from audit import events
from audit.actors import Actor, system
from audit.definitions import DefinitionStatus
from audit.lifecycle import database_now
from audit.refusals import Invalid, NotVisible
from budgets.models import BusinessUnit
from budgets.units import lineage
from orchestrator.models import Agent, ServiceToken

# What a token may be allowed to do. Deciding, configuring, raising limits and activating are not on the list:
# people do those.
SCOPES = {
    "actions:propose": "propose, follow and withdraw actions",
    "actions:redeem": "receive the arguments of a granted action, once",
    "actions:report": "report how a redeemed action ended",
    "executions:start": "start and cancel executions",
    "executions:read": "follow executions, approvals and dead letters",
    "usage:write": "report tokens and cost of model calls",
    "traces:write": "send traces",
    "read:audit": "read the audit trail of its unit",
    "read:costs": "read costs of its unit",
    "read:health": "read the figures of the machine and of its unit, for monitoring",
    "dead_letters:retry": "redrive dead letters of its unit",
}
LONGEST_DAYS = 366
COMMAND_LINE = system("command line")
_TEXT = re.compile(r"hp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
# Asked at every request, so in one statement. The rule of the gate: an agent acts in its unit and below. Of one that has moved
# away, and in a unit that has ended, a token opens nothing.
IN_FORCE = """
WITH RECURSIVE token AS (
  SELECT * FROM orchestrator_servicetoken WHERE prefix = %s AND expires_at > statement_timestamp() AND revoked_at IS NULL
), lineage (id, parent_id) AS (
  SELECT unit.id, unit.parent_id FROM budgets_businessunit AS unit JOIN token ON token.unit_id = unit.id
  WHERE unit.status <> 'retired'
  UNION
  SELECT unit.id, unit.parent_id FROM budgets_businessunit AS unit JOIN lineage ON lineage.parent_id = unit.id
)
SELECT token.* FROM token WHERE EXISTS (
  SELECT 1 FROM orchestrator_agent AS agent JOIN lineage ON lineage.id = agent.unit_id
  WHERE agent.name = token.agent AND agent.status = 'active'
)
"""


@transaction.atomic
def issue(
    agent: str, unit: str, scopes: Iterable[str], days: int = 90, *, by: Actor = COMMAND_LINE
) -> tuple[str, ServiceToken]:
    """A new token for an active agent in one unit. The text is returned here and is nowhere afterwards."""
    wanted = sorted(set(scopes))
    _refuse_unusable(wanted, days)
    home = BusinessUnit.objects.filter(name=unit).exclude(status=DefinitionStatus.RETIRED).first()
    if home is None:
        raise Invalid(f"There is no business unit {unit!r}.", errors=[("/unit", "unknown", "No such unit.")])
    _refuse_stranger(agent, home)
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = ServiceToken.objects.create(
        prefix=prefix,
        secret_hash=_hash(secret),
        agent=agent,
        unit_id=home.pk,
        scopes=wanted,
        expires_at=database_now() + timedelta(days=days),
    )
    events.record(
        "token.issued", by=by, object_id=token.pk, unit_id=home.pk,
        data={"prefix": prefix, "agent": agent, "scopes": wanted, "days": days},
    )  # fmt: skip
    return f"hp_{prefix}_{secret}", token


@transaction.atomic
def revoke(prefix: str, *, by: Actor = COMMAND_LINE, why: str = "") -> ServiceToken:
    """End a token now: the next request that carries it is refused. Repeating it changes nothing."""
    token = ServiceToken.objects.select_for_update().filter(prefix=prefix).first()
    if token is None:
        raise NotVisible(f"There is no token {prefix}.")
    if token.revoked_at is None:
        token.revoked_at = database_now()
        token.save(update_fields=["revoked_at"])
        events.record("token.revoked", by=by, object_id=token.pk, unit_id=token.unit_id, why=why)
    return token


def owner_of(text: str) -> ServiceToken | None:
    """The token in force with this text, whose agent is still active and of its unit; None for anything else."""
    parts = _TEXT.fullmatch(text)
    if parts is None:
        return None
    token: ServiceToken | None = next(iter(ServiceToken.objects.raw(IN_FORCE, [parts[1]])), None)
    # Compared even when there is no such token: the time taken must say nothing about prefixes.
    stored = token.secret_hash if token else _hash("")
    same = hmac.compare_digest(stored, _hash(parts[2]))
    return token if same else None


def _hash(secret: str) -> str:
    # 256 random bits cannot be searched for, so a plain digest is enough; stretching would only cost time.
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse_stranger(agent: str, unit: BusinessUnit) -> None:
    if not Agent.objects.active().filter(name=agent, unit_id__in=lineage(unit.pk)).exists():
        raise Invalid(
            f"There is no active agent {agent!r} in the unit {unit.name!r}.",
            errors=[("/agent", "unknown", "No such active agent in this unit or above it.")],
            remedy="Name the unit the agent is registered in, or one below it; or register it there with import_agents, "
            "or have its draft activated.",
        )


def _refuse_unusable(scopes: list[str], days: int) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise Invalid(
            f"There is no scope {unknown[0]!r}." if unknown else "A token needs at least one scope.",
            errors=[("/scopes", "unknown", f"Scopes: {', '.join(SCOPES)}")],
            remedy=f"Choose from: {', '.join(SCOPES)}.",
        )
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"A token lives 1 to {LONGEST_DAYS} days.", errors=[("/days", "range", "Out of range.")])
