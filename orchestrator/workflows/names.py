"""Every expression of a file against the names its place can see.

Without an `input:` schema a name that nothing declares is taken for untyped input of the trigger, unless it looks
like a slip for one that is declared. With the schema it is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.conditions import BadCondition, Expression, Problem, compile_condition, compile_expression
from orchestrator.workflows.characters import false_blank_in, name_of
from orchestrator.workflows.draft import StepDraft
from orchestrator.workflows.errors import At, Position
from orchestrator.workflows.schemas import Schema, declared, is_closed
from orchestrator.workflows.scope import Chain, Scope, chains_in
from orchestrator.workflows.tree import Text
from orchestrator.workflows.words import lookalike, suggest

Compile = Callable[[str, Mapping[str, str]], Any]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a source stands: a scalar of the file, and how far into it."""

    node: Text
    at: At
    offset: int = 0

    def position(self, line: int, column: int) -> Position:
        """The place in the file of a place in the source; the scalar itself where the file spells it otherwise."""
        if line != 1 or self.node.shift is None:
            return Position(self.node.line, self.node.column)
        return Position(self.node.line, self.node.column + self.node.shift + self.offset + column - 1)

    def refuse(self, message: str, remedy: str = "", *, line: int = 1, column: int = 1) -> None:
        """Note a mistake at a place of the source."""
        self.at.refuse(self.position(line, column), message, remedy)


@dataclass(slots=True)
class Names:
    """What the file as a whole says of names. Grows while expressions are read.

    `implied` must come with the trigger; `untyped` may come from it, or from a step that does not declare what it gives.
    """

    input_schema: Schema | None
    steps: Mapping[str, StepDraft]
    implied: set[str] = field(default_factory=set)
    untyped: set[str] = field(default_factory=set)

    def condition(self, source: str, spot: Spot, scope: Scope) -> None:
        """Check a condition."""
        self._compile(compile_condition, source, spot, scope)

    def expression(self, source: str, spot: Spot, scope: Scope) -> Expression | None:
        """Check an expression; its static type is in `gives`."""
        found: Expression | None = self._compile(compile_expression, source, spot, scope)
        return found

    def where_from(self, name: str, scope: Scope) -> str:
        """Which step supplies a name that is not in scope, in words, or ""."""
        for key, step in self.steps.items():
            if key != scope.key and key not in scope.steps and name in declared(step.output_schema):
                return f"it comes from the step `{key}`, which does not run before this one"
        return ""

    def is_blind(self, scope: Scope) -> bool:
        """Whether a step before has no known contract: that was said already, and its names are anybody's guess."""
        return any(self.steps[key].contract is None for key in scope.untyped)

    def imply(self, names: set[str]) -> None:
        """Names that can only come with the trigger."""
        self.implied |= names
        self.untyped |= names

    def _compile(self, compile: Compile, source: str, spot: Spot, scope: Scope) -> Any:
        if (index := false_blank_in(source)) is not None:
            said = f"{name_of(source[index])} is not allowed in an expression"
            spot.refuse(said, "Remove it, or type a space", column=index + 1)
            return None
        for chain in chains_in(source):
            self._check_chain(chain, spot, scope)
        while True:
            try:
                return compile(source, scope.variables(self.untyped))
            except BadCondition as bad:
                new = {name for problem in bad.problems if (name := self._accepted(problem, scope))} - self.untyped
                wrong = [problem for problem in bad.problems if problem.undeclared not in new]
                self.untyped |= new
                self.implied |= set() if scope.untyped else new
                if wrong:
                    self._refuse(wrong, spot, scope)
                    return None

    def _accepted(self, problem: Problem, scope: Scope) -> str:
        """The undeclared name, when it may be input of the trigger or of a step that declares nothing."""
        name = problem.undeclared
        if not name or self.is_blind(scope):
            return name
        if self.input_schema is not None or lookalike(name, {*scope.flat, "input", "steps"}):
            return ""
        return "" if self.where_from(name, scope) and not scope.untyped else name

    def _refuse(self, problems: list[Problem], spot: Spot, scope: Scope) -> None:
        for problem in problems:
            message, remedy = self._explain(problem, scope)
            spot.refuse(message, remedy, line=problem.line, column=problem.column)

    def _explain(self, problem: Problem, scope: Scope) -> tuple[str, str]:
        name = problem.undeclared
        if not name:
            return problem.message, problem.remedy
        message = f"Unknown name `{name}`"
        slip = lookalike(name, {*scope.flat, "input", "steps"})
        if slip is not None:
            declare = "" if self.input_schema is not None else f" If not, declare `{name}` under `input`"
            return message, f"Did you mean `{slip}`?{declare}"
        if origin := self.where_from(name, scope):
            return f"{message}: {origin}", "Add that step to `needs`, or declare the name under `input`"
        if scope.untyped:
            return (
                message,
                f"Write `steps.{scope.untyped[-1]}.{name}` if that step gives it, or declare it under `input`",
            )
        return message, f"Declare it under `input`. {suggest(name, scope.flat)}"

    def _check_chain(self, chain: Chain, spot: Spot, scope: Scope) -> None:
        if chain.root == "steps":
            self._check_step_path(chain, spot, scope)
        elif chain.root == "input" and self.input_schema is None:
            self.imply({name for name, _ in chain.rest[:1]})
        elif chain.root == "input":
            _walk({"additionalProperties": False, **(self.input_schema or {})}, chain.root, chain.rest, spot)
        elif chain.root in scope.flat:
            _walk(scope.flat[chain.root], chain.root, chain.rest, spot)

    def _check_step_path(self, chain: Chain, spot: Spot, scope: Scope) -> None:
        if not chain.rest:
            return
        key, offset = chain.rest[0]
        if key in scope.steps:
            _walk(scope.steps[key], f"steps.{key}", chain.rest[1:], spot)
        elif key in self.steps:
            spot.refuse(f"The step `{key}` does not run before this one", "Add it to `needs`", column=offset + 1)
        else:
            spot.refuse(f"There is no step `{key}`", suggest(key, scope.steps), column=offset + 1)


def _walk(schema: Schema, path: str, names: tuple[tuple[str, int], ...], spot: Spot) -> None:
    """Follow a path through declared properties. Objects are open unless they say otherwise: only slips are errors."""
    for name, offset in names:
        known = declared(schema)
        if name not in known:
            if is_closed(schema) or lookalike(name, known):
                spot.refuse(f"`{path}` has no `{name}`", suggest(name, known), column=offset + 1)
            return
        schema, path = known[name], f"{path}.{name}"
