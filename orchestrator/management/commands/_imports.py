"""What the import commands share: read a file strictly, import it, print what happened or every error."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from audit.actors import system
from audit.refusals import Invalid
from orchestrator.operations.registry import Imported, ImportRefused
from orchestrator.releases.files import json_of
from orchestrator.workflows.errors import WorkflowErrors


class ImportCommand(BaseCommand):
    """`manage.py import_<noun> FILE...`: exit status 1 and nothing imported from a file with an error."""

    noun: ClassVar[str]
    verb: ClassVar[Callable[..., Imported]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help=f"JSON list of {self.noun}")

    def handle(self, *_: Any, files: list[str], **__: Any) -> None:
        for file in files:
            self._import(file)

    def _import(self, file: str) -> None:
        try:
            done = type(self).verb(json_of(Path(file)), by=system("import"), file=file)
        except ImportRefused as refusal:
            raise CommandError(f"{refusal}\nNothing was imported from {file}.") from None
        except WorkflowErrors as errors:
            raise CommandError(str(errors)) from None
        except Invalid as refusal:
            raise CommandError(f"{refusal} {refusal.remedy}".strip()) from None
        for name in done.created:
            self.stdout.write(f"  + {name}")
        for line in done.told:
            self.stderr.write(f"{file}: {line}")
        self.stdout.write(f"{file}: {len(done.created)} {self.noun} imported, {len(done.unchanged)} unchanged.")
