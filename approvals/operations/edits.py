"""What is asked for was edited: new bytes, a new revision, and every signature over the old ones counts for nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from approvals import snapshots
from approvals.models import ApprovalRequest, Edit
from approvals.quorum import Need, open_at_first, people_of, union
from approvals.rules.policies import codes_of
from audit import lifecycle
from audit.actors import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """The subject after the edit, and what people must give for it now."""

    snapshot: str
    digest: str
    revision: int
    title: str
    required: int
    tier: str
    reasons: list[str]
    policy_version: str
    needs: tuple[Need, ...]
    reason_codes: tuple[str, ...]
    checks: tuple[str, ...]
    step_up: bool
    # Keys of people whose signature cannot count from now on, each with the words for why.
    duties: Mapping[str, str]
    # What the control plane found about what is named now: about what was proposed it would speak of another thing.
    found: list[Any]


@transaction.atomic
def amend(*, request: ApprovalRequest, amended: Amended, by: Actor, note: str) -> Edit:
    """Put the edited bytes in the place of the ones that waited. The caller holds the row and has judged the edit."""
    if by.user_id is None:
        raise TypeError("only a person edits")
    changes = snapshots.difference(request.snapshot, amended.snapshot)
    edit = Edit.objects.create(
        request=request,
        person_id=by.user_id,
        person_name=by.name,
        note=note,
        revision=amended.revision,
        before=request.snapshot,
        before_digest=request.digest,
        after=amended.snapshot,
        after_digest=amended.digest,
        changes=[{"label": row.label, "before": row.before, "after": row.after} for row in changes],
    )
    columns = _columns(request, amended)
    for name, value in columns.items():
        setattr(request, name, value)
    request.save(update_fields=list(columns))
    lifecycle.note(
        request,
        "approval_request.edited",
        by=by,
        why=note,
        data={"before": edit.before_digest, "after": edit.after_digest, "revision": edit.revision},
    )
    return edit


def _columns(request: ApprovalRequest, amended: Amended) -> dict[str, Any]:
    """What is asked of people after the edit: nothing less than before, from the same groups, and with the same checks.

    Nobody has signed the edited bytes, so every seat is free again. The time to decide runs on.
    """
    needs = union([Need.read(request.needs), amended.needs])
    required = people_of(max(request.required, amended.required), needs)
    same = ("snapshot", "digest", "revision", "title", "tier", "reasons", "policy_version", "found")
    return {name: getattr(amended, name) for name in same} | {
        "required": required,
        "needs": [need.to_json() for need in needs],
        "open_to": open_at_first(required, needs),
        "reason_codes": list(codes_of([request.reason_codes, amended.reason_codes])),
        "checks": list(dict.fromkeys([*request.checks, *amended.checks])),
        "step_up": request.step_up or amended.step_up,
        "excluded": list(dict.fromkeys([*request.excluded, *amended.duties])),
        "duties": {**amended.duties, **request.duties},
    }
