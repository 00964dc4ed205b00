"""In which group a dead letter belongs. Asked when the letter is written, and again when a group is split or merged.

A letter's group is found from its cause: the unit's group of that fingerprint, then on through merges and splits. The
group is locked against being merged away until the letter is in it, but letters do not wait for each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from audit.lifecycle import born
from orchestrator.engine.claims import ENGINE
from orchestrator.models import DeadLetter, FailureGroup

# What letters of a group can be told apart by: the name as pages say it, and where it stands.
COMMON: dict[str, tuple[str, str]] = {
    "workflow": ("Workflow", "execution__workflow"),
    "release": ("Release", "execution__release_id"),
    "requester": ("Started by", "execution__requester_name"),
    "message": ("Exact message", "message"),
    "cause": ("Cause", "fingerprint"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What a failure is filed by, and what its group is called."""

    fingerprint: str
    failure_class: str
    component: str
    step_key: str
    pattern: str
    owner: str
    runbook: str


def group_for(cause: Cause, *, unit_id: UUID, unit_title: str, values: Mapping[str, str]) -> UUID:
    """Inside the transaction that writes the letter. `values` has one entry for every name of COMMON."""
    group = _of_cause(cause, unit_id, unit_title)
    been: set[UUID] = set()
    while group.pk not in been:
        been.add(group.pk)
        following = group.merged_into_id or _split_for(group.pk, values)
        group = _held(following) if following else group
    return group.pk


def values_of(letter: DeadLetter) -> dict[str, str]:
    """What a letter that is already written can be told apart by."""
    row = DeadLetter.objects.values(*(path for _, path in COMMON.values())).get(pk=letter.pk)
    return {name: str(row[path]) for name, (_, path) in COMMON.items()}


def _of_cause(cause: Cause, unit_id: UUID, unit_title: str) -> FailureGroup:
    same = FailureGroup.objects.filter(unit_id=unit_id, fingerprint=cause.fingerprint, split_from=None)
    known = same.values_list("pk", flat=True).first()
    if known is None:
        group = FailureGroup(unit_id=unit_id, unit_title=unit_title, **_columns(cause))
        try:
            with transaction.atomic():
                born(group, by=ENGINE, why=cause.pattern[:300])
        except IntegrityError:  # another worker has just met the same cause for the first time
            known = same.values_list("pk", flat=True).get()
        else:
            return group
    return _held(known)


def _columns(cause: Cause) -> dict[str, Any]:
    return {name: getattr(cause, name) for name in cause.__dataclass_fields__}


def _held(group_id: UUID) -> FailureGroup:
    """As it is now, and not to be merged away before this transaction is over. Shared: nobody else is kept waiting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM orchestrator_failuregroup WHERE id = %s FOR KEY SHARE", [group_id])
    return FailureGroup.objects.only("id", "merged_into").get(pk=group_id)


def _split_for(group_id: UUID, values: Mapping[str, str]) -> UUID | None:
    """The oldest split of this group that the letter's values fit."""
    splits = FailureGroup.objects.filter(split_from=group_id).order_by("first_at", "id")
    found = splits.values_list("pk", "split_by", "split_value")
    return next((pk for pk, name, value in found if values[name] == value), None)
