"""The tools and agents a workflow may name: their contracts, read from tools.json and agents.json beside it."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from audit.canonical import BadJSON, read_strict
from orchestrator.workflows.errors import Position, Report, WorkflowErrors
from orchestrator.workflows.schemas import Schema, schema_problems
from orchestrator.workflows.words import suggest

ANY_TOOL: Final = "*"
LARGEST_BYTES: Final = 16 * 1024 * 1024

_CHOICES: Final = {
    "effect": ("read", "write", "irreversible"),
    "idempotency_class": ("A", "B", "C"),
    "tier": ("informational", "customer_facing", "financial"),
}


@dataclass(frozen=True)
class ToolContract:
    """What a workflow has to know of a tool."""

    name: str
    version: str = ""
    input_schema: Schema = field(default_factory=dict)
    output_schema: Schema = field(default_factory=dict)
    tier: str = "informational"
    effect: str = "write"
    idempotency_class: str = "C"
    compensate_with: str | None = None


@dataclass(frozen=True)
class AgentContract:
    """What a workflow has to know of an agent. `allowed_tools` None means: nothing was said."""

    name: str
    version: str = ""
    input_schema: Schema = field(default_factory=dict)
    output_schema: Schema = field(default_factory=dict)
    allowed_tools: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Catalogue:
    """Every tool and agent a workflow may name."""

    tools: Mapping[str, ToolContract] = field(default_factory=dict)
    agents: Mapping[str, AgentContract] = field(default_factory=dict)


Contract = TypeVar("Contract", ToolContract, AgentContract)
Item = Mapping[str, Any]


def catalogue_from_folder(path: str | Path) -> Catalogue:
    """The contracts of a workflow's folder; a file that is not there holds none. Raises WorkflowErrors."""
    tools, tool_report = _read(Path(path) / "tools.json", tool_contract)
    agents, agent_report = _read(Path(path) / "agents.json", agent_contract)
    errors = [*tool_report.errors, *agent_report.errors]
    if errors:
        raise WorkflowErrors(errors)
    return Catalogue(tools=tools, agents=agents)


def tool_contract(item: Item) -> ToolContract:
    """One item of tools.json, already checked."""
    names = ("version", "input_schema", "output_schema", "tier", "effect", "idempotency_class", "compensate_with")
    return ToolContract(name=item["name"], **{name: item[name] for name in names if item.get(name) is not None})


def agent_contract(item: Item) -> AgentContract:
    """One item of agents.json, already checked."""
    given = {name: item[name] for name in ("version", "input_schema", "output_schema") if item.get(name) is not None}
    allowed = item.get("allowed_tools")
    return AgentContract(name=item["name"], allowed_tools=None if allowed is None else tuple(allowed), **given)


def idle_undo(undo: str, *, of: str | None, effect: str | None) -> tuple[str, str] | None:
    """Message and remedy for an undo that does the same once more, or only looks: it would be told as an effect taken back."""
    remedy = "Name the tool that does the opposite, or leave it out."
    if undo == of:
        return "A tool cannot take back its own effect: called again, it does it once more", remedy
    return ("A tool that only reads takes nothing back", remedy) if effect == "read" else None


def _read(path: Path, contract: Callable[[Item], Contract]) -> tuple[dict[str, Contract], Report]:
    report, found, lines = Report(str(path)), dict[str, Contract](), dict[str, int]()
    for number, (source, where) in enumerate(items_in(path, report), 1):
        item, problems = _judged(source)
        name = item.get("name") if isinstance(item, dict) else None
        label = f"Item {number}" + (f" ({name})" if isinstance(name, str) else "")
        if isinstance(name, str) and name in lines:
            problems.append((f"the name is taken by the item on line {lines[name]}", "Names are unique"))
        for message, remedy in problems:
            report.add(where, f"[{number - 1}]", f"{label}: {message}", remedy)
        if not problems and isinstance(item, dict):
            found[item["name"]], lines[item["name"]] = contract(item), where.line
    return found, report


def items_in(path: Path, report: Report) -> Iterator[tuple[str, Position]]:
    """The items of a JSON list as they are written, each with the place where it starts."""
    text = _text_of(path, report)
    if not text.strip():
        return
    # Only places are found here: what numbers are worth is said by the strict reader.
    decoder, offset = json.JSONDecoder(parse_int=str, parse_float=str), _skip(text, 0)
    try:
        if text[offset] != "[":
            report.add(_position(text, offset), "", "The file must hold a list", "Put the items into `[…]`")
            return
        decoder.decode(text)
        offset = _skip(text, offset + 1)
        while text[offset] != "]":
            _, end = decoder.raw_decode(text, offset)
            yield text[offset:end], _position(text, offset)
            offset = _skip(text, end)
    except json.JSONDecodeError as error:
        report.add(Position(error.lineno, error.colno), "", f"This is not JSON: {error.msg}", "Correct the syntax")
    except RecursionError:
        report.add(Position(), "", "Nested too deeply", "Flatten it")


def _text_of(path: Path, report: Report) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        report.add(Position(), "", f"The file cannot be read: {error.strerror}", "Check its permissions")
    except UnicodeDecodeError as error:
        report.add(Position(), "", f"The file is not UTF-8 (byte {error.start})", "Save it as UTF-8")
    return ""


def _judged(source: str) -> tuple[Any, list[tuple[str, str]]]:
    try:
        item = exactly(source)
    except BadJSON as error:
        return None, [(str(error), "Correct the item")]
    return item, list(_problems(item))


def exactly(source: str) -> Any:
    """An item, read as strictly as when it is published. Raises BadJSON."""
    (item,) = read_strict(f"[{source}]".encode(), max_bytes=LARGEST_BYTES)
    return item


def _skip(text: str, offset: int) -> int:
    while offset < len(text) and text[offset] in " \t\r\n,":
        offset += 1
    return offset


def _position(text: str, offset: int) -> Position:
    return Position.after(text[:offset])


def _problems(item: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(item, dict):
        yield "it must be an object", 'Write {"name": …}'
        return
    if not isinstance(item.get("name"), str) or not item["name"]:
        yield "it has no name", "Give it a `name`"
    if not isinstance(item.get("version", ""), str):
        yield "`version` must be a text", "Put it in quotes"
    if not _is_list_of_text(item.get("allowed_tools") or []):
        yield "`allowed_tools` must be a list of names", 'Write ["tool"]'
    yield from _bad_choices(item)
    for word in ("input_schema", "output_schema"):
        for problem in schema_problems(item.get(word) or {}):
            yield f"`{word}`: {problem}", "Correct the schema"


def _bad_choices(item: Item) -> Iterator[tuple[str, str]]:
    for word, choices in _CHOICES.items():
        if word in item and item[word] not in choices:
            yield f"`{word}` cannot be {str(item[word])[:60]!r}", suggest(str(item[word]), choices)


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
