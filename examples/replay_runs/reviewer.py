"""A scripted reviewer: decides on the replayed agent's held writes by the label file, with the verbs a person uses.

    python examples/replay_runs/reviewer.py --data DIR --reviewer USERNAME

It runs inside Holdpoint, signs as that user, and needs what every reviewer needs: the role in the unit, not to be the
owner of the agent and, where a policy of yours asks for a second factor, the key of that user's authenticator app
(REVIEWER_APP_KEY). Each of its codes is good once, so it then decides one act in half a minute. It ends when it has
decided on every labelled write, or when nothing came for a while.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import django
from recordings import AGENT, Label, labels

POLL_SECONDS = 0.1


def main() -> int:
    """The exit code: 0 when every labelled write was decided."""
    options = _options()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    right = labels(options.data)
    approved, rejected = review(right, options.reviewer, patience=options.patience)
    print(f"{options.reviewer} approved {approved} and rejected {rejected} of {len(right)} writes.")
    return 0 if approved + rejected == len(right) else 1


def review(right: dict[tuple[str, str], Label], username: str, *, patience: float) -> tuple[int, int]:
    """Decide until all are decided or nothing has come for `patience` seconds: how many were approved and rejected."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415  (Django is set up by now)

    from audit.actors import person  # noqa: PLC0415

    user = get_user_model().objects.get(username=username)
    by = person(user.pk, user.get_full_name() or username)
    counts = {"approve": 0, "reject": 0}
    last = time.monotonic()
    while sum(counts.values()) < len(right) and time.monotonic() - last < patience:
        for request, label in _waiting(right):
            counts[_decide(request, label, by)] += 1
            last = time.monotonic()
        time.sleep(POLL_SECONDS)
    return counts["approve"], counts["reject"]


def _waiting(right: dict[tuple[str, str], Label]) -> list[tuple[Any, Label]]:
    from approvals.models import ApprovalRequest  # noqa: PLC0415
    from orchestrator.models import Action  # noqa: PLC0415

    pending = list(ApprovalRequest.objects.pending().filter(agent=AGENT))
    actions = Action.objects.in_bulk([request.subject_id for request in pending])
    found = []
    for request in pending:
        action = actions[request.subject_id]
        label = right.get((str(action.execution_id), action.context["model_call"]["call"]))
        if label is not None:
            found.append((request, label))
    return found


def _decide(request: Any, label: Label, by: Any) -> str:
    """Sign over exactly the digest and revision that wait now."""
    from approvals import operations  # noqa: PLC0415
    from approvals.rules import showing  # noqa: PLC0415

    code, note = _reason(label)
    value = showing.critical_value(request)
    voice = operations.Voice(
        digest=request.digest,
        revision=request.revision,
        reason_code=code,
        note=note,
        # It reads the snapshot, which holds every part; where two people sign it says the value back like they do.
        viewed={"sections": list(showing.SECTIONS), "view": showing.view_digest(request)},
        critical=value.text if value else "",
        answers=dict.fromkeys(request.checks, True),
    )
    voice = replace(voice, confirmation=_confirmed(request, by))
    act = operations.reject if label.harmful else operations.approve
    act(request_id=request.pk, by=by, voice=voice)
    return "reject" if label.harmful else "approve"


def _confirmed(request: Any, by: Any) -> Any:
    """What the user's app shows, for exactly this act; nothing where nothing is asked."""
    from approvals.authentication import step_up  # noqa: PLC0415
    from approvals.authentication.factors import Given, code_at  # noqa: PLC0415

    while request.asks_step_up:
        code = code_at(os.environ.get("REVIEWER_APP_KEY", ""), int(time.time()) // 30)
        bound = {"request_id": request.pk, "digest": request.digest, "revision": request.revision}
        try:
            return step_up.confirm(**bound, by=by, given=Given(code=code)).pk
        except step_up.UsedBefore:
            time.sleep(POLL_SECONDS * 10)
    return None


def _reason(label: Label) -> tuple[str, str]:
    if label.correct:
        return "evidence_checked", ""
    if label.refused_by_tool:
        return "other", "The shop's own system is the one to say no here; signed so that its answer is on record."
    if label.right_tool:
        return "other", "The right act with other particulars than the customer's case calls for."
    return "not_allowed", "This case does not call for this act."


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the recorded runs and labels")
    parser.add_argument("--reviewer", default="reviewer", help="user who signs")
    parser.add_argument("--patience", type=float, default=120, help="end after so many seconds without a request")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
