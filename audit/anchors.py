"""An anchor: where every stream of the trail ended at one moment, and what the tables that are never changed held. To be kept
where the database's owner cannot write.

The chain has no key: whoever may switch triggers off can cut it or compute it anew, and it holds. What they cannot change is
a copy of its ends on another host: a stream that has another hash at that place, or never gets there, was rewritten.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.canonical import NotCanonical, digest
from audit.held_rows import Held
from audit.lifecycle import run

# Stream -> how many events it had, and the hash of the last of them in hex.
Places = Mapping[str, tuple[int, str]]
NAMED = 5
NEVER = datetime.min.replace(tzinfo=UTC)

_ELSEWHERE = """
SELECT told.stream, told.seq, event.seq IS NULL
FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS told (stream, seq, hash)
LEFT JOIN audit_auditevent AS event ON event.stream = told.stream AND event.seq = told.seq
WHERE encode(event.hash, 'hex') IS DISTINCT FROM told.hash ORDER BY told.stream
"""


class NotAnAnchor(ValueError):
    """The file cannot be read, or is not as it was written. The message says what and where."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """`held` is what the tables held that was made before `until`; older anchors say nothing of it."""

    streams: Places = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)
    until: datetime = NEVER


def write(path: Path, anchor: Anchor, *, at: str) -> str:
    """All of the file or nothing of it, sorted. Returns the digest that it carries. Raises OSError."""
    told = {
        "at": at,
        "streams": {stream: [*place] for stream, place in anchor.streams.items()},
        "until": anchor.until.isoformat(),
        "tables": {
            name: {"columns": table.columns, "days": {day: [*one] for day, one in table.days.items()}}
            for name, table in anchor.held.items()
        },
    }
    name = digest(told)
    beside = path.parent / f".{path.name}.new"
    try:
        with beside.open("w") as file:
            json.dump({**told, "digest": name}, file, sort_keys=True, indent=0)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    return name


def read(path: Path) -> Anchor:
    """What it says. Raises NotAnAnchor."""
    try:
        told = json.loads(path.read_text())
        name = told.pop("digest")
        anchor = _anchor(told)
    except OSError as error:
        raise NotAnAnchor(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise NotAnAnchor(f"{path} is no anchor: it was not written by verify_audit --anchor.") from None
    if name != _digest_of(told):
        raise NotAnAnchor(f"{path} is not as it was written: its digest is another. Take the copy of another host.")
    return anchor


def _anchor(told: Any) -> Anchor:
    streams = {stream: (int(seq), str(hash_)) for stream, (seq, hash_) in told["streams"].items()}
    if "tables" not in told:
        return Anchor(streams)
    held = {
        name: Held(list(table["columns"]), {day: (int(rows), str(one)) for day, (rows, one) in table["days"].items()})
        for name, table in told["tables"].items()
    }
    return Anchor(streams, held, datetime.fromisoformat(told["until"]))


def _digest_of(told: object) -> str:
    try:
        return digest(told)
    except NotCanonical:
        return ""


def first_differences(places: Places) -> str:
    """The streams that no longer hold at these places what they held there, in words; "" when all do.

    Only spans are ever removed by the product itself, and they are no events: a stream that is shorter was cut.
    """
    streams = list(places)
    found = run(_ELSEWHERE, [streams, *([places[one][part] for one in streams] for part in (0, 1))])
    words = [
        f"{stream} ends before event {seq}" if is_gone else f"{stream} has another event {seq}, or another before it"
        for stream, seq, is_gone in found[:NAMED]
    ]
    more = [f"{len(found) - NAMED} more streams differ"] if len(found) > NAMED else []
    return f"Not as the anchor says: {'; '.join([*words, *more])}." if found else ""
