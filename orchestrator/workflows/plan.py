"""What an execution does next, given where its steps stand. Pure: states in, a plan out.

A step starts when everything it needs has ended well; skipped counts as well, unless all it needs was skipped. A step
that fails for good holds up what depends on it and nothing else: what runs does not depend on which branch was faster.
Nothing that could act stands in for a step that has acted before it failed.
The execution ends when nothing can start and nothing is under way.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from audit.conditions import compile_condition
from orchestrator.workflows.binding import scope_of
from orchestrator.workflows.spec import StepSpec, WorkflowSpec

PENDING, SUCCESS, SKIPPED, CANCELLED = "pending", "success", "skipped", "cancelled"
BUSINESS_ERROR, DEAD_LETTER = "business_error", "dead_letter"
FAILED: Final = frozenset({BUSINESS_ERROR, DEAD_LETTER})
OVER: Final = FAILED | {SUCCESS, SKIPPED, CANCELLED}


@dataclass(frozen=True, slots=True)
class Plan:
    """`ready` may start now. `skipped` and `errors` are (key, why); an error is a `when` that could not be evaluated.

    `finished` is the execution's end (succeeded, failed, dead_lettered, cancelled), or None while anything goes on.
    """

    ready: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    finished: str | None = None


def plan(
    spec: WorkflowSpec,
    states: Mapping[str, str],
    outputs: Mapping[str, dict[str, Any]],
    input: Mapping[str, Any],
    *,
    acted: Collection[str] = (),
) -> Plan:
    """What may start, what is skipped, and whether everything is over. Follows skips through in one go.

    `acted` are the failed steps of whose calls some took effect.
    """
    draft = _Draft(spec, dict(states), outputs, input, acted)
    for key in spec.order:
        if draft.states[key] == PENDING:
            draft.decide(spec.step(key))
    return Plan(tuple(draft.ready), tuple(draft.skipped), tuple(draft.errors), draft.finished())


@dataclass(slots=True)
class _Draft:
    spec: WorkflowSpec
    states: dict[str, str]
    outputs: Mapping[str, dict[str, Any]]
    input: Mapping[str, Any]
    acted: Collection[str]
    ready: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def decide(self, step: StepSpec) -> None:
        """Where a pending step goes from here; nowhere, while it has to wait."""
        if step.stands_in_for is not None:
            self._decide_fallback(step, step.stands_in_for)
            return
        ends = [self.end_of(need) for need in step.needs]
        if any(end not in {SUCCESS, SKIPPED} for end in ends):
            return
        if ends and SUCCESS not in ends:
            self._skip(step, "everything it needs was skipped")
        elif step.when is None:
            self.ready.append(step.key)
        else:
            self._ask(step, step.when)

    def end_of(self, key: str) -> str:
        """The status of a step, or of the fallback that stands in for it; one that was skipped does not."""
        status, fallback = self.states[key], self.spec.step(key).fallback
        while status in FAILED and fallback is not None and self.states[fallback] != SKIPPED:
            status, fallback = self.states[fallback], self.spec.step(fallback).fallback
        return status

    def finished(self) -> str | None:
        """How the execution ended. A failure outweighs a dead letter, because no redrive can mend it."""
        if self.ready or any(status not in OVER | {PENDING} for status in self.states.values()):
            return None
        ends = {self.end_of(key) for key in self.spec.main_path}
        for status, end in ((BUSINESS_ERROR, "failed"), (DEAD_LETTER, "dead_lettered"), (CANCELLED, "cancelled")):
            if status in ends:
                return end
        return None if PENDING in ends else "succeeded"

    def _decide_fallback(self, step: StepSpec, guarded: str) -> None:
        status = self.states[guarded]
        if status in FAILED and self.spec.step(guarded).fallback is None:
            self._skip(step, f"nothing stands in for {guarded}, where people decide")
        elif status in FAILED and (acted := self._who_acted(step)):
            self._skip(step, f"{acted} took effect before it failed: with {step.key} the work could be done twice")
        elif status in FAILED:
            self.ready.append(step.key)
        elif status in {SUCCESS, SKIPPED}:
            self._skip(step, f"{guarded} did not need it")

    def _who_acted(self, step: StepSpec) -> str | None:
        """Of the steps this one would stand in for, the one that has acted; no matter where this one cannot act at all."""
        guarded = None if step.offline else step.stands_in_for
        while guarded is not None and guarded not in self.acted:
            guarded = self.spec.step(guarded).stands_in_for
        return guarded

    def _ask(self, step: StepSpec, when: str) -> None:
        scope = scope_of(self.spec, step.key, self.input, self.outputs)
        verdict = compile_condition(when, step.variables).evaluate(scope)
        if verdict.error:
            self.states[step.key] = BUSINESS_ERROR
            self.errors.append((step.key, f"`when: {when}` could not be evaluated: {verdict.error}"))
        elif verdict.value:
            self.ready.append(step.key)
        else:
            self._skip(step, f"`when: {when}` does not hold")

    def _skip(self, step: StepSpec, why: str) -> None:
        self.states[step.key] = SKIPPED
        self.skipped.append((step.key, why))
