"""`costs/lines/`: one line of the ledger with its corrections, read by machines too; corrected by people, after a second look.

No scope corrects: less spent is more room in a budget, and no machine makes room for itself.
"""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.operations import Correction, planned
from orchestrator.api.base import PEOPLE, ApiView, actor_of, either
from orchestrator.api.fields import Body, Flag, Money, Text, Whole, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import refuse_unknown_parameters
from orchestrator.api.shapes import UsageShape, show_one
from orchestrator.operations import corrections
from orchestrator.operations.corrections import Wanted
from orchestrator.queries.cost_line import LinePage, line_page


class CorrectionLineShape(serializers.Serializer[Any]):
    """What was added to the line, why, and by whom."""

    id = serializers.UUIDField()
    change = serializers.CharField()
    currency = serializers.CharField()
    why = serializers.CharField()
    by = serializers.CharField()
    at = serializers.DateTimeField()


class CostLineShape(serializers.Serializer[Any]):
    """A line as it was written, and what it comes to with its corrections. `read` is what a correction has to send along."""

    line = UsageShape()
    corrects = serializers.UUIDField(allow_null=True)
    cost = serializers.CharField(allow_null=True, help_text="With its corrections; null while nobody knows it")
    currency = serializers.CharField()
    corrections = CorrectionLineShape(many=True)
    read = serializers.IntegerField(help_text="How many corrections there are")
    why_not = serializers.CharField(help_text="Why the caller cannot correct it; empty: they can")


class CorrectionBody(Body):
    """What the line really cost: all of it, not the difference."""

    to = Money(help_text='"0" takes the line out of every sum, for good')
    currency = serializers.RegexField(
        r"\A[A-Z]{3}\Z", required=False, default="", help_text="ISO 4217. Needed while nobody knows the line's cost"
    )
    reason = Text(max_length=1_000, help_text="Kept in the ledger for good")
    read = Whole(min_value=0, help_text="How many corrections you had seen: `read` of the line")
    confirmed = Flag(
        required=False, default=False, help_text="Without it nothing is written: the answer says what would be"
    )


class CorrectionShape(serializers.Serializer[Any]):
    """`id` is the new line's; null where nothing was written."""

    id = serializers.UUIDField(allow_null=True)
    line = serializers.UUIDField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField()
    change = serializers.CharField()
    currency = serializers.CharField()


class OneCostLine(ApiView):
    doors = {"GET": either("read:costs")}

    @extend_schema(responses=CostLineShape, summary="Read a line of the ledger, with its corrections")
    def get(self, request: Request, line_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        shown = line_page(actor_of(request), line_id)
        return Response(_line(shown, request), headers={"Cache-Control": "no-store"})


class Corrections(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=CorrectionBody,
        responses={200: CorrectionShape, 201: CorrectionShape},
        summary="Correct a line of the ledger: look at what that changes, then send it again, confirmed",
    )
    def post(self, request: Request, line_id: UUID) -> HttpResponse:
        body = read(CorrectionBody, request.data)
        if body["confirmed"]:
            return once(request, lambda: _correct(request, line_id, body))
        line = corrections.to_correct(line_id, actor_of(request))
        plan = planned(line, to=body["to"], currency=body["currency"])
        return Response(_plan(line_id, plan, None))


def _correct(request: Request, line_id: UUID, body: dict[str, Any]) -> Answer:
    by = actor_of(request)
    plan = planned(corrections.to_correct(line_id, by), to=body["to"], currency=body["currency"])
    wanted = Wanted(to=body["to"], currency=body["currency"], why=body["reason"], read=body["read"])
    written = corrections.correct(line_id=line_id, wanted=wanted, by=by)
    return Answer(201, _plan(line_id, plan, written.pk))


def _plan(line_id: UUID, plan: Correction, written: UUID | None) -> dict[str, Any]:
    return {
        "id": written and str(written),
        "line": str(line_id),
        "before": _amount(plan.before),
        "after": _amount(plan.after),
        "change": _amount(plan.change),
        "currency": plan.currency,
    }


def _line(shown: LinePage, request: Request) -> dict[str, Any]:
    return {
        "line": show_one(UsageShape, shown.line, request),
        "corrects": shown.line.corrects_id and str(shown.line.corrects_id),
        "cost": _amount(shown.amount),
        "currency": shown.currency,
        "corrections": [
            {
                "id": str(one.pk),
                "change": _amount(one.amount),
                "currency": one.currency,
                "why": one.why,
                "by": by,
                "at": one.at.isoformat(),
            }
            for one, by in shown.corrections
        ],
        "read": shown.read,
        "why_not": shown.why_not,
    }


def _amount(amount: Any) -> str | None:
    return None if amount is None else f"{amount:f}"
