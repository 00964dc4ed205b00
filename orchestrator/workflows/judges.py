"""Who judges a value by a JSON Schema that came from outside: nothing is fetched, and no value takes longer than it is long."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

# A contract is frozen with its version: what another server says today is no part of it.
_NOWHERE: Final[Registry[Any]] = Registry()


def judge_of(schema: Mapping[str, Any]) -> Any:
    """A validator of draft 2020-12 for this schema; `faults` asks it."""
    return _Judge(schema, registry=_NOWHERE)


def faults(judge: Any, value: Any) -> Iterator[ValidationError]:
    """Where the value breaks a rule. A schema that refers to what it does not hold, or runs in a circle, fits nothing."""
    try:
        yield from judge.iter_errors(value)
    except (Unresolvable, RecursionError):
        yield ValidationError(UNJUDGED, validator="$ref", validator_value="", instance=None, schema={})


UNJUDGED: Final = "cannot be judged: the schema refers to what it does not hold, or to itself"


def _unique(judge: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """jsonschema compares each item with each other; a set needs to look at each once."""
    if wanted is True and isinstance(value, list) and len({_key(item) for item in value}) < len(value):
        yield ValidationError("holds an item twice")


def _key(item: Any) -> Hashable:
    """Equal for what JSON Schema calls equal: 1 and 1.0 are, true and 1 are not."""
    if isinstance(item, dict):
        return frozenset((name, _key(part)) for name, part in item.items())
    if isinstance(item, list):
        return tuple(map(_key, item))
    return (item,) if isinstance(item, bool) else item


_Judge: Final = extend(Draft202012Validator, {"uniqueItems": _unique})  # type: ignore[no-untyped-call]
