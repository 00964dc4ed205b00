"""What an execution was given or found about the thing its act names: the bank row behind a posting, beside the posting.

A reviewer is asked whether the act agrees with what it is about. The proposer need not attach that: an object in the
execution's input, or in what an earlier step gave, that holds one of the act's references is put beside the act.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from approvals.snapshots import label_of
from orchestrator.models import Action, Execution, Step

# A reference has a digit, a letter and some length: an amount, a date or a currency stands in too many places.
_REFERENCE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w./-]{5,80}")
_EDGE = r"(?<![A-Za-z0-9]){}(?![A-Za-z0-9])"
# What more objects than this hold tells none of them from the others.
AT_MOST = 3
MOST_OBJECTS = 5
MOST_VALUES = 20
LATELY = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: what people call it, and the JSON that stands there."""

    source: str
    content: Any


def mentions_of(action: Action) -> list[dict[str, Any]]:
    """What the reviewer of this act is shown beside it: what went out before, and what its execution knows of the same thing."""
    before = sent_before(action)
    # A foreign agent may name an execution that is not here, or one of another unit: nothing of that is shown.
    own = Execution.objects.filter(unit_id=action.unit_id).only("input")
    execution = own.filter(pk=action.execution_id).first() if action.execution_id else None
    if execution is None:
        return before
    steps = Step.objects.filter(execution_id=execution.pk, output__isnull=False).order_by("finished_at", "pk")
    gave = [Place(f"what {key} gave", output) for key, output in steps.values_list("key", "output")]
    return [
        *before,
        *mentions(json.loads(action.arguments), [Place("what it was started with", execution.input), *gave]),
    ]


def sent_before(action: Action) -> list[dict[str, Any]]:
    """Acts of the same unit that went out under the same business key in the last 90 days: perhaps it is done already."""
    sent = Action.objects.sent_under_key_of(action).filter(unit_id=action.unit_id, redeemed_at__gt=Now() - LATELY)
    rows = sent.exclude(pk=action.pk).order_by("-redeemed_at")[:3]
    return [
        {
            "label": "sent before",
            "source": f"an act under the same business key, {one.business_key}",
            "value": {"sent": f"{one.redeemed_at:%Y-%m-%d %H:%M} UTC", "then": one.status},
            "action": str(one.pk),
        }
        for one in rows
    ]


def mentions(arguments: Any, places: Iterable[Place]) -> list[dict[str, Any]]:
    """`{label, source, value}` for each object that holds a reference the arguments name, and is no copy of them.

    A reference may stand within a longer text: ADJ-7-BS-1001 names BS-1001. One that more than three objects hold, such
    as the name of a batch, points at none of them. The first five objects, in the order of the places, the whole of a
    place never; of each its own plain values, twenty at most.
    """
    texts = "\n".join(_texts(arguments))
    seen = [_plain(one) for _, one in _objects(arguments, ())] or [{}]
    holders: list[tuple[dict[str, Any], set[str]]] = []
    for place in places:
        for path, one in _objects(place.content, ()):
            plain = _plain(one)
            named = {value for value in plain.values() if _names(texts, value)}
            # What has the arguments' own names is another act of the same kind, no evidence about this one.
            if path and named and plain not in seen and plain.keys() != seen[0].keys():
                seen.append(plain)
                holders.append(({"label": label_of(path), "source": place.source, "value": plain}, named))
    held = Counter(name for _, named in holders for name in named)
    telling = [found for found, named in holders if min(held[name] for name in named) <= AT_MOST]
    return [{**found, "value": dict(list(found["value"].items())[:MOST_VALUES])} for found in telling[:MOST_OBJECTS]]


def _names(texts: str, value: Any) -> bool:
    is_reference = isinstance(value, str) and value in texts and _REFERENCE.fullmatch(value)
    return bool(is_reference and re.search(_EDGE.format(re.escape(value)), texts))


def _objects(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        yield path, value
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from _objects(part, (*path, name))


def _plain(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in one.items() if isinstance(part, (str, int, float)) and part != ""}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
