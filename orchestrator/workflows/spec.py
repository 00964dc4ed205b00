"""A workflow as a frozen value. It lives in a release as plain JSON, so everything an execution needs is in here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, Self

from orchestrator.workflows.graph import ancestors, ordered, with_fallbacks

JSON = dict[str, Any]
StepKind = Literal["agent", "tool", "approval"]

FAIL, ROUTE_TO_HUMAN = "fail", "route_to_human"


@dataclass(frozen=True)
class RetryRule:
    """How often, and how long to wait: base * factor ** (tries - 1), never more than the ceiling."""

    max_attempts: int = 5
    base_seconds: float = 1
    factor: float = 2
    ceiling_seconds: float = 300


@dataclass(frozen=True)
class RetrySpec(RetryRule):
    """The rule of a step, and the rules of failure classes that differ from it."""

    by_class: Mapping[str, RetryRule] = field(default_factory=dict)

    def for_class(self, failure_class: str) -> RetryRule:
        """The rule for one failure class."""
        return self.by_class.get(failure_class, self)

    def to_json(self) -> JSON:
        """Plain JSON."""
        return {**_plain(self), "by_class": {name: _plain(rule) for name, rule in self.by_class.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The value that wrote this JSON."""
        by_class = {name: RetryRule(**rule) for name, rule in data.get("by_class", {}).items()}
        return cls(**{**data, "by_class": by_class})


@dataclass(frozen=True)
class StepSpec:
    """One node of the graph. A field named like a key of the file holds what the file says there.

    `arguments` are the explicit ones, `${…}` unevaluated. `stands_in_for` names the step a fallback replaces.
    `gives` are the names that its contract says it gives; with `gives_more` it may give others, too.
    `variables` are the names its conditions may use, with their types. `ask` is what people are asked, `${…}` unevaluated.
    """

    key: str
    kind: StepKind
    agent: str | None = None
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    when: str | None = None
    retry: RetrySpec = field(default_factory=RetrySpec)
    timeout_seconds: float = 60
    on_error: str = FAIL
    min_score: float | None = None
    token_budget: int | None = None
    max_cost: str | None = None
    human_if: tuple[str, ...] = ()
    required: int = 1
    ask: str | None = None
    checks: tuple[str, ...] = ()
    idempotency_key: str | None = None
    reconcile_before_retry: bool = True
    compensate_with: str | None = None
    allowed_tools: tuple[str, ...] | None = None
    output_schema: Mapping[str, Any] | None = None
    non_empty: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    gives_more: bool = True
    offline: bool = False
    stands_in_for: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    line: int = 0

    @property
    def fallback(self) -> str | None:
        """The step that takes over when this one fails for good. Nothing takes over from a person's no."""
        return None if self.kind == "approval" or self.on_error in {FAIL, ROUTE_TO_HUMAN} else self.on_error

    def promised_by(self, contract: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema of what the step gives: its own, in place of that of its tool or agent."""
        return contract.get("output_schema") or {} if self.output_schema is None else self.output_schema

    def to_json(self) -> JSON:
        """Plain JSON."""
        return {**_plain(self), "retry": self.retry.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The value that wrote this JSON. Keys an older release did not have take their defaults."""
        tuples = {
            name: tuple(data[name]) for name in ("needs", "human_if", "checks", "non_empty", "gives") if name in data
        }
        allowed = data.get("allowed_tools")
        more = {
            "retry": RetrySpec.from_json(data.get("retry", {})),
            "allowed_tools": None if allowed is None else tuple(allowed),
        }
        return cls(**{**data, **tuples, **more})


@dataclass(frozen=True)
class WorkflowSpec:
    """A whole workflow. `returns` maps output names to `${…}`; without it outputs are found by name.

    `about` says in a few words what one execution is about, `${…}` over the input unevaluated.
    `implied_input` are names used but declared nowhere, when the file has no `input:` schema: the trigger brings them.
    `needed_input` are those of them without which no execution can succeed.
    """

    workflow: str
    version: str
    steps: tuple[StepSpec, ...]
    trigger: str | None = None
    description: str = ""
    about: str | None = None
    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None
    returns: Mapping[str, Any] = field(default_factory=dict)
    deadline_seconds: float | None = None
    max_steps: int | None = None
    max_tokens: int | None = None
    max_cost: str | None = None
    allowed_tools: tuple[str, ...] | None = None
    implied_input: tuple[str, ...] = ()
    needed_input: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def step(self, key: str) -> StepSpec:
        """The step of that key. Raises KeyError."""
        return self._by_key[key]

    def after(self, key: str) -> StepSpec | None:
        """In a chain, the step that follows."""
        return self._after[key]

    def variables_of(self, key: str) -> Mapping[str, str]:
        """The names a step's conditions may use, with their types."""
        return self._by_key[key].variables

    def ancestors(self, key: str) -> tuple[str, ...]:
        """Every step that has ended before this one starts, in order. A fallback is found through what it replaces."""
        return self._ancestors[key]

    def main(self, key: str) -> str:
        """The step on the main path whose place this one takes: of a fallback the guarded one, else itself."""
        while (guarded := self._by_key[key].stands_in_for) is not None:
            key = guarded
        return key

    @cached_property
    def order(self) -> tuple[str, ...]:
        """All keys, each after everything it waits for; otherwise as in the file."""
        needs = {step.key: step.needs for step in self.steps}
        return ordered(with_fallbacks(needs, {step.key: step.fallback for step in self.steps}))

    @cached_property
    def main_path(self) -> tuple[str, ...]:
        """The keys in order, without fallbacks."""
        return tuple(key for key in self.order if self._by_key[key].stands_in_for is None)

    @cached_property
    def sinks(self) -> tuple[str, ...]:
        """The steps nobody waits for."""
        waited = {need for step in self.steps for need in step.needs}
        return tuple(key for key in self.main_path if key not in waited)

    @cached_property
    def is_chain(self) -> bool:
        """Each step needs exactly the one before, always runs and has no fallback: one possible next step, ever."""
        expected: tuple[str, ...] = ()
        for step in self.steps:
            if step.needs != expected or step.when is not None or step.fallback or step.stands_in_for:
                return False
            expected = (step.key,)
        return True

    def to_json(self) -> JSON:
        """Plain JSON; `from_json` gives the same value back."""
        return {**_plain(self), "steps": [step.to_json() for step in self.steps]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The value that wrote this JSON. Keys an older release did not have take their defaults."""
        allowed = data.get("allowed_tools")
        more = {
            "steps": tuple(StepSpec.from_json(step) for step in data["steps"]),
            "allowed_tools": None if allowed is None else tuple(allowed),
            "implied_input": tuple(data.get("implied_input", ())),
            "needed_input": tuple(data.get("needed_input", ())),
        }
        return cls(**{**data, **more})

    @cached_property
    def _by_key(self) -> dict[str, StepSpec]:
        return {step.key: step for step in self.steps}

    @cached_property
    def _after(self) -> dict[str, StepSpec | None]:
        following = (*self.steps[1:], None)
        return {step.key: after for step, after in zip(self.steps, following, strict=True)}

    @cached_property
    def _ancestors(self) -> dict[str, tuple[str, ...]]:
        return ancestors({key: self._by_key[key].needs for key in self.order})


def _plain(value: Any) -> JSON:
    plain: JSON = {}
    for item in fields(value):
        held = getattr(value, item.name)
        if isinstance(held, tuple):
            held = list(held)
        plain[item.name] = dict(held) if isinstance(held, Mapping) else held
    return plain
