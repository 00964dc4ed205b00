"""`actions/`: the gate for any agent in any language. Propose, wait, redeem, report; take back, undo."""

import json
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actors import Actor
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden
from budgets.pricing import Usage
from budgets.units import lineage
from orchestrator.api.base import ApiView, actor_of, either, machines
from orchestrator.api.bodies import Nothing, Outcome, Proposal, Reason
from orchestrator.api.contract import listing
from orchestrator.api.fields import read
from orchestrator.api.idempotency import REPLAYED, Answer, once
from orchestrator.api.lists import (
    BadParameter,
    Cursors,
    Filter,
    choice,
    page_of,
    refuse_unknown_parameters,
    text,
    unit,
    uuid,
    when,
)  # fmt: skip
from orchestrator.api.shapes import ActionShape, TicketShape, show_actions
from orchestrator.api.units import refuse_foreign_execution, unit_named
from orchestrator.api.waiting import MAX_SECONDS, until_changed
from orchestrator.gate.judge import WORKFLOW
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import NotGranted, redeem
from orchestrator.gate.report import report
from orchestrator.gate.undo import undo
from orchestrator.gate.withdraw import withdraw
from orchestrator.models import Action, Agent
from orchestrator.operations.executions import refuse_unless_operator
from orchestrator.statuses import ActionStatus
from orchestrator.telemetry.traceparent import trace_of

FOLLOW = either("actions:propose", "actions:redeem", "actions:report")
NEWEST_FIRST = Cursors(("-created_at", "-id"))
FILTERS = {
    "status": Filter("status", choice(*ActionStatus.values)),
    "verdict": Filter("verdict", choice("allow", "hold", "deny")),
    "tool": Filter("tool", text),
    "agent": Filter("agent", text),
    "unit": Filter("unit_id", unit),
    "execution": Filter("execution_id", uuid),
    "business_key": Filter("business_key", text),
    "created_after": Filter("created_at__gte", when),
    "created_before": Filter("created_at__lt", when),
}


def visible_to(actor: Actor) -> QuerySet[Action]:
    """People see their units' actions; an agent sees its own, within its token's unit."""
    rows = Action.objects.visible_to(actor)
    return rows if actor.is_person else rows.filter(Q(agent=actor.name) | Q(requester=actor.key))


class Actions(ApiView):
    doors = {"GET": FOLLOW, "POST": machines("actions:propose")}
    filters = FILTERS

    @extend_schema(responses=listing(ActionShape), summary="List actions, newest first")
    def get(self, request: Request) -> Response:
        rows = visible_to(actor_of(request))
        return page_of(request, rows, NEWEST_FIRST, FILTERS, lambda found: show_actions(found, request))

    @extend_schema(request=Proposal, responses={201: ActionShape}, summary="Propose an action")
    def post(self, request: Request) -> HttpResponse:
        body = read(Proposal, request.data)
        return once(request, lambda: _propose(request, body))


def _propose(request: Request, body: dict[str, Any]) -> Answer:
    by = actor_of(request)
    where = unit_named(body.get("unit"), by)
    agent = body.get("agent", by.name)
    _refuse_impersonation(agent, by, where.pk)
    is_ours = refuse_foreign_execution(body.get("execution"), by)
    action = propose(
        tool=body["tool"],
        arguments=body["arguments"],
        agent=agent,
        unit_id=where.pk,
        by=by,
        context=body.get("context", {}),
        business_key=body.get("business_key", ""),
        execution_id=body.get("execution"),
        trace_id=None if is_ours else trace_of(request.headers.get("traceparent", "")),
        idempotency_hint=body.get("idempotency_hint", ""),
    )
    return Answer(201, show_actions([action], request)[0])


def _refuse_impersonation(agent: str, by: Actor, unit_id: UUID) -> None:
    """A token speaks for its own agent, never as a workflow. A name nobody registered here goes to the gate, which denies it."""
    if agent == by.name:
        return
    here = Agent.objects.active().filter(name=agent, unit_id__in=lineage(unit_id))
    if agent.startswith(WORKFLOW) or here.exists():
        raise Forbidden(f"This token is {by.name}'s and cannot propose for {agent}.", code="other_agent")


class OneAction(ApiView):
    doors = {"GET": FOLLOW}

    @extend_schema(
        parameters=[
            OpenApiParameter("wait", int, description=f"Seconds to wait for a change, at most {MAX_SECONDS}"),
            OpenApiParameter("Retry-After", int, "header", response=[200], description="No place to wait in was free"),
        ],
        responses=ActionShape,
        summary="Read an action; with `wait`, as soon as its status changes",
    )
    def get(self, request: Request, action_id: UUID) -> Response:
        refuse_unknown_parameters(request, "wait")
        by = actor_of(request)
        rows = visible_to(by)
        found = until_changed(lambda: visible_or_refuse(rows.all(), action_id, "action"), _seconds(request), by)
        headers = {"Retry-After": "1"} if found.ask_again else {}
        return Response(show_actions([found.action], request)[0], headers=headers)


def _seconds(request: Request) -> int:
    value = request.query_params.get("wait", "0")
    if not (value.isascii() and value.isdigit() and len(value) < 4 and int(value) <= MAX_SECONDS):
        raise BadParameter(f"wait: Use a whole number of seconds from 0 to {MAX_SECONDS}.")
    return int(value)


class Redemptions(ApiView):
    doors = {"POST": machines("actions:redeem")}

    @extend_schema(request=Nothing, responses={200: TicketShape}, summary="Receive the arguments, once")
    def post(self, request: Request, action_id: UUID) -> HttpResponse:
        read(Nothing, request.data)
        answer = once(request, lambda: _redeem(request, action_id))
        if REPLAYED in answer:
            _refuse_spent(visible(request, action_id), json.loads(answer.content)["fence"])
        return answer


def _redeem(request: Request, action_id: UUID) -> Answer:
    ticket = redeem(action_id=_known(request, action_id), by=actor_of(request))
    return Answer(200, TicketShape(ticket).data)


def _refuse_spent(action: Action, fence: str) -> None:
    """A stored ticket is handed out again while it is the action's own, and nobody has to find out what came of it: with any
    other, something would be sent that nobody knows of.
    """
    if str(action.fence) == fence and action.status != ActionStatus.UNKNOWN:
        return
    granted = action.status == ActionStatus.GRANTED
    raise NotGranted(
        f"The ticket that this Idempotency-Key was answered with opens nothing any more: the action is {action.status}.",
        code="ticket_spent",
        remedy="Redeem it under a new key." if granted else "Read the action.",
    )


class Outcomes(ApiView):
    doors = {"POST": machines("actions:report")}

    @extend_schema(request=Outcome, responses={200: ActionShape}, summary="Report how a redeemed action ended")
    def post(self, request: Request, action_id: UUID) -> HttpResponse:
        body = read(Outcome, request.data)
        return once(request, lambda: _report(request, action_id, body))


def _report(request: Request, action_id: UUID, body: dict[str, Any]) -> Answer:
    error = body.get("error", {})
    action = report(
        action_id=_known(request, action_id),
        fence=body["fence"],
        outcome=body["outcome"],
        by=actor_of(request),
        result=body.get("result"),
        failure_class=error.get("class", ""),
        message=error.get("message", ""),
        usage=Usage(**body["usage"]) if "usage" in body else None,
        started_at=body.get("started_at"),
        ended_at=body.get("ended_at"),
    )
    return Answer(200, show_actions([action], request)[0])


class Withdrawals(ApiView):
    doors = {"POST": either("actions:propose")}

    @extend_schema(request=Reason, responses={200: ActionShape}, summary="Take a proposal back")
    def post(self, request: Request, action_id: UUID) -> HttpResponse:
        why = read(Reason, request.data)["reason"]
        return once(request, lambda: _withdraw(request, action_id, why))


def _withdraw(request: Request, action_id: UUID, why: str) -> Answer:
    action = _operable(request, action_id)
    action = withdraw(action_id=action.pk, by=actor_of(request), why=why)
    return Answer(200, show_actions([action], request)[0])


class Undo(ApiView):
    doors = {"POST": either("actions:propose")}

    @extend_schema(request=Reason, responses={201: ActionShape}, summary="Propose the compensating action")
    def post(self, request: Request, action_id: UUID) -> HttpResponse:
        why = read(Reason, request.data)["reason"]
        return once(request, lambda: _undo(request, action_id, why))


def _undo(request: Request, action_id: UUID, why: str) -> Answer:
    action = _operable(request, action_id)
    return Answer(201, show_actions([undo(action_id=action.pk, by=actor_of(request), why=why)], request)[0])


def visible(request: Request, action_id: UUID) -> Action:
    return visible_or_refuse(visible_to(actor_of(request)), action_id, "action")  # type: ignore[no-any-return]


def _known(request: Request, action_id: UUID) -> UUID:
    """The id of one that the caller sees; the verb reads the row itself, locked."""
    return visible_or_refuse(visible_to(actor_of(request)).only("pk"), action_id, "action").pk  # type: ignore[no-any-return]


def _operable(request: Request, action_id: UUID) -> Action:
    """An agent's own action, or one in a unit the person operates."""
    action = visible(request, action_id)
    refuse_unless_operator(actor_of(request), action.unit_id, action.unit_title)
    return action
