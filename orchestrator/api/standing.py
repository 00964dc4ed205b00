"""`delegations/` and `absences/`: what a signed-in person lends, was lent and has announced. Nobody reads another's."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.models import Absence, Delegation
from approvals.operations import delegations
from approvals.queries.standing import colleagues
from audit.actors import Actor
from audit.refusals import Invalid
from orchestrator.api.base import PEOPLE, ApiView, actor_of
from orchestrator.api.bodies import Nothing
from orchestrator.api.contract import listing
from orchestrator.api.fields import Body, Moment, Text, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import Cursors, page_of
from orchestrator.api.shapes import Shape, show, show_one
from orchestrator.api.units import unit_named

NEWEST_FIRST = Cursors(("-created_at", "-id"))


class DelegationBody(Body):
    """The right to sign in one unit, for dates."""

    unit = Text(max_length=80, help_text="Short name")
    to = Text(max_length=150, help_text="User name of a colleague who may look into the unit")
    starts_at = Moment()
    ends_at = Moment()


class AbsenceBody(Body):
    """Away, and who looks after what is assigned meanwhile."""

    away_from = Moment()
    away_until = Moment()
    stand_in = Text(max_length=150, required=False, allow_null=True, help_text="User name of a colleague")


class DelegationShape(Shape):
    class Meta:
        model = Delegation
        fields = ("id", "unit", "delegator_name", "delegate_name", "starts_at", "ends_at", "revoked_at", "created_at")


class AbsenceShape(serializers.ModelSerializer[Absence]):
    class Meta:
        model = Absence
        fields = ("id", "person_name", "stand_in_name", "away_from", "away_until", "revoked_at", "created_at")


class Delegations(ApiView):
    doors = {"GET": PEOPLE, "POST": PEOPLE}
    filters: ClassVar[Mapping[str, Any] | None] = {}

    @extend_schema(responses=listing(DelegationShape), summary="List what one has lent and was lent, newest first")
    def get(self, request: Request) -> Response:
        own = actor_of(request).user_id
        rows = Delegation.objects.filter(Q(delegator_id=own) | Q(delegate_id=own))
        return page_of(request, rows, NEWEST_FIRST, {}, lambda found: show(DelegationShape, found, request))

    @extend_schema(request=DelegationBody, responses={201: DelegationShape}, summary="Lend one's right to sign")
    def post(self, request: Request) -> HttpResponse:
        body = read(DelegationBody, request.data)
        return once(request, lambda: _delegate(request, body))


def _delegate(request: Request, body: dict[str, Any]) -> Answer:
    # Units and colleagues are looked up inside: what was answered once is answered again, whoever has left since.
    by = actor_of(request)
    unit, to = unit_named(body["unit"], by), _colleague(body["to"], by, "/to")
    starts_at, ends_at = body["starts_at"], body["ends_at"]
    row = delegations.delegate(unit_id=unit.pk, to=to, starts_at=starts_at, ends_at=ends_at, by=by)
    return _shown(request, row)


class Revocations(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(request=Nothing, responses={201: DelegationShape}, summary="End a delegation now, from either side")
    def post(self, request: Request, delegation_id: UUID) -> HttpResponse:
        read(Nothing, request.data)
        by = actor_of(request)
        return once(request, lambda: _shown(request, delegations.revoke(delegation_id=delegation_id, by=by)))


class Absences(ApiView):
    doors = {"GET": PEOPLE, "POST": PEOPLE}
    filters: ClassVar[Mapping[str, Any] | None] = {}

    @extend_schema(responses=listing(AbsenceShape), summary="List one's own absences, newest first")
    def get(self, request: Request) -> Response:
        rows = Absence.objects.filter(person_id=actor_of(request).user_id)
        return page_of(request, rows, NEWEST_FIRST, {}, lambda found: list(AbsenceShape(found, many=True).data))

    @extend_schema(request=AbsenceBody, responses={201: AbsenceShape}, summary="Announce an absence")
    def post(self, request: Request) -> HttpResponse:
        body = read(AbsenceBody, request.data)
        return once(request, lambda: _go_away(request, body))


def _go_away(request: Request, body: dict[str, Any]) -> Answer:
    by, name = actor_of(request), body.get("stand_in")
    stand_in = _colleague(name, by, "/stand_in") if name else None
    row = delegations.go_away(away_from=body["away_from"], away_until=body["away_until"], stand_in=stand_in, by=by)
    return Answer(201, AbsenceShape(row).data)


class Returns(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(request=Nothing, responses={201: AbsenceShape}, summary="Be back")
    def post(self, request: Request, absence_id: UUID) -> HttpResponse:
        read(Nothing, request.data)
        by = actor_of(request)
        return once(
            request, lambda: Answer(201, AbsenceShape(delegations.come_back(absence_id=absence_id, by=by)).data)
        )


def _shown(request: Request, row: Delegation) -> Answer:
    return Answer(201, show_one(DelegationShape, row, request))


def _colleague(name: str, by: Actor, pointer: str) -> int:
    """Whom the page would offer, by user name. Anybody else is answered like nobody, so that accounts cannot be guessed."""
    offered = [pk for pk, _ in colleagues(by)]
    found = get_user_model().objects.filter(username=name, is_active=True, pk__in=offered).first()
    if found is None:
        raise Invalid("There is no such colleague.", errors=[(pointer, "unknown", "There is no such colleague.")])
    return int(found.pk)
