"""Does a value fit a tool's contract? The rule that is broken is named, never the value that broke it: reasons are
copied into the audit trail."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from audit.canonical import NotCanonical, canonical
from audit.pointers import pointer_to
from audit.refusals import Invalid
from orchestrator.models import Action, Step
from orchestrator.workflows.broken_rules import broken_rule
from orchestrator.workflows.judges import faults, judge_of
from orchestrator.workflows.spec import StepSpec

MOST = 5


def problems_with(value: Any, schema: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """(JSON pointer, broken rule) of the first few problems; no schema, no problem."""
    found = islice(faults(judge_of(schema), value), MOST) if schema else []
    return [(pointer_to(problem.absolute_path) or "/", broken_rule(problem)) for problem in found]


def still_empty(result: Mapping[str, Any], names: Iterable[str]) -> list[tuple[str, str]]:
    """The same of the names that a step promises to be filled."""
    return [(f"/{name}", "may not be empty") for name in names if result.get(name) in (None, "", [], {})]


def promised_of(action: Action, contract: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The schema of a call's result, and what of it may not be empty. A tool's step gives what its call gave, and may promise
    it in its own words; an agent's promises its own result, not its calls'."""
    rows = Step.objects.filter(pk=action.step_id, kind="tool") if action.step_id else Step.objects.none()
    row = rows.values_list("spec", flat=True).first()
    if row is None:
        return contract or {}, ()
    spec = StepSpec.from_json(row)
    return spec.promised_by({"output_schema": contract}), spec.non_empty


def refuse_unfit_result(
    result: Any, schema: Mapping[str, Any] | None, *, says: str, more: Iterable[tuple[str, str]] = ()
) -> None:
    """Raises Invalid for a person's result that cannot be stored exactly, breaks its contract, or has `more` problems."""
    try:
        canonical(result)
    except NotCanonical as error:
        raise Invalid("The result cannot be stored exactly.", errors=[("/result", "not_exact", str(error))]) from None
    problems = [*problems_with(result, schema), *more]
    if problems:
        errors = [(f"/result{where}".rstrip("/"), "schema", rule) for where, rule in problems]
        raise Invalid(f"{says}: {problems[0][1]}", errors=errors)
