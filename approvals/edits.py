"""What is asked for was edited: new bytes, a new revision, and every signature over the old ones counts for nothing."""

from dataclasses import dataclass

from django.db import transaction

from approvals import snapshots
from approvals.models import ApprovalRequest, Edit
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
    columns = {name: getattr(amended, name) for name in amended.__slots__}
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
