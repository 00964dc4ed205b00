"""What the import commands share: read a file strictly, import it, print what happened or every error."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from audit.actors import system
from audit.canonical import BadJSON, read_strict
from orchestrator.operations.registry import Imported, ImportRefused

MAX_FILE_BYTES = 16 * 1024 * 1024


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
            items = read_strict(Path(file).read_bytes(), max_bytes=MAX_FILE_BYTES)
            done = type(self).verb(items, by=system("import"), file=file)
        except (OSError, BadJSON) as error:
            raise CommandError(f"{file}: {error}") from None
        except ImportRefused as refusal:
            raise CommandError(f"{refusal}\nNothing was imported from {file}.") from None
        for name in done.created:
            self.stdout.write(f"  + {name}")
        self.stdout.write(f"{file}: {len(done.created)} {self.noun} imported, {len(done.unchanged)} unchanged.")
