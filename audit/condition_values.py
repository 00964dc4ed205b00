"""Values into CEL and out of it. What CEL would take wrongly in silence is refused aloud."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from audit.canonical import MAX_EXACT_INTEGER

# CEL reads it, and Python does not.
_NAN = re.compile(r"\s*[+-]?nan\(\w*\)\s*", re.IGNORECASE)


class NotPlain(Exception):
    """A value that must not reach a condition, or cannot leave an expression."""


def to_cel(value: Any, path: str) -> Any:
    """Plain values only. CEL cuts texts at NUL, takes naive times for UTC and compares NaN as false: all refused."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value
    if isinstance(value, str):  # also a text with a type of its own, such as a Django choice
        return _text_to_cel(str(value), path)
    if isinstance(value, Mapping):
        return {_key_to_cel(name, path): to_cel(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_cel(item, path) for item in value]
    return _rarer_to_cel(value, path)


def _rarer_to_cel(value: Any, path: str) -> Any:
    if isinstance(value, float | Decimal):
        return _number_to_cel(value, path)
    if isinstance(value, datetime):
        return to_json(time_to_cel(value, path))  # inside JSON a time is a text; `timestamp(…)` reads it
    raise NotPlain(f"`{path}` is {kind_of(value)}, which conditions do not take")


def time_to_cel(value: Any, path: str) -> datetime:
    """A value declared as a time. Without a zone it could be any of forty hours."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    raise NotPlain(f"`{path}` is {kind_of(value)}, and must be a time with a zone")


def _text_to_cel(value: str, path: str) -> str:
    if "\0" in value or not (value.isascii() or _is_unicode(value)):
        raise NotPlain(f"`{path}` holds a character that no text may hold")
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse_endless(value: Any, path: str) -> None:
    """No text in it may be one of which `double()` makes what no number may be: with NaN every comparison is false."""
    if isinstance(value, str) and not _is_finite(value):
        raise NotPlain(f"`{path}` is not a finite number")
    for name, item in value.items() if isinstance(value, dict) else ():
        refuse_endless(item, f"{path}.{name}")
    for item in value if isinstance(value, list) else ():
        refuse_endless(item, path)


def _is_finite(text: str) -> bool:
    """True also of what CEL makes no number of: it says so itself."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return _NAN.fullmatch(text) is None


def _number_to_cel(value: float | Decimal, path: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise NotPlain(f"`{path}` is not a finite number")
    return number


def _key_to_cel(name: Any, path: str) -> str:
    if not isinstance(name, str):
        raise NotPlain(f"`{path}` has a key that is no text")
    return _text_to_cel(name, path)


def to_json(value: Any) -> Any:
    """What CEL gave, as JSON: times as texts, durations as seconds."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float) and abs(value) > MAX_EXACT_INTEGER and math.isfinite(value):
        raise NotPlain("a number beyond 2^53, which no record keeps exactly")
    if isinstance(value, int):
        return value
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: to_json(item) for name, item in value.items()}
    return _rarer_to_json(value)


def _rarer_to_json(value: Any) -> Any:
    if isinstance(value, float | Decimal) and math.isfinite(value):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise NotPlain(f"{kind_of(value)}, which is not JSON")


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    names = {
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return "a time without a zone" if value.tzinfo is None else "a time"
    return names.get(type(value), f"a {type(value).__name__}")
