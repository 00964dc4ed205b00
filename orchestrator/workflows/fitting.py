"""A quick yes: most values fit their schema, and most schemas use a dozen plain words.

Every step's input and output is judged. jsonschema takes fifty times as long to say yes as a few closures do, so those are
asked first; whatever they do not say yes to is judged by jsonschema, which also knows why not.
"""

from collections.abc import Callable, Mapping, Sized
from typing import Any, Final

Fits = Callable[[Any], bool]

_SAYS_NOTHING: Final = frozenset(
    {"$schema", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format"}
)  # fmt: skip


def quick_check(schema: Any) -> Fits | None:
    """Whether a value surely fits. None where the schema uses a word that is not known here."""
    if isinstance(schema, bool):
        return lambda _: schema
    checks: list[Fits] = []
    for word, said in schema.items():
        if word in _SAYS_NOTHING:
            continue
        check = _WORDS[word](said, schema) if word in _WORDS else None
        if check is None:
            return None
        checks.append(check)
    return checks[0] if len(checks) == 1 else lambda value: all(check(value) for check in checks)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Final[dict[str, Fits]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    # 1.0 is an integer by the specification; it is left to jsonschema.
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}


def _type(said: Any, _: Mapping[str, Any]) -> Fits:
    if isinstance(said, str):
        return _TYPES[said]
    any_of = [_TYPES[name] for name in said]
    return lambda value: any(check(value) for check in any_of)


def _required(said: Any, _: Mapping[str, Any]) -> Fits:
    return lambda value: not isinstance(value, dict) or all(name in value for name in said)


def _properties(said: Any, _: Mapping[str, Any]) -> Fits | None:
    checks = [(name, quick_check(schema)) for name, schema in said.items()]
    known = [(name, check) for name, check in checks if check is not None]
    if len(known) < len(checks):
        return None
    return lambda value: (
        not isinstance(value, dict) or all(check(value[name]) for name, check in known if name in value)
    )


def _additional(said: Any, schema: Mapping[str, Any]) -> Fits | None:
    declared, check = schema.get("properties", {}), quick_check(said)
    if check is None:
        return None
    return lambda value: (
        not isinstance(value, dict) or all(check(part) for name, part in value.items() if name not in declared)
    )


def _items(said: Any, _: Mapping[str, Any]) -> Fits | None:
    check = quick_check(said)
    if check is None:
        return None
    return lambda value: not isinstance(value, list) or all(check(part) for part in value)


def _enum(said: Any, _: Mapping[str, Any]) -> Fits | None:
    # 1, 1.0 and true are told apart by jsonschema; here only texts are looked for.
    texts = frozenset(one for one in said if isinstance(one, str))
    return lambda value: isinstance(value, str) and value in texts


def _least_size(kind: type[Sized]) -> Callable[[Any, Mapping[str, Any]], Fits]:
    return lambda said, _: lambda value: not isinstance(value, kind) or len(value) >= said


def _most_size(kind: type[Sized]) -> Callable[[Any, Mapping[str, Any]], Fits]:
    return lambda said, _: lambda value: not isinstance(value, kind) or len(value) <= said


_WORDS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], Fits | None]]] = {
    "type": _type,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "enum": _enum,
    "minLength": _least_size(str),
    "maxLength": _most_size(str),
    "minItems": _least_size(list),
    "maxItems": _most_size(list),
    "minProperties": _least_size(dict),
    "maxProperties": _most_size(dict),
    "minimum": lambda said, _: lambda value: not _is_number(value) or value >= said,
    "maximum": lambda said, _: lambda value: not _is_number(value) or value <= said,
}
