"""`manage.py validate PATH...`: every mistake in workflow files and what stands beside them, one per line. Needs no database."""

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.releases.reading import check
from orchestrator.workflows.parse import WorkflowErrors

SCHEMA = Path(__file__).parents[2] / "workflows" / "schema.json"


class Command(BaseCommand):
    """Prints `ok` per valid file, with the input it declares nowhere; `file:line:column: message. remedy` per mistake.

    Ends with 1 if there is any.
    """

    help = "Check workflow files and everything beside them: what publish would refuse of the files themselves."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Files, or folders that hold them."""
        parser.add_argument("paths", nargs="*", metavar="PATH", help="a workflow file, or a folder with workflow.yaml")
        parser.add_argument(
            "--schema", action="store_true", help="print the JSON Schema of workflow files, for editors"
        )

    def handle(self, *, paths: list[str], schema: bool, **options: Any) -> None:
        """Check every file; one bad file hides no other."""
        if schema:
            self.stdout.write(SCHEMA.read_text(encoding="utf-8"))
            return
        if not paths:
            self.stderr.write("Name a workflow file, or a folder with a workflow.yaml in it.")
            raise SystemExit(1)
        valid = [self._check(file) for path in paths for file in _files(Path(path))]
        if not all(valid):
            raise SystemExit(1)

    def _check(self, file: Path) -> bool:
        try:
            spec = check(file)
        except WorkflowErrors as errors:
            for error in errors.errors:
                self.stdout.write(str(error))
            return False
        steps = f"{len(spec.steps)} step{'' if len(spec.steps) == 1 else 's'}"
        taken = f"; takes from the trigger: {', '.join(spec.implied_input)}" if spec.implied_input else ""
        self.stdout.write(f"{file}: ok, {spec.workflow} {spec.version} with {steps}{taken}")
        return True


def _files(path: Path) -> Iterator[Path]:
    """The file itself; a folder's workflow.yaml, or those of the folders in it."""
    # Not `path.is_dir()` and `path.exists()`: they fail where a folder may not be looked into.
    if not os.path.isdir(path) or os.path.exists(path / "workflow.yaml"):
        yield path
        return
    found = sorted(path.glob("*/workflow.yaml"))
    yield from found or [path]
