"""One act on many dead letters: frozen when chosen, shown, confirmed by a person, by two where policy says so; then run.

Nothing is sent from here. A confirmation only lets engine.drives begin; pausing and cancelling take the operation's lock,
so nothing is sent after them.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from audit.actors import Actor
from audit.canonical import digest
from audit.ids import new_id
from audit.lifecycle import born, move
from audit.people import accounts_behind
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden, Invalid, Refusal, Stale
from orchestrator.engine.drives import REST, stage_of, tally
from orchestrator.models import DeadLetter, FailureGroup, Operation, OperationAct, OperationItem
from orchestrator.operations.dead_letters import refuse_without_reason
from orchestrator.operations.executions import refuse_unless_a_person_operates
from orchestrator.operations.left_out import reasons_against
from orchestrator.statuses import DeadLetterStatus, ItemStatus, OperationStatus

SAMPLES = 3
# Above so many letters the person types the number.
TYPED_ABOVE = 100
SPEEDS = (10, 60, 300, 600)
SHARES = (0, 5, 10, 25)
MANY = "Only people act on many at once."


class NothingChosen(Refusal):
    """No letter was selected."""

    code = "nothing_chosen"


class WrongCount(Refusal):
    """The number that the person confirms is not the number of letters it is about."""

    code = "wrong_count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a person says when they confirm."""

    count: int | None = None
    per_minute: int = 60
    stop_percent: int = 0
    reason_code: str = ""
    note: str = ""


@transaction.atomic
def preview(*, act: str, group_id: UUID, by: Actor, letter_ids: Iterable[UUID] | None = None) -> Operation:
    """Freeze letters of one group: those named, or all that are open now. What cannot be done is left out, with the reason.

    Raises NothingChosen, Invalid, NotVisible, Forbidden.
    """
    group = _group(group_id, by)
    if act not in OperationAct.values:
        raise Invalid("Redrive or discard?", errors=[("/act", "unknown", "Choose what to do.")])
    letters, chosen = _chosen(group, letter_ids)
    against = reasons_against(letters, act=act)
    done = [letter for letter in letters if letter.pk not in against]
    operation = Operation(
        act=act, unit_id=group.unit_id, unit_title=group.unit_title, group=group, chosen=chosen,
        person_id=by.user_id or 0, person_name=by.name, size=len(done),
        samples=[str(letter.pk) for letter in random.sample(done, min(SAMPLES, len(done)))],
    )  # fmt: skip
    ids = sorted(str(letter.pk) for letter in letters)
    facts = {"act": act, "letters": len(done), "left_out": len(against), "set": digest(ids)}
    born(operation, by=by, data=facts)
    _freeze(operation, [*done, *(letter for letter in letters if letter.pk in against)], against)
    return operation


def _group(group_id: UUID, by: Actor) -> FailureGroup:
    group: FailureGroup = visible_or_refuse(FailureGroup.objects.visible_to(by), group_id, "group of failures")
    refuse_unless_a_person_operates(by, group.unit_id, group.unit_title, else_say=MANY)
    return group


def _chosen(group: FailureGroup, letter_ids: Iterable[UUID] | None) -> tuple[list[DeadLetter], str]:
    """The oldest failures first: they have waited longest."""
    rows = group.letters.select_related("execution", "step").defer("evidence", "execution__input", "step__output")
    if letter_ids is None:
        rows, chosen = rows.filter(status=DeadLetterStatus.OPEN), "all"
    else:
        ids = set(letter_ids)
        rows, chosen = rows.filter(pk__in=ids), "one" if len(ids) == 1 else "selected"
    letters = list(rows.order_by("first_at", "id")[: settings.OPERATION_LIMIT])
    if not letters:
        raise NothingChosen("No letter is chosen.", remedy="Tick letters of this group, or choose all open ones.")
    return letters, chosen


def _freeze(operation: Operation, letters: list[DeadLetter], against: dict[UUID, str]) -> None:
    """Left out come last, so that the places of the others are their order."""
    redrives = operation.act == OperationAct.REDRIVE
    OperationItem.objects.bulk_create(
        [
            OperationItem(
                id=new_id(), operation=operation, letter=letter, unit_id=letter.unit_id, place=place,
                stage=0 if letter.pk in against else stage_of(place) if redrives else REST,
                status=ItemStatus.LEFT_OUT if letter.pk in against else ItemStatus.WAITING,
                why=against.get(letter.pk, ""),
            )
            for place, letter in enumerate(letters, 1)
        ],
        batch_size=500,
    )  # fmt: skip


@transaction.atomic
def confirm(*, operation_id: UUID, by: Actor, terms: Terms) -> Operation:
    """Its own person lets it begin; discarding many waits for a second one. Confirmed twice, it began once.

    Raises WrongCount, Invalid, Stale, NothingChosen, NotVisible, Forbidden.
    """
    operation = _locked(operation_id, by)
    if operation.person_id != by.user_id:
        raise Forbidden(f"{operation.person_name} chose these letters and read the preview. Make one of your own.")
    if operation.status != OperationStatus.PREVIEWED:
        raise Stale(f"This operation is already {operation.get_status_display().lower()}.")
    _refuse_terms(operation, terms)
    given: dict[str, Any] = {
        "per_minute": terms.per_minute, "stop_percent": terms.stop_percent, "reason_code": terms.reason_code,
        "note": terms.note.strip()[:1000], "confirmed_at": Now(),
    }  # fmt: skip
    to = OperationStatus.SECOND_PERSON if needs_second(operation) else OperationStatus.RUNNING
    facts = {"letters": operation.size, "per_minute": terms.per_minute, "reason_code": terms.reason_code}
    move(operation, to=to, by=by, data=facts, **given)
    return operation


def needs_second(operation: Operation) -> bool:
    """Giving up more work than one person may give up alone."""
    return operation.act == OperationAct.DISCARD and operation.size > settings.DISCARD_ALONE_UP_TO


def must_type(operation: Operation) -> bool:
    return operation.size > TYPED_ABOVE


def _refuse_count(operation: Operation, count: int | None) -> None:
    if must_type(operation) and count != operation.size:
        raise WrongCount(
            f"This is about {operation.size:,} letters.", remedy=f"Type {operation.size} to confirm that you know."
        )


def _refuse_terms(operation: Operation, terms: Terms) -> None:
    if not operation.size:
        raise NothingChosen("Nothing of it can be done. The reasons stand beside the letters.")
    _refuse_count(operation, terms.count)
    if terms.per_minute not in SPEEDS or terms.stop_percent not in SHARES:
        raise Invalid(
            "Choose a speed and a stop condition.", errors=[("/per_minute", "unknown", "Choose one of these.")]
        )
    if operation.act == OperationAct.DISCARD:
        refuse_without_reason(terms.reason_code, terms.note)


@transaction.atomic
def second(*, operation_id: UUID, by: Actor, count: int | None) -> Operation:
    """Another person agrees to give up so many letters. Raises Forbidden, WrongCount, Stale, NotVisible."""
    operation = _locked(operation_id, by)
    if operation.status != OperationStatus.SECOND_PERSON:
        raise Stale(f"This operation is {operation.get_status_display().lower()}; it waits for nobody.")
    if operation.person_id in accounts_behind(by):
        raise Forbidden("You asked for it, under this account or another of yours. It takes a second person.")
    _refuse_count(operation, count)
    move(
        operation, to=OperationStatus.RUNNING, by=by, why=f"{by.name} agreed", second_id=by.user_id, second_name=by.name
    )
    return operation


@transaction.atomic
def pause(*, operation_id: UUID, by: Actor) -> Operation:
    """Send nothing more until somebody lets it go on. What is under way goes on and is seen. Raises Stale, ..."""
    operation = _locked(operation_id, by)
    if operation.status != OperationStatus.RUNNING:
        raise Stale(f"This operation is {operation.get_status_display().lower()}; there is nothing to pause.")
    move(operation, to=OperationStatus.PAUSED, by=by, why=f"{by.name} paused it")
    return operation


@transaction.atomic
def resume(*, operation_id: UUID, by: Actor) -> Operation:
    """Let it go on: after a pause, or after its stop condition, with the failures seen so far taken into the bargain."""
    operation = _locked(operation_id, by)
    if operation.status not in {OperationStatus.PAUSED, OperationStatus.HALTED}:
        raise Stale(f"This operation is {operation.get_status_display().lower()}; it does not wait for anybody.")
    halted = operation.status == OperationStatus.HALTED
    accepted = tally(operation.pk).of(ItemStatus.FAILED) if halted else operation.accepted_failures
    facts = {"accepted_failures": accepted}
    move(
        operation,
        to=OperationStatus.RUNNING,
        by=by,
        why=f"{by.name} let it go on",
        accepted_failures=accepted,
        data=facts,
    )
    return operation


@transaction.atomic
def cancel(*, operation_id: UUID, by: Actor) -> Operation:
    """Try no further letter. What is under way cannot be called back, and is still seen. Raises Stale, NotVisible, Forbidden."""
    operation = _locked(operation_id, by)
    if OperationStatus.CANCELLED not in operation.lifecycle.edges[operation.status]:
        raise Stale(f"This operation is already {operation.get_status_display().lower()}.")
    move(operation, to=OperationStatus.CANCELLED, by=by, why=f"{by.name} cancelled it", finished_at=Now())
    return operation


def _locked(operation_id: UUID, by: Actor) -> Operation:
    rows = Operation.objects.visible_to(by).select_for_update(no_key=True, of=["self"])
    operation: Operation = visible_or_refuse(rows, operation_id, "operation")
    refuse_unless_a_person_operates(by, operation.unit_id, operation.unit_title, else_say=MANY)
    return operation
