"""The record behind a held call, read again for its reviewers. What was read is stored here; the same bytes change nothing."""

from typing import Any
from uuid import UUID

from django.db import transaction

from approvals.operations import readings
from audit import lifecycle
from audit.actors import Actor
from audit.canonical import canonical
from orchestrator.gate.announce import announce
from orchestrator.gate.locks import lock_action, refuse_without_lease
from orchestrator.gate.snapshot import digest_of, snapshot_of
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus


@transaction.atomic
def store_reading(*, action: Action, record: dict[str, Any] | None, why_not: str, holder: UUID, by: Actor) -> None:
    """Keep what was found: unchanged, changed (a new revision, to be signed anew), or `why_not` when it could not be read.

    In the order of every verb: the request first. Decided meanwhile: what was read is of no use any more.
    Raises Stale when the attempt `holder` lost its lease.
    """
    request = readings.waiting(action.approval_id) if action.approval_id else None
    action = lock_action(action.pk)
    refuse_without_lease(action.step_id, holder)
    if request is None or action.status != ActionStatus.HELD:
        return
    if record is None:
        readings.failed(request, why=why_not, by=by)
    elif canonical(record) == action.record:
        readings.unchanged(request, by=by)
    else:
        _renew(action, canonical(record))
        readings.changed(request, snapshot=snapshot_of(action), digest=action.digest, revision=action.revision, by=by)
        lifecycle.note(
            action, "action.record_changed", by=by, data={"digest": action.digest, "revision": action.revision}
        )
        announce(action)


def _renew(action: Action, record: str) -> None:
    action.record = record
    action.revision += 1
    action.digest = digest_of(action)
    action.save(update_fields=["record", "revision", "digest"])
