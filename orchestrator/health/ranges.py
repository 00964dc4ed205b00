"""Which acceptable range holds for which executions: the nearest one that people have put in force, else the settings'."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from audit.definitions import DefinitionStatus
from budgets.units import lineages
from orchestrator.models import ServiceLevel


@dataclass(frozen=True, slots=True)
class Range:
    """From and to; `set_by` names the definition, and is empty for the settings'."""

    low: float
    high: float
    set_by: str = ""


def defaults() -> dict[str, Range]:
    return {key: Range(low, high) for key, (low, high) in settings.SERVICE_LEVELS.items()}


class Ranges:
    """Those in force, read once."""

    def __init__(self) -> None:
        rows = ServiceLevel.objects.filter(status=DefinitionStatus.ACTIVE).order_by("activated_at", "pk")
        self._rows: list[ServiceLevel] = list(rows)

    def of(self, units: Iterable[UUID]) -> dict[str, Range]:
        """Of all executions of these units together: what covers every one of them, the deepest unit last."""
        return defaults() | self._chosen(units, "")

    def of_workflow(self, units: Iterable[UUID], workflow: str) -> Mapping[str, Range]:
        """What was drafted for this workflow; nothing for figures that have no range of their own."""
        return self._chosen(units, workflow) if workflow else {}

    def _chosen(self, units: Iterable[UUID], workflow: str) -> dict[str, Range]:
        rows = [row for row in self._rows if row.workflow == workflow]
        if not rows:
            return {}
        above = list(lineages(units).values())
        shared = [pk for pk in above[0] if all(pk in line for line in above)] if above else []
        # The widest first, so that nearer ones take its place; None covers every unit.
        depth: dict[UUID | None, int] = {None: 0, **{pk: number for number, pk in enumerate(reversed(shared), 1)}}
        covering = sorted((row for row in rows if row.unit_id in depth), key=lambda row: depth[row.unit_id])
        return {row.figure: Range(float(row.low), float(row.high), str(row)) for row in covering}
