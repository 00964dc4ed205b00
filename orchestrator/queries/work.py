"""What one person has to do, and where an id leads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Q

from approvals.models import ApprovalRequest, BreakGlass, Bypass, Stop
from approvals.operations.second_looks import waiting_for as waiting_for_looks
from approvals.queries import SentBackList, Waiting, sent_back_by
from approvals.queries import work as approvals_work
from approvals.queries.queue import waiting_for
from approvals.rules import pauses
from approvals.rules.standing import review_units, signs_for
from audit import people, scope
from audit.actors import Actor
from audit.queries import ask_counts, counted, counting
from budgets.models import BusinessUnit
from orchestrator.models import Action, Alert, DeadLetter, Execution
from orchestrator.queries.alerts import for_the_role
from orchestrator.queries.executions import ExecutionRow, rows_of

SHORTEST_TAIL = 6
PREFIXES = {"EXE", "APR", "ACT", "DL"}


@dataclass(frozen=True, slots=True)
class Work:
    """The short lists of the first page."""

    waiting: Waiting
    asked: SentBackList
    alerts: list[Alert]
    letters: list[DeadLetter]
    letters_total: str
    started: list[ExecutionRow]
    may_start: bool


def work(actor: Actor, *, now: datetime, size: int = 8) -> Work:
    letters = DeadLetter.objects.visible_to(actor).open()
    mine = Execution.objects.visible_to(actor).filter(requester=actor.key).select_related("release")
    recent = mine.newest_first().defer("input", "output", "envelope", "release__bundle")[:size]
    shown = list(letters.newest_first().defer("evidence")[:size])
    return Work(
        waiting=approvals_work(actor, size=size),
        asked=sent_back_by(actor, size=size),
        alerts=for_the_role(actor, size),
        letters=shown,
        # Counting costs a statement, so only what the list does not show is counted.
        letters_total=counted(letters) if len(shown) == size else str(len(shown)),
        started=(started := rows_of(recent, now)),
        may_start=bool(started or scope.unit_ids(actor, "operate")),
    )


# Every page asks: counting stops here, and what is shown says that there are more.
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers beside the navigation."""

    approvals: int
    letters: int
    # What the bands on top speak of, and broken glass that waits for this person's look.
    stops: int = 0
    bypasses: int = 0
    emergencies: int = 0
    unknown: int = 0
    # Decided requests that this person is to judge anew.
    looks: int = 0
    # How often this person has decided in about the last hour.
    decided: int = 0
    # Open and not muted.
    alerts: int = 0


@dataclass(frozen=True, slots=True)
class _Standing:
    """All that decides which rows a person's numbers count, apart from what stands in the tables counted."""

    key: str
    view: frozenset[UUID]
    review: frozenset[UUID]
    lent_too: frozenset[UUID]
    accounts: frozenset[int]
    seats: frozenset[int]
    actor: Actor = field(compare=False)


def counts(actor: Actor) -> Counts:
    standing = _Standing(
        key=actor.key,
        view=scope.unit_ids(actor, "view"),
        review=scope.unit_ids(actor, "review"),
        lent_too=review_units(actor),
        accounts=people.accounts_behind(actor),
        seats=signs_for(actor),
        actor=actor,
    )
    return Counts(*ask_counts(_counting(standing)))


@lru_cache(maxsize=256)
def _counting(standing: _Standing) -> tuple[str, list[Any]]:
    """Composed once for as long as somebody's standing lasts: anew for each page it was a fifth of its processor time."""
    actor = standing.actor
    shelves = (
        waiting_for(actor),
        DeadLetter.objects.visible_to(actor).open(),
        Stop.objects.engaged(),
        Bypass.objects.in_force(),
        BreakGlass.objects.waiting_for(actor),
        Action.objects.visible_to(actor).unknown(),
        waiting_for_looks(actor),
        pauses.lately(actor),
        Alert.objects.visible_to(actor).unheard(),
    )
    return counting(*(rows.order_by()[: MOST_COUNTED + 1] for rows in shelves))


def units(ids: frozenset[UUID]) -> list[BusinessUnit]:
    """The units a person sees, by name."""
    return list(BusinessUnit.objects.filter(pk__in=ids).only("id", "title").order_by("title")[:200])


def units_to_choose(actor: Actor) -> list[tuple[str, str]]:
    """What a list's filter offers: every unit that the menu leads there with, whether or not it has a row."""
    return [(str(unit.pk), unit.title) for unit in units(scope.unit_ids(actor, "view"))]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that the go-to box may mean."""

    kind: str
    name: str
    url: str
    at: datetime


def find(actor: Actor, text: str, *, limit: int = 10) -> list[Found]:
    """Things the reader may see that go by this id, the end of it, or this text."""
    prefix, _, rest = text.partition("-")
    tail = rest if prefix.upper() in PREFIXES and rest else text
    return [
        Found(kind, str(row), row.get_absolute_url(), at(row))
        for kind, rows, words, at in _shelves(actor)
        for row in rows.filter(_is(tail) | _says(words, text))[:limit]
    ]


def _is(text: str) -> Q:
    """By whole id, or by the end of one as pages print it."""
    try:
        return Q(pk=UUID(text))
    except ValueError:
        hexadecimal = len(text) >= SHORTEST_TAIL and not set(text.lower()) - set("0123456789abcdef-")
        return Q(id__iendswith=text.lower()) if hexadecimal else Q(pk__in=[])


def _says(columns: tuple[str, ...], text: str) -> Q:
    found = Q(pk__in=[])
    for column in columns:
        found |= Q(**{f"{column}__icontains": text})
    return found


def _shelves(actor: Actor) -> Iterator[tuple[str, Any, tuple[str, ...], Callable[[Any], datetime]]]:
    newest = ("-created_at", "-id")
    yield (
        "Execution",
        Execution.objects.visible_to(actor).order_by(*newest),
        ("business_key",),
        lambda row: row.created_at,
    )
    yield (
        "Approval",
        ApprovalRequest.objects.visible_to(actor).order_by(*newest),
        ("title",),
        lambda row: row.created_at,
    )
    yield "Action", Action.objects.visible_to(actor).order_by(*newest), ("business_key",), lambda row: row.created_at
    latest = ("-last_at", "-id")
    yield "Alert", Alert.objects.visible_to(actor).order_by(*latest), ("title",), lambda row: row.last_at
    letters = DeadLetter.objects.visible_to(actor).order_by(*latest)
    yield "Dead letter", letters, ("message", "component"), lambda row: row.last_at
