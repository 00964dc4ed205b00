"""`manage.py publish FOLDER...`: build the folder's release and make it the one new executions get."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import system
from audit.refusals import Refusal
from orchestrator.operations.registry import idle_policies
from orchestrator.releases.bundle import doubtful_env, left_behind
from orchestrator.releases.folders import Installed, install
from orchestrator.workflows.parse import WorkflowErrors


class Command(BaseCommand):
    help = "Register a workflow folder's tools, agents and policies, and publish its release to production."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", nargs="+", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in options["folder"]:
            try:
                self._tell(folder, install(folder, by=system("publish")))
            except Refusal as refusal:
                raise CommandError(f"{refusal} {refusal.remedy}".strip()) from None
            except WorkflowErrors as errors:
                raise CommandError(str(errors)) from None
        for line in [*idle_policies(), *left_behind()]:
            self.stderr.write(line)

    def _tell(self, folder: Path, done: Installed) -> None:
        for name, imported in done.imported.items():
            for row in imported.created:
                self.stdout.write(f"  + {row} of {name}")
            for line in imported.told:
                self.stderr.write(f"{folder / name}: {line}")
        for doubt in doubtful_env(done.release):
            self.stderr.write(f"{folder / 'release.json'}: {doubt}")
        self.stdout.write(f"{done.release} is in production ({done.release.digest}).")
