"""Definitions from files: tools, agents and approval policies, idempotent by content, all or nothing.

An import by the system puts in force what is new in a file; what people have activated since a file last said something new
is theirs, and stays. A person's import only drafts: another administrator activates. What an item may hold, and what it
becomes, stands in registry_items.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast

from django.db import connection, transaction
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from approvals.models import ApprovalPolicy
from audit.actors import Actor
from audit.definitions import Definition, DefinitionStatus, activate, content, draft
from audit.refusals import Forbidden, Invalid
from orchestrator.models import Agent, Tool
from orchestrator.operations import registry_items
from orchestrator.operations.registry_items import JSON, Say
from orchestrator.workflows.broken_rules import in_short
from orchestrator.workflows.errors import Placed
from orchestrator.workflows.words import suggest

IMPORT_LOCK = 0x686F6C64


class ImportRefused(Invalid):
    """Nothing was imported. `lines` name each fault: `file: item 3 (name): field: message. remedy`."""

    code = "import_refused"

    def __init__(self, lines: list[str], errors: list[tuple[str, str, str]]) -> None:
        super().__init__("\n".join(lines), errors=errors)
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, as `name version`, and in sentences where it met what people had put in force."""

    created: tuple[str, ...]
    unchanged: tuple[str, ...]
    told: tuple[str, ...]


def import_tools(items: Any, *, by: Actor, file: str, places: Sequence[Placed] = ()) -> Imported:
    """Register tools. Other content under a version that exists is refused: releases froze that contract."""
    return _import(items, _TOOLS, by=by, findings=_Findings(file, places))


def import_agents(items: Any, *, by: Actor, file: str, places: Sequence[Placed] = ()) -> Imported:
    """Register agents; changed content becomes the next version."""
    return _import(items, _AGENTS, by=by, findings=_Findings(file, places))


def import_policies(items: Any, *, by: Actor, file: str, places: Sequence[Placed] = ()) -> Imported:
    """Register approval policies; changed content becomes the next version."""
    return _import(items, _POLICIES, by=by, findings=_Findings(file, places))


def faults_of_tool(item: JSON) -> list[tuple[str, str, str]]:
    """What an import of this tool would be refused with, as (field, message, remedy): for whoever types it instead."""
    return _faults(item, _TOOLS)


def faults_of_agent(item: JSON) -> list[tuple[str, str, str]]:
    """The same of an agent; its owner and unit are named, as in a file."""
    return _faults(item, _AGENTS)


def _faults(item: JSON, kind: "_Kind") -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []

    def say(*fault: str) -> None:
        found.append(cast(tuple[str, str, str], fault))

    _check(item, kind, [], {}, say)
    if not found:
        kind.columns(item, say, set())
    return found


def faults_in_file(
    name: str, items: Sequence[Any], *, tools: Sequence[Any]
) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """What an import of this file (`tools.json`...) refuses without asking the database: the item's index, and its fault.

    `tools` are the items of the tools.json beside it.
    """
    names = [item["name"] if _is_named(item) else None for item in items]
    beside = _by_name(tools)
    for index, item in enumerate(items):
        found: list[tuple[str, str, str]] = []
        _check(item, _FILES[name], names[:index], beside, lambda *fault, found=found: found.append(fault))
        yield from ((index, fault) for fault in found)


def idle_policies() -> list[str]:
    """Policies in force about a tool that nobody has ever registered: perhaps misspelt, and they hold no call."""
    known = set(Tool.objects.values_list("name", flat=True))
    rows = ApprovalPolicy.objects.active().exclude(tool__in=["*", *known]).order_by("name")
    return [
        f"The policy {row} is about {row.tool}, which is no tool here: it holds no call. {suggest(row.tool, known)}".strip()
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class _Kind:
    model: Any  # a class of definitions that have a name and a version
    schema: JSON
    check: Callable[[JSON, Say, Mapping[str, JSON]], None]  # asks no database
    columns: Callable[[JSON, Say, set[str]], JSON]
    row: Callable[["_Kind", JSON, Say], Definition]


@dataclass(slots=True)
class _Findings:
    """Every error of a file, so that its author corrects them in one go."""

    file: str
    places: Sequence[Placed] = ()
    lines: list[str] = field(default_factory=list)
    errors: list[tuple[str, str, str]] = field(default_factory=list)

    def about(self, index: int, item: Any) -> Say:
        place = self.places[index] if self.places else None
        start = f"{self.file}:{place.line}:{place.column}: Item" if place else f"{self.file}: item"

        def say(name: str, message: str, remedy: str) -> None:
            text = f"{message.rstrip('.')}. {remedy}"
            self.lines.append(f"{start} {label(index, item)}: {f'{name}: ' if name else ''}{text}")
            self.errors.append((f"/{index}/{name.replace('.', '/')}".rstrip("/"), "invalid", text))

        return say


@transaction.atomic
def _import(items: Any, kind: _Kind, *, by: Actor, findings: "_Findings") -> Imported:
    if by.kind == "agent":
        raise Forbidden("An agent cannot register tools, agents or policies.", code="people_only")
    one_at_a_time()
    rows = list(_rows(items, kind, findings))
    if findings.lines:
        raise ImportRefused(findings.lines, findings.errors)
    if by.is_person or kind is _TOOLS:
        met = {}
    else:
        # A draft of somebody's is stored, and as new to what is in force as a row that is not.
        new = [row for row in rows if row._state.adding or row.status == DefinitionStatus.DRAFT]
        met = {row.name: other for row in new if (other := _last_in_force(row))}
        rows = [other if (other := met.get(row.name)) and _brings_nothing(row, other) else row for row in rows]
    stored = [(row, _store(row, by)) for row in rows]
    return Imported(
        created=tuple(str(row) for row, changed in stored if changed),
        unchanged=tuple(str(row) for row, changed in stored if not changed),
        told=tuple(line for row, _ in stored if row.name in met and (line := _told(row, met[row.name]))),
    )


def one_at_a_time() -> None:
    """Until the end of the transaction: two processes that import or publish an example at their start must not both make it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])


def _rows(items: Any, kind: _Kind, findings: _Findings) -> Iterator[Definition]:
    """The row each item asks for: the stored one when nothing changed, an unsaved one otherwise."""
    if not isinstance(items, list):
        message = "The file must hold a JSON list of objects: [{...}, {...}]."
        findings.lines.append(f"{findings.file}: {message}")
        findings.errors.append(("", "invalid", message))
        return
    names = [item["name"] if _is_named(item) else None for item in items]
    beside = _by_name(items) if kind is _TOOLS else {}
    for index, item in enumerate(items):
        say, before = findings.about(index, item), len(findings.lines)
        _check(item, kind, names[:index], beside, say)
        if len(findings.lines) > before:
            continue
        columns = kind.columns(item, say, {name for name in names if name})
        if len(findings.lines) == before:
            yield kind.row(kind, columns, say)


def label(index: int, item: Any) -> str:
    """How an item of a file is called in what is said of it."""
    return f"{index + 1} ({item['name']})" if _is_named(item) else str(index + 1)


def _is_named(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def _by_name(items: Sequence[Any]) -> dict[str, JSON]:
    return {item["name"]: item for item in items if _is_named(item)}


def _check(item: Any, kind: _Kind, earlier: list[str | None], beside: Mapping[str, JSON], say: Say) -> None:
    """Its shape, then what that leaves to ask of it."""
    faults = 0

    def counted(*fault: str) -> None:
        nonlocal faults
        faults += 1
        say(*fault)

    _check_shape(item, kind, earlier, counted)
    if not faults:
        kind.check(item, say, beside)


def _check_shape(item: Any, kind: _Kind, earlier: list[str | None], say: Say) -> None:
    for error in Draft202012Validator(kind.schema).iter_errors(item):
        for finding in _explain(error):
            say(*finding)
    if _is_named(item) and item["name"] in earlier:
        say("name", "This name is in the file twice", "Keep one of the two.")


def _explain(error: ValidationError) -> Iterator[tuple[str, str, str]]:
    """A schema error as (field, message, remedy)."""
    name = ".".join(str(part) for part in error.path)
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        for unknown in sorted(set(cast(JSON, error.instance)) - set(known)):
            close = get_close_matches(unknown, known, n=1)
            remedy = f"Did you mean {close[0]}?" if close else f"Fields: {', '.join(known)}."
            yield unknown, "There is no such field", remedy
    elif error.validator == "required":
        # jsonschema raises one error per missing field and names it only in the sentence.
        yield error.message.split("'")[1], "The field is missing", "Add it."
    elif error.validator == "enum":
        yield name, f"{error.instance!r} is not a choice", f"Use one of: {', '.join(schema['enum'])}."
    else:
        yield name, in_short(error), schema.get("description", "Correct the value.")


def _same_version(kind: _Kind, columns: JSON, say: Say) -> Definition:
    """A tool's version is in the file: what is registered under it must say the same."""
    same = {"name": columns["name"], "version": columns["version"]}
    row: Definition = kind.model.objects.filter(**same).first() or kind.model(**columns)
    for name in (name for name, value in columns.items() if getattr(row, name) != value):
        say(name, f"It differs from what is registered as {row}", "Give the tool a new version.")
    if row.status == DefinitionStatus.RETIRED:
        say("version", f"Version {columns['version']} was retired", "Give the tool a new version.")
    return row


def _next_version(kind: _Kind, columns: JSON, _: Say) -> Definition:
    """The newest stored version when it says the same and is not retired, else the one after it."""
    newest: Any = kind.model.objects.filter(name=columns["name"]).order_by("-version").first()
    if newest is None:
        return cast(Definition, kind.model(**columns))
    same = all(getattr(newest, name) == value for name, value in columns.items())
    if same and newest.status != DefinitionStatus.RETIRED:
        return cast(Definition, newest)
    return cast(Definition, kind.model(**columns, version=newest.version + 1))


def _last_in_force(row: Definition) -> Definition | None:
    """The version of this name that is in force; else the last one that was."""
    rows: Any = type(row)._default_manager
    found: Definition | None = rows.filter(name=row.name).exclude(activated_at=None).order_by("-activated_at").first()
    return found


def _brings_nothing(row: Definition, other: Definition) -> bool:
    """Whether the last file put in force said the same: what people made of it since is not undone by saying it again."""
    if other.status == DefinitionStatus.RETIRED:
        return False
    rows: Any = type(row)._default_manager
    last = rows.filter(name=row.name, edited_by=None, editors=[]).order_by("-version").first()
    return last is not None and content(last) | {"version": 0} == content(row) | {"version": 0}


def _told(row: Definition, other: Definition) -> str:
    """What whoever imports it has to know of the version that people had made; "" where it was no person's."""
    if other.status == DefinitionStatus.RETIRED:
        return f"{row} is in force again: {other} had been retired."
    if other.activated_by_id is None:
        return ""
    if row is other:
        return f"{row} stays in force: people activated it since, and the file says what it said before."
    return f"{row} is in force in the place of {other}, which people had activated."


def _store(row: Definition, by: Actor) -> bool:
    """Draft what is new and, for the system, put it in force. False when there was nothing to do."""
    fresh = row._state.adding
    if fresh:
        draft(row, by=by, why="imported")
    if row.status != DefinitionStatus.DRAFT or by.is_person:
        return fresh
    activate(row, by=by)
    return True


_TOOLS = _Kind(Tool, registry_items.TOOL, registry_items.check_tool, registry_items.tool_columns, _same_version)
_AGENTS = _Kind(Agent, registry_items.AGENT, registry_items.check_agent, registry_items.agent_columns, _next_version)
_POLICIES = _Kind(
    ApprovalPolicy, registry_items.POLICY, registry_items.check_policy, registry_items.policy_columns, _next_version
)
_FILES: dict[str, _Kind] = {"tools.json": _TOOLS, "agents.json": _AGENTS, "policies.json": _POLICIES}
