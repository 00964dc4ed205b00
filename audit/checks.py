"""Refuses to run with failpoints that can fire: only a test may break the system on purpose. And not on every database."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from audit import failpoints

HARNESS = "tests.faults"


def under_test() -> bool:
    """Only the settings of the test package say so; no environment variable does."""
    return getattr(settings, "UNDER_TEST", False) is True


@register(Tags.security)
def failpoints_are_inert(**_: Any) -> list[CheckMessage]:
    """Installed outside a test, whatever brought them there."""
    if failpoints.is_inert() or under_test():
        return []
    return [
        Error(
            "Failpoints are installed: this process would break itself on purpose.",
            hint="Start it with config.settings, and without the test package.",
            id="audit.E001",
        )
    ]


@register(Tags.security, deploy=True)
def the_harness_is_not_deployed(**_: Any) -> list[CheckMessage]:
    """`check --deploy`: what is not there cannot be brought in."""
    if settings.DEBUG or under_test() or not _is_importable():
        return []
    return [
        Error(
            f"{HARNESS} can be imported here: it holds code that kills processes and drops connections.",
            hint="Leave the folder tests/ out of what is deployed.",
            id="audit.E002",
        )
    ]


@register(Tags.database)
def text_is_kept_whole(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """`migrate`: a server that was set up under the locale C makes databases that take an é today and refuse a € tomorrow."""
    found = {_encoding(alias) for alias in databases or ()}
    return [
        Error(
            f"The encoding of the database is {encoding}: it would refuse most of the text that people and agents write.",
            hint="Make it anew: CREATE DATABASE holdpoint ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0.",
            id="audit.E003",
        )
        for encoding in sorted(found - {"UTF8"})
    ]


def _encoding(alias: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW server_encoding")
        return str(cursor.fetchone()[0])


def _is_importable() -> bool:
    try:
        return find_spec(HARNESS) is not None
    except ModuleNotFoundError:
        return False
