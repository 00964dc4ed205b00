"""`manage.py resend_traces`: what the trace sink turned down is sent once more. It changes no execution."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestrator.models import TraceSetAside


class Command(BaseCommand):
    help = "Send the batches of spans once more that the trace sink refused for good, the oldest first."

    def handle(self, *args: Any, **options: Any) -> None:
        # Imported here: OpenTelemetry is slow to load, and most commands need none of it.
        from orchestrator.engine.exporting import exporter  # noqa: PLC0415

        one, taken, left = exporter(), 0, 0
        for aside in TraceSetAside.objects.order_by("at", "id").iterator():
            if one.resend(aside):
                taken += aside.spans
            else:
                left += aside.spans
        self.stdout.write(f"{taken} spans were taken, {left} are still set aside.")
        if left:
            raise CommandError("The sink did not take all of it. What it said stands in the log.")
