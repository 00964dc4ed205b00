"""A bypass lowers one tool's tier for a few hours. It is drafted and activated by two administrators, like any rule.

It lowers the floor and nothing else: a policy that asks for people still does, and what is denied stays denied.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from approvals.models import ApprovalPolicy, Bypass
from approvals.rules.policies import TIERS, Requirement
from approvals.rules.policies import match as match_policies
from audit import rounds
from audit.actors import Actor
from audit.definitions import retire


def for_call(*, tool: str, agent: str, unit_ids: list[UUID]) -> Bypass | None:
    """The bypass in force for this call, the one that asks for the fewest people first."""
    here = Q(unit_id=None) | Q(unit_id__in=unit_ids)
    rows = Bypass.objects.in_force().filter(here, tool=tool, agent__in=["", agent])
    return min(rows, key=lambda row: TIERS[row.tier], default=None)


def match(
    *, tier: str, facts: Mapping[str, Any], policies: Iterable[ApprovalPolicy], bypass: Bypass | None
) -> tuple[Requirement, Bypass | None]:
    """What is asked for under the bypass, and the bypass itself when it made a difference."""
    if bypass is None or TIERS[bypass.tier] >= TIERS[tier]:
        return match_policies(tier=tier, facts=facts, policies=policies), None
    lowered = match_policies(tier=bypass.tier, facts=facts, policies=policies)
    if lowered.required >= TIERS[tier]:
        return lowered, None
    return replace(
        lowered,
        reasons=(*lowered.reasons, sentence(bypass)),
        policy_version=f"{lowered.policy_version}, bypass {bypass.name}",
    ), bypass


def sentence(bypass: Bypass) -> str:
    """Why fewer people are asked, as the reviewer and the auditor read it."""
    return (
        f"Bypass {bypass.name}: the tier is lowered to {bypass.tier.replace('_', ' ')} "
        f"until {bypass.ends_at:%Y-%m-%d %H:%M} UTC ({bypass.reason}). "
        f"Proposed by {bypass.edited_by or 'the system'}, activated by {bypass.activated_by or 'the system'}."
    )


def end_overdue(*, by: Actor) -> int:
    """Record the end of those whose time is over. They have let nothing through since then, recorded or not."""
    return rounds.each(rounds.due(Bypass.objects.over, 100), partial(_end, by))


@transaction.atomic
def _end(by: Actor, bypass_id: UUID) -> bool:
    bypass = Bypass.objects.over().select_for_update(skip_locked=True).filter(pk=bypass_id).first()
    if bypass is not None:
        retire(bypass, by=by, why="its time is over")
    return bypass is not None
