"""The key `retry`: how often, how long to wait, and what differs by failure class."""

from typing import Any, Final

from orchestrator.workflows.errors import At
from orchestrator.workflows.fields import Reader, duration, mapping, number, whole
from orchestrator.workflows.spec import RetryRule, RetrySpec
from orchestrator.workflows.tree import Node, Text

# Of every other failure trying the same thing again cannot help, or must not happen.
RETRIABLE: Final = ("system", "timeout", "empty_result", "lost", "unknown_outcome")
NEVER_RETRIED: Final = ("business", "policy", "determinism", "bug", "output_schema", "budget")

_DEFAULT = RetryRule()


def backoff(node: Node, at: At) -> dict[str, Any] | None:
    """A duration, or base, factor and ceiling."""
    if isinstance(node, Text):
        base = duration(node, at)
        return None if base is None else {"base": base}
    found = mapping(node, at, BACKOFF_KEYS)
    if found.get("ceiling", found.get("base", 0)) < found.get("base", 0):
        at.refuse(node, "`ceiling` is shorter than `base`", "The wait grows from base to ceiling")
    return found


def by_class(node: Node, at: At) -> dict[str, dict[str, Any]]:
    """What differs for a failure class."""
    readers: dict[str, Reader] = dict.fromkeys(RETRIABLE, _rule) | dict.fromkeys(NEVER_RETRIED, _never)
    return mapping(node, at, readers)


def retry(node: Node, at: At) -> RetrySpec:
    """The whole key."""
    found = mapping(node, at, RETRY_KEYS)
    plain = _apply(_DEFAULT, found)
    rules = {name: _apply(plain, said) for name, said in found.get("by_class", {}).items()}
    return RetrySpec(**vars(plain), by_class=rules)


def _apply(rule: RetryRule, said: dict[str, Any]) -> RetryRule:
    waits = said.get("backoff", {})
    base = waits.get("base", rule.base_seconds)
    return RetryRule(
        max_attempts=said.get("max_attempts", rule.max_attempts),
        base_seconds=base,
        factor=waits.get("factor", rule.factor),
        ceiling_seconds=max(waits.get("ceiling", rule.ceiling_seconds), base),
    )


def _rule(node: Node, at: At) -> dict[str, Any]:
    return mapping(node, at, RULE_KEYS)


def _never(node: Node, at: At) -> None:
    at.refuse(
        node, f"Failures of class `{at.path.rpartition('.')[2]}` are never retried", f"Known: {', '.join(RETRIABLE)}"
    )


BACKOFF_KEYS: dict[str, Reader] = {"base": duration, "factor": number(1, 10), "ceiling": duration}
RULE_KEYS: dict[str, Reader] = {"max_attempts": whole(1, 100), "backoff": backoff}
RETRY_KEYS: dict[str, Reader] = {**RULE_KEYS, "by_class": by_class}
