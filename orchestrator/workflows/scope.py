"""Which names a step can see, and what is known of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from audit.conditions import is_name
from orchestrator.workflows.binding import ROOTS
from orchestrator.workflows.draft import StepDraft
from orchestrator.workflows.schemas import Schema, cel_type, declared, is_open

_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_CHAIN = re.compile(r"(?<![\w.\])])([A-Za-z_]\w*)((?:\s*\.\s*[A-Za-z_]\w*)+)(\s*\()?")
_NOTHING: Final[Schema] = {}


@dataclass(frozen=True, slots=True)
class Scope:
    """`flat` are values by name, `steps` the outputs by step. `untyped` steps give more than they declare.

    `key` is the step that looks; "" is the workflow itself, at its end.
    """

    key: str
    flat: Mapping[str, Schema]
    steps: Mapping[str, Schema]
    untyped: tuple[str, ...]

    def variables(self, implied: Iterable[str]) -> dict[str, str]:
        """The names conditions may use, with their types."""
        known = dict.fromkeys(sorted(implied), "dyn") | {name: cel_type(item) for name, item in self.flat.items()}
        return {name: kind for name, kind in known.items() if is_name(name) and name not in ROOTS} | dict.fromkeys(
            ROOTS, "map"
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """A path in an expression, `root.one.two`, with the offset of each name."""

    root: str
    rest: tuple[tuple[str, int], ...]


def scope_over(
    keys: Iterable[str], steps: Mapping[str, StepDraft], input_schema: Schema | None, *, key: str = ""
) -> Scope:
    """What can be seen after the steps of these keys, which come in order."""
    flat, outputs, untyped = declared(input_schema), dict[str, Schema](), []
    for before in keys:
        outputs[before] = given = output_of(steps[before], steps)
        if steps[before].kind != "approval":
            flat |= declared(given)
            untyped += [before] if is_open(given) else []
    return Scope(key, {name: item for name, item in flat.items() if name not in ROOTS}, outputs, tuple(untyped))


def output_of(step: StepDraft, steps: Mapping[str, StepDraft]) -> Schema:
    """What a step gives; where a fallback may stand in for it, what either of them gives."""
    own: Schema = step.output_schema if step.kind != "approval" else {}
    if step.fallback is None:
        return own
    other = output_of(steps[step.fallback], steps)
    if is_open(own) or is_open(other):
        return {**own, "properties": _either(declared(own), declared(other)), "additionalProperties": True}
    return {"properties": _either(declared(own), declared(other))}


def chains_in(source: str) -> Iterator[Chain]:
    """The paths of an expression. Calls at the end, as in `name.size()`, are no part of one."""
    for found in _CHAIN.finditer(without_texts(source)):
        rest = [(name[0], found.start(2) + name.start()) for name in re.finditer(r"[A-Za-z_]\w*", found[2])]
        yield Chain(found[1], tuple(rest[:-1] if found[3] else rest))


def without_texts(source: str) -> str:
    """The expression with blanks in place of what stands in quotes: as long as before, and only names are left."""
    return _QUOTED.sub(lambda found: "'" + " " * (len(found[0]) - 2) + "'", source)


def _either(own: Mapping[str, Schema], other: Mapping[str, Schema]) -> dict[str, Schema]:
    both = {**own, **other}
    return {name: item if own.get(name) == other.get(name) else _NOTHING for name, item in both.items()}
