"""What a step is given, against the contract of its tool or agent."""

from collections.abc import Iterator
from typing import Any

from orchestrator.workflows.binding import ROOTS
from orchestrator.workflows.draft import StepDraft
from orchestrator.workflows.errors import At
from orchestrator.workflows.keys import STEP_KEYS
from orchestrator.workflows.names import Names, Spot
from orchestrator.workflows.schemas import Schema, declared, is_open, literal_problem, required, takes
from orchestrator.workflows.scope import Scope
from orchestrator.workflows.templates import BadTemplate, Hole, fill, holes_in, only_hole, parts_of
from orchestrator.workflows.tree import Entries, Items, Node, Text, describe, to_json
from orchestrator.workflows.words import lookalike, suggest


def require_inputs(step: StepDraft, names: Names, scope: Scope) -> None:
    """Everything the contract requires must be given or be in scope. Without an input schema the trigger brings it."""
    schema = step.contract.input_schema if step.contract else {}
    for name in required(schema):
        if name in step.arguments or (name in scope.flat and name not in ROOTS):
            continue
        if names.input_schema is not None or name in ROOTS:
            _refuse_missing(step, name, names, scope)
        elif not scope.untyped:
            names.imply({name})


def check_arguments(step: StepDraft, names: Names, scope: Scope) -> None:
    """Every explicit argument: is it known, does a literal fit, does an expression compile and fit?"""
    if step.contract is None:
        return
    schema = step.contract.input_schema
    known = declared(schema)
    for name, (where, node) in step.arguments.items():
        at = (step.at.inside("with") if name in step.explicit else step.at).inside(name)
        if name in known:
            _check_value(node, at, names, scope, schema=known[name], root=schema)
            continue
        slip = None if name in step.explicit else lookalike(name, STEP_KEYS)
        if slip or not is_open(schema):
            words = {slip} if slip and slip not in known else {*known, *(() if name in step.explicit else STEP_KEYS)}
            at.refuse(where, f"`{step.contract.name}` has no argument `{name}`", suggest(name, words))
        check_texts(node, at, names, scope)
        to_json(node, at)


def check_texts(node: Node, at: At, names: Names, scope: Scope) -> bool:
    """Every `${…}` below a node. Answers whether there was none."""
    literal = True
    for text, below in _texts(node, at):
        for hole in _holes(text, below):
            literal = False
            names.expression(hole.source, Spot(text, below, hole.offset), scope)
    return literal


def _check_value(node: Node, at: At, names: Names, scope: Scope, *, schema: Schema, root: Schema) -> None:
    if isinstance(node, Text) and any(_holes(node, None)):
        _check_hole(node, at, names, scope, schema)
    elif check_texts(node, at, names, scope):
        _check_literal(node, at, schema, root)
    else:
        to_json(node, at)


def _check_literal(node: Node, at: At, schema: Schema, root: Schema) -> None:
    before = len(at.report.errors)
    value = to_json(node, at)
    if len(at.report.errors) > before:
        return
    try:
        problem = literal_problem(fill(value, {}, {}), schema, root)
    except BadTemplate:
        return  # said by check_texts
    if problem:
        quoted = isinstance(node, Text) and node.plain and node.text and not literal_problem(node.text, schema, root)
        said = _as_written(node, value, problem)
        remedy = "Put it in quotes" if quoted else "Correct the value"
        at.refuse(node, f"`{at.path.rpartition('.')[2]}` does not fit its contract: {said}", remedy)


def _as_written(node: Node, value: Any, problem: str) -> str:
    """The problem in the words of the file: it says true and 1.50, which are read as True and 1.5."""
    rest = problem.removeprefix(repr(value))
    return f"{describe(node)}{rest}" if isinstance(node, Text) and node.plain and rest != problem else problem


def _check_hole(node: Text, at: At, names: Names, scope: Scope, schema: Schema) -> None:
    hole = only_hole(node.text)
    if hole is None:
        check_texts(node, at, names, scope)
        gives = "string"
    else:
        compiled = names.expression(hole.source, Spot(node, at, hole.offset), scope)
        gives = compiled.gives if compiled else "dyn"
    if not takes(schema, gives):
        wanted = schema.get("type")
        at.refuse(
            node, f"`{at.path.rpartition('.')[2]}` takes {wanted}, and this gives {gives}", "Correct the expression"
        )


def _holes(text: Text, at: At | None) -> Iterator[Hole]:
    try:
        parts_of(text.text)
    except BadTemplate as error:
        if at is not None:
            Spot(text, at).refuse(str(error), "Close it, or write `$${` for a literal one", column=error.offset + 1)
        return
    yield from holes_in(text.text)


def _texts(node: Node, at: At) -> Iterator[tuple[Text, At]]:
    if isinstance(node, Text):
        yield node, at
    elif isinstance(node, Items):
        for index, item in enumerate(node.items):
            yield from _texts(item, at.inside(index))
    elif isinstance(node, Entries):
        for name, (_, item) in node.entries.items():
            yield from _texts(item, at.inside(name))


def _refuse_missing(step: StepDraft, name: str, names: Names, scope: Scope) -> None:
    if names.is_blind(scope):
        return
    origin = names.where_from(name, scope)
    message = f"`{step.contract.name if step.contract else step.key}` needs `{name}`: " + (
        origin or "nothing supplies it"
    )
    remedy = f"Write `{name}: …` in the step, or declare `{name}` under `input`"
    if scope.untyped:
        remedy = f'Write `{name}: "${{steps.{scope.untyped[-1]}.{name}}}"` if that step gives it, or declare it under `input`'
    if origin:
        remedy = "Add that step to `needs`"
    step.at.inside(name).refuse(step.name, message, remedy)
