"""What a JSON Schema asks for where a value breaks it, in words for people: the rule, never the value that broke it."""

from typing import Any, Final

from jsonschema.exceptions import SchemaError, ValidationError

from audit.canonical import canonical
from audit.headlines import LONGEST, cut
from orchestrator.workflows.judges import UNJUDGED

_KINDS: Final = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "object": "an object",
    "array": "a list", "null": "null",
}  # fmt: skip
_RULES: Final = {
    "minimum": "has to be at least {}", "maximum": "has to be at most {}",
    "exclusiveMinimum": "has to be more than {}", "exclusiveMaximum": "has to be less than {}",
    "multipleOf": "has to be a multiple of {}", "const": "has to be {}",
    "minLength": "has to be {} or more characters long", "maxLength": "may be no longer than {} characters",
    "minItems": "has to hold {} or more items", "maxItems": "may hold no more items than {}",
    "minProperties": "has to hold {} or more fields", "maxProperties": "may hold no more fields than {}",
    "format": "has to be written as {}", "pattern": "has to fit the pattern {}",
}  # fmt: skip
_OTHERS: Final = {
    "$ref": UNJUDGED,
    "None": "may not be there",
    "uniqueItems": "may hold nothing twice",
    "additionalProperties": "holds a field that does not fit",
}


def in_short(problem: ValidationError | SchemaError) -> str:
    """jsonschema's own words, which quote the value first: a long one would leave no room for what is wrong with it."""
    return problem.message if len(problem.message) <= LONGEST else broken_rule(problem)


def broken_rule(problem: ValidationError | SchemaError) -> str:
    """The rule that is broken, as the end of a sentence, with what the schema says of the place itself."""
    said = _words(str(problem.validator), problem)
    described = problem.schema.get("description") if isinstance(problem.schema, dict) else None
    aside = f" ({described})" if described and isinstance(described, str) and problem.validator != "required" else ""
    return cut(f"{said}{aside}")


def _words(rule: str, problem: ValidationError | SchemaError) -> str:
    asked: Any = problem.validator_value
    schema: Any = problem.schema
    choices = asked if isinstance(asked, list) and rule in {"enum", "type"} else [asked]
    many = [one if isinstance(one, str) else canonical(one) for one in choices]
    if rule in _RULES:
        return _RULES[rule].format(*many)
    match rule:
        case "required":
            return problem.message
        case "enum":
            return f"has to be one of {', '.join(many)}"
        case "type":
            return f"has to be {' or '.join(_KINDS.get(kind, kind) for kind in many)}"
        case "additionalProperties" if asked is False:
            return f"may hold nothing but {', '.join(schema.get('properties', ())) or 'what it asks for'}"
    return _OTHERS.get(rule, f"breaks the rule {rule}")
