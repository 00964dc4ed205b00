"""`manage.py publish FOLDER...`: build the folder's release and make it the one new executions get."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import system
from audit.refusals import Refusal
from orchestrator.operations.registry import idle_policies
from orchestrator.releases.bundle import doubtful_env, left_behind
from orchestrator.releases.folders import install
from orchestrator.workflows.parse import WorkflowErrors


class Command(BaseCommand):
    help = "Register a workflow folder's tools, agents and policies, and publish its release to production."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", nargs="+", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in options["folder"]:
            try:
                release = install(folder, by=system("publish"))
            except Refusal as refusal:
                raise CommandError(f"{refusal} {refusal.remedy}".strip()) from None
            except WorkflowErrors as errors:
                raise CommandError(str(errors)) from None
            for doubt in doubtful_env(release):
                self.stderr.write(f"{folder / 'release.json'}: {doubt}")
            self.stdout.write(f"{release} is in production ({release.digest}).")
        for line in [*idle_policies(), *left_behind()]:
            self.stderr.write(line)
