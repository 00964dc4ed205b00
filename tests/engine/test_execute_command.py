"""`manage.py execute --wait`: what it tells somebody who watches a run from the command line."""

import io

from django.core.management import CommandError

from orchestrator.management.commands.execute import Command
from orchestrator.models import DeadLetter
from orchestrator.operations import executions
from tests.engine.driving import approve, asked, drive

PEOPLE = """workflow: signed
version: 1.0.0
steps:
  - sign: {required: 1}
"""
BROKEN = """workflow: broken
version: 1.0.0
steps:
  - think: {agent: fails, retry: {max_attempts: 2, backoff: 1s}}
  - after: {required: 1}
"""
HANDLERS = """
def fails(input, context):
    raise context.SystemError("the disk is full\\nand slow")
"""
AGENT = {"name": "fails", "owner": "olga", "unit": "finance", "runbook": "None.", "entry": "handlers:fails"}


def start(world, workflow):
    execution = executions.start(workflow=workflow, input={}, unit=world.unit.name, by=world.ada)
    drive(execution)
    return execution


def watched(execution):
    """What it prints on a run that has ended, and how it ends itself."""
    out = io.StringIO()
    try:
        Command(stdout=out).wait(execution)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


class TestWaitingForPeople:
    def test_names_the_approval_and_its_address_once(self, world, publish, settings):
        settings.SITE_URL = "https://holdpoint.example/"
        publish(PEOPLE)
        execution = start(world, "signed")
        request, out, told = asked(execution), io.StringIO(), []

        for _ in range(2):
            assert not Command(stdout=out).told_all(execution, told)

        assert out.getvalue() == (
            "  sign, attempt 1: parked: The workflow asks a person here.\n"
            f"  waits for one person: {request.title}, https://holdpoint.example/approvals/{request.pk}/\n"
        )

    def test_says_how_it_ended_when_they_have_decided(self, world, publish):
        publish(PEOPLE)
        execution = start(world, "signed")
        approve(asked(execution), world.grace)
        drive(execution)

        said, error = watched(execution)

        assert said.splitlines() == [
            "  sign, attempt 1: parked: The workflow asks a person here.",
            "  sign: success: approved by grace: Evidence checked, correct",
            f"{execution.pk} succeeded",
        ]
        assert error == ""


class TestAFailure:
    def test_tells_every_attempt_and_the_reason_of_the_end_only_there(self, world, publish):
        publish(BROKEN, HANDLERS, agents=[AGENT])
        execution = start(world, "broken")

        said, error = watched(execution)

        assert said.startswith(
            "  think, attempt 1: failed: the disk is full\n    and slow\n"
            "  think, attempt 2: failed: the disk is full\n    and slow\n"
        )
        assert error.startswith(f"{execution.pk} ")
        assert "the disk is full" not in error

    def test_points_to_the_dead_letter_its_owner_and_its_runbook(self, world, publish, settings):
        settings.SITE_URL = "https://holdpoint.example"
        publish(BROKEN, HANDLERS, agents=[AGENT | {"runbook": "1. Free some space.\n2. Redrive it."}])
        execution = start(world, "broken")

        said, _ = watched(execution)

        letter = DeadLetter.objects.get(execution=execution)
        assert said.splitlines()[-4:] == [
            f"Dead letter of {letter.component}: https://holdpoint.example/dead-letters/{letter.pk}/",
            "  owner: olga",
            "  runbook: 1. Free some space.",
            "    2. Redrive it.",
        ]


def test_the_help_says_that_it_waits_for_people():
    words = " ".join(Command().create_parser("manage.py", "execute").format_help().split())

    assert "--wait keep waiting, also while people decide, until the execution ends" in words
