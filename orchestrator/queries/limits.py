"""Limits in force with where they stand: what is under way, what waits for its turn since when, and open breakers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, Q

from approvals.rules.administrators import is_administrator
from audit import scope
from audit.actors import Actor
from audit.refusals import Forbidden, NotVisible
from budgets.models import BusinessUnit
from budgets.units import above, lineages
from orchestrator.models import Action, Breaker, Step
from orchestrator.statuses import BreakerStatus, StepStatus


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit as it stands now. Counts are of the units the reader sees."""

    breaker: Breaker
    unit_title: str
    under_way: int
    waiting: int
    waiting_since: datetime | None

    @property
    def covers(self) -> str:
        limit = self.breaker.limit
        what = [f"tool {limit.tool}" if limit.tool else "", f"agent {limit.agent}" if limit.agent else ""]
        return ", ".join(filter(None, what)) or "everything"


def limits(actor: Actor) -> list[Standing]:
    """Those of the reader's units, of units above them, and of every unit; open ones first. Always six statements."""
    seen = scope.unit_ids(actor, "view")
    near = {*seen, *above(seen)}
    rows = Breaker.objects.in_force().filter(Q(limit__unit_id=None) | Q(limit__unit_id__in=near))
    breakers = list(rows.select_related("limit").order_by("limit__name"))
    titles = dict(BusinessUnit.objects.values_list("pk", "title")) if breakers else {}
    waiting = _waiting([breaker.limit_id for breaker in breakers], seen)
    under_way = _under_way(seen) if breakers else []
    found = [_standing(breaker, titles, waiting, under_way) for breaker in breakers]
    return sorted(found, key=lambda one: (one.breaker.status == BreakerStatus.CLOSED, -one.waiting))


def breaker_to_close(actor: Actor, limit_id: UUID) -> Breaker:
    """Raises NotVisible where the reader does not operate its unit, Forbidden where it takes an administrator."""
    breaker = Breaker.objects.in_force().select_related("limit").filter(limit_id=limit_id).first()
    if breaker is None or breaker.limit.unit_id not in {None, *scope.unit_ids(actor, "operate")}:
        raise NotVisible("There is no such limit.")
    if not closable(actor, [breaker]):
        raise Forbidden(
            f"{breaker.limit.name} protects every business unit, so closing it takes an administrator.",
            code="not_an_administrator",
            remedy="Ask an administrator; it is tried again by itself once its pause is over.",
        )
    return breaker


def closable(actor: Actor, breakers: list[Breaker]) -> set[UUID]:
    """The limits whose breaker they may close: as operator of the unit; of every unit, as administrator, as for stops."""
    places: set[UUID | None] = {*scope.unit_ids(actor, "operate")}
    if any(breaker.limit.unit_id is None for breaker in breakers) and is_administrator(actor):
        places.add(None)
    return {breaker.limit_id for breaker in breakers if breaker.limit.unit_id in places}


def _waiting(limit_ids: list[UUID], seen: frozenset[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = Step.objects.filter(status=StepStatus.THROTTLED, waits_for__in=limit_ids, unit_id__in=seen)
    counted = rows.values("waits_for").annotate(number=Count("id"), since=Min("started_at")).order_by()
    return {row["waits_for"]: dict(row) for row in counted if row["waits_for"]}


def _under_way(seen: frozenset[UUID]) -> list[dict[str, Any]]:
    rows = Action.objects.under_way().filter(unit_id__in=seen)
    found = list(rows.values("unit_id", "agent", "tool").annotate(number=Count("id")).order_by())
    places = lineages({row["unit_id"] for row in found})
    return [{**row, "places": [None, *places[row["unit_id"]]]} for row in found]


def _standing(
    breaker: Breaker, titles: dict[UUID, str], waiting: dict[UUID, dict[str, Any]], under_way: list[dict[str, Any]]
) -> Standing:
    limit = breaker.limit
    number = sum(
        row["number"]
        for row in under_way
        if limit.agent in {"", row["agent"]} and limit.tool in {"", row["tool"]} and limit.unit_id in row["places"]
    )
    queue = waiting.get(limit.pk, {})
    title = titles.get(limit.unit_id, "?") if limit.unit_id else "Every business unit"
    return Standing(breaker, title, number, queue.get("number", 0), queue.get("since"))
