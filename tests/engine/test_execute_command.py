"""`manage.py execute`: how it reads the user's files, and what it tells somebody who watches a run from the command line."""

import io

import pytest
from django.core.management import CommandError, call_command

from orchestrator.management.commands._input_files import read_csv
from orchestrator.management.commands.execute import Command
from orchestrator.models import DeadLetter, Execution
from orchestrator.operations import executions
from tests.engine.driving import approve, asked, drive

TYPED = """workflow: typed
version: 1.0.0
input: {type: object, properties: {amount: {type: number}, urgent: {type: boolean}, name: {type: string}}}
steps:
  - sign: {required: 1}
"""
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


ROWS = """workflow: rows
version: 1.0.0
input:
  type: object
  required: [bank]
  properties: {bank: {type: array, items: {type: object}}, note: {type: string}}
steps:
  - sign: {required: 1}
"""
HEADER = b"reference,amount,text\n"


class TestReadingFiles:
    """What cannot be read is named by the line an editor shows, with what to do about it."""

    @pytest.fixture
    def given(self, world, publish, tmp_path):
        """Start a run on a file of these bytes. What it was started with."""
        publish(ROWS)

        def execute(content, *more, name="bank.csv"):
            file = tmp_path / name
            file.write_bytes(content)
            call_command(
                "execute", "rows", "--unit", world.unit.name, "--input", f"bank={file}", *more, stdout=io.StringIO()
            )
            return Execution.objects.get().input["bank"]

        return execute

    @pytest.fixture
    def refusal(self, given):
        def refused(content, *more, name="bank.csv"):
            with pytest.raises(CommandError) as error:
                given(content, *more, name=name)
            assert not Execution.objects.exists()
            return str(error.value).partition(f"{name}: ")[2] or str(error.value)

        return refused

    def test_gives_every_cell_as_it_is_written(self, given):
        content = b"\xef\xbb\xbf" + HEADER + b'B-1,"1,50","in ""two""\nlines"\r\n\r\nB-2, 2 ,\r\n'

        assert given(content) == [
            {"reference": "B-1", "amount": "1,50", "text": 'in "two"\nlines'},
            {"reference": "B-2", "amount": " 2 ", "text": ""},
        ]

    @pytest.mark.parametrize(
        ("content", "line", "remedy"),
        [
            (b"", 1, "the header must name every column once"),
            (b"\n" + HEADER, 1, "the header must name every column once"),
            (b"reference,amount,amount\n", 1, "the header must name every column once"),
            (HEADER + b"B-1,1.00\n", 2, "3 columns are expected, 2 are there. Check for a stray or missing comma."),
            (HEADER + b"B-1,-1234,56,rent\n", 2, "3 columns are expected, 4 are there."),
            (HEADER + b'B-1,1.00,"three\nlines\nlong"\nB-2\n', 5, "Check for a stray or missing comma."),
            (HEADER + b"\n\r\n\rB-1,1.00\n", 5, "Check for a stray or missing comma."),
            (HEADER.replace(b",", b";") + b"B-1;-1.234,56;rent\n", 1, "cells stand between semicolons. Save it with commas"),
            (b'"reference";"amount"\n"B-1";"1,00"\n', 1, "cells stand between semicolons. Save it with commas"),
            (HEADER.replace(b",", b"\t") + b"B-1\t1.00\trent\n", 1, "cells stand between tabs. Save it with commas"),
            (HEADER + b'B-1,1.00,x\nB-2,1.00,"open\nB-3,1.00,x\n', 3, "Close the quote, or double it"),
            (HEADER + b'B-1,1.00,x\nB-2,1.00,"24" monitor"\n', 3, "Close the quote, or double it"),
            (HEADER + "B-1,1.00,x\rB-2,1.00,Café\n".encode("latin-1"), 3, "it is not UTF-8. Save it as UTF-8 CSV."),
            (HEADER + b"B-1,1.00,\0\n", 2, "U+0000, which cannot be stored. Remove it"),
        ],
    )  # fmt: skip
    def test_of_rows_names_the_line_and_the_remedy(self, refusal, content, line, remedy):
        words = refusal(content)

        assert words.startswith(f"line {line}: ")
        assert remedy in words

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b'[{"a": "\\u0000"}]', "U+0000, which cannot be stored"),
            (b"[" * 100_000, "Nested deeper than 40 levels."),
            (b"[" + b"9" * 5000 + b"]", "An integer is beyond 2^53; send it as text."),
            (b'[{"amount": 1, "amount": 2}]', "The key 'amount' appears twice"),
            (b"[{},\n{]", "line 2, column 2"),
            (b'[\n"\xe9"]', "line 2: it is not UTF-8. Save it as UTF-8 JSON."),
        ],
    )
    def test_of_json_refuses_what_the_api_refuses(self, refusal, content, words):
        assert words in refusal(content, name="bank.json")

    def test_gives_the_value_of_json(self, given):
        assert given(b'\xef\xbb\xbf[{"amount": 1.5}]', name="bank.json") == [{"amount": 1.5}]

    def test_refuses_a_name_that_is_given_twice(self, refusal):
        words = refusal(HEADER, "--input", "note=one", "--input", "note=two")

        assert words == "--input note: it is given twice. Give each name once."

    def test_takes_no_text_for_a_file_because_of_its_last_letters(self, refusal):
        words = refusal(HEADER, "--input", f"note={'see ' * 100}report.json")

        assert words.startswith("--input note: there is no file see see ")
        assert words.endswith("What ends in .csv or .json is read as a file.")

    def test_says_why_a_file_cannot_be_read(self, tmp_path):
        file = tmp_path / "bank.csv"
        file.symlink_to("/proc/self/mem")  # a file nobody can read from its beginning, whoever they are

        with pytest.raises(CommandError, match=r"bank\.csv: it cannot be read: Input/output error\."):
            read_csv(file)


class TestWhatIsTyped:
    def execute(self, world, *inputs):
        typed = [word for item in inputs for word in ("--input", item)]
        call_command("execute", "typed", "--unit", world.unit.name, *typed, stdout=io.StringIO())

    def test_is_text_after_an_equals_sign_and_json_after_a_colon_with_one(self, world, publish):
        publish(TYPED)

        self.execute(world, "amount:=50.5", "urgent:=true", "name=007", 'about:={"of": [1, "x=y"]}')

        given = {"amount": 50.5, "urgent": True, "name": "007", "about": {"of": [1, "x=y"]}}
        assert Execution.objects.get().input == given

    def test_says_how_to_write_a_number_where_text_was_given_for_one(self, world, publish):
        publish(TYPED)

        with pytest.raises(CommandError, match="as --input NAME:=50"):
            self.execute(world, "amount=50")

    @pytest.mark.parametrize("item", ["name:=ada", "name:=", 'name:={"a": 1, "a": 2}', "name:=NaN"])
    def test_that_is_no_json_is_refused_with_what_was_typed(self, world, publish, item):
        publish(TYPED)

        with pytest.raises(CommandError, match="Text needs quotes there"):
            self.execute(world, item)


def test_the_help_says_that_it_waits_for_people():
    words = " ".join(Command().create_parser("manage.py", "execute").format_help().split())

    assert "--wait keep waiting, also while people decide, until the execution ends" in words
