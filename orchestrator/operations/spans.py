"""Spans that foreign agents report: kept once, hung where they belong, and a model call's usage charged once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from audit import events
from audit.actors import Actor
from audit.ids import new_id
from audit.models import Span
from budgets import operations as budgets
from orchestrator.engine.retention import taken_since
from orchestrator.models import Execution
from orchestrator.operations import span_quota
from orchestrator.operations.span_tree import Place, Tree, adopt
from orchestrator.telemetry.reading import CIRCLE, TOO_OLD, Reported

# What a later version of a span that was still open changes. Where it hangs stays.
CLOSING = ["kind", "name", "started_at", "ended_at", "status", "attributes", "events", "links", "dropped"]
MAY_CHARGE = "usage:write"


@dataclass(frozen=True, slots=True)
class Taken:
    """How many spans were kept or were known already, and how many were refused, by the reason."""

    accepted: int
    refused: Counter[str]


@transaction.atomic
def take(*, reported: list[Reported], refused: Mapping[str, int], size: int, by: Actor) -> Taken:
    """Keep what one request reports in the unit of its token. The same again changes nothing; an end closes an open span.

    A model call that ended is charged in this transaction, exactly once, if the token may also report usage. Spans that would
    close a circle, or that ended longer ago than spans are kept, are refused one by one: what was removed is not charged a
    second time when it is sent again. Raises OverQuota, and then nothing was kept.
    """
    (unit_id,) = by.unit_ids
    span_quota.take(unit_id, spans=len(reported) + sum(refused.values()), size=size)
    tree = Tree(unit_id, by.name, ((one.trace_id, one.external_id, one.parent) for one in reported))
    turned_down = Counter(refused)
    young = _young(reported, unit_id, turned_down)
    written: dict[UUID, tuple[Place, Reported]] = {}
    for one in young:
        place = _place(tree, one, by.name, turned_down)
        if place is not None:
            written[place.id] = (place, one)
    # A parent may stand further down in the same request, so rows are made when all of it was read.
    _keep([_row(one, place, unit_id) for place, one in written.values()])
    if MAY_CHARGE in by.scopes:
        _charge({key: one for key, (_, one) in written.items() if one.usage and one.ended_at}, tree, unit_id, by)
    if turned_down:
        events.record(
            "spans.refused", by=by, stream=f"traces:{by.name}", unit_id=unit_id,
            data={"count": sum(turned_down.values()), **{reason: count for reason, count in turned_down.items() if count}},
        )  # fmt: skip
    return Taken(len(young) - turned_down[CIRCLE], turned_down)


def _young(reported: list[Reported], unit_id: UUID, turned_down: Counter[str]) -> list[Reported]:
    since = taken_since(unit_id)
    young = [one for one in reported if since is None or (one.ended_at or one.started_at) >= since]
    if len(young) < len(reported):
        turned_down[TOO_OLD] += len(reported) - len(young)
    return young


def _place(tree: Tree, one: Reported, agent: str, turned_down: Counter[str]) -> Place | None:
    """Where it is written; None when there is nothing to write."""
    known = tree.mine(one.trace_id, one.external_id)
    if known is not None:
        if known.ended_at is not None or one.ended_at is None:
            return None
        known.ended_at = one.ended_at
        return known
    if tree.closes_circle(one.trace_id, one.external_id, one.parent):
        turned_down[CIRCLE] += 1
        return None
    place = Place(new_id(), one.trace_id, agent, one.external_id, one.parent, None, one.ended_at)
    tree.add(place)
    return place


def _row(one: Reported, place: Place, unit_id: UUID) -> Span:
    return Span(
        id=place.id,
        unit_id=unit_id,
        agent=place.agent,
        trace_id=place.trace_id,
        external_id=place.external_id,
        parent_id=place.parent_id,
        parent_external_id=place.waits_for,
        **{name: getattr(one, name) for name in CLOSING},
    )


def _keep(rows: list[Span]) -> None:
    """New rows, and the ends of open ones, in one statement; then what was stored before and waited for one of them."""
    Span.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=CLOSING, batch_size=1000)
    adopt([row.pk for row in rows])


def _charge(ended: dict[UUID, Reported], tree: Tree, unit_id: UUID, by: Actor) -> None:
    homes = {span_id: tree.execution_of(one.trace_id, one.parent) for span_id, one in ended.items()}
    rows = Execution.objects.select_related("release").only("workflow", "requester", "release__digest")
    runs: dict[Any, Execution] = rows.in_bulk(set(homes.values()) - {None})
    for span_id, one in ended.items():
        run = runs.get(homes[span_id])
        place = budgets.Place(
            unit_id=unit_id,
            execution_id=homes[span_id],
            span_id=span_id,
            agent=by.name,
            workflow=run.workflow if run else "",
            requester=run.requester if run else "",
            release=run.release.digest if run else "",
        )
        if one.usage is not None:
            budgets.charge(one.usage, place)
