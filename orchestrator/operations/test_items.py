"""A test item out of a past call: judged by the policies in force like a call, stored nowhere as one.

No action is made. What the gate redeems are actions, so there is nothing here that it could.
"""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import snapshots
from approvals.models import SeededItem
from approvals.operations import seeding
from audit.actors import Actor
from audit.ids import new_id
from audit.queries import visible_or_refuse
from audit.refusals import Invalid
from budgets.models import BusinessUnit
from orchestrator.gate.judge import Judged, judge_again
from orchestrator.gate.propose import asked_of, canonical_arguments, subject_of
from orchestrator.gate.snapshot import digest_of, snapshot_of
from orchestrator.models import Action


@transaction.atomic
def write(*, action_id: UUID, arguments: dict[str, Any], expected: str, hint: str, by: Actor) -> SeededItem:
    """Put a copy of a past call, with these arguments, in front of its reviewers. It is never carried out.

    Raises NotVisible, Forbidden, NotSwitchedOn, Invalid.
    """
    source: Action = visible_or_refuse(Action.objects.visible_to(by), action_id, "action")
    seeding.refuse_unless_writer(by, source.unit_id)
    judged = judge_again(source, arguments)
    _refuse_undecidable(judged)
    copied = _copy(source, arguments, judged)
    # Its duties are asked under the source's own place: whoever published the workflow does not decide on the copy either.
    shown = subject_of(copied, judged)
    duties = {**shown.duties, by.key: "put this in front of the reviewers"}
    subject = replace(shown, id=new_id(), execution_id=None, is_test=True, duties=duties)
    changes = snapshots.difference(_arguments_of(source), _arguments_of(copied))
    return seeding.seed(
        subject=subject,
        asked=asked_of(judged.requirement),
        expected=expected,
        hint=hint,
        source_id=source.pk,
        changes=[{"label": row.label, "before": row.before, "after": row.after} for row in changes],
        by=by,
    )


def _refuse_undecidable(judged: Judged) -> None:
    if judged.verdict == "deny":
        words = "; ".join(judged.reasons)
        raise Invalid(f"This call would be denied without asking anybody: {words}")
    if judged.verdict == "allow":
        raise Invalid("Nobody would be asked about this call, so nobody can be tested by it.")


def _copy(source: Action, arguments: dict[str, Any], judged: Judged) -> Action:
    """The call with other arguments, in memory only: never saved, so never redeemed."""
    copied = Action(
        id=new_id(),
        unit_id=source.unit_id,
        unit_title=BusinessUnit.objects.values_list("title", flat=True).get(pk=source.unit_id),
        agent=source.agent,
        tool=source.tool,
        tool_version=judged.known_tool().version,
        effect=judged.known_tool().effect,
        tier=judged.known_tool().tier,
        execution_id=source.execution_id,
        step_id=source.step_id,
        arguments=canonical_arguments(arguments),
        record=source.record,
        context=source.context,
        required=judged.requirement.required,
        policy_version=judged.requirement.policy_version,
        requester=source.requester,
        requester_name=source.requester_name,
    )
    copied.digest = digest_of(copied)
    return copied


def _arguments_of(action: Action) -> str:
    """Only what can be changed, as a snapshot to compare."""
    whole: dict[str, Any] = json.loads(snapshot_of(action))
    return json.dumps(whole["arguments"])
