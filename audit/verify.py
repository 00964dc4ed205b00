"""Recompute a stream's hash chain from its events. Standard library only, so an auditor can run it on an export.

Each hash is SHA-256(previous hash || canonical event); the canonical event is the text PostgreSQL's json_build_array
gives for the listed fields (see migration 0002_append_only).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

FIELDS = ("id", "event", "actor", "actor_name", "object_id", "unit_id", "before", "after", "why", "data")


@dataclass(frozen=True, slots=True)
class Broken:
    """The first event that does not follow from the one before it."""

    stream: str
    seq: int
    why: str


def first_break(stream: str, events: Iterable[Any], head: bytes | None = None) -> Broken | None:
    """Check one stream's events in order, and that the last hash is `head`. None means the chain holds."""
    previous, expected = b"", 1
    for event in events:
        if event.seq != expected:
            return Broken(stream, expected, f"event {expected} is missing")
        previous = hashlib.sha256(previous + canonical_event(event).encode()).digest()
        if previous != bytes(event.hash):
            return Broken(stream, event.seq, "its hash does not follow from its content and the hash before")
        expected += 1
    if head is not None and previous != bytes(head):
        return Broken(stream, expected, "the stream's head is not the last event: events at the end are missing")
    return None


def canonical_event(event: Any) -> str:
    at = event.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    values = [getattr(event, name) for name in FIELDS]
    texts = [None if value is None else str(value) for value in values]
    return "[" + ", ".join(_postgres_json(value) for value in [event.stream, event.seq, at, *texts]) + "]"


def _postgres_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
