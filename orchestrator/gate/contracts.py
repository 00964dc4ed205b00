"""Does a value fit a tool's contract? The rule that is broken is named, never the value that broke it: reasons are
copied into the audit trail."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from audit.canonical import NotCanonical, canonical
from audit.pointers import pointer_to
from audit.refusals import Invalid
from orchestrator.workflows.broken_rules import broken_rule
from orchestrator.workflows.judges import faults, judge_of

MOST = 5


def problems_with(value: Any, schema: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """(JSON pointer, broken rule) of the first few problems; no schema, no problem."""
    found = islice(faults(judge_of(schema), value), MOST) if schema else []
    return [(pointer_to(problem.absolute_path) or "/", broken_rule(problem)) for problem in found]


def still_empty(result: Mapping[str, Any], names: Iterable[str]) -> list[tuple[str, str]]:
    """The same of the names that a step promises to be filled."""
    return [(f"/{name}", "may not be empty") for name in names if result.get(name) in (None, "", [], {})]


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
