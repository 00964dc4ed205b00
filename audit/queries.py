"""Reading the trail, and the cursor paging that every list uses."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import DataError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from audit.actors import Actor
from audit.lifecycle import Governed
from audit.models import AuditEvent
from audit.models.event import READABLE
from audit.naming import names_of
from audit.presenters import LINES, Told, tell
from audit.refusals import NotVisible

# A key of the longest names there are, written as a cursor.
LONGEST_CURSOR = 4_000
PAGE_SIZE = 50
COUNTED_UP_TO = 10_000


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of rows and the cursors of its neighbours ("" where there is none)."""

    rows: list[Any]
    newer: str = ""
    older: str = ""


@dataclass(frozen=True, slots=True)
class Keyset:
    """Paging by the sort key itself: stable while rows arrive, as fast on the last page as on the first.

    `fields` are the columns sorted by, the last one unique; a minus means descending.
    """

    fields: tuple[str, ...]

    def slice(self, rows: QuerySet[Any], *, after: str = "", before: str = "", size: int = PAGE_SIZE) -> Slice:
        """The page behind `after`, or the one in front of `before`. A cursor that is none of ours is the first page."""
        backwards = self.place(before) is not None
        place = self.place(before if backwards else after)
        order = tuple(map(_reversed, self.fields)) if backwards else self.fields
        if place is not None:
            try:
                rows = rows.filter(_beyond(order, place))
            except (ValidationError, ValueError, TypeError):
                place = None  # values that these columns cannot have
        found = list(rows.order_by(*order)[: size + 1])
        more, found = len(found) > size, found[:size]
        if backwards:
            found.reverse()
        return self._slice(found, more=more, backwards=backwards, started=place is not None)

    def _slice(self, found: list[Any], *, more: bool, backwards: bool, started: bool) -> Slice:
        has_newer = more if backwards else started
        has_older = started if backwards else more
        return Slice(
            found,
            newer=self.cursor(found[0]) if found and has_newer else "",
            older=self.cursor(found[-1]) if found and has_older else "",
        )

    def cursor(self, row: Any) -> str:
        values = [getattr(row, name.lstrip("-")) for name in self.fields]
        return urlsafe_b64encode(json.dumps([_written(value) for value in values]).encode()).decode().rstrip("=")

    def place(self, cursor: str) -> list[Any] | None:
        """The values of the sort key that this cursor stands at; None for one that is none of ours."""
        if len(cursor) > LONGEST_CURSOR:
            return None
        try:
            values = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            return [_parsed(value) for value in values] if len(values) == len(self.fields) else None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return None


def _reversed(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _beyond(order: tuple[str, ...], place: list[Any]) -> Q:
    """Rows after `place` in this order. The first bound stands alone, so that an index can be entered at it."""
    column, operator = order[0].lstrip("-"), "lt" if order[0].startswith("-") else "gt"
    if len(order) == 1:
        return Q(**{f"{column}__{operator}": place[0]})
    behind = Q(**{f"{column}__{operator}": place[0]}) | (Q(**{column: place[0]}) & _beyond(order[1:], place[1:]))
    return Q(**{f"{column}__{operator}e": place[0]}) & behind


def _written(value: Any) -> list[Any]:
    if isinstance(value, datetime):
        return ["t", value.isoformat()]
    return ["u", str(value)] if isinstance(value, UUID) else ["", value]


def _parsed(pair: Any) -> Any:
    kind, value = pair
    if kind == "t":
        moment = parse_datetime(value)
        if moment is None or moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(UTC)
    if kind == "u":
        return UUID(value)
    if not isinstance(value, (str, int)) or "\0" in str(value):
        raise ValueError(value)
    return value


def counted(rows: QuerySet[Any], *, up_to: int = COUNTED_UP_TO) -> str:
    """How many rows, as text; counting stops at "10,000+"."""
    number = rows.order_by()[: up_to + 1].count()
    return f"{up_to:,}+" if number > up_to else f"{number:,}"


def counted_at_once(*shelves: QuerySet[Any]) -> list[int]:
    """How many rows each of these has, in one statement."""
    return ask_counts(counting(*shelves))


def counting(*shelves: QuerySet[Any]) -> tuple[str, list[Any]]:
    """The statement that counts each of these, and its values: what composing them has come to."""
    parts: list[str] = []
    params: list[Any] = []
    for rows in shelves:
        try:
            sql, values = rows.values("pk").query.sql_with_params()
        except EmptyResultSet:  # Django knows without asking: somebody with no unit
            sql, values = "SELECT 1 WHERE false", ()
        parts.append(f"(SELECT count(*) FROM ({sql}) AS counted)")
        params += values
    return f"SELECT {', '.join(parts)}", params


def ask_counts(statement: tuple[str, list[Any]]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return list(cursor.fetchone())


def visible_or_refuse(rows: QuerySet[Any], pk: UUID, noun: str) -> Any:
    """The row, or the one answer for "not there" and "not yours to see"."""
    row = rows.filter(pk=pk).first()
    if row is None:
        raise NotVisible(f"There is no such {noun}, or it is not in a business unit you may see.")
    return row


@contextmanager
def one_moment() -> Iterator[None]:
    """What is read inside is of one moment, whatever others write meanwhile. Within a transaction that is its owner's to say."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


# --- The trail -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """Events of several streams as sentences, in the order they happened."""

    entries: list[Told]
    truncated: bool = False

    @property
    def last_at(self) -> datetime | None:
        return self.entries[-1].at if self.entries else None


def story(
    streams: Iterable[str],
    *,
    names: Mapping[UUID, str] | None = None,
    objects: Iterable[UUID] | None = None,
    limit: int = 1_000,
) -> Story:
    """What happened in these streams, perhaps only to some objects. The caller has checked who may read it."""
    rows = AuditEvent.objects.filter(stream__in=list(streams))
    if objects is not None:
        rows = rows.filter(object_id__in=list(objects))
    found = list(rows.order_by("at", "stream", "seq")[: limit + 1])
    return Story([tell(event, names or {}) for event in found[:limit]], truncated=len(found) > limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilters:
    """What the audit list is narrowed to."""

    q: str = ""
    event: str = ""
    actor: str = ""
    object: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrailPage:
    slice: Slice
    total: str
    told: list[Told] = field(default_factory=list)
    # There is an entry whose time no clock has said: it cannot even be read, and is none of these rows.
    is_broken: bool = False


BY_TIME = Keyset(("-at", "-id"))


def trail_page(reader: Actor, filters: TrailFilters, *, site: bool, after: str = "", before: str = "") -> TrailPage:
    rows = _narrowed(AuditEvent.objects.visible_to(reader, site=site), filters)
    is_broken = False
    try:
        found = BY_TIME.slice(rows, after=after, before=before)
    except DataError:
        rows, is_broken = rows.filter(at__range=READABLE), True
        found = BY_TIME.slice(rows, after=after, before=before)
    names = names_of(event.object_id for event in found.rows)
    return TrailPage(found, counted(rows), [tell(event, names) for event in found.rows], is_broken=is_broken)


def _narrowed(rows: QuerySet[AuditEvent], filters: TrailFilters) -> QuerySet[AuditEvent]:
    wanted: dict[str, Any] = {
        "event__startswith": filters.event,
        "object_id": filters.object,
        "at__gte": filters.since,
        "at__lt": filters.until,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if filters.actor:
        # A name was perhaps another one then; the account is the same.
        rows = rows.filter(Q(actor_name__icontains=filters.actor) | Q(actor=filters.actor))
    if filters.q:
        rows = rows.filter(Q(event__icontains=filters.q) | Q(why__icontains=filters.q) | Q(stream=filters.q))
    return rows


def event_kinds() -> list[str]:
    """What an event can be about, by the first word of its name: all that has a lifecycle, and what else has a sentence."""
    nouns = {model.lifecycle.noun.replace(" ", "_") for model in apps.get_models() if issubclass(model, Governed)}
    return sorted(nouns | {event.partition(".")[0] for event in LINES})


def neighbours(event: AuditEvent) -> tuple[AuditEvent | None, AuditEvent | None]:
    """The events before and after this one in its own chain."""
    rows = {row.seq: row for row in AuditEvent.objects.filter(
        stream=event.stream, seq__in=[event.seq - 1, event.seq + 1])}  # fmt: skip
    return rows.get(event.seq - 1), rows.get(event.seq + 1)
