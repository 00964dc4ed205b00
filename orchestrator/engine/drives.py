"""Runs operations: one letter, then ten, then the rest, and only while what comes back is a success.

Called by every host's sweep, outside django-q2. An item is sent in one transaction: the operation is locked, so that
nothing is sent after it was paused or cancelled; the letter, its step and the item move together, so that a process that
is killed anywhere leaves an item either sent or not, and never sent twice. Nothing is closed here by hope: an item ends
when its letter has ended.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now

from audit import rounds, scope
from audit.actors import Actor, person
from audit.lifecycle import database_now, move
from audit.refusals import Refusal
from orchestrator.engine.cancel import discard
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.dead_letters.letters import lock_open, redrive_step
from orchestrator.models import Operation, OperationAct, OperationItem
from orchestrator.statuses import DeadLetterStatus, ItemStatus, OperationStatus

# How many come first, and then next; everything after that is the rest.
FIRST, NEXT = 1, 10
REST = 3
# A share of failures says something once so many have come back.
JUDGED_FROM = 20
# Letters of one operation in one round: the sweep has other duties, and comes again in a second.
BATCH = 25
# After a pause of the sweep this much of the lost time is made up for, no more.
CATCH_UP = timedelta(seconds=1)


def stage_of(place: int) -> int:
    """The stage of the letter at this place of a redrive, counted from one."""
    return 1 if place <= FIRST else 2 if place <= FIRST + NEXT else REST


@dataclass(frozen=True, slots=True)
class Tally:
    """How many items of each stage are where. Always all of them: it is a count, not a counter."""

    counts: Counter[tuple[int, str]]

    def of(self, *statuses: str, stage: int | None = None) -> int:
        return sum(n for (at, status), n in self.counts.items() if status in statuses and stage in {None, at})

    @property
    def stage(self) -> int:
        """The first stage that is not over; 0 when all are."""
        left = {at for (at, status), n in self.counts.items() if n and status in _LEFT}
        return min(left, default=0)


_LEFT = {ItemStatus.WAITING, ItemStatus.UNDER_WAY}


def tally(operation_id: UUID) -> Tally:
    rows = OperationItem.objects.filter(operation=operation_id).order_by().values_list("stage", "status")
    return Tally(Counter({(stage, status): n for stage, status, n in rows.annotate(n=Count("id"))}))


def drive() -> int:
    """One round of every operation. Returns how many items moved."""
    return rounds.each(rounds.due(_unfinished, 50), one_round)


def _unfinished() -> QuerySet[Operation]:
    return Operation.objects.unfinished().order_by("created_at")


def one_round(operation_id: UUID) -> int:
    """See what came back, then send what may be sent now."""
    moved = sum(_observe(pk) for pk in _seen(operation_id))
    moved += _put_down(operation_id)
    for _ in range(BATCH):
        if not _send_next(operation_id):
            break
        moved += 1
    return moved


# --- What came back ----------------------------------------------------------------------------------------------


def _seen(operation_id: UUID) -> list[UUID]:
    """Items whose letter is no longer in the redrive that the item started."""
    going = Q(letter__status=DeadLetterStatus.REDRIVEN, letter__redrives=F("redrive"))
    rows = OperationItem.objects.filter(~going, operation=operation_id, status=ItemStatus.UNDER_WAY)
    return list(rows.order_by("place").values_list("pk", flat=True)[:500])


@transaction.atomic
def _observe(item_id: UUID) -> bool:
    rows = OperationItem.objects.select_for_update(skip_locked=True, of=["self"])
    item = rows.select_related("letter", "operation__group").filter(pk=item_id, status=ItemStatus.UNDER_WAY).first()
    if item is None:
        return False
    letter, group = item.letter, item.operation.group
    again = letter.redrives > item.redrive
    if letter.status == DeadLetterStatus.FIXED and not again:
        move(item, to=ItemStatus.FIXED, by=ENGINE, why="the step was seen to succeed", finished_at=Now())
        return True
    same = letter.group_id in {group.pk, group.merged_into_id} if letter.status == DeadLetterStatus.OPEN else None
    words = "it failed and was redriven from elsewhere" if again else _how(letter.status, letter.message, same)
    move(item, to=ItemStatus.FAILED, by=ENGINE, why=words[:1000], same_cause=same, finished_at=Now())
    return True


def _how(status: str, message: str, same: bool | None) -> str:
    if status != DeadLetterStatus.OPEN:
        return f"its letter was {status} without a success"
    return f"the same failure came back: {message}" if same else f"another failure: {message}"


# --- Sending -----------------------------------------------------------------------------------------------------


@transaction.atomic
def _send_next(operation_id: UUID) -> bool:
    """Send the next item, if one may be sent now. Ends or halts the operation when it is time."""
    operation = _locked(operation_id, OperationStatus.RUNNING)
    if operation is None:
        return False
    counted = tally(operation_id)
    if _ended(operation, counted) or _waits(operation, counted):
        return False
    by = _in_whose_name(operation)
    if by is None:
        why = (
            f"{operation.person_name}, in whose name it runs, is no longer an operator of {operation.unit_title}: "
            "cancel the rest, and choose it anew"
        )
        move(operation, to=OperationStatus.HALTED, by=ENGINE, why=why)
        return False
    item = OperationItem.objects.select_for_update(of=["self"]).select_related("letter").filter(
        operation=operation_id, status=ItemStatus.WAITING
    ).order_by("place").first()  # fmt: skip
    if item is None:
        return False
    _try(operation, item, by)
    _pace(operation)
    return True


def _locked(operation_id: UUID, status: str) -> Operation | None:
    """Another host at work on it, or a person about to pause it, is not waited for."""
    rows = Operation.objects.select_for_update(skip_locked=True, of=["self"])
    found: Operation | None = rows.filter(pk=operation_id, status=status).first()
    return found


def _ended(operation: Operation, counted: Tally) -> bool:
    if why := why_halt(operation, counted):
        move(operation, to=OperationStatus.HALTED, by=ENGINE, why=why)
        return True
    if not counted.stage:
        facts = {status: counted.of(status) for status in ItemStatus.values}
        move(operation, to=OperationStatus.DONE, by=ENGINE, finished_at=Now(), data=facts)
        return True
    return False


def why_halt(operation: Operation, counted: Tally) -> str:
    """The stop condition: any failure of the first and the next ten; of the rest the share that its person allowed.

    Where no letter is left there is nothing to stop.
    """
    failed = counted.of(ItemStatus.FAILED) - operation.accepted_failures
    if failed <= 0 or not counted.stage:
        return ""
    if counted.stage != REST or not operation.stop_percent:
        return f"{failed} came back as a failure: look before the others follow"
    back = counted.of(ItemStatus.FIXED, ItemStatus.FAILED, stage=REST)
    if back >= JUDGED_FROM and failed * 100 > operation.stop_percent * back:
        return f"{failed} of {back} failed, more than the {operation.stop_percent} % allowed"
    return ""


def _waits(operation: Operation, counted: Tally) -> bool:
    """Everything of this stage is sent and not all of it seen, or the speed limit says not yet."""
    if not counted.of(ItemStatus.WAITING, stage=counted.stage):
        return True
    return operation.next_at is not None and operation.next_at > database_now()


def _in_whose_name(operation: Operation) -> Actor | None:
    """Whoever confirmed it, while they still may: a right that was taken away meanwhile takes its operations along."""
    users = get_user_model().objects.filter(pk=operation.person_id, is_active=True)
    by = person(operation.person_id, operation.person_name)
    return by if users.exists() and operation.unit_id in scope.unit_ids(by, "operate") else None


def _try(operation: Operation, item: OperationItem, by: Actor) -> None:
    """The letter and its item move together, or neither does."""
    try:
        with transaction.atomic():
            if operation.act == OperationAct.DISCARD:
                why = operation.note or operation.get_reason_code_display()
                discard(item.letter, by=by, code=operation.reason_code, why=why)
                move(item, to=ItemStatus.DISCARDED, by=by, finished_at=Now(), started_at=Now())
            else:
                number = redrive_step(*lock_open(item.letter), by=by)
                move(item, to=ItemStatus.UNDER_WAY, by=by, redrive=number, started_at=Now())
    except Refusal as refusal:
        move(item, to=ItemStatus.REFUSED, by=by, why=refusal.message, finished_at=Now())
        _fill_up(item)


def _fill_up(refused: OperationItem) -> None:
    """It has shown nothing: the next in line takes its place, so that one is seen before ten, and ten before the rest."""
    for stage in range(refused.stage, REST):
        later = OperationItem.objects.filter(
            operation=refused.operation_id, status=ItemStatus.WAITING, stage=stage + 1
        ).order_by("place")
        OperationItem.objects.filter(pk__in=later.values("pk")[:1]).update(stage=stage)


def _pace(operation: Operation) -> None:
    now = database_now()
    earliest = max(operation.next_at or now, now - CATCH_UP)
    pause = timedelta(seconds=60 / operation.per_minute)
    Operation.objects.filter(pk=operation.pk).update(next_at=earliest + pause)


@transaction.atomic
def _put_down(operation_id: UUID) -> int:
    """What a cancelled operation had not tried yet, some at a time."""
    operation = _locked(operation_id, OperationStatus.CANCELLED)
    if operation is None:
        return 0
    rows = OperationItem.objects.select_for_update().filter(operation=operation_id, status=ItemStatus.WAITING)
    items = list(rows.order_by("place")[:200])
    for item in items:
        move(item, to=ItemStatus.NOT_TRIED, by=ENGINE, why=operation.why, finished_at=Now())
    return len(items)
