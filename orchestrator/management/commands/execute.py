"""`manage.py execute WORKFLOW --input name=FILE --unit UNIT [--wait]`: run a workflow on your own files."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Exists, OuterRef

from approvals.models import ApprovalRequest
from audit.actors import Actor, person, system
from audit.addresses import in_full
from audit.canonical import BadJSON, read_strict
from audit.refusals import Invalid, Refusal
from orchestrator.management.commands._input_files import MAX_FILE_BYTES, read_csv, read_json
from orchestrator.models import Attempt, DeadLetter, Execution
from orchestrator.operations import executions

READERS: dict[str, Callable[[Path], Any]] = {".csv": read_csv, ".json": read_json}
POLL_SECONDS = 0.2
WAIT_HELP = (
    "keep waiting, also while people decide, until the execution ends (exit status 1 unless it succeeds) or Ctrl-C, "
    "which leaves it running; tell every attempt's outcome and which approval it waits for"
)


class Command(BaseCommand):
    help = "Start an execution of a published workflow; CSV files become lists of rows, JSON files their value."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workflow")
        parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE_OR_TEXT, NAME:=JSON")
        parser.add_argument("--unit", required=True)
        parser.add_argument("--as", dest="username", default="", help="the person who asks (default: the command line)")
        parser.add_argument("--business-key", default="")
        parser.add_argument("--wait", action="store_true", help=WAIT_HELP)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            execution = executions.start(
                workflow=options["workflow"],
                input=_inputs(options["input"]),
                unit=options["unit"],
                by=_asker(options["username"]),
                business_key=options["business_key"],
            )
        except Invalid as refusal:
            faults = [f"  {where}: {what}" for where, _, what in refusal.errors]
            raise CommandError("\n".join([refusal.message, *faults, *_not_text(faults)])) from None
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        self.stdout.write(f"{execution.pk} {execution.status}: {in_full(execution.get_absolute_url())}")
        if options["wait"]:
            self.wait(execution)

    def wait(self, execution: Execution) -> None:
        """Tell what happens as it happens, people's part included, until the execution ends or Ctrl-C."""
        told: list[str] = []
        try:
            while not self.told_all(execution, told):
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            self.stdout.write(f"No longer waiting. The execution goes on: {in_full(execution.get_absolute_url())}")
            return
        ending = f"{execution.pk} {_words(execution.status, _untold(execution.why, told))}"
        for line in letters(execution):
            self.stdout.write(line)
        if execution.status != "succeeded":
            raise CommandError(ending)
        self.stdout.write(ending)

    def told_all(self, execution: Execution, told: list[str]) -> bool:
        """Whether it has ended, all there is to tell being told: the status is read first, so that nothing is missed."""
        execution.refresh_from_db()
        for line in news(execution):
            if line not in told:
                told.append(line)
                self.stdout.write(f"  {line}")
        self.stdout.flush()
        return execution.is_final or execution.status == "dead_lettered"


def news(execution: Execution) -> Iterator[str]:
    """All that can be told of it by now, each thing in the same words every time: attempts, people, other steps."""
    attempts = Attempt.objects.filter(step__execution=execution).exclude(status="running").select_related("step")
    for attempt in attempts.order_by("finished_at", "number"):
        yield f"{attempt.step.key}, attempt {attempt.number}: {_words(attempt.status, attempt.message)}"
    for request in ApprovalRequest.objects.pending().filter(execution_id=execution.pk).order_by("created_at"):
        people = "one person" if request.required == 1 else f"{request.required} people"
        yield f"waits for {people}: {request.title}, {in_full(request.get_absolute_url())}"
    # What no attempt has ended: steps that were skipped or cancelled, and those that people decided.
    by_an_attempt = Attempt.objects.filter(step=OuterRef("pk"), status__in=["succeeded", "failed", "lost"])
    for step in execution.steps.in_order().filter(~Exists(by_an_attempt), finished_at__isnull=False):
        yield f"{step.key}: {_words(step.status, step.why)}"


def letters(execution: Execution) -> Iterator[str]:
    """Where each dead letter lies, who owns it, and what its runbook says to do."""
    for letter in DeadLetter.objects.open().filter(execution=execution).order_by("first_at"):
        yield f"Dead letter of {letter.component}: {in_full(letter.get_absolute_url())}"
        yield f"  owner: {letter.owner or 'nobody is registered'}"
        yield f"  runbook: {_indented(letter.runbook) or 'none is registered for this component'}"


def _untold(why: str, told: list[str]) -> str:
    """Why it ended: only where (`post: no answer` becomes `post`) when an attempt has given the reason already."""
    where, _, reason = why.partition(": ")
    return where if reason and any(_indented(reason) in line for line in told) else why


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _words(status: str, why: str) -> str:
    return status.replace("_", " ") + (f": {_indented(why)}" if why else "")


def _asker(username: str) -> Actor:
    if not username:
        return system("command line")
    user = get_user_model().objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active person called {username}.")
    return person(user.pk, user.get_username())


def _not_text(faults: list[str]) -> list[str]:
    """What is typed on a command line is text, and a schema may want something else."""
    wanted = [fault for fault in faults if "is not of type" in fault]
    return ["What follows = is text. Write a number, true, false or a list as --input NAME:=50."] if wanted else []


def _inputs(items: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        name, value = _input(item)
        if name in found:
            raise CommandError(f"--input {name}: it is given twice. Give each name once.")
        found[name] = value
    return found


def _input(item: str) -> tuple[str, Any]:
    name, separator, value = item.partition("=")
    if not separator or not name:
        raise CommandError(f"--input {item}: write it as NAME=FILE, NAME=TEXT or NAME:=JSON.")
    if name.endswith(":"):
        return name[:-1], _json(item, value)
    path = Path(value)
    read = READERS.get(path.suffix.lower())
    if read is None:
        return name, value
    # Not `path.is_file()`: that fails where the text is too long to be a name.
    if not os.path.isfile(value):
        raise CommandError(
            f"--input {name}: there is no file {value[:200]}. What ends in .csv or .json is read as a file."
        )
    if path.stat().st_size > MAX_FILE_BYTES:
        raise CommandError(f"--input {name}: {value} is larger than {MAX_FILE_BYTES // 1024 // 1024} MB.")
    return name, read(path)


def _json(item: str, value: str) -> Any:
    try:
        return read_strict(value.encode(), max_bytes=MAX_FILE_BYTES)
    except BadJSON as error:
        raise CommandError(
            f"--input {item[:200]}: {error} Text needs quotes there, or = in the place of := ."
        ) from None
