"""`usage/` and `costs/`: what model calls used, as reported; and sums, in which an unknown cost is never a zero."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import events, scope
from audit.refusals import Forbidden, Invalid
from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.api.base import ApiView, actor_of, either, machines
from orchestrator.api.bodies import Consumption
from orchestrator.api.contract import listing
from orchestrator.api.fields import Id, Text, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import BadParameter, refuse_unknown_parameters, value_of, when
from orchestrator.api.shapes import UsageShape, show_one, unit_names
from orchestrator.api.units import refuse_foreign_execution, unit_named
from orchestrator.gate.budgeting import run_of
from orchestrator.queries.cost_groups import MOST_LINES, Period, groups

GROUPS = ("unit", "agent", "tool", "model", "execution", "basis")
MOST_GROUPS = 1_000


class UsageBody(Consumption):
    """One model call of an agent."""

    agent = Text(max_length=200, required=False, help_text="Default: the token's agent")
    unit = Text(max_length=80, required=False, help_text="Short name. Default: the token's unit")
    execution = Id(required=False, allow_null=True)
    reference = Text(max_length=200, required=False, help_text="Your own name of the call, kept in the audit trail")


class UsageReports(ApiView):
    doors = {"POST": machines("usage:write")}

    @extend_schema(request=UsageBody, responses={201: UsageShape}, summary="Report tokens and cost of a model call")
    def post(self, request: Request) -> HttpResponse:
        body = read(UsageBody, request.data)
        return once(request, lambda: _report(request, body))


def _report(request: Request, body: dict[str, Any]) -> Answer:
    by = actor_of(request)
    where = unit_named(body.pop("unit", None), by)
    agent, execution_id = body.pop("agent", by.name), body.pop("execution", None)
    reference = body.pop("reference", "")
    if agent != by.name:
        raise Forbidden(f"This token is {by.name}'s and cannot report for {agent}.", code="other_agent")
    refuse_foreign_execution(execution_id, by)
    run = run_of(execution_id, where.pk)._asdict()
    entry = charge(Usage(**body), Place(unit_id=where.pk, execution_id=execution_id, agent=agent, **run))
    if entry is None:
        raise Invalid("Report a cost or tokens.", errors=[("", "empty", "Neither a cost nor tokens were reported.")])
    entry.refresh_from_db()
    events.record(
        "usage.reported", by=by, stream=f"usage:{agent}", object_id=entry.pk, unit_id=where.pk,
        data={"reference": reference, "execution": str(execution_id or ""), "model": entry.model},
    )  # fmt: skip
    return Answer(201, show_one(UsageShape, entry, request))


class CostShape(serializers.Serializer[Any]):
    """One group in one currency. `unknown` counts calls whose cost nobody reported: they are in no sum."""

    group = serializers.CharField(allow_null=True)
    cost = serializers.DecimalField(max_digits=30, decimal_places=10, allow_null=True)
    currency = serializers.CharField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    calls = serializers.IntegerField()
    unknown = serializers.IntegerField()


_SUMS = f"""The {MOST_GROUPS:,} dearest groups at most. `group_by=execution` takes neither `from` nor `to`, or a period in which
no more than {MOST_LINES:,} cost lines were written: a longer one is refused with 400 and the code `too_many_lines`."""


class Costs(ApiView):
    doors = {"GET": either("read:costs")}

    @extend_schema(
        parameters=[OpenApiParameter("group_by", enum=GROUPS), OpenApiParameter("from"), OpenApiParameter("to")],
        responses=listing(CostShape),
        summary="Sums of cost and tokens, dearest first",
        description=_SUMS,
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, "group_by", "from", "to")
        name = request.query_params.get("group_by", "unit")
        if name not in GROUPS:
            raise BadParameter(f"group_by: Use one of: {', '.join(GROUPS)}.")
        seen = scope.unit_ids(actor_of(request), "view")
        found = [_named(row) for row in groups(seen, _period(request), name, MOST_GROUPS)]
        if name == "unit":
            names = unit_names({row["group"] for row in found})
            found = [{**row, "group": names.get(row["group"])} for row in found]
        return Response({"results": CostShape(found, many=True).data, "next": None, "previous": None})


def _period(request: Request) -> Period:
    wanted = {"from": "since", "to": "until"}
    query = request.query_params
    given = {bound: value_of(name, when, query[name]) for name, bound in wanted.items() if name in query}
    if len(given) == len(wanted) and given["since"] >= given["until"]:
        raise BadParameter("from: It is not before `to`.", remedy="Choose a moment before `to`.")
    return Period(**given)


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "input_tokens": row["tokens_in"], "output_tokens": row["tokens_out"], "unknown": row["missing"]}
