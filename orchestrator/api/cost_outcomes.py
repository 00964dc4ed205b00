"""`costs/outcomes/`: what a success of each workflow costs, with its waste, as the page of that name says."""

from datetime import date, timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import scope
from audit.lifecycle import database_now
from budgets.units import below
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.lists import BadParameter, refuse_unknown_parameters, unit
from orchestrator.queries.cost_outcomes import BUCKETS, MOST_DAYS, Outcomes, outcomes
from orchestrator.queries.cost_report import Span


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("Write the day as 2026-01-31.") from None


READERS = {"since": _day, "until": _day, "unit": unit}
PARAMETERS = [
    OpenApiParameter("since", str, description="First day, of UTC; default: the first of the month of `until`"),
    OpenApiParameter("until", str, description=f"Last day; default: today. At most {MOST_DAYS} days in all"),
    OpenApiParameter("unit", str, description="A unit's short name, with everything below it"),
]


class SpendingShape(serializers.Serializer[Any]):
    """One currency. `buckets` come to `amount`. `per_success` is null where nothing has succeeded."""

    currency = serializers.CharField()
    amount = serializers.CharField()
    waste = serializers.CharField()
    per_success = serializers.CharField(allow_null=True)
    buckets = serializers.DictField(child=serializers.CharField())


class OutcomesShape(serializers.Serializer[Any]):
    """One workflow. `unknown` counts lines whose cost nobody knows: they are in no amount."""

    workflow = serializers.CharField()
    executions = serializers.DictField(child=serializers.IntegerField())
    unknown = serializers.IntegerField()
    spendings = SpendingShape(many=True)


class CostOutcomesShape(serializers.Serializer[Any]):
    since = serializers.DateField()
    until = serializers.DateField()
    results = OutcomesShape(many=True)


class CostOutcomes(ApiView):
    doors = {"GET": either("read:costs")}

    @extend_schema(responses=CostOutcomesShape, parameters=PARAMETERS, summary="Cost per success, with its waste")
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, *READERS)
        span = _asked(request)
        body = {"since": span.since, "until": span.until, "results": [_shape(one) for one in outcomes(span)]}
        return Response(CostOutcomesShape(body).data, headers={"Cache-Control": "no-store"})


def _asked(request: Request) -> Span:
    given: dict[str, Any] = {}
    for name, read in READERS.items():
        if name in request.query_params:
            try:
                given[name] = read(request.query_params[name])
            except ValueError as error:
                raise BadParameter(f"{name}: {error}") from None
    until = given.get("until") or database_now().date()
    since = given.get("since") or until.replace(day=1)
    if not timedelta(0) <= until - since < timedelta(days=MOST_DAYS) or until == date.max:
        raise BadParameter(f"since: Choose a day up to `until`, and at most {MOST_DAYS} days.")
    seen = scope.unit_ids(actor_of(request), "view")
    if "unit" in given:
        seen = below(given["unit"]) & seen if given["unit"] else frozenset()
    return Span(unit_ids=seen, since=since, until=until)


def _shape(one: Outcomes) -> dict[str, Any]:
    return {
        "workflow": one.workflow,
        "executions": one.executions,
        "unknown": one.unknown,
        "spendings": [
            {
                "currency": spending.currency,
                "amount": f"{spending.whole:f}",
                "waste": f"{spending.waste:f}",
                "per_success": None if spending.per_success is None else f"{spending.per_success:.10f}",
                "buckets": {name: f"{spending.buckets[name]:f}" for name in BUCKETS},
            }
            for spending in one.spendings
        ],
    }
