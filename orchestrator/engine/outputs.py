"""Is an output what was promised? An empty result where one was promised is a failure, never silence."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from audit.canonical import canonical
from orchestrator.engine.retries import Failure
from orchestrator.workflows.binding import BindingError, bind_output
from orchestrator.workflows.spec import WorkflowSpec

_EMPTY = {"minItems", "minLength", "minProperties"}


def problem_with(output: dict[str, Any], schema: Mapping[str, Any], non_empty: Iterable[str]) -> Failure | None:
    """The first promise the output breaks: empty_result (retried) or output_schema (a bug in the handler, permanent)."""
    for name in non_empty:
        if output.get(name) in (None, "", [], {}):
            return Failure("empty_result", f"“{name}” is empty where the workflow promises some.")
    if not schema:
        return None
    for error in _validator(canonical(dict(schema))).iter_errors(output):
        where = "/" + "/".join(map(str, error.absolute_path))
        if error.validator in _EMPTY:
            return Failure("empty_result", f"{where} is empty where the schema promises some.")
        return Failure("output_schema", f"the output does not fit its schema at {where}: {error.message[:200]}")
    return None


def result_of(
    spec: WorkflowSpec, input: dict[str, Any], outputs: dict[str, dict[str, Any]]
) -> dict[str, Any] | Failure:
    """What a finished execution gives back, or why that is not what the workflow promises."""
    try:
        output = bind_output(spec, input, outputs)
    except BindingError as error:
        return Failure("output_schema", str(error))
    return problem_with(output, spec.output_schema or {}, ()) or output


@lru_cache(maxsize=256)
def _validator(schema_text: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema_text))
