"""A decision resumes what waited for it, inside the deciding transaction: if this fails, the decision did not happen."""

from typing import Any

from django.db.models.functions import Now
from django.dispatch import receiver

from approvals.models import ApprovalRequest, Verdict, said
from approvals.signals import reading_asked, request_resolved, request_turned
from approvals.statuses import RequestStatus
from audit.actors import system
from audit.lifecycle import move
from budgets.operations import Place, charge_review
from orchestrator.engine.resume import finish_parked_step, give_up_parked_step, resume_step
from orchestrator.gate.announce import announce
from orchestrator.gate.budgeting import run_of
from orchestrator.gate.compensation import mark_undone
from orchestrator.gate.locks import lock_action
from orchestrator.models import Action, Step
from orchestrator.statuses import ActionStatus, StepStatus

APPROVALS = system("approvals")
# What a resolved request makes of the held action it was about.
ACTION_BECOMES = {
    RequestStatus.APPROVED: ActionStatus.GRANTED,
    RequestStatus.REJECTED: ActionStatus.REJECTED,
    RequestStatus.ANSWERED: ActionStatus.ANSWERED,
    RequestStatus.EXPIRED: ActionStatus.EXPIRED,
}
SAID = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected", Verdict.ANSWER: "answered"}
UNDECIDED = (ActionStatus.HELD, ActionStatus.SENT_BACK)


@receiver(request_resolved)
def resume_what_waited(request: ApprovalRequest, **_: Any) -> None:
    if Action.objects.filter(pk=request.subject_id).exists():
        _resolve_action(request)
    elif Step.objects.filter(pk=request.subject_id).exists():
        _resolve_step(request)


@receiver(request_resolved)
def charge_reading(request: ApprovalRequest, **_: Any) -> None:
    """People's time is a cost of what they decided on. The line names nobody. A test item is nobody's cost."""
    if request.is_test:
        return
    seconds = sum(voice.seconds_read for voice in request.decisions.all())
    if seconds:
        agent, tool = request.agent, request.tool if request.is_call else ""
        action_id = request.subject_id if request.is_call else None
        # Whoever asked for the call, as for all else that it costs.
        whose = run_of(request.execution_id, request.unit_id)._replace(requester=request.requester)
        place = Place(
            unit_id=request.unit_id, execution_id=request.execution_id, action_id=action_id, agent=agent, tool=tool,
            **whose._asdict(),
        )  # fmt: skip
        charge_review(seconds, place)


@receiver(request_turned)
def turn_what_waits(request: ApprovalRequest, **_: Any) -> None:
    """A question, or its answer: the agent learns of it, and our own steps wait on."""
    if Action.objects.filter(pk=request.subject_id).exists():
        action = lock_action(request.subject_id)
        to = ActionStatus.SENT_BACK if request.status == RequestStatus.SENT_BACK else ActionStatus.HELD
        move(action, to=to, by=APPROVALS)
        announce(action)


@receiver(reading_asked)
def read_the_record(request: ApprovalRequest, **_: Any) -> None:
    """A worker enters the parked step again, reads, and parks it. One that is at work already: the sweep comes back to it."""
    action = Action.objects.filter(pk=request.subject_id).first()
    if action is not None and action.step_id:
        resume_step(step_id=action.step_id, by=APPROVALS, why="a reviewer wants the record as it stands now")


def _resolve_action(request: ApprovalRequest) -> None:
    action = lock_action(request.subject_id)
    to = ACTION_BECOMES[RequestStatus(request.status)]
    why = _words(request)
    if action.status == ActionStatus.GRANTED and to == ActionStatus.EXPIRED:
        # Approved, but not used in time: the act is asked for again rather than lost.
        move(action, to=ActionStatus.VOID, by=APPROVALS, why=why, finished_at=Now())
    elif action.status in UNDECIDED:
        ended: dict[str, Any] = {} if to == ActionStatus.GRANTED else {"finished_at": Now(), "message": why}
        move(action, to=to, by=APPROVALS, why=why, reasons=[*action.reasons, why] if ended else action.reasons, **ended)
        if to == ActionStatus.ANSWERED:
            mark_undone(action, by=APPROVALS, why=f"a person took it back by hand: {why}")
    announce(action)
    if action.step_id:
        resume_step(step_id=action.step_id, by=APPROVALS, why=f"{request.title}: {request.status}")


def _resolve_step(request: ApprovalRequest) -> None:
    why = _words(request)
    if request.status == RequestStatus.ANSWERED:
        given = Step.objects.values_list("output", flat=True).get(pk=request.subject_id)
        finish_parked_step(
            step_id=request.subject_id, to=StepStatus.SUCCESS, by=APPROVALS, why=why, output=given, failure_class=""
        )
    elif request.status == RequestStatus.APPROVED:
        names = [voice.person_name for voice in request.decisions.all()]
        output = {"approved_by": names}
        # It let the execution go on: from now on neither its time runs out nor is it withdrawn.
        if finish_parked_step(
            step_id=request.subject_id, to=StepStatus.SUCCESS, by=APPROVALS, why=why, output=output, failure_class=""
        ):
            move(request, to=RequestStatus.USED, by=APPROVALS, data={"digest": request.digest})
    elif request.status == RequestStatus.EXPIRED and request.is_by_hand:
        give_up_parked_step(step_id=request.subject_id, by=APPROVALS, why="Nobody did it in time.")
    else:
        finish_parked_step(
            step_id=request.subject_id, to=StepStatus.BUSINESS_ERROR, by=APPROVALS, why=why, failure_class="business"
        )


def _words(request: ApprovalRequest) -> str:
    """The coded reason and the note, as the agent and the audit will read them."""
    if request.status == RequestStatus.EXPIRED:
        return "Nobody decided in time." if request.use_by is None else "The approval was not used in time."
    voices = [
        f"{SAID[Verdict(voice.verdict)]} by {voice.person_name}"
        + (f" for {voice.for_person_name}" if voice.for_person_name else "")
        + f": {said(voice.reason_code, voice.note)}"
        for voice in request.decisions.order_by("at")
    ]
    return "; ".join(voices)
