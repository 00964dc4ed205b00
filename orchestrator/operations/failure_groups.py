"""What people do with a group of failures: take it, let it rest, say it is fixed, tell apart what was grouped, join what was not.

Nothing here touches a letter's own state. Splitting and merging move letters from one group to another; none is lost and
none is counted twice, because a group is only where its letters say they are.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from audit.actors import Actor
from audit.lifecycle import born, database_now, move, note
from audit.queries import visible_or_refuse
from audit.refusals import Invalid, Refusal, Stale, refuse_blank
from orchestrator.engine.dead_letters.filing import COMMON
from orchestrator.models import FailureGroup, Release
from orchestrator.operations.executions import refuse_unless_a_person_operates
from orchestrator.statuses import FAILURE_GROUP, DeadLetterStatus, GroupStatus

LONGEST_TICKET = 500
LONGEST_VALUE = 500  # of what a group can be split by


class NotTogether(Refusal):
    """These two cannot be one group, or this one cannot be taken apart so."""

    code = "not_together"


@transaction.atomic
def take(*, group_id: UUID, by: Actor) -> FailureGroup:
    """Say that one looks after it. Whoever takes it later takes it over. Raises NotVisible, Forbidden, Stale."""
    group = _locked(group_id, by)
    mine: dict[str, Any] = {"taken_by_id": by.user_id, "taken_by_name": by.name, "taken_at": Now()}
    if group.status == GroupStatus.NEW:
        move(group, to=GroupStatus.ONGOING, by=by, why=f"{by.name} took it", **mine)
    else:
        FailureGroup.objects.filter(pk=group_id).update(**mine)
        note(group, "failure_group.taken", by=by)
    group.refresh_from_db()
    return group


@transaction.atomic
def park(*, group_id: UUID, by: Actor, until: datetime | None, more: int | None, why: str) -> FailureGroup:
    """Let it rest until a time, or until so many more letters wait. It wakes up by itself. Raises Invalid, Stale, ..."""
    group = _locked(group_id, by)
    refuse_blank(why, "Say why it can wait.")
    if until is None and more is None:
        raise Invalid("Until when?", errors=[("/until", "required", "Choose a time, a growth, or both.")])
    _refuse_unless(group, GroupStatus.PARKED)
    if until is not None and until <= database_now():
        raise Invalid("That time is over.", errors=[("/until", "past", "Choose a time to come.")])
    waiting = group.letters.filter(status=DeadLetterStatus.OPEN).count()
    above = None if more is None else waiting + max(more, 1) - 1
    move(group, to=GroupStatus.PARKED, by=by, why=why, parked_until=until, parked_above=above,
         data={"until": until.isoformat() if until else "", "more": more or 0})  # fmt: skip
    return group


@transaction.atomic
def mark_fixed(*, group_id: UUID, by: Actor, release_id: UUID | None, why: str) -> FailureGroup:
    """Say that the cause is gone: since a release, or outside of ours. A later letter where the fix should be brings it back.

    Its open letters stay open: they are redriven, and each is fixed when its step is seen to succeed.
    """
    group = _locked(group_id, by)
    refuse_blank(why, "Say what was fixed.")
    _refuse_unless(group, GroupStatus.FIXED)
    if release_id is not None and not _releases(group).filter(pk=release_id).exists():
        raise Invalid("Choose a release.", errors=[("/release", "unknown", "This is no release of its workflows.")])
    rests = {"parked_until": None, "parked_above": None}
    data = {"release": str(release_id or "")}
    move(group, to=GroupStatus.FIXED, by=by, why=why, fixed_in_id=release_id, fixed_at=Now(), data=data, **rests)
    return group


@transaction.atomic
def reopen(*, group_id: UUID, by: Actor, why: str) -> FailureGroup:
    """Take back that it rests or is fixed. Raises Invalid, Stale, NotVisible, Forbidden."""
    group = _locked(group_id, by)
    refuse_blank(why, "Say why somebody has to look again.")
    if group.status not in {GroupStatus.PARKED, GroupStatus.FIXED}:
        raise Stale(f"This group is {group.status}; there is nothing to take back.")
    move(group, to=GroupStatus.ONGOING, by=by, why=why, parked_until=None, parked_above=None)
    return group


@transaction.atomic
def link_ticket(*, group_id: UUID, by: Actor, ticket: str) -> FailureGroup:
    """Where people outside of here talk about it; "" takes the link away. Raises Invalid, NotVisible, Forbidden, Stale."""
    group = _locked(group_id, by)
    ticket = ticket.strip()
    if ticket and not _is_link(ticket):
        raise Invalid("This is no link.", errors=[("/ticket", "not_a_link", "Begin it with https://.")])
    if len(ticket) > LONGEST_TICKET:
        raise Invalid(
            "The link is too long.", errors=[("/ticket", "too_long", f"At most {LONGEST_TICKET} characters.")]
        )
    FailureGroup.objects.filter(pk=group_id).update(ticket=ticket)
    note(group, "failure_group.ticket_linked" if ticket else "failure_group.ticket_removed", by=by)
    group.refresh_from_db()
    return group


@transaction.atomic
def split(*, group_id: UUID, by: Actor, name: str, value: str) -> FailureGroup:
    """Put the letters with this common value into a group of their own, also those to come. Answers that group.

    Raises Invalid, NotTogether, NotVisible, Forbidden, Stale.
    """
    group = _locked(group_id, by, whole=True)
    if name not in COMMON or len(value) > LONGEST_VALUE:
        raise Invalid("By what?", errors=[("/name", "unknown", "Choose one of the common values.")])
    letters = group.letters.filter(**{COMMON[name][1]: value})
    number, total = letters.count(), group.letters.count()
    if not number:
        raise NotTogether("No letter of this group has that value.", remedy="Look at its common values again.")
    if number == total:
        raise NotTogether("All its letters have that value, so nothing would be told apart.")
    part = _own_group(group, name, value, by) or _part(group, name, value, by)
    if part.pk == group.pk:
        raise NotTogether("This is the group's own cause.", remedy="Split off another one of its causes.")
    letters.update(group=part)
    facts = {"into": str(part.pk), "letters": number, "by": name}
    note(group, "failure_group.split", by=by, data=facts)
    return part


@transaction.atomic
def merge(*, group_id: UUID, into_id: UUID, by: Actor, why: str) -> FailureGroup:
    """Put all letters of one group into another, also those to come. Answers the other. A split by cause undoes it.

    Raises Invalid, NotTogether, NotVisible, Forbidden, Stale.
    """
    if group_id == into_id:
        raise NotTogether("A group cannot be merged into itself.")
    refuse_blank(why, "Say why these are one cause.")
    locked = {pk: _locked(pk, by, whole=True) for pk in sorted([group_id, into_id])}
    group, into = locked[group_id], locked[into_id]
    if group.unit_id != into.unit_id:
        raise NotTogether("A group never crosses the wall between units.", remedy="Link both to one ticket instead.")
    number = group.letters.update(group=into)
    FailureGroup.objects.filter(merged_into=group).update(merged_into=into)
    rests = {"parked_until": None, "parked_above": None}
    data = {"into": str(into.pk), "letters": number}
    move(group, to=GroupStatus.MERGED, by=by, why=why, merged_into=into, data=data, **rests)
    note(into, "failure_group.grown", by=by, why=why, data={"from": str(group.pk), "letters": number})
    return into


def _locked(group_id: UUID, by: Actor, *, whole: bool = False) -> FailureGroup:
    """`whole`: also against letters that are just being filed into it."""
    rows = FailureGroup.objects.visible_to(by).select_for_update(no_key=not whole, of=["self"])
    group: FailureGroup = visible_or_refuse(rows, group_id, "group of failures")
    refuse_unless_a_person_operates(by, group.unit_id, group.unit_title, else_say="Only people triage.")
    if group.status == GroupStatus.MERGED:
        raise Stale("This group was merged into another one.")
    return group


def _is_link(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _refuse_unless(group: FailureGroup, may_become: str) -> None:
    if may_become not in FAILURE_GROUP.edges[group.status]:
        raise Stale(f"This group is {group.status} already. Take that back first.")


def _releases(group: FailureGroup) -> QuerySet[Release]:
    """Releases of the workflows that its letters come from."""
    workflows = group.letters.order_by().values("execution__workflow").distinct()
    rows: QuerySet[Release] = Release.objects.filter(workflow__in=workflows)
    return rows


def _own_group(group: FailureGroup, name: str, value: str, by: Actor) -> FailureGroup | None:
    """Split by cause, what was merged goes back to where it came from."""
    if name != "cause":
        return None
    if value == group.fingerprint:
        return group
    rows = FailureGroup.objects.select_for_update(of=["self"])
    known = rows.filter(unit_id=group.unit_id, fingerprint=value, split_from=None, merged_into=group).first()
    return _again(known, by)


def _again(known: FailureGroup | None, by: Actor) -> FailureGroup | None:
    """A group that was merged away is one again."""
    if known is not None and known.status == GroupStatus.MERGED:
        move(known, to=GroupStatus.ONGOING, by=by, why="split off again", merged_into=None)
    return known


def _part(group: FailureGroup, name: str, value: str, by: Actor) -> FailureGroup:
    rows = FailureGroup.objects.select_for_update(of=["self"])
    known = _again(rows.filter(split_from=group, split_by=name, split_value=value).first(), by)
    if known is not None:
        return known
    kept = ("unit_id", "unit_title", "fingerprint", "failure_class", "component", "step_key", "pattern", "owner",
            "runbook", "ticket", "taken_by_id", "taken_by_name")  # fmt: skip
    part = FailureGroup(
        split_from=group, split_by=name, split_value=value, **{field: getattr(group, field) for field in kept}
    )
    born(part, by=by, why=f"split off by {COMMON[name][0].lower()}", data={"from": str(group.pk)})
    return part
