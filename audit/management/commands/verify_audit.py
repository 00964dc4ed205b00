"""`manage.py verify_audit`: recompute every hash chain, name the first event that does not follow, and record the result."""

from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from audit import actors, events
from audit.models import AuditEvent, AuditStream
from audit.verify import first_break

# What the health page reads; a stream of its own, so that its last event is found at once.
STREAM = "health:audit_chain"
COMMAND_LINE = actors.system("command line")


class Command(BaseCommand):
    help = "Verify the audit trail: every stream's chain and head."

    def handle(self, *args: Any, **options: Any) -> None:
        checked, broken = _verify()
        name = "audit_chain.broken" if broken else "audit_chain.verified"
        events.record(name, by=COMMAND_LINE, stream=STREAM, why=broken, data={"streams": checked})
        if broken:
            raise CommandError(broken)
        self.stdout.write(f"{checked} streams verified, none broken.")


@transaction.atomic(durable=True)
def _verify() -> tuple[int, str]:
    """How many streams held, and the first that did not, in words. As of one moment: the site goes on writing meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    heads = {stream.key: bytes(stream.head) for stream in AuditStream.objects.all()}
    checked = 0
    for stream, found in groupby(AuditEvent.objects.oldest_first().iterator(2000), key=lambda event: event.stream):
        broken = first_break(stream, found, heads.pop(stream, None))
        if broken is not None:
            return checked, f"{broken.stream} is broken at event {broken.seq}: {broken.why}."
        checked += 1
    if heads:
        return checked, f"{next(iter(heads))} has a head but no events: they were removed."
    return checked, ""
