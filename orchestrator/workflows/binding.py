"""Data flow: what a step sees, what it is given, and what an execution gives back.

A step sees the workflow's input and the outputs of everything before it, by name; of two equal names the later wins.
Only names that a contract declares win: what an agent adds of its own never takes the place of a value that conditions
and arguments were checked against. It is reached as `steps.key.x`.
`input.x` and `steps.key.x` say exactly where a value comes from.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.workflows.schemas import declared, required
from orchestrator.workflows.spec import JSON, StepSpec, WorkflowSpec
from orchestrator.workflows.templates import NoValue, fill

# Roots of a path. A property of such a name is reached through them, never directly.
ROOTS = ("input", "steps")


class BindingError(Exception):
    """A value a step or an output needs is not there. Names the place and the argument."""

    def __init__(self, place: str, argument: str, message: str) -> None:
        super().__init__(f"{place}: `{argument}` {message}")
        self.place, self.argument = place, argument


def scope_of(spec: WorkflowSpec, key: str, input: Mapping[str, Any], outputs: Mapping[str, JSON]) -> JSON:
    """Every value the step can name. A step that was skipped has an empty output, so `has(steps.key.x)` is false."""
    return _scope(spec, spec.ancestors(key), input, outputs)


def bind(step: StepSpec, scope: Mapping[str, Any], input_schema: Mapping[str, Any] | None = None) -> JSON:
    """The arguments of a step: what its contract declares and the scope holds, overridden by what the file says.

    Raises BindingError. Types are not checked here: that is the schema's work.
    """
    names = [name for name in declared(input_schema) if name in scope and name not in ROOTS]
    arguments: JSON = {name: scope[name] for name in names}
    for name, value in step.arguments.items():
        try:
            arguments[name] = fill(value, step.variables, scope)
        except NoValue as error:
            raise BindingError(f"step {step.key}", name, f"has no value: {error}") from None
    for name in required(input_schema):
        if name not in arguments:
            raise BindingError(f"step {step.key}", name, "is required, and nothing before this step supplied it")
    return arguments


def bind_output(spec: WorkflowSpec, input: Mapping[str, Any], outputs: Mapping[str, JSON]) -> JSON:
    """What a finished execution gives back: `returns`, else the declared output by name, else what the last steps gave.

    Raises BindingError when a value that was promised is not there.
    """
    if spec.returns:
        return _returned(spec, _scope(spec, spec.main_path, input, outputs))
    if declared(spec.output_schema):
        return _declared(spec, _scope(spec, spec.main_path, input, outputs))
    return {name: value for key in spec.sinks for name, value in (_output(spec, key, outputs) or {}).items()}


def _returned(spec: WorkflowSpec, scope: JSON) -> JSON:
    found: JSON = {}
    for name, value in spec.returns.items():
        try:
            found[name] = fill(value, spec.variables, scope)
        except NoValue as error:
            raise BindingError("returns", name, f"has no value: {error}") from None
    return found


def _declared(spec: WorkflowSpec, scope: JSON) -> JSON:
    for name in required(spec.output_schema):
        if name not in scope:
            raise BindingError("output", name, "is required, and no step supplied it")
    return {name: scope[name] for name in declared(spec.output_schema) if name in scope}


def _scope(spec: WorkflowSpec, keys: tuple[str, ...], input: Mapping[str, Any], outputs: Mapping[str, JSON]) -> JSON:
    found: JSON = dict(input)
    taken = {*input, *declared(spec.input_schema)}.union(*(spec.step(key).gives for key in keys))
    steps: dict[str, JSON] = {}
    for key in keys:
        output, step = _output(spec, key, outputs) or {}, spec.step(key)
        steps[key] = output
        # What a person said at an approval is not data for the steps after it.
        if step.kind != "approval":
            found.update(_named(step, output, taken))
    return {**found, "input": dict(input), "steps": steps}


def _named(step: StepSpec, output: JSON, taken: set[str]) -> JSON:
    """What of an output can be seen by its name alone."""
    return {
        name: value for name, value in output.items() if name in step.gives or (step.gives_more and name not in taken)
    }


def _output(spec: WorkflowSpec, key: str, outputs: Mapping[str, JSON]) -> JSON | None:
    """The step's output, or that of the fallback that stood in for it."""
    following: str | None = key
    while following is not None:
        if outputs.get(following) is not None:
            return outputs[following]
        following = spec.step(following).fallback
    return None
