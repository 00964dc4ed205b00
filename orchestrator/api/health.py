"""`health/`: the figures of the health page, for monitoring. The same measurement, the same rules, the same limits."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.lifecycle import database_now
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.lists import refuse_unknown_parameters
from orchestrator.health.judging import overall
from orchestrator.queries.health import MACHINE_SCOPE, figures

STATES = ("good", "degraded", "down", "unknown")


class FigureShape(serializers.Serializer[Any]):
    """One figure, judged. `value` is null where it could not be measured, and `state` is then unknown or down."""

    key = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    value = serializers.FloatField(allow_null=True)
    unit = serializers.CharField()
    shown = serializers.CharField()
    detail = serializers.CharField()
    degraded_above = serializers.FloatField()
    down_above = serializers.FloatField()


class HealthShape(serializers.Serializer[Any]):
    """`machine` says whether figures of the machine are among them; withheld ones are no good ones."""

    state = serializers.ChoiceField(STATES)
    measured_at = serializers.DateTimeField()
    machine = serializers.BooleanField()
    figures = FigureShape(many=True)


class Health(ApiView):
    doors = {"GET": either("executions:read", MACHINE_SCOPE)}

    @extend_schema(responses=HealthShape, summary="How the machine is, measured now")
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request)
        shown, _, machine = figures(actor_of(request))
        body = {"state": overall(shown), "measured_at": database_now(), "machine": machine, "figures": shown}
        return Response(HealthShape(body).data, headers={"Cache-Control": "no-store"})
