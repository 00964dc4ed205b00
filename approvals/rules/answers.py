"""What a decision has to say: a reason its policy offers, and an answer to every check. One rule for page and API."""

from collections.abc import Mapping
from typing import Any

from approvals.models import FITS, ApprovalRequest, ReasonCode, Verdict
from audit.pointers import pointer_to
from audit.refusals import Invalid


def offered(request: ApprovalRequest, verdict: Verdict) -> list[ReasonCode]:
    """The reasons for this verdict that the request's policies leave open; “other” always is."""
    narrowed = set(request.reason_codes or ReasonCode.values) | {ReasonCode.OTHER}
    return [code for code in ReasonCode if code in FITS[verdict] and code in narrowed]


def refuse_unfit_reason(request: ApprovalRequest, verdict: Verdict, reason_code: str, note: str) -> None:
    fitting = offered(request, verdict)
    if reason_code not in fitting:
        raise Invalid(
            f"Choose a reason to {verdict}.",
            errors=[("/reason_code", "not_fitting", f"Use one of: {', '.join(sorted(fitting))}.")],
        )
    if reason_code == ReasonCode.OTHER and not note.strip():
        raise Invalid("A note is needed.", errors=[("/note", "required", "The reason “other” needs a note.")])


def refuse_unanswered(request: ApprovalRequest, verdict: Verdict, answers: Mapping[str, Any]) -> None:
    """Approving needs a yes to every check. Whoever rejects may leave some open."""
    errors = [
        (_pointer(check), "unknown_check", "The policy asks no such question.")
        for check in answers
        if check not in request.checks
    ]
    errors += [
        (_pointer(check), "not_yes_or_no", "Answer true or false.")
        for check, answer in answers.items()
        if not isinstance(answer, bool)
    ]
    if errors:
        raise Invalid("These answers do not fit the checks of this request.", errors=errors)
    if verdict == Verdict.APPROVE:
        _refuse_without_yes(request, answers)


def _refuse_without_yes(request: ApprovalRequest, answers: Mapping[str, Any]) -> None:
    denied = [check for check in request.checks if answers.get(check) is False]
    if denied:
        raise Invalid(
            f"You answered no to “{denied[0]}”, so this cannot be approved.",
            errors=[
                (
                    _pointer(check),
                    "answered_no",
                    "You answered no, so this cannot be approved. Reject it, or correct your answer if it was a slip.",
                )
                for check in denied
            ],
            remedy="Reject it, or correct your answer if it was a slip.",
        )
    left = [check for check in request.checks if check not in answers]
    if left:
        raise Invalid(
            f"Answer “{left[0]}” before you approve.",
            errors=[(_pointer(check), "required", "Answer yes or no before you approve.") for check in left],
        )


def _pointer(check: str) -> str:
    return pointer_to(["answers", check])
