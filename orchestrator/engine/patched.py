"""The input a person gave a step that had failed, instead of what the workflow gives it."""

from typing import Any

from orchestrator.engine.segment import Segment
from orchestrator.models import StepPatch


def patched_input(segment: Segment) -> dict[str, Any] | None:
    """The newest version, or None. A first attempt has none: it costs nothing to say so."""
    if segment.attempt_number == 1:
        return None
    versions = StepPatch.objects.filter(step_id=segment.step_id).order_by("-number")
    found: dict[str, Any] | None = versions.values_list("after", flat=True).first()
    return found
