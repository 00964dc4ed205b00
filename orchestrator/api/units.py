"""A unit named in a body: one the caller may see, or the same answer as for one that does not exist."""

from uuid import UUID

from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.refusals import Invalid
from budgets.models import BusinessUnit
from orchestrator.models import Execution


class OutsideUnit(Invalid):
    """It names what is not the caller's: another unit, an execution of one. Told as if it were not there; counted as a breach."""

    code = "outside_unit"


def unit_named(name: str | None, by: Actor) -> BusinessUnit:
    """The unit of that name; without a name, the only one the caller has."""
    visible = BusinessUnit.objects.filter(pk__in=scope.unit_ids(by, "view"), status=DefinitionStatus.ACTIVE)
    found = list((visible.filter(name=name) if name else visible)[:2])
    if len(found) == 1:
        return found[0]
    if name:
        message = f"There is no active business unit {name!r} that you may see."
        raise OutsideUnit(message, errors=[("/unit", "unknown", message)])
    raise Invalid("Say which unit.", errors=[("/unit", "required", "Say which unit.")])


def refuse_foreign_execution(execution_id: UUID | None, by: Actor) -> bool:
    """What is said of an execution of ours is said by its own unit; ids of other systems are anybody's. Whether it is ours."""
    ours = Execution.objects.filter(pk=execution_id).values_list("unit_id", flat=True).first() if execution_id else None
    if ours is not None and ours not in scope.unit_ids(by, "view"):
        raise OutsideUnit(
            "There is no such execution.", errors=[("/execution", "unknown", "There is no such execution.")]
        )
    return ours is not None
