"""`budgets/`: what is spent, reserved and left, exactly as the page says it."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.models import Measure
from budgets.queries import STATES, Standing, standings
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.contract import listing
from orchestrator.api.lists import refuse_unknown_parameters
from orchestrator.api.shapes import unit_names


class BudgetShape(serializers.Serializer[Any]):
    """One budget in force and its window of now. `unknown` counts cost lines that are in no sum."""

    name = serializers.CharField(source="budget.name")
    version = serializers.IntegerField(source="budget.version")
    unit = serializers.SerializerMethodField(help_text="Short name; null for a budget of every unit")
    covers = serializers.CharField()
    release = serializers.CharField(source="budget.release", help_text="Digest of the one release it is of; or empty")
    state = serializers.CharField(help_text=", ".join(STATES))
    measure = serializers.ChoiceField(Measure.values, source="budget.measure")
    currency = serializers.CharField(source="budget.currency")
    limit = serializers.DecimalField(30, 10, source="budget.limit")
    spent = serializers.DecimalField(30, 10, source="window.spent")
    reserved = serializers.DecimalField(30, 10, source="window.reserved")
    unknown = serializers.IntegerField(source="window.unknown")
    waiting = serializers.IntegerField()
    is_hard = serializers.BooleanField(source="budget.is_hard")
    starts_at = serializers.DateTimeField(source="window.starts_at", allow_null=True)
    ends_at = serializers.DateTimeField(source="window.ends_at", allow_null=True)

    def get_unit(self, row: Standing) -> str | None:
        names: dict[UUID | None, str] = self.context["units"]
        return names.get(row.budget.unit_id)


class Budgets(ApiView):
    doors = {"GET": either("read:costs")}

    @extend_schema(responses=listing(BudgetShape), summary="Budgets in force: spent, reserved, limit")
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request)
        found = standings(actor_of(request))
        units = unit_names({row.budget.unit_id for row in found if row.budget.unit_id})
        shown = BudgetShape(found, many=True, context={"units": units}).data
        return Response({"results": shown, "next": None, "previous": None})
