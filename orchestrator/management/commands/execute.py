"""`manage.py execute WORKFLOW --input name=FILE --unit UNIT [--wait]`: run a workflow on your own files."""

import csv
import json
import time
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import Actor, person, system
from audit.refusals import Invalid, Refusal
from orchestrator.models import Execution
from orchestrator.operations import executions

MAX_FILE_BYTES = 10 * 1024 * 1024


class Command(BaseCommand):
    help = "Start an execution of a published workflow; CSV files become lists of rows, JSON files their value."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workflow")
        parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE_OR_VALUE")
        parser.add_argument("--unit", required=True)
        parser.add_argument("--as", dest="username", default="", help="the person who asks (default: the command line)")
        parser.add_argument("--business-key", default="")
        parser.add_argument("--wait", action="store_true", help="wait until it ends or waits for a person")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            execution = executions.start(
                workflow=options["workflow"],
                input=dict(_input(item) for item in options["input"]),
                unit=options["unit"],
                by=_asker(options["username"]),
                business_key=options["business_key"],
            )
        except Invalid as refusal:
            raise CommandError(
                "\n".join([refusal.message, *(f"  {where}: {what}" for where, _, what in refusal.errors)])
            ) from None
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        self.stdout.write(f"{execution.pk} {execution.status}")
        if options["wait"]:
            self._wait(execution)

    def _wait(self, execution: Execution) -> None:
        """Print each step as it ends. Waiting for people is shown, and waited for, until Ctrl-C."""
        shown: dict[str, str] = {}
        while not execution.is_final and execution.status != "dead_lettered":
            time.sleep(0.2)
            execution.refresh_from_db()
            for step in execution.steps.in_order():
                if shown.get(step.key) != step.status and step.status != "pending":
                    shown[step.key] = step.status
                    self.stdout.write(
                        f"  {step.key}: {step.status.replace('_', ' ')}{': ' + step.why if step.why else ''}"
                    )
        self.stdout.write(
            f"{execution.pk} {execution.status.replace('_', ' ')}{': ' + execution.why if execution.why else ''}"
        )
        if execution.status != "succeeded":
            raise CommandError(f"The execution ended {execution.status.replace('_', ' ')}.")


def _asker(username: str) -> Actor:
    if not username:
        return system("command line")
    user = get_user_model().objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active person called {username}.")
    return person(user.pk, user.get_username())


def _input(item: str) -> tuple[str, Any]:
    name, separator, value = item.partition("=")
    if not separator or not name:
        raise CommandError(f"--input {item}: write it as NAME=FILE or NAME=VALUE.")
    path = Path(value)
    if path.suffix.lower() not in {".csv", ".json"}:
        return name, value
    if not path.is_file():
        raise CommandError(f"--input {name}: there is no file {value}.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise CommandError(f"--input {name}: {value} is larger than {MAX_FILE_BYTES // 1024 // 1024} MB.")
    return name, _csv(path) if path.suffix.lower() == ".csv" else _json(path)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CommandError(f"{path}: {error}. Save it as UTF-8 JSON.") from None


def _csv(path: Path) -> list[dict[str, str]]:
    """Rows as text, exactly as written. Every row must have every column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path}: {error}. Save it as UTF-8 CSV.") from None
    names = reader.fieldnames or []
    if not names or len(set(names)) != len(names):
        raise CommandError(f"{path}: line 1: the header must name every column once.")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise CommandError(
                f"{path}: line {number}: {len(names)} columns are expected. Check for a stray or missing comma."
            )
    return rows
