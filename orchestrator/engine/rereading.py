"""A step that waits for people is entered again only to read the record for them: its handler is not run, nothing is sent."""

import json

from approvals.models import ApprovalRequest
from orchestrator.engine import probes
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import Segment
from orchestrator.gate.reread import store_reading
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus


def read_for_reviewers(segment: Segment) -> Action | None:
    """The held call whose record was read just now; None when nobody has asked for that. Raises Stale without the lease."""
    if segment.attempt_number == 1:
        return None  # Nobody was asked anything before the first attempt.
    asked = ApprovalRequest.objects.pending().filter(execution_id=segment.execution.pk, reading_asked_at__isnull=False)
    held = Action.objects.filter(step_id=segment.step_id, status=ActionStatus.HELD).exclude(record="")
    action = held.filter(pk__in=asked.values("subject_id")).first()
    if action is None:
        return None
    found = probes.read_record(segment, action.tool, json.loads(action.arguments))
    store_reading(
        action=action,
        record=None if isinstance(found, Failure) else found,
        why_not=found.message if isinstance(found, Failure) else "",
        holder=segment.fence,
        by=ENGINE,
    )
    return action
