"""Durations as people write them: 30s, 5m, 2h, 7d, 1h30m, 500ms, PT5M, or a number of seconds."""

import re
from typing import Final

LONGEST_SECONDS: Final = 366 * 24 * 3600

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_SHORT = re.compile(rf"(?:{_PART}(?:ms|[smhdw])\s*)+")
_ISO = re.compile(rf"P(?:({_PART})W)?(?:({_PART})D)?(?:T(?:({_PART})H)?(?:({_PART})M)?(?:({_PART})S)?)?", re.IGNORECASE)
_NUMBER = re.compile(_PART)


def seconds_of(text: str) -> float | None:
    """The length in seconds, or None when the text is no duration. Whole seconds are whole numbers."""
    text = text.strip()
    if len(text) > 40:
        return None
    if _NUMBER.fullmatch(text):
        return _tidy(float(text))
    if _SHORT.fullmatch(text):
        parts = re.findall(rf"({_PART})(ms|[smhdw])", text)
        return _tidy(sum(float(number) * _UNITS[unit] for number, unit in parts))
    found = _ISO.fullmatch(text)
    if found and any(found.groups()) and not text.upper().endswith("T"):
        return _tidy(sum(float(part or 0) * _UNITS[unit] for part, unit in zip(found.groups(), "wdhms", strict=True)))
    return None


def _tidy(seconds: float) -> float:
    rounded = round(seconds, 6)
    return int(rounded) if rounded == int(rounded) else rounded
