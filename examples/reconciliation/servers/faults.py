"""The nasty ways a foreign system fails, on demand. Kept in memory: a restart heals the system."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

READ_MODES = ("slow", "down", "empty")
LONGEST = 600
WRITE_MODES = ("timeout_after_partial", "error_after_effect", "drop_reply", "slow", "down")
MODES = sorted({*READ_MODES, *WRITE_MODES, "none"})


@dataclass
class Fault:
    """Go wrong in this `mode`, the next `times` requests whose facts agree with `match`."""

    mode: str
    times: int = 1
    seconds: float = 5.0
    match: dict[str, Any] = field(default_factory=dict)
    fired: int = 0

    def concerns(self, facts: dict[str, Any]) -> bool:
        """A read cannot lose an effect and a write has no list to empty, so each mode knows its methods."""
        modes = READ_MODES if facts["method"] == "GET" else WRITE_MODES
        agrees = all(facts.get(name) == value for name, value in self.match.items())
        return self.fired < self.times and self.mode in modes and agrees


class Faults:
    """What is planned, in order; the first that concerns a request fires."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []

    def plan(self, fields: dict[str, Any]) -> None:
        """Add one fault; mode `none` forgets them all."""
        fault = _fault(fields)
        with self._guard:
            self._planned = [] if fault.mode == "none" else [*self._planned, fault]

    def take(self, facts: dict[str, Any]) -> Fault | None:
        """The fault this request must suffer, counted as fired."""
        with self._guard:
            due = next((fault for fault in self._planned if fault.concerns(facts)), None)
            if due:
                due.fired += 1
            return due

    def as_fields(self) -> dict[str, Any]:
        """Everything planned since the last `none`, with how often it fired."""
        with self._guard:
            return {"faults": [asdict(fault) for fault in self._planned]}


def _fault(fields: dict[str, Any]) -> Fault:
    unknown = set(fields) - {"mode", "times", "seconds", "match"}
    if unknown:
        raise ValueError(f"unknown field {sorted(unknown)[0]!r}; known are mode, times, seconds, match")
    if fields.get("mode") not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    fault = Fault(**fields)
    if not isinstance(fault.times, int) or fault.times < 1:
        raise ValueError("times must be a whole number from 1")
    if not isinstance(fault.seconds, (int, float)) or not 0 <= fault.seconds <= LONGEST:
        raise ValueError(f"seconds must be a number from 0 to {LONGEST}")
    if not isinstance(fault.match, dict):
        raise ValueError('match must be an object, such as {"reference": "ADJ-1"}')
    return fault
