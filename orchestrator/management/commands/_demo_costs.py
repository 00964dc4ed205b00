"""Two months of made-up costs, as examples/costs/months.json describes them, by the verbs that write real ones."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit.actors import Actor
from audit.canonical import digest
from audit.ids import new_id
from audit.lifecycle import born, move
from budgets.operations import Place, import_call
from budgets.pricing import Usage
from budgets.units import ActiveUnit, named
from orchestrator.models import Execution, Release
from orchestrator.statuses import ExecutionStatus

FILE = settings.BASE_DIR / "examples" / "costs" / "months.json"
WHY = "Synthetic: written by the demo, so that costs have something to show"
DAY = timedelta(days=1)


@transaction.atomic
def write(*, by: Actor, today: date) -> int:
    """Every execution and call from the first day of last month to yesterday. Returns how many executions."""
    return sum(_write(one, by=by, today=today) for one in json.loads(FILE.read_text()))


def _write(one: dict[str, Any], *, by: Actor, today: date) -> int:
    unit, count = named(one["unit"]), 0
    release = Release.objects.filter(workflow=one["workflow"]).order_by("-pk").first()
    for day in _days(today):
        month = one["this" if (day.year, day.month) == (today.year, today.month) else "last"]
        if one["weekdays_only"] and day.weekday() > 4:
            continue
        for number in range(month["a_day"]):
            at = datetime.combine(day, time(9 + number, 17), UTC)
            run = _execution(release, unit, at, by) if release else None
            _calls(month["calls"], Place(unit_id=unit.pk, agent=one["agent"], execution_id=run), at)
            count += run is not None
    return count


def _days(today: date) -> Iterator[date]:
    day = (today.replace(day=1) - DAY).replace(day=1)
    while day < today:
        yield day
        day += DAY


def _execution(release: Release, unit: ActiveUnit, at: datetime, by: Actor) -> UUID:
    """An execution that was over at once: born, run and done by the lifecycle, without a step that a worker could take."""
    pk, key = new_id(), f"synthetic-{at:%Y-%m-%d-%H}"
    run = Execution(
        id=pk,
        root_id=pk,
        trace_id=pk,
        workflow=release.workflow,
        release=release,
        unit_id=unit.pk,
        unit_title=unit.title,
        requester=by.key,
        requester_name=by.name,
        business_key=key,
        input={"synthetic": True},
        execution_hash=digest({"input": {"synthetic": True}, "release": release.digest}),
        created_at=at,
    )
    born(run, by=by, why=WHY)
    move(run, to=ExecutionStatus.RUNNING, by=by, why=WHY, started_at=at)
    move(run, to=ExecutionStatus.SUCCEEDED, by=by, why=WHY, finished_at=at + timedelta(seconds=20))
    return pk


def _calls(calls: list[dict[str, Any]], place: Place, at: datetime) -> None:
    for call in calls:
        cost = Decimal(call["cost"]) if "cost" in call else None
        import_call(Usage(**{**call, "cost": cost, "provider": "" if cost else "openai"}), place, at=at)
