"""The tables, the database and the diagrams say the same thing, and only one module writes a status."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from audit.lifecycle import Governed

ROOT = Path(__file__).resolve().parents[2]
GOVERNED = [model for model in apps.get_models() if issubclass(model, Governed)]
OURS = ["audit", "budgets", "approvals", "orchestrator", "config"]


@pytest.mark.parametrize("model", GOVERNED, ids=lambda model: model.__name__)
class TestEveryLifecycle:
    def test_lists_every_status_of_its_column_and_no_other(self, model):
        choices = {value for value, _ in model._meta.get_field("status").choices}
        assert {str(status) for status in model.lifecycle.edges} == choices

    def test_reaches_every_status_from_a_birth(self, model):
        table = model.lifecycle.edges
        reached, frontier = set(model.lifecycle.initial), set(model.lifecycle.initial)
        while frontier:
            frontier = {after for status in frontier for after in table[status]} - reached
            reached |= frontier
        assert reached == set(table)

    @pytest.mark.django_db
    def test_is_the_trigger_the_database_enforces(self, model):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgargs FROM pg_trigger WHERE tgname = %s",
                [f"{model._meta.db_table}_lifecycle"],
            )
            edges, initial, _ = bytes(cursor.fetchone()[0]).decode().split("\x00")
        assert sorted(edges.strip("{}").split(",")) == model.lifecycle.pairs
        assert set(initial.strip("{}").split(",")) == {str(status) for status in model.lifecycle.initial}


class TestStatusColumns:
    def test_are_written_by_audit_lifecycle_alone(self):
        writers = [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for app in OURS
            for path in (ROOT / app).rglob("*.py")
            if "migrations" not in path.parts and path != ROOT / "audit/lifecycle.py"
            for node in ast.walk(ast.parse(path.read_text()))
            if _writes_status(node)
        ]
        assert writers == []


def _writes_status(node: ast.AST) -> bool:
    """`x.status = ...`, `.update(status=...)`, `.save(...)` of a Governed row is caught by the trigger; SQL text by its SET."""
    if isinstance(node, (ast.Assign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {target.attr for target in targets if isinstance(target, ast.Attribute)}
        return "status" in names and not _is_a_plain_value(targets)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"update", "bulk_update"}
    ):
        return any(keyword.arg == "status" for keyword in node.keywords)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and "SET status" in node.value


def _is_a_plain_value(targets: list[ast.expr]) -> bool:
    """Dataclasses of pages and of the worker's memory have a status, too; they are not rows."""
    holders = {ast.unparse(target.value) for target in targets if isinstance(target, ast.Attribute)}
    return holders <= {"segment.steps[segment.key]", "response", "self"}


class TestDiagrams:
    def test_are_drawn_from_the_tables(self):
        call_command("diagrams", check=True)
