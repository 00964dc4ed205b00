"""Sending a request back with a question, and the answer that brings it to the reviewers again. No signature is lost or won."""

from uuid import UUID

from django.db import transaction

from approvals.models import ApprovalRequest, Remark, RemarkKind
from approvals.operations import refuse_unless_waiting, seeding
from approvals.rules.holds import give_up
from approvals.rules.locks import lock_request
from approvals.rules.permissions import refuse_unless_answerer
from approvals.signals import request_turned
from approvals.statuses import RequestStatus
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Invalid, Stale

LONGEST = 2_000


@transaction.atomic
def send_back(*, request_id: UUID, by: Actor, digest: str, revision: int, question: str) -> ApprovalRequest:
    """Ask the asker. Nobody decides until it is answered; the time to decide runs on. Asking the same twice is once."""
    request = lock_request(request_id, by)
    if request.status == RequestStatus.SENT_BACK and _last_said(request, RemarkKind.QUESTION, by, question):
        return request
    refuse_unless_waiting(request, by, digest=digest, revision=revision)
    _refuse_unsaid(question, "/question", "Write what you want to know.")
    if request.is_test:
        return seeding.end_beside(request, act="asked", by=by)
    _say(request, RemarkKind.QUESTION, by, question)
    give_up(request, by, why="by sending it back")
    move(request, to=RequestStatus.SENT_BACK, by=by, why=question)
    request_turned.send(ApprovalRequest, request=request)
    return request


@transaction.atomic
def reply(*, request_id: UUID, by: Actor, text: str) -> ApprovalRequest:
    """Answer the question: the request waits for reviewers again, with the answer on its page.

    Whoever answers speaks for the act, and so does not sign for it. Raises Forbidden, Stale, Invalid, NotVisible.
    """
    request = lock_request(request_id, by)
    if request.status == RequestStatus.PENDING and _last_said(request, RemarkKind.REPLY, by, text):
        return request
    refuse_unless_answerer(request, by)
    if request.status != RequestStatus.SENT_BACK:
        raise Stale(f"There is no open question: the request is {request.status}. Nothing was recorded.")
    _refuse_unsaid(text, "/reply", "Write an answer.")
    _say(request, RemarkKind.REPLY, by, text)
    excluded = request.excluded if by.key in request.excluded else [*request.excluded, by.key]
    duties = {by.key: "answered the reviewers' question"} | request.duties
    move(request, to=RequestStatus.PENDING, by=by, why=text, excluded=excluded, duties=duties)
    request_turned.send(ApprovalRequest, request=request)
    return request


def _refuse_unsaid(text: str, pointer: str, words: str) -> None:
    if not text.strip():
        raise Invalid(words, errors=[(pointer, "required", words)])
    if len(text) > LONGEST:
        words = f"Use at most {LONGEST:,} characters."
        raise Invalid(words, errors=[(pointer, "max_length", words)])


def _last_said(request: ApprovalRequest, kind: str, by: Actor, text: str) -> bool:
    last = request.remarks.order_by("-at", "-id").first()
    return last is not None and (last.kind, last.author, last.text) == (kind, by.key, text)


def _say(request: ApprovalRequest, kind: str, by: Actor, text: str) -> None:
    Remark.objects.create(request=request, kind=kind, author=by.key, author_name=by.name, text=text)
