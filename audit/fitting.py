"""Is the database as this code needs it: its migrations applied, its tables open to our role?

It may be ahead (a deploy under way), and fits all the same. Nothing is asked that a role could not ask for itself.
"""

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db.migrations.loader import MigrationLoader

NOTHING_APPLIED = "none applied"
Ask = Callable[[str, list[Any]], list[tuple[Any, ...]]]

_IS_THERE = "SELECT has_table_privilege(to_regclass('django_migrations'), 'SELECT')"
_APPLIED = "SELECT app, name FROM django_migrations"
_CLOSED = """
SELECT count(*) FROM unnest(%s::text[]) AS ours (name) WHERE NOT has_table_privilege(to_regclass(name), 'SELECT')
"""


def misfit(ask: Ask) -> str:
    """In fixed words what is missing, or "". `ask` runs one statement and gives its rows."""
    if (is_open := ask(_IS_THERE, [])[0][0]) is None:
        return NOTHING_APPLIED
    if is_open and (missing := len(migrations_of_this_code() - set(ask(_APPLIED, [])))):
        return f"{missing} not applied"
    closed = ask(_CLOSED, [[model._meta.db_table for model in apps.get_models() if model._meta.managed]])[0][0]
    return f"{closed} tables closed to us" if closed else ""


@cache
def migrations_of_this_code() -> frozenset[tuple[str, str]]:
    """By the names of their files, as Django finds them. None is loaded for it: that takes a second."""
    return frozenset((app.label, name) for app in apps.get_app_configs() for name in _files(app.label))


def _files(label: str) -> list[str]:
    home = MigrationLoader.migrations_module(label)[0]
    try:
        package = import_module(home) if home else None
    except ModuleNotFoundError:
        return []  # it has none
    found = pkgutil.iter_modules(getattr(package, "__path__", ()))
    return [file.name for file in found if not file.ispkg and file.name[0] not in "_~"]
