"""Canonical JSON (RFC 8785) and the digests built on it; and a strict reader, so that two parsers never see two meanings.

Approvals, idempotency keys and the audit chain depend on these bytes. Integers beyond 2**53 and lone surrogates
have no canonical form and are refused, never rounded.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable
from json.encoder import encode_basestring
from typing import Any

MAX_EXACT_INTEGER = 2**53
DEEPEST = 40
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# A string that never ends counts as one mark, too: starting over at each of its quotes would take hours.
_MARK = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


class NotCanonical(ValueError):
    """The value has no canonical JSON form. The message names the JSON pointer."""


class BadJSON(ValueError):
    """The bytes are not JSON this system accepts. The message says what and where."""


def canonical(value: Any) -> str:
    """The RFC 8785 text of a JSON value. Raises NotCanonical."""
    out: list[str] = []
    _write(value, "", out)
    return "".join(out)


def digest(value: Any) -> str:
    """Lower-case hex SHA-256 over the canonical bytes."""
    return digest_text(canonical(value))


def digest_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(value: Any, pointer: str, out: list[str]) -> None:
    """Appends: nested generators would hand each piece through every level above it."""
    if isinstance(value, str):
        out.append(_string(value, pointer))
    elif value is None or isinstance(value, bool):
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        out.append(_integer(value, pointer))
    elif isinstance(value, float):
        out.append(_number(value, pointer))
    elif isinstance(value, dict):
        _write_object(value, pointer, out)
    elif isinstance(value, (list, tuple)):
        _write_array(value, pointer, out)
    else:
        raise NotCanonical(f"{pointer or '/'}: {type(value).__name__} is not a JSON type")


def _write_object(value: dict[str, Any], pointer: str, out: list[str]) -> None:
    before = "{"
    for key in _in_order(value, pointer):
        out.append(f"{before}{_string(key, pointer)}:")
        _write(value[key], f"{pointer}/{key}", out)
        before = ","
    out.append("}" if value else "{}")


def _in_order(names: Iterable[str], pointer: str) -> list[str]:
    """RFC 8785 section 3.2.3: by UTF-16 code units, which differs from code points above U+FFFF."""
    try:
        return sorted(names, key=None if "".join(names).isascii() else _utf_16)
    except TypeError:
        raise NotCanonical(f"{pointer or '/'}: object keys must be text") from None


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _write_array(value: Iterable[Any], pointer: str, out: list[str]) -> None:
    out.append("[")
    for index, item in enumerate(value):
        if index:
            out.append(",")
        _write(item, f"{pointer}/{index}", out)
    out.append("]")


def _string(value: str, pointer: str) -> str:
    """The standard library escapes exactly what RFC 8785 section 3.2.2.2 wants escaped, and as it wants it."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotCanonical(f"{pointer or '/'}: text holds a lone surrogate") from None
    return encode_basestring(value)


def _integer(value: int, pointer: str) -> str:
    if abs(value) > MAX_EXACT_INTEGER:
        raise NotCanonical(f"{pointer or '/'}: integer beyond 2^53; send it as text")
    return str(value)


def _number(value: float, pointer: str) -> str:
    """ECMAScript Number.prototype.toString, which RFC 8785 section 3.2.2.3 prescribes."""
    if not math.isfinite(value):
        raise NotCanonical(f"{pointer or '/'}: NaN and Infinity are not JSON")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value!r}e0".partition("e")
    power = int(exponent.partition("e")[0])
    sign, digits, point = _decimal_digits(mantissa, power)
    return sign + _place_point(digits, point)


def _decimal_digits(mantissa: str, power: int) -> tuple[str, str, int]:
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + power - (len(whole + fraction) - len(digits))
    return sign, digits.rstrip("0"), point


def _place_point(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = f"{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"{digits[0]}{'.' + digits[1:] if count > 1 else ''}e{exponent}"


def read_strict(raw: bytes, *, max_bytes: int = 1_048_576) -> Any:
    """Parse JSON refusing what parsers disagree on: duplicate keys, NUL, lone surrogates, NaN, deep nesting, big integers.

    Raises BadJSON with a sentence for the sender.
    """
    if len(raw) > max_bytes:
        raise BadJSON(f"The body is {len(raw):,} bytes; the limit is {max_bytes:,}.")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadJSON(f"The body is not UTF-8 (byte {error.start}).") from None
    _refuse_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_int=_exact_integer,
            parse_float=_readable_float,
        )
        canonical(value)
    except json.JSONDecodeError as error:
        raise BadJSON(f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except (NotCanonical, RecursionError) as error:
        raise BadJSON(str(error) or "Nested too deeply.") from None
    _refuse_nul(text)
    return value


def _refuse_depth(text: str) -> None:
    depth = 0
    for mark in _MARK.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
        if depth > DEEPEST:
            raise BadJSON(f"Nested deeper than {DEEPEST} levels.")


def _refuse_nul(text: str) -> None:
    # PostgreSQL text cannot hold U+0000, so it is refused here rather than as a 500 later.
    if _NUL.search(text):
        raise BadJSON("Text holds the character U+0000, which cannot be stored.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise BadJSON(f"The key {twice[:100]!r} appears twice in one object.")
    return found


def _no_constant(name: str) -> Any:
    raise BadJSON(f"{name} is not JSON.")


def _readable_float(digits: str) -> float:
    """PostgreSQL gives 2.5e18, and 1e300 as well, back as a whole number; and that is beyond 2^53."""
    value = float(digits)
    if MAX_EXACT_INTEGER < abs(value) < math.inf:
        raise BadJSON("A number is beyond 2^53; send it as text.")
    return value


def _exact_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_EXACT_INTEGER:
        raise BadJSON("An integer is beyond 2^53; send it as text.")
    return int(digits)
