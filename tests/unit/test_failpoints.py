"""In production a failpoint is a name and nothing else."""

import ast
import os
import subprocess
import sys
import timeit
from collections import Counter
from pathlib import Path

import pytest
from django.core.checks import run_checks

from audit import failpoints
from audit.checks import the_harness_is_not_deployed
from tests.faults import active

ROOT = Path(failpoints.__file__).resolve().parents[1]
APPS = ("audit", "budgets", "approvals", "orchestrator", "config")
ARMED = '{"seed": "1", "actions": ["kill"], "odds": 1, "log": "/dev/null", "calm": "/nowhere"}'


@pytest.fixture
def installed(settings):
    """As the harness does it in a process it owns."""
    settings.UNDER_TEST = True
    passed = []
    active.install(passed.append)
    yield passed
    active.uninstall()


def names_in_the_code() -> Counter[str]:
    trees = [ast.parse(path.read_text()) for app in APPS for path in (ROOT / app).rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return Counter(
        call.args[0].value
        for call in calls
        if ast.unparse(call.func) == "failpoints.hit" and isinstance(call.args[0], ast.Constant)
    )


class TestThePoints:
    def test_stand_in_the_code_once_each_and_the_code_has_no_others(self):
        assert names_in_the_code() == Counter([*failpoints.POINTS])

    def test_are_called_by_their_module_so_that_the_harness_can_replace_them(self):
        importing = [
            path for app in APPS for path in (ROOT / app).rglob("*.py") if "failpoints import hit" in path.read_text()
        ]

        assert importing == []

    def test_cost_next_to_nothing(self):
        """About 30 ns where nothing else runs; a step passes a dozen of them and takes milliseconds."""
        one = min(timeit.repeat(lambda: failpoints.hit("claim.before"), number=20_000, repeat=5)) / 20_000

        assert one < 2e-6

    @pytest.mark.django_db(transaction=True)
    def test_are_found_around_a_transaction_and_not_around_a_nested_one(self, installed):
        from approvals.notifying.spread import spread

        spread()

        assert installed == [f"atomic.spread.spread.{edge}" for edge in failpoints.EDGES]


class TestProduction:
    def test_has_nothing_installed(self):
        assert failpoints.is_inert()

    def test_does_not_let_the_harness_in(self, settings):
        settings.UNDER_TEST = False

        with pytest.raises(RuntimeError, match="by tests only"):
            active.install(lambda point: None)
        assert failpoints.is_inert()

    def test_is_told_when_they_are_installed_all_the_same(self, installed, settings):
        assert [error.id for error in run_checks() if error.id.startswith("audit.")] == []

        settings.UNDER_TEST = False

        assert [error.id for error in run_checks() if error.id.startswith("audit.")] == ["audit.E001"]

    def test_is_told_when_the_harness_could_be_imported(self, settings, monkeypatch):
        assert [error.id for error in the_harness_is_not_deployed()] == ["audit.E002"]

        monkeypatch.setattr("audit.checks.HARNESS", "tests.no_such_module")

        assert the_harness_is_not_deployed() == []

    def test_is_not_armed_by_an_environment_variable(self):
        look = "import django; django.setup(); from audit import failpoints; print(failpoints.is_inert())"

        found = {settings: _run(look, settings) for settings in ("config.settings", "tests.faults.settings")}

        assert found == {"config.settings": "True", "tests.faults.settings": "False"}


def _run(code: str, settings: str) -> str:
    environment = {**os.environ, "FAULTS": ARMED, "DJANGO_SETTINGS_MODULE": settings}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
