"""A second look: of what was decided, a share is judged again by somebody who has seen none of it. Nothing follows for the act.

Which ones is drawn in `draws`. Here: opening a look in the deciding transaction, who may take it, what is recorded.
"""

from datetime import UTC, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from approvals import quorum
from approvals.models import ApprovalRequest, SecondLook, Verdict
from approvals.notifying import notices
from approvals.operations import Changed, Voice
from approvals.operations.voices import refuse_another_page
from approvals.quorum import Need
from approvals.rules import draws, groups, showing
from approvals.rules.answers import refuse_unanswered, refuse_unfit_reason
from approvals.rules.eligible import Answer, asked
from approvals.rules.permissions import person_id, refuse_own
from approvals.rules.standing import refuse_stand_in
from approvals.statuses import RequestStatus, SecondLookStatus
from audit import events, lifecycle, people, rounds, scope
from audit.actors import Actor
from audit.lifecycle import move
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden, Stale

DUE_WITHIN = timedelta(days=5)
# What can be compared. A person's own result in the tool's place is no verdict on the call.
COMPARED = {RequestStatus.APPROVED: Verdict.APPROVE, RequestStatus.REJECTED: Verdict.REJECT}


class NotBlind(Forbidden):
    """Whoever had a hand in it, or has seen how it was decided, cannot judge it unprejudiced."""

    code = "not_blind"


def draw(request: ApprovalRequest, *, by: Actor) -> SecondLook | None:
    """In the transaction that decides it, and only there: open a look if the day's secret says so.

    That it was drawn, or passed over, is recorded with all that is needed to compute it again, except the seed.
    """
    verdict = COMPARED.get(RequestStatus(request.status))
    # Where somebody signed alone in an emergency, another person looks at it in any case.
    if verdict is None or request.emergencies.exists() or request.resolved_at is None:
        return None
    day, percent = request.resolved_at.astimezone(UTC).date(), draws.percent_of(request.policy_version)
    drawn = percent > 0 and draws.is_drawn(
        seed=draws.seed_of(day, by=by), request_id=request.pk, digest=request.digest, percent=percent
    )
    fact = events.fact(
        f"second_look.{'drawn' if drawn else 'passed_over'}",
        by=by,
        object_id=request.pk,
        unit_id=request.unit_id,
        data={"day": day.isoformat(), "percent": percent, "digest": request.digest},
    )
    events.append(f"second_look_draw:{request.pk}", fact)
    return _open(request, verdict, by) if drawn else None


def _open(request: ApprovalRequest, verdict: str, by: Actor) -> SecondLook:
    voices = list(request.decisions.filter(revision=request.revision).order_by("at"))
    look = SecondLook(
        request=request,
        unit_id=request.unit_id,
        first_verdict=verdict,
        first_codes=[voice.reason_code for voice in voices],
        open_to=quorum.open_at_first(request.required, Need.read(request.needs)),
        barred=sorted(_hands_in(request)),
        tells=request.escalate_to,
        due_at=lifecycle.database_now() + DUE_WITHIN,
    )
    lifecycle.born(look, by=by, data={"request": str(request.pk), "digest": request.digest})
    return look


def _hands_in(request: ApprovalRequest) -> set[int]:
    """Everybody who has signed, held, edited, asked about or answered it: they know what became of it."""
    found = {pk for pair in request.decisions.values_list("person_id", "for_person_id") for pk in pair if pk}
    found |= set(request.claims.values_list("person_id", flat=True))
    found |= set(request.edits.values_list("person_id", flat=True))
    authors = request.remarks.filter(author__startswith="user:").values_list("author", flat=True)
    return found | {int(author.removeprefix("user:")) for author in authors}


def waiting_for(actor: Actor) -> QuerySet[SecondLook]:
    """Looks this person could take: theirs to review by a role of their own, and nothing of it is theirs or known to them."""
    own = Q()
    for key in people.keys_of(actor):
        own |= Q(request__requester=key) | Q(request__excluded__contains=[key])
    accounts = people.accounts_behind(actor)
    rows = SecondLook.objects.running().filter(unit_id__in=scope.unit_ids(actor, "review"))
    if not accounts:
        return rows.none()
    theirs = Q(open_to=None) | Q(open_to__overlap=groups.of_people(accounts))
    return rows.filter(theirs).exclude(own).exclude(barred__overlap=sorted(accounts))


def blind_for(request: ApprovalRequest, actor: Actor) -> SecondLook | None:
    """The look that this person could take on a decided request: until then they are not shown how it was decided."""
    look = waiting_for(actor).filter(request=request).select_related("request").first()
    return look if look is not None and may_look(look, actor).allowed else None


def may_look(look: SecondLook, by: Actor) -> Answer:
    """For a page: may they, and if not, why?"""
    return asked(look.request, by, lambda _, actor: refuse_looking(look, actor))


def refuse_looking(look: SecondLook, by: Actor) -> None:
    """The duties of a decision, and knowing nothing of it. Raises Forbidden, Stale."""
    request = look.request
    if not by.is_person:
        raise Forbidden("Only people look at it again. An agent or a token does not.", code="people_only")
    if request.unit_id not in scope.unit_ids(by, "review"):
        raise Forbidden(
            f"You need the reviewer role of your own in {request.unit_title} to take a second look.",
            code="not_a_reviewer",
            remedy="Ask an administrator of that unit.",
        )
    refuse_own(request, by)
    refuse_stand_in(request, by)
    if people.accounts_behind(by) & set(look.barred):
        raise NotBlind("You had a hand in this request or have seen how it was decided, so somebody else looks at it.")
    if look.open_to is not None and not groups.in_force(look.open_to).of(by.user_id):
        raise Forbidden("Only somebody of a group that signs these looks at it again.", code="not_in_a_needed_group")
    if not look.is_open:
        raise Stale(
            "Nobody looked at it in time; nothing follows from that."
            if look.status == SecondLookStatus.EXPIRED
            else "Somebody has already looked at it again."
        )


@transaction.atomic
def look_again(*, look_id: UUID, by: Actor, verdict: str, voice: Voice) -> SecondLook:
    """Record what this person would have decided, and whether it is what was decided. The act stays as it is.

    Raises NotVisible, Forbidden, NotBlind, Stale, Changed, Invalid. Saying the same twice is saying it once.
    """
    look = _locked(look_id, by)
    if look.is_done and (look.person_id, look.verdict) == (by.user_id, verdict):
        return look
    refuse_looking(look, by)
    if lifecycle.database_now() >= look.due_at:
        raise Stale("The time for this second look is over. Nothing was recorded, and nothing follows from it.")
    _refuse_unread(look.request, verdict, voice)
    same = verdict == look.first_verdict
    move(
        look,
        to=SecondLookStatus.AGREED if same else SecondLookStatus.DISAGREED,
        by=by,
        data={"request": str(look.request_id), "digest": voice.digest, "reason_code": voice.reason_code},
        person_id=person_id(by),
        person_name=by.name,
        verdict=verdict,
        reason_code=voice.reason_code,
        note=voice.note,
        answers=dict(voice.answers),
        viewed=dict(voice.viewed),
        looked_at=Now(),
    )
    if not same:
        notices.tell_of_disagreement(look, by=by)
    return look


def _refuse_unread(request: ApprovalRequest, verdict: str, voice: Voice) -> None:
    """Held to what a signature is held to: the same bytes, a fitting reason; and to say yes every part and every check."""
    if (request.digest, request.revision) != (voice.digest, voice.revision):
        raise Changed("What you read is not what was decided. Nothing was recorded; please read it again.")
    refuse_another_page(request, voice)
    if verdict == Verdict.APPROVE:
        showing.refuse_unread(request, voice.viewed)
        showing.refuse_miscopied(request, voice.critical)
    refuse_unfit_reason(request, Verdict(verdict), voice.reason_code, voice.note)
    refuse_unanswered(request, Verdict(verdict), voice.answers)


@transaction.atomic
def see_decision(*, look_id: UUID, by: Actor) -> SecondLook:
    """Somebody has to know how it was decided: they are shown it, and do not look at it again. Recorded."""
    look = _locked(look_id, by)
    if look.is_open and by.user_id is not None and by.user_id not in look.barred:
        look.barred = sorted({*look.barred, by.user_id})
        look.save(update_fields=["barred"])
        lifecycle.note(look, "second_look.seen", by=by, data={"request": str(look.request_id)})
    return look


@transaction.atomic
def _expire(by: Actor, look_id: UUID) -> bool:
    look = SecondLook.objects.overdue().select_for_update(skip_locked=True).filter(pk=look_id).first()
    if look is None:
        return False
    move(look, to=SecondLookStatus.EXPIRED, by=by, why="nobody looked in time")
    return True


def expire_overdue(*, by: Actor, limit: int = 500) -> int:
    """End the looks nobody took in time; nobody is blamed for it. Each in its own transaction."""
    return rounds.each(rounds.due(SecondLook.objects.overdue, limit), partial(_expire, by))


def _locked(look_id: UUID, by: Actor) -> SecondLook:
    rows = SecondLook.objects.visible_to(by).select_for_update(of=("self",)).select_related("request")
    return visible_or_refuse(rows, look_id, "second look")  # type: ignore[no-any-return]
