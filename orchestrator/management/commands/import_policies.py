"""`manage.py import_policies FILE...`: put approval policies in force; running it twice changes nothing."""

from typing import Any

from orchestrator.management.commands._imports import ImportCommand
from orchestrator.operations import registry


class Command(ImportCommand):
    help = "Register approval policies from JSON files. Idempotent; all or nothing per file."
    noun = "approval policies"
    verb = staticmethod(registry.import_policies)

    def handle(self, *arguments: Any, **options: Any) -> None:
        super().handle(*arguments, **options)
        for line in registry.idle_policies():
            self.stderr.write(line)
