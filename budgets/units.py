"""Reading the unit tree: few rows, asked by everybody."""

from uuid import UUID

from audit.definitions import DefinitionStatus
from audit.refusals import Invalid
from budgets.models import BusinessUnit


def named(name: str) -> BusinessUnit:
    """The active unit of that name. Raises Invalid with the names there are."""
    unit = BusinessUnit.objects.filter(name=name, status=DefinitionStatus.ACTIVE).first()
    if unit is None:
        known = ", ".join(BusinessUnit.objects.filter(status=DefinitionStatus.ACTIVE).values_list("name", flat=True))
        raise Invalid(
            f"There is no active business unit called “{name}”.",
            errors=[("/unit", "unknown", f"Use one of: {known or 'none yet'}.")],
        )
    return unit


def lineage(unit_id: UUID) -> list[UUID]:
    """The unit and everything above it: a policy or an agent of a unit covers the units below."""
    parents = dict(BusinessUnit.objects.values_list("pk", "parent_id"))
    found: list[UUID] = []
    here: UUID | None = unit_id
    while here is not None and here not in found:
        found.append(here)
        here = parents.get(here)
    return found
