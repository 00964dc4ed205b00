"""`manage.py verify_audit`: recompute every hash chain, name the first event that does not follow, and record the result.

`--anchor FILE` writes where every stream ends and what the tables held that are never changed, for another host to keep;
`--since FILE` demands that an earlier anchor still holds, which is what shows a chain that was cut or computed anew, and a row
that was changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from audit import actors, anchors, events, held_rows
from audit.lifecycle import Governed, database_now
from audit.models import AuditEvent, AuditStream
from audit.models.event import READABLE
from audit.presenters import facts_of
from audit.verify import first_break

# What the health page reads; a stream of its own, so that its last event is found at once.
STREAM = "health:audit_chain"
VERIFIED = "audit_chain.verified"
COMMAND_LINE = actors.system("command line")


@dataclass(slots=True)
class Found:
    """What the trail held, as of one moment, and the first thing that is wrong with it, in words."""

    at: str = ""
    events: int = 0
    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    anchor: anchors.Anchor = field(default_factory=anchors.Anchor)
    broken: str = ""


class Command(BaseCommand):
    help = "Verify the audit trail: every stream's chain and head."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=Path, metavar="FILE", help="an earlier anchor: all it says must still hold")
        parser.add_argument(
            "--anchor", type=Path, metavar="FILE", help="write where every stream ends, if all is whole"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = _verify(_read(options["since"]), is_anchored=options["anchor"] is not None)
        name = "audit_chain.broken" if found.broken else VERIFIED
        told = {"streams": len(found.places), "events": found.events}
        events.record(name, by=COMMAND_LINE, stream=STREAM, why=found.broken, data=told)
        if found.broken:
            raise CommandError(found.broken)
        self.stdout.write(f"{len(found.places)} streams verified, none broken.")
        if options["anchor"]:
            self.stdout.write(_anchor(options["anchor"], found))


def _read(path: Path | None) -> anchors.Anchor:
    try:
        return anchors.read(path) if path else anchors.Anchor()
    except anchors.NotAnAnchor as refusal:
        raise CommandError(str(refusal)) from None


def _anchor(path: Path, found: Found) -> str:
    try:
        digest = anchors.write(path, found.anchor, at=found.at)
    except OSError as error:
        raise CommandError(f"The anchor could not be written to {path}: {error.strerror}.") from None
    return f"{path} says where they end; its digest is {digest}. Keep it on another host."


@transaction.atomic(durable=True)
def _verify(since: anchors.Anchor, *, is_anchored: bool) -> Found:
    """As of one moment: the site goes on writing meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    now = database_now()
    found = Found(at=now.isoformat())
    found.broken = (
        _no_moment()
        or _chains(found)
        or anchors.first_differences(since.streams)
        or held_rows.differences(since.until, since.held)
        or _went_missing(found)
        or held_rows.moved_elsewise()
    )
    if is_anchored and not found.broken:
        until = now - held_rows.MARGIN
        found.anchor = anchors.Anchor(found.places, held_rows.held(until), until)
    return found


def _no_moment() -> str:
    first = AuditEvent.objects.exclude(at__range=READABLE).oldest_first().values_list("stream", "seq").first()
    return f"{first[0]} is broken at event {first[1]}: its time was never any clock's." if first else ""


def _chains(found: Found) -> str:
    """Every stream by itself: its chain, and that its head is its last event."""
    heads = {stream.key: stream for stream in AuditStream.objects.all()}
    for stream, told in groupby(AuditEvent.objects.oldest_first().iterator(2000), key=lambda event: event.stream):
        head = heads.pop(stream, None)
        if head is None:
            return f"{stream} has events but no head: it was removed, and events at the end may be missing."
        before = found.events
        broken = first_break(stream, _counted(told, found), bytes(head.head))
        if broken is not None:
            return f"{broken.stream} is broken at event {broken.seq}: {broken.why}."
        if head.seq != found.events - before:
            return f"{stream} ends at event {found.events - before}, and its head says {head.seq}."
        found.places[stream] = (head.seq, bytes(head.head).hex())
    return f"{next(iter(heads))} has a head but no events: they were removed." if heads else ""


def _counted(told: Iterator[AuditEvent], found: Found) -> Iterator[AuditEvent]:
    for event in told:
        found.events += 1
        yield event


def _went_missing(found: Found) -> str:
    """Nothing of the trail ever goes: it is no smaller than when it was last found whole, and not empty where rows have moved."""
    last = AuditEvent.objects.filter(stream=STREAM, event=VERIFIED).order_by("-seq").first()
    facts = facts_of(last) if last is not None else {}
    for what, count in (("streams", len(found.places)), ("events", found.events)):
        if count < facts.get(what, 0):
            return f"The trail has {count} {what}, and had {facts[what]} when it was last verified: some were removed."
    rows = None if found.places else _first_rows()
    return f"The trail is empty, and there are {rows}: their events were removed." if rows else ""


def _first_rows() -> str:
    """The plural name of a kind of row that cannot be there without an event; "" in a database that nobody has used."""
    kinds = (model for model in apps.get_models() if issubclass(model, Governed))
    return next((str(model._meta.verbose_name_plural) for model in kinds if model._default_manager.exists()), "")
