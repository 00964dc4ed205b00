"""What a policy's condition may name. A misspelt name would only show itself on the next action; here it is refused on saving.

CEL checks the types; which arguments a tool has is known to whoever owns the tools, and is asked for here.
"""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches

from audit.conditions import POLICY_VARIABLES, BadCondition, Problem, compile_condition

# Names under each root, as the gate supplies them (orchestrator.gate.judge).
MEMBERS = {
    "tool": frozenset({"name", "version", "effect", "tier"}),
    "agent": frozenset({"name", "version", "owner"}),
    "unit": frozenset({"name", "title", "currency"}),
    "execution": frozenset({"workflow", "business_key", "step"}),
}
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_MEMBER = re.compile(r"(?<![\w.])(\w+)\s*\.\s*([A-Za-z_]\w*)(?!\s*\()")
_Arguments = Callable[[str], frozenset[str] | None]
_arguments: list[_Arguments] = []


def answer_with(arguments: _Arguments) -> None:
    """Register who knows a tool's argument names: (tool name) -> names, or None when any name may come."""
    _arguments[:] = [arguments]


def check(condition: str, *, tool: str) -> None:
    """Refuse a condition that does not type-check or names what cannot be there. Raises BadCondition with line and column."""
    check_names(condition, arguments=arguments_of(tool))


def arguments_of(tool: str) -> frozenset[str] | None:
    """The arguments a tool may be called with; None when any may come."""
    return _arguments[0](tool) if _arguments else None


def check_names(condition: str, *, arguments: frozenset[str] | None) -> None:
    """The same where the arguments are known without asking, or any may come (None)."""
    compile_condition(condition, POLICY_VARIABLES)
    problems = list(_problems(condition, arguments))
    if problems:
        raise BadCondition(problems)


def _problems(condition: str, arguments: frozenset[str] | None) -> Iterator[Problem]:
    known = {**MEMBERS, "args": arguments}
    # Texts are blanked, not cut, so that positions stay true.
    source = _TEXT.sub(lambda text: " " * len(text[0]), condition)
    for found in _MEMBER.finditer(source):
        names = known.get(found[1])
        if names is not None and found[2] not in names:
            yield _unknown(condition, found, names)


def _unknown(condition: str, found: re.Match[str], names: frozenset[str]) -> Problem:
    line, start = condition.count("\n", 0, found.start(2)) + 1, condition.rfind("\n", 0, found.start(2))
    close = get_close_matches(found[2], names, n=1)
    remedy = f"Did you mean {found[1]}.{close[0]}?" if close else f"It has: {', '.join(sorted(names)) or 'nothing'}."
    message = f"there is no {found[2]!r} in {found[1]}"
    return Problem(message, line, found.start(2) - start, remedy, undeclared=found[2])
