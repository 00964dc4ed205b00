"""A folder that cannot be published says which file is wrong and what to do, and puts nothing of it in force."""

import json
import os

import pytest
from django.core.management import CommandError, call_command

from orchestrator.models import Release, Tool
from tests import worlds as make

WORKFLOW = "workflow: fresh\nversion: 1.0.0\nsteps:\n  - look: {tool: glance}\n"
TOOL = {"name": "glance", "version": "1", "effect": "read", "tier": "informational", "entry": "handlers:look"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    (tmp_path / "handlers.py").write_text(make.HANDLERS)
    (tmp_path / "tools.json").write_text(json.dumps([TOOL]))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rates.csv", "caf\xe9".encode("latin-1"), "rates.csv: byte 4 is no UTF-8. Save it as UTF-8"),
        ("workflow.yaml", WORKFLOW.encode() + "# caf\xe9".encode("latin-1"), "workflow.yaml: byte"),
        (
            "release.json",
            b"{",
            "release.json: Not JSON: Expecting property name enclosed in double quotes at line 1, column 2",
        ),
        ("release.json", b"[]", "release.json: env: This must be a list of names"),
        (
            "release.json",
            b'{"envs": ["ERP_URL"]}',
            'release.json: envs: There is no such field. It holds one: {"env": ',
        ),
        (os.fsdecode(b"caf\xe9.txt"), b"", "caf\\xe9.txt: the name of the file is no UTF-8. Rename the file"),
        (
            "big.txt",
            b"x" * (4 * 1024 * 1024),
            "the limit is 4,194,304. Keep data out of the folder, or in `data/` at its top. The la",
        ),
        ("release.json", b'{"env": "ERP_URL"}', "release.json: env: This must be a list of names"),
        ("release.json", b'{"env": [], "env": ["ERP_URL"]}', "release.json: The key 'env' appears twice in one object"),
        ("agents.json", '["\xe9"]'.encode("latin-1"), "agents.json: byte 3 is no UTF-8"),
        (
            "policies.json",
            b'[{"name": "big", "required": 2, "required": 0}]',
            "policies.json: The key 'required' appears twice",
        ),
        ("tools.json", b'[{"name": NaN}]', "tools.json: NaN is not JSON"),
        ("tools.json", b'[{"name": 1e400}]', "tools.json: /0/name: NaN and Infinity are not JSON"),
        ("tools.json", b'[{"name": "\\u0000"}]', "tools.json: Text holds the character U+0000"),
        ("tools.json", b"[" * 100_000, "tools.json: Nested deeper than 40 levels"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(folder, name, content, says):
    (folder / name).write_bytes(content)

    with pytest.raises(CommandError) as refused:
        call_command("publish", str(folder))

    assert says in str(refused.value)
    assert not Release.objects.filter(workflow="fresh").exists()
    assert not Tool.objects.filter(name="glance").exists()


def refusal(folder):
    """What publishing the folder is refused with; nothing of it is in force."""
    with pytest.raises(CommandError) as refused:
        call_command("publish", str(folder))
    assert not Release.objects.filter(workflow="fresh").exists()
    assert not Tool.objects.filter(name="glance").exists()
    return str(refused.value)


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
            ("notes.txt", "a\n\0", "notes.txt: line 2 holds the character U+0000"),
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
