"""Make the roll-ups of costs and of service levels anew from stored rows: the same totals, whatever had become of them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestrator.engine.sums.moved import NotTheOwner
from orchestrator.engine.sums.rollups import rebuild


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_: Any, **__: Any) -> None:
        try:
            self.stdout.write(f"{rebuild():,} sums made from stored rows.")
        except NotTheOwner as refusal:
            raise CommandError(str(refusal)) from None
