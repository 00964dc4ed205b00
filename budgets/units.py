"""Reading the unit tree: few rows, asked by everybody."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from audit.definitions import DefinitionStatus
from audit.lifecycle import run
from audit.refusals import Invalid
from budgets.models import BusinessUnit

_NAMED = "SELECT id, title FROM budgets_businessunit WHERE name = %s AND status = 'active'"


class ActiveUnit(NamedTuple):
    """What the start of an execution needs to know of its unit."""

    pk: UUID
    title: str


def named(name: str) -> ActiveUnit:
    """The active unit of that name. Raises Invalid with the names there are."""
    rows = run(_NAMED, [name])
    if not rows:
        known = ", ".join(BusinessUnit.objects.filter(status=DefinitionStatus.ACTIVE).values_list("name", flat=True))
        raise Invalid(
            f"There is no active business unit called “{name}”.",
            errors=[("/unit", "unknown", f"Use one of: {known or 'none yet'}.")],
        )
    return ActiveUnit(*rows[0])


def lineage(unit_id: UUID) -> list[UUID]:
    """The unit and everything above it: a policy or an agent of a unit covers the units below."""
    return lineages([unit_id])[unit_id]


def lineages(unit_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """The lineage of each of these units, in one query."""
    parents = dict(BusinessUnit.objects.values_list("pk", "parent_id"))
    return {unit_id: _upwards(unit_id, parents) for unit_id in unit_ids}


def below(unit_id: UUID) -> frozenset[UUID]:
    """The unit and everything below it."""
    parents = dict(BusinessUnit.objects.values_list("pk", "parent_id"))
    return frozenset(pk for pk in parents if unit_id in _upwards(pk, parents))


def _upwards(unit_id: UUID, parents: Mapping[UUID, UUID | None]) -> list[UUID]:
    found: list[UUID] = []
    here: UUID | None = unit_id
    while here is not None and here not in found:
        found.append(here)
        here = parents.get(here)
    return found


def above(unit_ids: Iterable[UUID]) -> set[UUID]:
    """Every unit that any of these stands below."""
    parents = dict(BusinessUnit.objects.values_list("pk", "parent_id"))
    found: set[UUID] = set()
    for here in unit_ids:
        parent = parents.get(here)
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parents.get(parent)
    return found
