"""What a policy refers to by name has to be in force where the policy is: asked on saving, in the admin and on import."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.db.models import Q

from approvals.models import BusinessCalendar, OnTimeout, ReviewerGroup
from approvals.quorum import Need
from budgets.units import lineage

MOST_PEOPLE = 20


def problems(
    *, needs: Iterable[Need], calendar: str, on_timeout: str, escalate_to: str, unit_id: UUID | None
) -> Iterator[tuple[str, str]]:
    """Every fault as (field, what is wrong)."""
    needs, groups = list(needs), _in_reach(ReviewerGroup, unit_id)
    for need in needs:
        yield from (("needs", problem) for problem in _need_problems(need, groups))
    if calendar:
        yield from _unknown("calendar", "calendar", calendar, _in_reach(BusinessCalendar, unit_id))
    if escalate_to:
        yield from _unknown("escalate_to", "group", escalate_to, groups)
    yield from contradictions(needs=needs, on_timeout=on_timeout, escalate_to=escalate_to)


def contradictions(*, needs: Iterable[Need], on_timeout: str, escalate_to: str) -> Iterator[tuple[str, str]]:
    """What is wrong whatever is in force; asks no database."""
    if sum(need.count for need in needs) > MOST_PEOPLE:
        yield "needs", f"At most {MOST_PEOPLE} people can be asked."
    if on_timeout == OnTimeout.ESCALATE and not escalate_to:
        yield "escalate_to", "Say which group is asked next."
    if on_timeout != OnTimeout.ESCALATE and escalate_to:
        yield "escalate_to", "Only a policy that escalates on time-out asks another group: leave this empty."


def _need_problems(need: Need, groups: dict[str, Any]) -> Iterator[str]:
    unknown = [name for name in need.groups if name not in groups]
    for name in unknown:
        yield from (problem for _, problem in _unknown("needs", "group", name, groups))
    members = {pk for name in need.groups if name in groups for pk in groups[name].member_ids}
    if not unknown and len(members) < need.count:
        yield f"“{need}” cannot be met: there are {len(members)} members."


def _in_reach(model: Any, unit_id: UUID | None) -> dict[str, Any]:
    """What is in force for every unit, for this one, and for those above it."""
    units = lineage(unit_id) if unit_id else []
    return {row.name: row for row in model.objects.active().filter(Q(unit_id=None) | Q(unit_id__in=units))}


def _unknown(field: str, noun: str, name: str, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if name in known:
        return
    close = get_close_matches(name, known, n=1)
    remedy = f"Did you mean {close[0]}?" if close else f"In force here: {', '.join(sorted(known)) or 'none yet'}."
    yield field, f"There is no {noun} “{name}” in force for this business unit. {remedy}"
