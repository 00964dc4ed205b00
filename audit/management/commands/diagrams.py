"""`manage.py diagrams [--check]`: draw every lifecycle into its app's README, or say which README lags behind."""

from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.diagrams import is_current, with_diagrams
from audit.lifecycle import Governed, Lifecycle


class Command(BaseCommand):
    help = "Generate the lifecycle diagrams in each app's README from the tables."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail when a README differs")

    def handle(self, *args: Any, **options: Any) -> None:
        for path, lifecycles in _readmes().items():
            if options["check"]:
                if not is_current(path, lifecycles):
                    raise CommandError(f"{path} differs from its tables. Run `manage.py diagrams`.")
            else:
                path.write_text(with_diagrams(path.read_text(), lifecycles))


def _readmes() -> dict[Path, list[Lifecycle]]:
    found: dict[Path, list[Lifecycle]] = {}
    for model in apps.get_models():
        if issubclass(model, Governed):
            home = Path(apps.get_app_config(model._meta.app_label).path) / "README.md"
            found.setdefault(home, []).append(model.lifecycle)
    return found
