"""Refuses to run with failpoints that can fire: only a test may break the system on purpose."""

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

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


def _is_importable() -> bool:
    try:
        return find_spec(HARNESS) is not None
    except ModuleNotFoundError:
        return False
