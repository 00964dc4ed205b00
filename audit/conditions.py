"""The only door to CEL, the language of conditions. What cannot be evaluated is an error text, never a silent yes or no.

The caller of a failed evaluation takes the stricter branch. Variables are declared as "bool", "string", "list",
"map", "timestamp" or "dyn"; numbers are "dyn", so that whole numbers, floats and Decimals compare with each other.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from cel_expr_python import cel

from audit.condition_errors import BadCondition, Problem, problems_in, speak
from audit.condition_values import NotPlain, kind_of, refuse_endless, time_to_cel, to_cel, to_json

__all__ = [
    "POLICY_VARIABLES", "BadCondition", "Condition", "Expression", "Problem", "Result", "Type", "Verdict",
    "compile_condition", "compile_expression", "is_name",
]  # fmt: skip

Type = str

LONGEST: Final = 2_000
POLICY_VARIABLES: Final[Mapping[str, Type]] = MappingProxyType(
    dict.fromkeys(("args", "tool", "agent", "unit", "execution", "envelope"), "map")
)
# Words of the language: a value of that name is reached as `input.type` or `steps.triage.type`, never as `type`.
# fmt: off
RESERVED: Final = frozenset({
    "as", "bool", "break", "bytes", "const", "continue", "double", "dyn", "else", "false", "for", "function", "if",
    "import", "in", "int", "let", "list", "loop", "map", "namespace", "null", "null_type", "package", "return",
    "string", "true", "type", "uint", "var", "void", "while",
})
# fmt: on

_TYPES: Final = {
    "bool": cel.Type.BOOL,
    "dyn": cel.Type.DYN,
    "list": cel.Type.List(cel.Type.DYN),
    "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "string": cel.Type.STRING,
    "timestamp": cel.Type.TIMESTAMP,
}
_INTO: Final[dict[Type, Callable[[Any, str], Any]]] = {"timestamp": time_to_cel}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(rf"{_NAME.pattern}(?:\.{_NAME.pattern})*")
_BOUND = re.compile(rf"({_NAME.pattern})\s*,")
# Not the text "double".
_DOUBLE = re.compile(r"\bdouble\b(?!\s*[\"'])")
_NUMBER_OF = re.compile(rf"\bdouble\s*\(\s*({_PATH.pattern})\s*\)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition said. With an error there is no value: take the stricter branch and show the text."""

    value: bool | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What an expression gave, as plain JSON Python, or why it gave nothing."""

    value: Any
    error: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `gives` is its static type: bool, string, int, double, list, map, dyn and so on."""

    source: str
    gives: Type
    names: tuple[tuple[str, Type], ...]
    path: tuple[str, ...]
    program: Any
    # Values whose texts it makes numbers of.
    numbers: tuple[tuple[str, ...], ...] = ()

    def evaluate(self, values: Mapping[str, Any]) -> Result:
        """The value as plain JSON Python."""
        if self.path:
            return _follow(self.path, values)
        value, error = self.run(values)
        return Result(None, error) if error else _result(value)

    def run(self, values: Mapping[str, Any]) -> tuple[Any, str]:
        """CEL's own value, or an error text. Only the names that occur are handed over."""
        try:
            data = {name: _INTO.get(kind, to_cel)(values[name], name) for name, kind in self.names if name in values}
            for path in self.numbers:
                refuse_endless(_follow(path, data).value, ".".join(path))
            outcome = self.program.eval(data=data)
            value = outcome.plain_value()
        except NotPlain as refusal:
            return None, str(refusal)
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            return None, speak(str(error)) or "it cannot be evaluated"
        if outcome.type() == cel.Type.ERROR:
            return None, speak(str(value)) or "it cannot be evaluated"
        return value, ""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition: true, false or an error."""

    expression: Expression

    def evaluate(self, values: Mapping[str, Any]) -> Verdict:
        """True or False only when the condition says exactly that."""
        value, error = self.expression.run(values)
        if error:
            return Verdict(None, error)
        if not isinstance(value, bool):
            return Verdict(None, f"it gives {kind_of(value)}, neither true nor false")
        return Verdict(value)


def compile_condition(source: str, variables: Mapping[str, Type]) -> Condition:
    """Check a condition against the declared variables. Raises BadCondition."""
    return _condition(source, frozenset(variables.items()))


def compile_expression(source: str, variables: Mapping[str, Type]) -> Expression:
    """Check an expression for a value of any type. Raises BadCondition."""
    return _expression(source, frozenset(variables.items()))


def is_name(word: str) -> bool:
    """Whether a value of this name can be a variable."""
    return _NAME.fullmatch(word) is not None and word not in RESERVED


@lru_cache(maxsize=4096)
def _condition(source: str, variables: frozenset[tuple[str, Type]]) -> Condition:
    expression = _expression(source, variables)
    if expression.gives not in {"bool", "dyn"}:
        message = f"this gives a value of type {expression.gives}, and a condition must be true or false"
        raise BadCondition([Problem(message, 1, 1, "Compare it with something, as in `amount > 500`")])
    return Condition(expression)


@lru_cache(maxsize=4096)
def _expression(source: str, variables: frozenset[tuple[str, Type]]) -> Expression:
    _refuse_text(source)
    known = {name: kind for name, kind in variables if is_name(name)}
    try:
        program = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in known.items()}).compile(source)
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadCondition(problems_in(source, str(error), known)) from None
    text = source.strip()
    path = tuple(text.split(".")) if _PATH.fullmatch(text) else ()
    return Expression(
        source=source,
        gives=program.return_type().name().lower().partition("<")[0],
        names=tuple((name, known[name]) for name in sorted(known.keys() & set(_NAME.findall(source)))),
        path=path if path and path[0] in known else (),
        program=program,
        numbers=_numbers(source, known),
    )


def _numbers(source: str, known: Mapping[str, Type]) -> tuple[tuple[str, ...], ...]:
    """The paths it takes `double()` of; where one is no path from a variable, every variable whole."""
    paths = [tuple(path.split(".")) for path in _NUMBER_OF.findall(source)]
    # `args.lines.exists(unit, ...)` gives the name of a variable to something else.
    from_variables = known.keys() - set(_BOUND.findall(source))
    if len(paths) == len(_DOUBLE.findall(source)) and all(path[0] in from_variables for path in paths):
        return tuple(paths)
    return tuple((name,) for name in sorted(known.keys() & set(_NAME.findall(source))))


def _refuse_text(source: str) -> None:
    if len(source) > LONGEST:
        message = f"{len(source)} characters are too long, the limit is {LONGEST}"
        raise BadCondition([Problem(message, 1, 1, "Compute part of it in a step")])
    for offset, character in enumerate(source):
        if (character < " " and character not in "\t\n\r") or "\ud800" <= character <= "\udfff":
            message = f"the character U+{ord(character):04X} does not belong here"
            raise BadCondition([Problem(message, 1, offset + 1, "Remove it")])


def _follow(path: tuple[str, ...], values: Mapping[str, Any]) -> Result:
    """A plain path hands on the very value, however big: no copy, no rounding."""
    if path[0] not in values:
        return Result(None, f"`{path[0]}` has no value")
    value = values[path[0]]
    for name in path[1:]:
        if not isinstance(value, Mapping) or name not in value:
            return Result(None, f'there is no "{name}"')
        value = value[name]
    return Result(value) if type(value) in {str, int, bool, dict, list} else _result(value)


def _result(value: Any) -> Result:
    try:
        return Result(to_json(value))
    except NotPlain as refusal:
        return Result(None, f"it gives {refusal}")
