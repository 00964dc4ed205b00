"""What the templates of diff, timeline and step graph are given: plain words and places, nothing to compute. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from audit.templatetags import _diff, _format, _graph, _render, _status
from audit.templatetags._visible import pieces

LINE = 23  # characters that fit into a node of the step graph


def moment(at: datetime | None, *, before: datetime, now: datetime) -> dict[str, object]:
    """A time of a story to the millisecond, in the reader's zone, and in UTC beside it; with its day where that changes."""
    if at is None:
        return {"at": None}
    local = timezone.localtime(at)
    stamp = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
    day = "" if local.date() == timezone.localtime(before).date() else _format.day(local, timezone.localtime(now))
    return {"at": at, "day": day, "stamp": stamp, "iso": _format.iso(at), "utc": _format.utc(at)}


def diff_row(row: object) -> dict[str, Any]:
    """Both sides of a row as markup; a side that does not exist is None, not an empty text."""
    read = _render.read
    old, new = read(row, "before", None), read(row, "after", None)
    left, right = _diff.word_diff("" if old is None else str(old), "" if new is None else str(new))
    return {
        "label": read(row, "label"),
        "origin": read(row, "origin"),
        "same": old == new,
        "before": _render.parts(left, "del") if old is not None else None,
        "after": _render.parts(right, "ins") if new is not None else None,
    }


def box(place: _graph.Place, node: object, current: str) -> Mapping[str, object]:
    """A node of the step graph, for the drawing and for the list below it."""
    read = _render.read
    domain, detail = read(node, "domain") or "step", named(read(node, "detail"))
    pill = _status.pill(domain, read(node, "status"))
    line = f"{pill.word} · {detail}"
    label = named(read(node, "label") or place.key)
    return {
        "transform": f"translate({place.x:g} {place.y:g})",
        "label": label,
        "short": label if len(label) <= LINE - 3 else f"{label[: LINE - 4]}…",
        "detail": detail,
        "line": line if detail and len(line) <= LINE else pill.word,
        "needs": [named(need) for need in read(node, "needs", ())],
        "url": read(node, "url"),
        "status": read(node, "status"),
        "domain": domain,
        "pill": pill,
        "current": place.key == current,
    }


def named(text: object) -> str:
    """Spelled-out text for the places that hold no markup: drawings and titles."""
    return "".join(piece.text for piece in pieces(str(text)))
