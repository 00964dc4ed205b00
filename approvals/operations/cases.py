"""Every rejection, edit and answer is kept as a candidate case, in the transaction that made it; people choose which teach.

An evaluation reads `EvaluationCase.objects.accepted()`: frozen rows, whose ids are the cases' stable names.
"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals.models import ApprovalRequest, CaseKind, Decision, Edit, EvaluationCase, Verdict
from approvals.statuses import EvaluationCaseStatus, RequestStatus
from audit import events, lifecycle, scope
from audit.actors import Actor
from audit.canonical import canonical
from audit.lifecycle import move
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden, Invalid, Stale

SHORTEST_REASON = 5


def keep_decision(request: ApprovalRequest, *, by: Actor) -> EvaluationCase | None:
    """A rejection. An answer is kept once its result is known (`keep_answer`); a decision about a step is no case."""
    if request.status != RequestStatus.REJECTED or not request.is_call:
        return None
    voice = request.decisions.filter(verdict=Verdict.REJECT, revision=request.revision).order_by("-at").first()
    return _keep(request, CaseKind.REJECTION, by, voice=voice)


def keep_answer(request: ApprovalRequest, *, result: dict[str, Any], by: Actor) -> EvaluationCase | None:
    """What a person gave in the tool's place. Repeated, nothing happens."""
    if request.is_test or request.status != RequestStatus.ANSWERED or _is_kept(request, CaseKind.ANSWER):
        return None
    voice = request.decisions.filter(verdict=Verdict.ANSWER, revision=request.revision).order_by("-at").first()
    return _keep(request, CaseKind.ANSWER, by, voice=voice, after=canonical(result))


def _is_kept(request: ApprovalRequest, kind: CaseKind) -> bool:
    return bool(EvaluationCase.objects.filter(request=request, kind=kind, revision=request.revision).exists())


def keep_edit(edit: Edit, *, by: Actor) -> EvaluationCase | None:
    """What was proposed, and what a reviewer made of it."""
    request = edit.request
    if request.is_test:
        return None
    return _keep(
        request, CaseKind.EDIT, by, snapshot=edit.before, digest=edit.before_digest, revision=edit.revision,
        after=_arguments(edit.after), note=edit.note,
    )  # fmt: skip


def _keep(
    request: ApprovalRequest, kind: CaseKind, by: Actor, *, voice: Decision | None = None, **columns: Any
) -> EvaluationCase:
    snapshot: str = columns.pop("snapshot", request.snapshot)
    bound = json.loads(snapshot)
    said = {"reason_code": voice.reason_code, "note": voice.note} if voice else {}
    case = EvaluationCase(
        kind=kind,
        request=request,
        unit_id=request.unit_id,
        snapshot=snapshot,
        title=request.title,
        agent=request.agent,
        tool=request.tool,
        tool_version=request.tool_version,
        release=str(bound.get("release") or ""),
        policy_version=str(bound.get("policy_version") or request.policy_version),
        before=_arguments(snapshot),
        **{"digest": request.digest, "revision": request.revision, **said, **columns},
    )
    data = {"kind": str(kind), "request": str(request.pk), "digest": case.digest}
    lifecycle.born(case, by=by, data=data)
    return case


def _arguments(snapshot: str) -> str:
    return canonical(json.loads(snapshot)["arguments"])


@transaction.atomic
def judge(*, case_id: UUID, accept: bool, why: str, by: Actor) -> EvaluationCase:
    """Accept a case, or dismiss it, with a reason. Raises NotVisible, Forbidden, Invalid, Stale."""
    rows = EvaluationCase.objects.visible_to(by).select_for_update()
    case: EvaluationCase = visible_or_refuse(rows, case_id, "evaluation case")
    refuse_unless_judge(case, by)
    if len(why.strip()) < SHORTEST_REASON:
        words = f"Say in at least {SHORTEST_REASON} characters why."
        raise Invalid("A case is chosen for a reason.", errors=[("/why", "too_short", words)])
    to = EvaluationCaseStatus.ACCEPTED if accept else EvaluationCaseStatus.DISMISSED
    if case.status == to:
        return case
    if to not in case.lifecycle.edges[case.status]:
        raise Stale("This case was dismissed. Nothing takes it up again; the next like it will be kept anew.")
    said: dict[str, Any] = {"judged_by": by.key, "judged_by_name": by.name, "judged_at": Now()}
    move(case, to=to, by=by, why=why.strip()[:1000], data={"request": str(case.request_id)}, **said)
    return case


def refuse_unless_judge(case: EvaluationCase, by: Actor) -> None:
    if not may_judge(case, by):
        raise Forbidden(
            "You need the reviewer role in this unit to choose evaluation cases.",
            code="not_a_reviewer",
            remedy="Ask an administrator of that unit.",
        )


def may_judge(case: EvaluationCase, by: Actor) -> bool:
    return by.is_person and case.unit_id in scope.unit_ids(by, "review")


@transaction.atomic
def export(cases: Iterable[EvaluationCase], *, by: Actor) -> str:
    """The cases as JSON lines, oldest first, with stable ids. That arguments left the system is recorded, per unit."""
    chosen = sorted(cases, key=lambda case: case.pk)
    for unit_id in sorted({case.unit_id for case in chosen}):
        count = sum(case.unit_id == unit_id for case in chosen)
        stream, data = f"evaluation_cases:{unit_id}", {"cases": count}
        events.record("evaluation_case.exported", by=by, stream=stream, unit_id=unit_id, data=data)
    return "".join(f"{json.dumps(line_of(case), ensure_ascii=False, sort_keys=True)}\n" for case in chosen)


def line_of(case: EvaluationCase) -> dict[str, Any]:
    """One case as data: arguments as JSON values, everything else as it was."""
    same = ("kind", "status", "agent", "tool", "tool_version", "release", "policy_version", "digest", "revision",
            "reason_code", "note", "why")  # fmt: skip
    return {
        "id": str(case.pk),
        "unit": str(case.unit_id),
        "request": str(case.request_id),
        "kept_at": case.kept_at.isoformat(),
        "before": json.loads(case.before),
        "after": json.loads(case.after) if case.after else None,
        **{name: getattr(case, name) for name in same},
    }
