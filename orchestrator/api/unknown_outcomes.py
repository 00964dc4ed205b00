"""`unknown-outcomes/`: sends nobody answered for. People read it and say what happened; no token ever does."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.base import PEOPLE, ApiView, actor_of
from orchestrator.api.contract import listing
from orchestrator.api.fields import Body, Object, Text, Whole, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import Cursors, Filter, page_of, text, unit, uuid
from orchestrator.api.shapes import ActionShape, Shape, show, show_actions
from orchestrator.models import Action, OutcomeCode, OutcomeVerdict
from orchestrator.operations.unknown_outcomes import LONGEST_REMINDER_SECONDS, Said, answer
from orchestrator.queries.unknown_outcomes import doubts_of

OLDEST_FIRST = Cursors(("created_at", "id"))
FILTERS = {
    "unit": Filter("unit_id", unit),
    "tool": Filter("tool", text),
    "business_key": Filter("business_key", text),
    "execution": Filter("execution_id", uuid),
}


class AnswerBody(Body):
    """What one person found out, and how they know."""

    verdict = serializers.ChoiceField(OutcomeVerdict.choices)
    code = serializers.ChoiceField(OutcomeCode.choices)
    note = Text(max_length=1_000)
    result = Object(required=False, help_text="If it happened: has to fit the tool's output schema")
    owner = Text(max_length=200, required=False, help_text="If you cannot tell: who looks further. Default: you")
    remind_seconds = Whole(required=False, min_value=60, max_value=LONGEST_REMINDER_SECONDS)


class AnswerShape(serializers.Serializer[Any]):
    person_name = serializers.CharField()
    verdict = serializers.CharField()
    code = serializers.CharField()
    note = serializers.CharField()
    at = serializers.DateTimeField()


class DoubtFacts(serializers.Serializer[Any]):
    idempotency_class = serializers.CharField(source="doubt.letter")
    why = serializers.CharField(source="doubt.why")
    sends = serializers.IntegerField(source="tried.sends")
    looked_up = serializers.IntegerField(source="tried.looks")
    following = serializers.CharField()
    due_at = serializers.DateTimeField(allow_null=True)
    owner = serializers.CharField()
    answers = AnswerShape(many=True)


class DoubtShape(Shape):
    """A doubtful send: the class it is treated by, what has been tried, and what happens next."""

    doubt = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields = ("id", "unit", "tool", "tool_version", "business_key", "idempotency_key", "redeemed_at", "doubt")

    @extend_schema_field(DoubtFacts)
    def get_doubt(self, action: Action) -> Any:
        return DoubtFacts(self.context["doubts"][action.pk]).data


class UnknownOutcomes(ApiView):
    doors = {"GET": PEOPLE}
    filters = FILTERS

    @extend_schema(responses=listing(DoubtShape), summary="List unknown outcomes, longest in doubt first")
    def get(self, request: Request) -> Response:
        rows = Action.objects.visible_to(actor_of(request)).unknown()
        return page_of(request, rows, OLDEST_FIRST, FILTERS, lambda found: _show(found, request))


def _show(found: list[Action], request: Request) -> list[Any]:
    return show(DoubtShape, found, request, doubts={row.action.pk: row for row in doubts_of(found)})


class Answers(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(request=AnswerBody, responses={201: ActionShape}, summary="Say what became of an unanswered send")
    def post(self, request: Request, action_id: UUID) -> HttpResponse:
        said = Said(**read(AnswerBody, request.data))
        return once(request, lambda: _answer(request, action_id, said))


def _answer(request: Request, action_id: UUID, said: Said) -> Answer:
    action = answer(action_id=action_id, said=said, by=actor_of(request))
    return Answer(201, show_actions([action], request)[0])
