"""Make the cost roll-ups anew from the ledger: the same totals, whatever had become of the roll-ups."""

from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.engine import rollups, run_totals


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(f"{rollups.rebuild() + run_totals.rebuild():,} buckets made from the ledger.")
