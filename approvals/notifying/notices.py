"""Put down, in the transaction of what happened, that people have to be told. Sending is approvals.notifying's."""

from dataclasses import dataclass
from uuid import UUID

from approvals.models import ApprovalRequest, SecondLook, Stop
from approvals.models.notice import Notice, NoticeKind
from audit.actors import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom a step or a colleague asks by name: nobody else is told of it."""

    person_id: int | None = None
    group_id: int | None = None
    reviewers: str = ""


def tell_of_request(kind: NoticeKind, request: ApprovalRequest, *, by: Actor, asked: Asked | None = None) -> None:
    """A request waits, is reminded of, was escalated, assigned, decided, is overdue, or was signed by one person alone."""
    of_request(kind, request, by=by, asked=asked).save(force_insert=True)


def of_request(kind: NoticeKind, request: ApprovalRequest, *, by: Actor, asked: Asked | None = None) -> Notice:
    """The same, for whoever writes it in a statement of their own."""
    title = f"{request.title}: {request.status}" if kind == NoticeKind.DECIDED else request.title
    return Notice(
        kind=kind,
        unit_id=request.unit_id,
        unit_title=request.unit_title,
        title=title,
        path=request.get_absolute_url(),
        due_at=request.decide_by if request.is_open else None,
        request=request,
        asked_person_id=asked.person_id if asked else None,
        asked_group_id=asked.group_id if asked else None,
        asked_reviewers=asked.reviewers if asked else "",
        by=by.key,
    )


def tell_of_disagreement(look: SecondLook, *, by: Actor) -> None:
    """Two people judged the same act differently: for the group the policy escalates to, else for its administrators."""
    Notice.objects.create(
        kind=NoticeKind.DISAGREED,
        unit_id=look.unit_id,
        unit_title=look.request.unit_title,
        title=look.request.title,
        path=look.get_absolute_url(),
        asked_reviewers=look.tells,
        by=by.key,
    )


def tell_of_stop(kind: NoticeKind, stop: Stop, *, by: Actor) -> None:
    """Something was stopped, or goes on."""
    Notice.objects.create(
        kind=kind,
        unit_id=stop.unit_id,
        unit_title=stop.unit_title,
        title=stop.target,
        path=stop.get_absolute_url(),
        by=by.key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a notice is about, for whoever lives above approvals."""

    unit_id: UUID
    unit_title: str
    title: str
    path: str


def tell_of_alert(kind: NoticeKind, subject: Subject, *, by: Actor, asked: Asked) -> None:
    """Something needs its owner, still needs them, or is over."""
    Notice.objects.create(
        kind=kind,
        unit_id=subject.unit_id,
        unit_title=subject.unit_title,
        title=subject.title,
        path=subject.path,
        asked_person_id=asked.person_id,
        asked_group_id=asked.group_id,
        by=by.key,
    )
