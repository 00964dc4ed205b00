"""What a reviewer can check an act against: what was attached, and what the system of record says. Pure."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from approvals.models import ApprovalRequest
from approvals.rules.showing import Lock
from approvals.snapshots import Evidence, Reading

ATTACHED = 4_000  # characters of an attachment that are shown


def evidence_of(request: ApprovalRequest, reading: Reading, lock: Lock | None) -> list[Evidence]:
    """What was found about the same thing first, then attachments, then every value of the record; of a record that
    cannot be shown whole the beginning.
    """
    texts = {value.text for value in reading.arguments}
    found = [row for one in request.found for row in _found(one, texts)]
    return [_cut(row) for row in [*found, *_given(request.evidence)]] + _record_evidence(reading, lock)


def _found(one: Mapping[str, Any], texts: set[str]) -> list[Evidence]:
    """One object of the execution, a row for each of its values. The requester or a step wrote it; we only found it."""
    rows = [(str(name), value if isinstance(value, str) else json.dumps(value)) for name, value in one["value"].items()]
    return [
        Evidence(f"{one['label']} / {name}", text, str(one["source"]), "", matches=True if text in texts else None)
        for name, text in rows
    ]


def _given(rows: Any) -> list[Evidence]:
    """What the proposer attached. It says so itself, so it is marked as the agent's unless a record vouches for it."""
    return [_attached(number, row) for number, row in enumerate(rows, 1) if row not in (None, "", {}, [])]


def _cut(row: Evidence) -> Evidence:
    """An attachment is no part of what is signed; of a huge one the beginning is shown, and how much is missing."""
    return replace(row, label=row.label[:200], value=row.value[:ATTACHED], cut=max(0, len(row.value) - ATTACHED))


def _record_evidence(reading: Reading, lock: Lock | None) -> list[Evidence]:
    return reading.record if lock is None else [_cut(row) for row in reading.record[:100]]


def _attached(number: int, row: Any) -> Evidence:
    if not isinstance(row, Mapping):
        return Evidence(
            f"Attachment {number}", row if isinstance(row, str) else json.dumps(row, ensure_ascii=False), "", "agent"
        )
    label = str(row.get("label") or row.get("name") or row.get("type") or f"Attachment {number}")
    rest = row.get("value", row.get("text"))
    if rest is None:
        rest = {name: part for name, part in row.items() if name not in {"label", "name", "source"}}
    value = rest if isinstance(rest, str) else json.dumps(rest, ensure_ascii=False)
    return Evidence(label, value, str(row.get("source", "")), "agent")
