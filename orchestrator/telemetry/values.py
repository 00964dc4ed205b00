"""A foreign agent's own words, made small enough to keep: what is too much is left out and counted, never an error. Pure."""

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

MOST_ATTRIBUTES = 128
MOST_TEXT = 4_096
MOST_KEY = 200
MOST_BYTES = 16_384
MOST_DEPTH = 4
MOST_ITEMS = 64


def bounded(attributes: Iterable[KeyValue], most_bytes: int = MOST_BYTES) -> tuple[dict[str, Any], int]:
    """The attributes that are kept, and how many were not. Small ones first: a long text pushes out no number."""
    found: dict[str, Any] = {}
    dropped, room = 0, most_bytes
    read = [(text(one.key)[:MOST_KEY], value_of(one.value)) for one in attributes]
    for key, value, size in sorted(((key, value, _size(key, value)) for key, value in read), key=lambda one: one[2]):
        if not key or key in found or size > room or len(found) >= MOST_ATTRIBUTES:
            dropped += 1
            continue
        found[key] = value
        room -= size
    return found, dropped


def value_of(value: AnyValue, depth: int = 0) -> Any:
    """As JSON that PostgreSQL can keep: no NUL, no infinity, nothing deep or long."""
    kind = value.WhichOneof("value")
    if kind in {"array_value", "kvlist_value"}:
        return _inside(value, depth + 1) if depth < MOST_DEPTH else "..."
    if kind == "string_value":
        return text(value.string_value)
    if kind == "bytes_value":
        return f"{len(value.bytes_value)} bytes"
    plain = getattr(value, kind) if kind else None
    return plain if not isinstance(plain, float) or isfinite(plain) else str(plain)


def _inside(value: AnyValue, depth: int) -> Any:
    if value.HasField("array_value"):
        return [value_of(one, depth) for one in value.array_value.values[:MOST_ITEMS]]
    inner = value.kvlist_value.values[:MOST_ITEMS]
    return {text(one.key)[:MOST_KEY]: value_of(one.value, depth) for one in inner}


def text(value: str, most: int = MOST_TEXT) -> str:
    return value[:most].replace("\0", "").encode("utf-8", "replace").decode()


def _size(key: str, value: Any) -> int:
    return len(key) + len(json.dumps(value, ensure_ascii=False).encode())
