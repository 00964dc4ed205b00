"""Which names of the input an execution cannot do without, where the file has no `input:` schema to say so.

A start without such a name is refused, so only what is certain counts: `returns`, and of the steps that always run what they
are given, their `idempotency_key` and their `when`. What people are told does without, and `human_if` asks people then.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from orchestrator.workflows.schemas import Schema, required
from orchestrator.workflows.scope import Scope, chains_in, without_texts
from orchestrator.workflows.spec import FAIL, StepSpec, WorkflowSpec
from orchestrator.workflows.templates import holes_in

# Where one of these stands, some of the names may never be asked for a value.
_PASSES_OVER: Final = re.compile(r"&&|\|\||\?|\b(?:has|all|exists|exists_one|filter|map)\s*\(")
_AFTER_A_DOT: Final = re.compile(r"\.\s*[A-Za-z_]\w*")
_NAME: Final = re.compile(r"(?<!\w)[A-Za-z_]\w*\b(?!\s*\()")


def needed_input(
    spec: WorkflowSpec, scopes: Mapping[str, Scope], final: Scope, contracts: Mapping[str, Schema]
) -> tuple[str, ...]:
    """The names in order. `contracts` are, by step, the input schemas of the agents and tools."""
    found = _named((hole.source for hole in holes_in(spec.returns)), final)
    for step in _reached(spec):
        scope = scopes[step.key]
        if step.when is not None:
            found |= _named([step.when], scope)
            continue
        found |= _named(_expressions(step), scope)
        found |= _by_name(set(required(contracts.get(step.key))) - step.arguments.keys(), scope)
    return tuple(sorted(found.intersection(spec.implied_input)))


def _reached(spec: WorkflowSpec) -> Iterator[StepSpec]:
    """The steps whose turn comes in every execution that succeeds, and whose failure nobody takes over."""
    always: set[str] = set()
    for step in map(spec.step, spec.main_path):
        if step.needs and always.isdisjoint(step.needs):
            continue
        if step.when is None:
            always.add(step.key)
        if step.on_error == FAIL:
            yield step


def _expressions(step: StepSpec) -> Iterator[str]:
    yield from (hole.source for hole in holes_in(step.arguments))
    if step.idempotency_key is not None:
        yield step.idempotency_key


def _named(sources: Iterable[str], scope: Scope) -> set[str]:
    """The names of the input that these expressions surely ask for."""
    found: set[str] = set()
    for source in sources:
        text = without_texts(source)
        if not _PASSES_OVER.search(text):
            found |= {chain.rest[0][0] for chain in chains_in(source) if chain.root == "input" and chain.rest}
            found |= _by_name(set(_NAME.findall(_AFTER_A_DOT.sub(", ", text))), scope)
    return found


def _by_name(names: set[str], scope: Scope) -> set[str]:
    """Those that no step before may give."""
    return set() if scope.untyped else names - scope.flat.keys()
