"""A folder that cannot be published says which file is wrong and what to do, and puts nothing of it in force."""

import json

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
        ("release.json", b"{", "release.json:1:2"),
        ("release.json", b"[]", "release.json: env: This must be a list of names"),
        ("release.json", b'{"env": "ERP_URL"}', "release.json: env: This must be a list of names"),
        ("agents.json", '["\xe9"]'.encode("latin-1"), "agents.json: byte 3 is no UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(folder, name, content, says):
    (folder / name).write_bytes(content)

    with pytest.raises(CommandError) as refused:
        call_command("publish", str(folder))

    assert says in str(refused.value)
    assert not Release.objects.filter(workflow="fresh").exists()
    assert not Tool.objects.filter(name="glance").exists()


def test_what_is_right_is_in_production(folder, capsys):
    call_command("publish", str(folder))

    assert "is in production" in capsys.readouterr().out
    assert Tool.objects.active().filter(name="glance").exists()
