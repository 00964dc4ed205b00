"""Is an output what was promised? An empty result where one was promised is a failure, never silence."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import ValidationError

from audit.pointers import pointer_to
from orchestrator.engine.released import Released
from orchestrator.engine.retries import Failure
from orchestrator.workflows.binding import BindingError, bind_output
from orchestrator.workflows.broken_rules import broken_rule
from orchestrator.workflows.fitting import Fits, quick_check
from orchestrator.workflows.judges import faults, judge_of
from orchestrator.workflows.spec import StepSpec, WorkflowSpec

_EMPTY = {"minItems", "minLength", "minProperties"}
_MOST_JUDGES = 256


def problem_with(output: dict[str, Any], schema: Mapping[str, Any], non_empty: Iterable[str]) -> Failure | None:
    """The first promise the output breaks: empty_result (retried) or output_schema (a bug in the handler, permanent)."""
    for name in non_empty:
        if output.get(name) in (None, "", [], {}):
            return Failure("empty_result", f"“{name}” is empty where the workflow promises some.")
    if not schema:
        return None
    for error in errors_of(schema, output):
        where = pointer_to(error.absolute_path) or "/"
        if error.validator in _EMPTY:
            return Failure("empty_result", f"{where} is empty where the schema promises some.")
        return Failure("output_schema", f"the output does not fit its schema at {where}: {broken_rule(error)}")
    return None


def misses(spec: StepSpec, output: Mapping[str, Any]) -> Failure | None:
    """A score below the one that the step asks for, or one that is no number. None at all is below any."""
    score = output.get("score")
    if spec.min_score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float | None):
        return Failure("output_schema", f"the score is no number, and the step asks for {spec.min_score} or more.")
    if (score or 0) >= spec.min_score:
        return None
    return Failure("business", f"The score {score} is below the {spec.min_score} asked for.")


def promised(one: Released, spec: StepSpec) -> dict[str, Any]:
    """The JSON Schema of what a step gives: its own, or that of its tool or agent; what may not be empty is required."""
    contract = one.tools.get(spec.tool or "") or one.agents.get(spec.agent or "") or {}
    schema: dict[str, Any] = {**spec.promised_by(contract)}
    if spec.non_empty:
        schema["required"] = list(dict.fromkeys([*schema.get("required", ()), *spec.non_empty]))
        schema["properties"] = {**{name: {} for name in spec.non_empty}, **schema.get("properties", {})}
    return schema


def problem_with_call(spec: StepSpec, contract: Mapping[str, Any], result: dict[str, Any]) -> Failure | None:
    """The same of a tool call's result: a tool's step gives what the call gave, and promises it in its own words."""
    if spec.tool is None:
        return problem_with(result, contract.get("output_schema") or {}, ())
    return problem_with(result, spec.promised_by(contract), spec.non_empty)


def result_of(
    spec: WorkflowSpec, input: dict[str, Any], outputs: dict[str, dict[str, Any]]
) -> dict[str, Any] | Failure:
    """What a finished execution gives back, or why that is not what the workflow promises."""
    try:
        output = bind_output(spec, input, outputs)
    except BindingError as error:
        return Failure("output_schema", str(error))
    return problem_with(output, spec.output_schema or {}, ()) or output


def errors_of(schema: Mapping[str, Any], value: Any) -> Iterator[ValidationError]:
    """Where the value does not fit. Schemas of a release are the same objects for as long as a worker keeps it, so what
    judges by them is made once."""
    known = _judges.get(id(schema))
    if known is None or known[0] is not schema:
        if len(_judges) >= _MOST_JUDGES:
            _judges.clear()
        # The schema is kept with it, so that no other object ever gets its id.
        known = _judges[id(schema)] = (schema, quick_check(schema), judge_of(schema))
    _, quick, validator = known
    return iter(()) if quick is not None and quick(value) else faults(validator, value)


_judges: dict[int, tuple[Mapping[str, Any], Fits | None, Any]] = {}
