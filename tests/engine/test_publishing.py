"""A folder that cannot be published says which file is wrong and what to do, and puts nothing of it in force."""

import contextlib
import io
import json
import os

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from approvals.models import ApprovalPolicy
from audit.definitions import activate, draft
from orchestrator.models import Release, Tool
from orchestrator.operations import executions
from tests import worlds as make
from tests.engine.driving import drive

WORKFLOW = "workflow: fresh\nversion: 1.0.0\nsteps:\n  - look: {tool: glance}\n"
TOOL = {"name": "glance", "version": "1", "effect": "read", "tier": "informational", "entry": "handlers:look"}
TOOL["input_schema"] = {"type": "object", "properties": {"amount": {"type": "number"}}}
POLICY = {"name": "big", "reason": "Much", "tool": "glance"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    (tmp_path / "handlers.py").write_text(make.HANDLERS)
    (tmp_path / "tools.json").write_text(json.dumps([TOOL]))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rates.csv", "caf\xe9".encode("latin-1"), "rates.csv:1:4: Byte 4 is no UTF-8. Save it as UTF-8"),
        ("workflow.yaml", WORKFLOW.encode() + "# caf\xe9".encode("latin-1"), "workflow.yaml:5:6: "),
        (
            "release.json",
            b"{",
            "release.json:1:2: Not JSON: Expecting property name enclosed in double quotes at line 1, column 2",
        ),
        ("release.json", b"[]", "release.json:1:1: env: This must be a list of names"),
        (
            "release.json",
            b'{"envs": ["ERP_URL"]}',
            'release.json:1:2: envs: There is no such field. It holds one: {"env": ',
        ),
        (os.fsdecode(b"caf\xe9.txt"), b"", "caf\\xe9.txt:1:1: The name of the file is no UTF-8. Rename the file"),
        (
            "big.txt",
            b"x" * (4 * 1024 * 1024),
            "big.txt:1:1: This is the largest of the folder's files: 4,194,",
        ),
        ("release.json", b'{\n "env": "ERP_URL"}', "release.json:2:2: env: This must be a list of names"),
        (
            "release.json",
            b'{"env": [], "env": ["ERP_URL"]}',
            "release.json:1:1: The key 'env' appears twice in one object",
        ),
        ("agents.json", '["\xe9"]'.encode("latin-1"), "agents.json:1:3: Byte 3 is no UTF-8"),
        (
            "policies.json",
            b'[{"name": "big", "required": 2, "required": 0}]',
            "policies.json:1:2: Item 1: The key 'required' appears twice",
        ),
        ("tools.json", b'[{"name": NaN}]', "tools.json:1:2: Item 1: NaN is not JSON"),
        ("tools.json", b'[{"name": 1e400}]', "tools.json:1:2: Item 1: /0/name: NaN and Infinity are not JSON"),
        ("tools.json", b'[{"name": "\\u0000"}]', "tools.json:1:2: Item 1: Text holds the character U+0000"),
        ("tools.json", b"[" * 100_000, "tools.json:1:1: Nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(folder, name, content, says):
    (folder / name).write_bytes(content)

    assert says in refusal(folder)


def test_a_file_that_cannot_be_read_is_all_that_is_told_of_what_it_defines(folder):
    (folder / "notes.txt").write_bytes("caf\xe9".encode("latin-1"))

    assert validated(folder) == [
        f"{folder}/notes.txt:1:4: Byte 4 is no UTF-8. Save it as UTF-8, or keep it out of the folder."
    ]


def test_a_file_that_is_far_too_large_is_not_read(folder):
    with (folder / "export.csv").open("wb") as export:
        export.truncate(40 * 1024**3)

    assert "export.csv:1:1: It has 42,949,672,960 bytes, and the limit of all the folder's files" in refusal(folder)


def test_links_lead_to_nothing_outside_of_the_folder(folder, tmp_path_factory):
    secrets = tmp_path_factory.mktemp("etc") / "holdpoint.env"
    secrets.write_text("SECRET_KEY=of the site")
    (folder / "more.py").symlink_to("handlers.py")
    assert validated(folder) == [f"{folder}: ok, fresh 1.0.0 with 1 step"]

    (folder / "rules.txt").symlink_to(secrets)

    assert (
        "rules.txt:1:1: It is a link to a file outside of the folder. Put a copy of the file in its place."
        in refusal(folder)
    )


def test_a_folder_that_is_a_link_is_not_followed_and_says_so(folder, tmp_path_factory):
    (folder / "lib").symlink_to(tmp_path_factory.mktemp("lib"))
    (folder / "handlers.py").write_text("import lib.rows\n" + make.HANDLERS)

    assert "`lib` is a link, and links to folders are not followed: put a copy in its place." in refusal(folder)


def test_a_wrong_path_is_told_by_itself(tmp_path):
    (tmp_path / "broken.py").write_text("def")

    for path in (tmp_path, tmp_path / "typo.yaml"):
        missing = tmp_path / "workflow.yaml" if path == tmp_path else path
        assert validated(path) == [
            f"{missing}:1:1: The file cannot be read: No such file or directory. Check the path."
        ]
    with pytest.raises(CommandError, match=r"workflow\.yaml:1:1: The file cannot be read: No such file or directory"):
        call_command("publish", str(tmp_path))


def refusal(folder):
    """What publishing the folder is refused with, in the words of `validate`; nothing of it is in force."""
    with pytest.raises(CommandError) as refused:
        call_command("publish", str(folder))
    assert not Release.objects.filter(workflow="fresh").exists()
    assert not Tool.objects.filter(name="glance").exists()
    assert set(str(refused.value).splitlines()) <= set(validated(folder))
    return str(refused.value)


def validated(folder):
    """The lines of `validate`, which finds the same and asks no database."""
    out = io.StringIO()
    with connection.execute_wrapper(_nothing_is_asked), contextlib.suppress(SystemExit):
        call_command("validate", str(folder), stdout=out)
    return out.getvalue().splitlines()


def _nothing_is_asked(*_):
    raise AssertionError("validate asked the database")


def on_lines(items):
    return "[\n " + ",\n ".join(map(json.dumps, items)) + "\n]"


class TestDefinitions:
    """An item that says what it may not, with its file, line, field and the remedy; whoever asks first."""

    @pytest.mark.parametrize(
        ("name", "items", "says"),
        [
            ("tools.json", [{**TOOL, "tier": "vip"}], "tools.json:2:2: Item 1 (glance): tier: 'vip' is not a choice. Use"),
            ("tools.json", [TOOL, {**TOOL, "entyr": ""}], "tools.json:3:2: Item 2 (glance): entyr: There is no such field. Did"),
            ("tools.json", [TOOL, TOOL], "tools.json:3:2: Item 2 (glance): name: This name is in the file twice"),
            ("tools.json", [{**TOOL, "egress": ["https://x"]}], "tools.json:2:2: Item 1 (glance): egress: "),
            ("tools.json", [{**TOOL, "business_key": "args."}], "tools.json:2:2: Item 1 (glance): business_key: "),
            ("tools.json", [{**TOOL, "effect": "write", "compensate_with": "glance"}],
             "tools.json:2:2: Item 1 (glance): compensate_with: A tool cannot take back its own effect"),
            ("tools.json", [TOOL, {**TOOL, "name": "put", "effect": "write", "compensate_with": "glance"}],
             "tools.json:3:2: Item 2 (put): compensate_with: A tool that only reads takes nothing back"),
            ("agents.json", [{"name": "teller"}], "agents.json:2:2: Item 1 (teller): owner: The field is missing. Add it"),
            ("agents.json", [5], "agents.json:2:2: Item 1: 5 is not of type 'object'"),
            ("agents.json", "", "agents.json:1:1: The file is empty. Write [] into it, or remove it"),
            ("policies.json", [{"name": "big"}], "policies.json:2:2: Item 1 (big): reason: The field is missing"),
            ("policies.json", [{**POLICY, "required": 7}], "policies.json:2:2: Item 1 (big): required: 7 is greater than"),
            ("policies.json", [{**POLICY, "condition": "args.x >"}], "policies.json:2:2: Item 1 (big): condition: "),
            ("policies.json", [{**POLICY, "condition": "args.amuont > 1"}], "Did you mean args.amount?"),
            ("policies.json", [{**POLICY, "on_timeout": "escalate"}],
             "policies.json:2:2: Item 1 (big): escalate_to: Say which group is asked next"),
            ("policies.json", "{}", "policies.json:1:1: The file must hold a list"),
        ],
    )  # fmt: skip
    def test_that_no_import_takes_are_refused(self, folder, name, items, says):
        (folder / name).write_text(on_lines(items) if isinstance(items, list) else items)

        assert says in refusal(folder)

    def test_are_told_with_their_line_where_only_the_database_knows(self, folder):
        agent = {**make.AGENTS[0], "name": "teller", "owner": "nobody", "unit": "moon", "allowed_tools": ["glance"]}
        (folder / "agents.json").write_text(f"[\n {json.dumps(agent)}]")

        with pytest.raises(CommandError) as refused:
            call_command("publish", str(folder))

        assert "agents.json:2:2: Item 1 (teller): owner: There is no active user 'nobody'. Create" in str(refused.value)
        assert validated(folder) == [f"{folder}: ok, fresh 1.0.0 with 1 step"]

    def test_of_all_files_are_told_at_once(self, folder):
        (folder / "release.json").write_text("[]")
        (folder / "policies.json").write_text('[{"name": "big"}]')
        (folder / "workflow.yaml").write_text(WORKFLOW.replace("glance", "glanze"))
        (folder / "handlers.py").write_text("def look(:\n")

        files = [line.removeprefix(f"{folder}/").partition(":")[0] for line in validated(folder)]

        assert files == ["handlers.py", "policies.json", "release.json", "workflow.yaml"]


class TestCode:
    """What a runner could not load is found before production, and says where it stands."""

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("handlers.py", "def look(arguments, context)\n    return {}\n", "handlers.py:1:29: This is not Python: "),
            ("handlers.py", make.HANDLERS + "return 1\n", "handlers.py:8:1: This is not Python: 'return' outside function"),
            ("inner/more.py", "x = (", "inner/more.py:1:5: This is not Python"),
            ("handlers.py", "def loke(): ...\n", "is `handlers:look`, and handlers.py defines no `look`. Did you mean `loke`?"),
            ("handlers.py", "class Box:\n    def look(self): ...\n", "handlers.py defines no `look`"),
            ("handlers.py", make.HANDLERS + "import requests\n", "handlers.py:8:1: A release has no module `requests`"),
            ("handlers.py", "import rows\n" + make.HANDLERS, "handlers.py:1:1: A release has no module `rows`"),
            (
                "handlers.py",
                "from data.rows import ROWS\n" + make.HANDLERS,
                "A release has no module `data.rows`. The folder `data` is left out of it: give it another name",
            ),
            ("handlers.py", "from data import X\n" + make.HANDLERS, "handlers.py:1:1: A release has no module `data`"),
            ("handlers.py", "from more import lok\n" + make.HANDLERS, "more.py defines no `lok`. Did you mean `look`?"),
            ("handlers.py", "# coding: klingon\n" + make.HANDLERS, "handlers.py:1:1: This is not Python: unknown encoding"),
            ("notes.txt", "a\n\0", "notes.txt:2:1: The character U+0000 cannot be stored"),
        ],
    )  # fmt: skip
    def test_that_cannot_be_loaded_is_refused(self, folder, name, content, says):
        for inner in ("data", "inner"):
            (folder / inner).mkdir()
            (folder / inner / "rows.py").write_text("ROWS = X = []\n")
        (folder / "more.py").write_text("look = 1\n")
        (folder / name).write_text(content)

        assert says in refusal(folder)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (
                {"entry": None},
                "workflow.yaml:4:1: The step `look` cannot run: the entry of the tool `glance` is missing. Write one",
            ),
            (
                {"entry": "handlerz:look"},
                "the entry of the tool `glance` is `handlerz:look`, and the folder has no module `handlerz`. "
                "Did you mean `handlers`?",
            ),
            ({"entry": "data.rows:X"}, "and the folder has no module `data.rows`"),
            (
                {"probe": "handlers:find"},
                "the probe of the tool `glance` is `handlers:find`, and handlers.py defines no",
            ),
            ({"record": "handlers:recall"}, "the record of the tool `glance` is `handlers:recall`"),
        ],
    )
    def test_that_lacks_what_a_contract_names_is_refused(self, folder, change, says):
        (folder / "tools.json").write_text(json.dumps([{**TOOL, **change}]))

        assert says in refusal(folder)

    @pytest.mark.parametrize(
        "content",
        [
            "async def look(arguments, context): ...\n",
            "look = print\n",
            "import json as look\n",
            "from inner.rows import look, X\n",
            "from inner.rows import *\n",
            "from inner import rows\nlook = rows.X\n",
            "def __getattr__(name): ...\n",
            "try:\n    from fast import look\nexcept ImportError:\n    look = None\n",
            "if True:\n    def look(arguments, context):\n        import requests\n",
        ],
    )
    def test_may_define_a_function_in_any_way_that_shows(self, folder, content):
        (folder / "inner" / "data").mkdir(parents=True)
        (folder / "inner" / "rows.py").write_text("from inner.data.more import look\nX = []\n")
        # Only at the top of the folder is this name left out.
        (folder / "inner" / "data" / "more.py").write_text("def look(arguments, context): ...\n")
        (folder / "handlers.py").write_text(content)

        call_command("publish", str(folder))

        assert "inner/data/more.py" in Release.objects.get(workflow="fresh").bundle["code"]

    def test_is_asked_for_the_tools_that_an_agent_may_call_by_name(self, world, folder):
        agent = {**make.AGENTS[0], "name": "teller", "allowed_tools": ["glance"], "entry": "handlers:pay"}
        (folder / "agents.json").write_text(json.dumps([agent]))
        (folder / "handlers.py").write_text("def pay(input, context): ...\n")
        (folder / "workflow.yaml").write_text(WORKFLOW.replace("{tool: glance}", "{agent: teller}"))
        assert "the entry of the tool `glance` is `handlers:look`, and handlers.py defines no `look`" in refusal(folder)

        (folder / "workflow.yaml").write_text(WORKFLOW.replace("{tool: glance}", "{agent: teller, allowed_tools: []}"))
        call_command("publish", str(folder))


class TestAToolOfSeveralWorkflows:
    def test_that_is_replaced_leaves_the_others_behind_until_they_are_published_again(self, folder, tmp_path, capsys):
        other = tmp_path / "other"
        other.mkdir()
        (other / "workflow.yaml").write_text(WORKFLOW.replace("fresh", "stale"))
        (other / "handlers.py").write_text(make.HANDLERS)
        call_command("publish", str(folder), str(other))
        assert capsys.readouterr().err == ""

        (folder / "tools.json").write_text(json.dumps([{**TOOL, "version": "2"}]))
        call_command("publish", str(folder))

        (told,) = capsys.readouterr().err.splitlines()
        holds = "stale 1.0.0 in production holds glance 1, and in force is 2: "
        assert told == f"{holds}its calls are refused until it is published again."
        call_command("publish", str(folder), str(other))
        assert capsys.readouterr().err == ""

    def test_that_is_replaced_strands_what_is_under_way_and_says_how_much(self, world, folder, capsys):
        call_command("publish", str(folder))
        under_way, over = (make.start(world, "fresh") for _ in range(2))
        executions.cancel(execution_id=over.pk, by=world.ada, why="not needed")
        capsys.readouterr()

        (folder / "tools.json").write_text(json.dumps([{**TOOL, "version": "2"}]))
        call_command("publish", str(folder))

        (told,) = capsys.readouterr().err.splitlines()
        holds = "1 execution of fresh 1.0.0 that may go on holds glance 1, and in force is 2: "
        assert told == f"{holds}those that still have to call it will fail."
        drive(under_way)
        assert under_way.status == "failed"
        assert "Start the execution anew under a release that was published since." in under_way.why
        call_command("publish", str(folder))
        assert capsys.readouterr().err == ""


class TestWhatPeopleActivatedSince:
    """A folder is published for its code again and again; its policies are said again each time."""

    @pytest.fixture
    def tightened(self, world, folder):
        """Published with a policy that asks one person; two administrators have made it two, and anything above ten."""
        (folder / "policies.json").write_text(json.dumps([POLICY | {"required": 1}]))
        call_command("publish", str(folder))
        row = ApprovalPolicy(**POLICY, required=2, version=2)
        draft(row, by=world.ada)
        activate(row, by=world.grace)
        return row

    def in_force(self):
        row = ApprovalPolicy.objects.active().get(name="big")
        return row.version, row.required

    def test_stays_where_the_folder_says_what_it_said_before(self, tightened, folder, capsys):
        (folder / "handlers.py").write_text(make.HANDLERS + "\nLIMIT = 7\n")
        capsys.readouterr()

        call_command("publish", str(folder))

        assert self.in_force() == (2, 2)
        said = capsys.readouterr()
        assert "policies.json: big v2 stays in force: people activated it since" in said.err
        assert "+" not in said.out

    def test_is_replaced_where_the_folder_says_something_new_and_that_is_told(self, tightened, folder, capsys):
        (folder / "policies.json").write_text(json.dumps([POLICY | {"required": 1, "reason": "Very much"}]))
        capsys.readouterr()

        call_command("publish", str(folder))

        assert self.in_force() == (3, 1)
        said = capsys.readouterr()
        assert "  + big v3 of policies.json" in said.out
        assert "policies.json: big v3 is in force in the place of big v2, which people had activated." in said.err

    def test_stays_beside_a_draft_that_nobody_has_activated_yet(self, world, folder):
        (folder / "policies.json").write_text(json.dumps([POLICY | {"required": 1}]))
        call_command("publish", str(folder))
        draft(ApprovalPolicy(**POLICY, required=2, version=2), by=world.ada)

        call_command("publish", str(folder))

        assert self.in_force() == (1, 1)

    def test_stays_beside_a_draft_that_says_what_the_folder_says(self, tightened, world, folder, capsys):
        """One administrator would take it back; that the file is published again is no second one's word."""
        loosened = ApprovalPolicy(**POLICY, required=1, version=3)
        draft(loosened, by=world.ada)

        call_command("publish", str(folder))

        assert self.in_force() == (2, 2)
        assert ApprovalPolicy.objects.get(pk=loosened.pk).status == "draft"
        assert "big v2 stays in force" in capsys.readouterr().err

    def test_comes_back_from_a_file_that_went_elsewhere_meanwhile(self, tightened, folder):
        for reason in ("Very much", POLICY["reason"]):
            (folder / "policies.json").write_text(json.dumps([POLICY | {"required": 1, "reason": reason}]))
            call_command("publish", str(folder))

        assert self.in_force() == (4, 1)


class TestEnv:
    def test_that_no_handler_is_given_here_is_doubted(self, folder, capsys):
        (folder / "release.json").write_text('{"env": ["EPR_URL", "ERP_URL"]}')

        call_command("publish", str(folder))

        said = capsys.readouterr()
        assert "release.json: env: HANDLER_ENV does not name `EPR_URL` here" in said.err
        assert "Did you mean `ERP_URL`?" in said.err
        assert "`ERP_URL` here" not in said.err
        assert "is in production" in said.out


def test_a_byte_order_mark_says_nothing(folder, capsys):
    for name, text in {"tools.json": json.dumps([TOOL]), "release.json": "{}", "handlers.py": make.HANDLERS}.items():
        (folder / name).write_text(f"\ufeff{text}", encoding="utf-8")

    call_command("publish", str(folder))

    assert "is in production" in capsys.readouterr().out


def test_what_is_right_is_in_production(folder, capsys):
    call_command("publish", str(folder))

    assert "is in production" in capsys.readouterr().out
    assert Tool.objects.active().filter(name="glance").exists()
