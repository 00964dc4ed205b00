"""What somebody sent back with a question and has not decided since: it waits for an answer, or has one."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, Window

from approvals.models import ApprovalRequest, Decision, Remark, RemarkKind
from approvals.models.request import ApprovalRequestQuerySet
from approvals.statuses import UNDECIDED
from audit import people
from audit.actors import Actor


@dataclass(frozen=True, slots=True)
class SentBack:
    """One of them, with the last question and whatever was said after it."""

    request: ApprovalRequest
    question: Remark
    answer: Remark | None


@dataclass(frozen=True, slots=True)
class SentBackList:
    """The first of them, those with an answer on top, and how many there are."""

    rows: list[SentBack]
    total: str


def sent_back_by(actor: Actor, *, size: int = 8) -> SentBackList:
    rows = _undecided(actor).listed().annotate(in_all=Window(Count("pk"))).prefetch_related("remarks")
    # “pending” comes before “sent_back”: what was answered is the reader's turn.
    found: list[Any] = list(rows.order_by("status", "decide_by", "id")[:size])
    return SentBackList([_row(request, actor) for request in found], f"{found[0].in_all if found else 0:,}")


def _undecided(actor: Actor) -> ApprovalRequestQuerySet:
    asked = Remark.objects.filter(kind=RemarkKind.QUESTION, author__in=people.keys_of(actor))
    accounts = people.accounts_behind(actor)
    signed = Decision.objects.filter(Q(person_id__in=accounts) | Q(for_person_id__in=accounts))
    signed = signed.filter(request__status__in=UNDECIDED, revision=F("request__revision"))
    open_ones = ApprovalRequest.objects.visible_to(actor).filter(status__in=UNDECIDED)
    return open_ones.filter(pk__in=asked.values("request_id")).exclude(pk__in=signed.values("request_id"))


def _row(request: ApprovalRequest, actor: Actor) -> SentBack:
    said = sorted(request.remarks.all(), key=lambda remark: (remark.at, remark.pk))
    keys = people.keys_of(actor)
    question = [one for one in said if one.kind == RemarkKind.QUESTION and one.author in keys][-1]
    later = said[said.index(question) + 1 :]
    return SentBack(request, question, next((one for one in later if one.kind == RemarkKind.REPLY), None))
