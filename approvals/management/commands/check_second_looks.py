"""`manage.py check_second_looks 2026-11-27`: compute every draw of a day that is over again, from what the trail says."""

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.models import SecondLook
from approvals.rules import draws
from audit.models import AuditEvent
from audit.refusals import Refusal


class Command(BaseCommand):
    help = "Verify which decided requests of a day were drawn for a second look, and print the day's seed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("day", type=date.fromisoformat, help="A day that is over, in UTC: 2026-11-27")

    def handle(self, *args: Any, **options: Any) -> None:
        day: date = options["day"]
        try:
            kept = draws.told(day)
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        if kept is None:
            self.stdout.write(f"Nothing was decided on {day}.")
            return
        if _committed(day) != draws.commitment_of(kept.seed):
            raise CommandError(f"The seed of {day} is not the one that was committed to in the trail.")
        checked = [_refuse_wrong(event, kept.seed) for event in _draws_of(day)]
        self.stdout.write(f"seed {kept.seed}\n{len(checked)} draws checked, {sum(checked)} drawn, none wrong.")


def _committed(day: date) -> str:
    rows = AuditEvent.objects.filter(stream=draws.STREAM, event="second_look_seed.committed").order_by("seq")
    found = [data["commitment"] for data in map(_data, rows) if data["day"] == day.isoformat()]
    return found[0] if found else ""


def _draws_of(day: date) -> list[AuditEvent]:
    rows = AuditEvent.objects.filter(event__in=["second_look.drawn", "second_look.passed_over"])
    near = rows.filter(at__date__gte=day, at__date__lte=date.fromordinal(day.toordinal() + 1))
    return [event for event in near.order_by("at") if _data(event)["day"] == day.isoformat()]


def _refuse_wrong(event: AuditEvent, seed: str) -> bool:
    """Was it drawn? Raises CommandError where the rule says otherwise, or the look that follows from it is missing."""
    data = _data(event)
    assert event.object_id is not None
    drawn = draws.is_drawn(seed=seed, request_id=event.object_id, digest=data["digest"], percent=data["percent"])
    opened = SecondLook.objects.filter(request_id=event.object_id).exists()
    if (event.event == "second_look.drawn") != drawn or opened != drawn:
        raise CommandError(f"The draw of request {event.object_id} does not follow from the seed.")
    return drawn


def _data(event: AuditEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.data)
    return found
