"""`costs/outcomes/`: what a success of each workflow costs, with its waste, as the page of that name says."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import scope
from audit.lifecycle import database_now
from budgets.units import below
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.lists import BadParameter, refuse_unknown_parameters, unit, value_of
from orchestrator.queries.cost_outcomes import BUCKETS, MOST_DAYS, Outcomes, outcomes
from orchestrator.queries.cost_report import Span
from orchestrator.queries.days import asked_days

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
        refuse_unknown_parameters(request, "since", "until", "unit")
        span = _asked(request)
        body = {"since": span.since, "until": span.until, "results": [_shape(one) for one in outcomes(span)]}
        return Response(CostOutcomesShape(body).data, headers={"Cache-Control": "no-store"})


def _asked(request: Request) -> Span:
    """What a page says beside the days that it read instead is a refusal here."""
    given = request.query_params.dict()
    days = asked_days(given, today=database_now().date(), most=MOST_DAYS)
    for note in days.notes:
        raise BadParameter(f"{note.field}: {note.wrong}", remedy=note.remedy)
    seen = scope.unit_ids(actor_of(request), "view")
    if "unit" in given:
        wanted = value_of("unit", unit, given["unit"])
        seen = below(wanted) & seen if wanted else frozenset()
    return Span(unit_ids=seen, since=days.since, until=days.until)


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
