"""A step's story in short: what the trail tells in two or three entries, a person reads as one sentence. Pure.

Nothing is lost: the Events tab and the audit log have every entry.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from audit.presenters import Told


def condensed(entries: Iterable[Told]) -> list[Told]:
    """Neighbouring entries that say one thing become one; a reason is not repeated under every entry it explains."""
    told: list[Told] = []
    for entry in entries:
        merge = _MERGES.get((_name(told[-1]), _name(entry))) if told else None
        if merge:
            told[-1] = merge(told[-1], entry)
        else:
            told.append(entry)
    return [_without_echo(entry, told[place - 1] if place else None) for place, entry in enumerate(told)]


def _name(entry: Told) -> str:
    return entry.event.event


def _later(earlier: Told, later: Told) -> Told:
    """The later one says it all; it began when the earlier one did."""
    return replace(later, at=earlier.at)


def _failure(attempt: Told, step: Told) -> Told:
    word = _name(step).partition(".")[2].replace("_", " ")
    return replace(step, at=attempt.at, title=f"{attempt.title}: {word}")


def _asked(request: Told, held: Told) -> Told:
    return replace(held, at=request.at, detail=f"{held.detail.rstrip('.')}. {request.title}.".lstrip(". "))


def _earlier(earlier: Told, later: Told) -> Told:
    return earlier


_MERGES: dict[tuple[str, str], Callable[[Told, Told], Told]] = {
    ("attempt.failed", "step.system_error"): _failure,
    ("attempt.failed", "step.business_error"): _failure,
    ("attempt.lost", "step.system_error"): _failure,
    ("attempt.parked", "step.awaiting_approval"): _later,
    ("attempt.succeeded", "step.success"): _later,
    ("step.pending", "step.in_progress"): _later,
    ("action.proposed", "action.granted"): _later,
    ("action.proposed", "approval_request.pending"): _later,
    ("approval_request.pending", "action.held"): _asked,
    ("approval_request.approved", "action.granted"): _later,
    ("step.dead_letter", "dead_letter.open"): _earlier,
}


def _without_echo(entry: Told, before: Told | None) -> Told:
    return replace(entry, detail="") if before is not None and entry.detail == before.detail else entry
