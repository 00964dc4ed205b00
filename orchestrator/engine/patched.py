"""The input a person gave a step that had failed, instead of what the workflow gives it; and who is asked about it then."""

from dataclasses import replace
from typing import Any

from orchestrator.engine.segment import Segment
from orchestrator.gate.judge import Judged
from orchestrator.models import StepPatch
from orchestrator.models.definition import Effect
from orchestrator.workflows.spec import StepSpec


def patched_input(segment: Segment) -> dict[str, Any] | None:
    """The newest version, or None. A first attempt has none: it costs nothing to say so."""
    if segment.attempt_number == 1:
        return None
    versions = StepPatch.objects.filter(step_id=segment.step_id).order_by("-number")
    found: dict[str, Any] | None = versions.values_list("after", flat=True).first()
    return found


def asked_anew(segment: Segment, judged: Judged) -> Judged:
    """Whoever let the execution go on had read what this step was to be given, and where nobody was asked, the conditions had.
    With another input as many are asked about what it does, whatever its tool's tier; what only reads does nothing.
    """
    passed = _passed(segment)
    if not passed or judged.tool is None or judged.tool.effect == Effect.READ or patched_input(segment) is None:
        return judged
    need, names = judged.requirement, " and ".join(step.key for step in passed)
    why = f"It was let go on at {names} with the input it had then, which was patched since."
    more = replace(
        need,
        required=max(need.required, 1, *(step.required for step in passed)),
        reasons=(why, *need.reasons) if need.required else (why,),
        checks=tuple(dict.fromkeys([*need.checks, *(check for step in passed for check in step.checks)])),
    )
    return replace(judged, requirement=more)


def _passed(segment: Segment) -> list[StepSpec]:
    """The `approve` steps above this one, those that stood in for another among them."""
    spec, outputs = segment.released.spec, segment.outputs
    above = set(spec.ancestors(segment.key))
    return [
        step for step in spec.steps if step.kind == "approval" and step.key in outputs and spec.main(step.key) in above
    ]
