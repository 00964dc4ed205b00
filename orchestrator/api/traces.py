"""`traces/` and an execution's `trace/`: every part with its parent, times, state and own cost, earliest first."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from audit.queries import visible_or_refuse
from budgets.models import LedgerEntry
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.contract import listing
from orchestrator.api.lists import (
    BadParameter,
    Cursors,
    Filter,
    choice,
    page_of,
    refuse_unknown_parameters,
    text,
    unit,
    value_of,
    when,
)
from orchestrator.api.shapes import unit_names
from orchestrator.models import Execution
from orchestrator.queries.costs import Cost
from orchestrator.queries.trace_conditions import CONDITIONS
from orchestrator.queries.trace_search import began, costs_of
from orchestrator.queries.traces import Node, Trace, trace
from orchestrator.statuses import ExecutionStatus

READ = either("executions:read")
MOST, USUAL = 2_000, 500


class AmountShape(serializers.Serializer[Any]):
    cost = serializers.DecimalField(max_digits=30, decimal_places=10)
    currency = serializers.CharField()


class PartShape(serializers.Serializer[Any]):
    """One part. `costs` are its own, currencies apart; `unknown` counts calls of unknown cost, which are in no sum."""

    id = serializers.UUIDField()
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]
    execution = serializers.UUIDField(allow_null=True)
    kind = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField(help_text="`ok`, `error`, `refused`, `waiting` or `running`")
    status = serializers.CharField()
    note = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    costs = AmountShape(many=True)
    unknown = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    call = serializers.JSONField(
        allow_null=True,
        help_text="Of a model call, what its caller said: `prompt`, `prompt_digest`, `settings`, `corpus`, `request`, `outcome`",
    )


class TraceShape(serializers.Serializer[Any]):
    """`withheld` parts belong to units the caller may not see. `next` is the address of the parts after these."""

    id = serializers.UUIDField()
    started_at = serializers.DateTimeField()
    parts = serializers.IntegerField()
    error_count = serializers.IntegerField()
    withheld = serializers.IntegerField()
    results = PartShape(many=True)
    next = serializers.CharField(allow_null=True)


PARAMETERS = [OpenApiParameter("limit", int), OpenApiParameter("after", int, description="As `next` says")]


class FoundTraceShape(serializers.Serializer[Any]):
    """What began a trace. `costs` are of the whole trace, currencies apart; `unknown` calls are in no sum."""

    id = serializers.UUIDField(help_text="The trace's")
    execution = serializers.UUIDField()
    workflow = serializers.CharField()
    unit = serializers.CharField()
    status = serializers.CharField()
    requester_name = serializers.CharField()
    business_key = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    costs = AmountShape(many=True)
    unknown = serializers.IntegerField()


def _seconds(value: str) -> timedelta:
    return timedelta(seconds=float(_amount(value)))


def _amount(value: str) -> Decimal:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII):
        raise ValueError("Use a number, at most nine digits before and after the dot.")
    return Decimal(value)


FILTERS = {
    "status": Filter("status", choice(*ExecutionStatus.values)),
    "workflow": Filter("workflow", text),
    "unit": Filter("unit_id", unit),
    "business_key": Filter("business_key", text),
    "created_after": Filter("created_at__gte", when),
    "created_before": Filter("created_at__lt", when),
}
# What happened anywhere in the trace; the names are those of orchestrator.queries.trace_conditions.
IN_IT = {"agent": text, "tool": text, "error": text, "slower": _seconds, "cost": _amount}
NEWEST_FIRST = Cursors(("-created_at", "-id"))


class Traces(ApiView):
    doors = {"GET": READ}
    filters = {**FILTERS, **IN_IT}

    @extend_schema(responses=listing(FoundTraceShape), summary="Search traces by what happened in them, newest first")
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        rows, said = began(actor), request.query_params
        after, before = (
            value_of(name, when, said[name]) if name in said else None for name in ("created_after", "created_before")
        )
        for name, reads in IN_IT.items():
            if said.get(name):
                rows = rows.filter(CONDITIONS[name](actor, value_of(name, reads, said[name]), (after, before)))
        return page_of(request, rows, NEWEST_FIRST, FILTERS, lambda found: _found(found, actor), known=(*IN_IT,))


def _found(begun: list[Execution], actor: Actor) -> list[Any]:
    costs = costs_of(actor, begun)
    units = unit_names({one.unit_id for one in begun})
    return [_found_one(one, costs.get(one.pk, Cost()), units) for one in begun]


def _found_one(one: Execution, cost: Cost, units: Mapping[UUID, str]) -> Any:
    said = {name: getattr(one, name) for name in ("workflow", "status", "requester_name", "business_key")}
    body = {
        **said,
        "id": one.trace_id,
        "execution": one.pk,
        "unit": units.get(one.unit_id, ""),
        "created_at": one.created_at,
        "finished_at": one.finished_at,
        "costs": [{"cost": amount, "currency": currency} for currency, amount in cost.amounts],
        "unknown": cost.unknown,
    }
    return FoundTraceShape(body).data


class OneTrace(ApiView):
    doors = {"GET": READ}

    @extend_schema(responses=TraceShape, parameters=PARAMETERS, summary="Every part of a trace, earliest first")
    def get(self, request: Request, trace_id: UUID) -> Response:
        return _answer(request, trace_id)


class TraceOfExecution(ApiView):
    doors = {"GET": READ}

    @extend_schema(responses=TraceShape, parameters=PARAMETERS, summary="The trace that an execution belongs to")
    def get(self, request: Request, execution_id: UUID) -> Response:
        # Asked of the execution itself: a caller may have joined the trace of one that is not theirs to know of.
        found = visible_or_refuse(Execution.objects.visible_to(actor_of(request)), execution_id, "execution")
        return _answer(request, found.trace_id)


def _answer(request: Request, trace_id: UUID) -> Response:
    refuse_unknown_parameters(request, "limit", "after")
    limit, after = _whole(request, "limit", USUAL), _whole(request, "after", 0)
    if not 1 <= limit <= MOST:
        raise BadParameter(f"limit: From 1 to {MOST:,}.")
    found = trace(actor_of(request), trace_id, now=timezone.now())
    ordered = sorted(found.nodes.values(), key=lambda node: (node.part.started_at, node.part.id))
    some = ordered[after : after + limit]
    calls = _calls(some)
    left = after + limit < len(ordered)
    url = request.build_absolute_uri(f"{request.path}?limit={limit}&after={after + limit}") if left else None
    return Response(TraceShape(_shape(found, some, url, calls)).data)


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise BadParameter(f"{name}: Use a whole number.")
    return int(text)


def _calls(nodes: Iterable[Node]) -> dict[UUID, Any]:
    """How the models were called, by line; no statement where none was."""
    ids = [node.part.id for node in nodes if node.part.kind == "model"]
    return dict(LedgerEntry.objects.filter(pk__in=ids).values_list("pk", "call")) if ids else {}


def _shape(found: Trace, nodes: Iterable[Node], url: str | None, calls: dict[UUID, Any]) -> dict[str, Any]:
    return {
        "id": found.id,
        "started_at": found.started_at,
        "parts": len(found.nodes),
        "error_count": found.root.errors,
        "withheld": found.withheld,
        "results": [_part(found, node) | {"call": calls.get(node.part.id)} for node in nodes],
        "next": url,
    }


def _part(found: Trace, node: Node) -> dict[str, Any]:
    part = node.part
    return {
        "id": part.id, "parent": part.parent_id if part.parent_id in found.nodes else None, "execution": part.execution_id,
        "kind": part.kind, "name": part.name, "state": part.state, "status": part.status, "note": part.note,
        "started_at": part.started_at, "ended_at": part.ended_at,
        "costs": [{"cost": amount, "currency": currency} for currency, amount in node.own.amounts],
        "unknown": node.own.unknown, "input_tokens": node.own.input_tokens, "output_tokens": node.own.output_tokens,
    }  # fmt: skip
