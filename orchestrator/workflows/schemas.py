"""JSON Schemas seen from a workflow: are they sound, which names do they declare, does a literal fit?"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from json import dumps, loads
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from audit.pointers import names_in
from orchestrator.workflows.broken_rules import in_short

Schema = Mapping[str, Any]

# With one of these at its top a schema may declare names that are not seen here.
_ELSEWHERE: Final = frozenset({"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties"})
_REFERENCES: Final = ("$ref", "$dynamicRef")
_PROMISES: Final = ("minItems", "minLength", "minProperties")
_CEL_TYPES: Final = {"string": "string", "boolean": "bool", "array": "list", "object": "map"}
_JSON_TYPES: Final = {
    "string": {"string"}, "bool": {"boolean"}, "list": {"array"}, "map": {"object"}, "int": {"integer", "number"},
    "uint": {"integer", "number"}, "double": {"number"}, "timestamp": {"string"}, "duration": {"number"},
    "null_type": {"null"},
}  # fmt: skip


def schema_problems(schema: Any) -> list[str]:
    """Why this is no schema we can work with; nothing is ever fetched from the network."""
    if not isinstance(schema, Mapping):
        return ["it is not a JSON Schema object"]
    try:
        check_schema(schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        return [f"it is no JSON Schema (draft 2020-12){f' at {where}' if where else ''}: {in_short(error)}"]
    except RecursionError:
        return ["it is nested too deeply"]
    try:
        return list(dict.fromkeys(_bad_references(schema)))
    except RecursionError:
        return ["it is nested too deeply"]


def check_schema(schema: Schema) -> None:
    """Raise `SchemaError` where this is no JSON Schema. A sound one is told by its text the next time: with every workflow
    that is published, all tools and agents it may name are looked at."""
    _be_sound(dumps(schema, sort_keys=True))


@lru_cache(maxsize=1_024)
def _be_sound(schema_text: str) -> None:
    Draft202012Validator.check_schema(loads(schema_text))


def declared(schema: Schema | None) -> dict[str, Schema]:
    """The properties a schema names, required ones without a description included."""
    schema = schema or {}
    properties = schema.get("properties", {})
    names = dict.fromkeys([*properties, *schema.get("required", ())])
    return {name: found if isinstance(found := properties.get(name), Mapping) else {} for name in names}


def required(schema: Schema | None) -> tuple[str, ...]:
    """The properties that must be there."""
    return tuple((schema or {}).get("required", ()))


def is_open(schema: Schema | None) -> bool:
    """Whether values may hold names the schema does not say: none are declared, or some are declared elsewhere."""
    schema = schema or {}
    if schema.get("additionalProperties") is False:
        return False
    return not declared(schema) or bool(_ELSEWHERE & schema.keys()) or bool(schema.get("additionalProperties"))


def is_closed(schema: Schema) -> bool:
    """Whether the schema itself forbids names it does not say."""
    return schema.get("additionalProperties") is False and not _ELSEWHERE & schema.keys()


def argument_names(schema: Schema) -> frozenset[str] | None:
    """The arguments a tool with this schema takes; None when any name may come."""
    return None if is_open(schema) else frozenset(declared(schema))


def promised(schema: Schema | None) -> tuple[str, ...]:
    """The properties that must not be empty."""
    return tuple(
        name for name, item in declared(schema).items() if any(_at_least_one(item.get(word)) for word in _PROMISES)
    )


def cel_type(schema: Schema) -> str:
    """How a condition sees a value of this schema. Numbers, unions and the unknown are left to run time."""
    kind = schema.get("type")
    return _CEL_TYPES.get(kind, "dyn") if isinstance(kind, str) else "dyn"


def takes(schema: Schema, gives: str) -> bool:
    """Whether a value of this CEL type can fit the schema, as far as types tell."""
    kinds = schema.get("type")
    if gives not in _JSON_TYPES or kinds is None:
        return True
    return bool(_JSON_TYPES[gives] & ({kinds} if isinstance(kinds, str) else set(kinds)))


def literal_problem(value: Any, schema: Schema, root: Schema) -> str:
    """Why a literal does not fit the schema of its property, or ""."""
    definitions = {name: root[name] for name in ("$defs", "definitions") if name in root}
    try:
        for error in _validator(dumps({**definitions, **schema}, sort_keys=True)).iter_errors(value):
            return in_short(error)
    except (Unresolvable, RecursionError):
        return ""  # said of the contract itself, where it stands
    return ""


@lru_cache(maxsize=512)
def _validator(schema_text: str) -> Draft202012Validator:
    return Draft202012Validator(loads(schema_text), registry=Registry())


def _at_least_one(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _bad_references(root: Schema) -> Iterator[str]:
    ends: dict[int, bool] = {}
    for word, reference in _walk(root):
        if word not in _REFERENCES or not isinstance(reference, str):
            continue
        target = _target(reference, root)
        if target is None:
            yield f"the reference {reference!r} leads nowhere; only references inside the schema work"
        elif not _ends(target, root, ends):
            yield f"the reference {reference!r} leads round in a circle; judging a value by it would never end"


def _target(reference: str, schema: Any) -> Any:
    """What a reference inside the schema leads to, or None."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    for name in names_in(reference):
        if not isinstance(schema, Mapping) or name not in schema:
            return None
        schema = schema[name]
    return schema


def _ends(schema: Any, root: Schema, known: dict[int, bool]) -> bool:
    """Whether judging a value comes to an end. By way of its properties and items it does, when the value ends."""
    if id(schema) not in known:
        known[id(schema)] = False  # while this is under way: whoever comes by again runs in a circle
        known[id(schema)] = all(_ends(other, root, known) for other in _of_the_same_value(schema, root))
    return known[id(schema)]


def _of_the_same_value(schema: Any, root: Schema) -> Iterator[Any]:
    """The schemas that the same value has to fit, or is tried against."""
    if not isinstance(schema, Mapping):
        return
    for word, said in schema.items():
        if word in _REFERENCES and isinstance(said, str):
            yield _target(said, root)
        elif word in {"not", "if", "then", "else"}:
            yield said
        elif word in {"allOf", "anyOf", "oneOf"} and isinstance(said, list):
            yield from said
        elif word == "dependentSchemas" and isinstance(said, Mapping):
            yield from said.values()


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield name, item
            yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)
