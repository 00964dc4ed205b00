"""A workflow's folder as its files stand: every mistake they show by themselves, without a database.

`validate` asks exactly this, and `publish` asks it as well, with the contracts in force. What only the database knows is
left to the import: whether owners, units, groups and calendars exist, and what is registered already.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from audit.canonical import BadJSON
from orchestrator.operations import registry
from orchestrator.releases.code import readable
from orchestrator.releases.files import json_of, text_of
from orchestrator.releases.loading import unloadable
from orchestrator.workflows.catalogue import exactly, items_in
from orchestrator.workflows.errors import Position, Report, WorkflowError, WorkflowErrors
from orchestrator.workflows.parse import load, source_of
from orchestrator.workflows.spec import WorkflowSpec

DEFINITIONS: Final = ("tools.json", "agents.json", "policies.json")
_CONTRACTS: Final = ("tools.json", "agents.json")
Read = TypeVar("Read")


@dataclass(slots=True)
class Definitions:
    """The items of one file, and where each starts."""

    items: list[Any] = field(default_factory=list)
    places: list[Position] = field(default_factory=list)


@dataclass(slots=True)
class Folder:
    """What its files say besides workflow.yaml, and all that is wrong with them."""

    definitions: dict[str, Definitions]
    code: dict[str, str]
    code_is_whole: bool
    errors: list[WorkflowError]


def check(path: Path) -> WorkflowSpec:
    """A workflow file, or a folder's workflow.yaml, with everything beside it. Raises WorkflowErrors with all mistakes."""
    file = path / "workflow.yaml" if os.path.isdir(path) else path
    if not os.path.isfile(file):
        source_of(file)  # a wrong path is told by itself, before all that lies there is read
    folder, spec = read(file.parent), None
    # Without the contracts every name in the workflow would be told as unknown.
    if not any(error.file == str(file.parent / name) for error in folder.errors for name in _CONTRACTS):
        spec = _or(folder.errors, lambda: load(file), None)
    tools, agents = ({} if spec is None else _contracts(folder.definitions[name].items) for name in _CONTRACTS)
    # What a file that cannot be read defines is not missing.
    folder.errors += unloadable(file.parent, folder.code, spec if folder.code_is_whole else None, tools, agents)
    if spec is None or folder.errors:
        raise WorkflowErrors(folder.errors)
    return spec


def read(path: Path) -> Folder:
    """What the files of a folder say, and what is wrong with each by itself."""
    errors: list[WorkflowError] = []
    definitions = {name: _definitions(path / name, errors) for name in DEFINITIONS}
    tools = definitions["tools.json"].items
    for name, found in definitions.items():
        report = Report(str(path / name))
        for index, (where, message, remedy) in registry.faults_in_file(name, found.items, tools=tools):
            said = f"{f'{where}: ' if where else ''}{message}"
            report.add(found.places[index], where, f"Item {registry.label(index, found.items[index])}: {said}", remedy)
        errors += report.errors
    _or(errors, lambda: env_of(path), list[str]())
    code, unreadable = readable(path)
    return Folder(definitions, code, not unreadable, errors + unreadable)


def env_of(folder: Path) -> list[str]:
    """The variables that release.json asks for. Raises WorkflowErrors."""
    path = folder / "release.json"
    if not path.is_file():
        return []
    said, report = json_of(path), Report(str(path))
    unknown = next((name for name in said if name != "env"), None) if isinstance(said, dict) else None
    if unknown is not None:
        where = _place_of_key(path, unknown)
        report.fail(where, f"{unknown}: There is no such field", 'It holds one: {"env": ["ERP_URL"]}')
    names = said.get("env", []) if isinstance(said, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        where = _place_of_key(path, "env")
        report.fail(where, "env: This must be a list of names", 'Write {"env": ["ERP_URL"]}')
    return names


def _definitions(path: Path, errors: list[WorkflowError]) -> Definitions:
    found, report = Definitions(), Report(str(path))
    if not path.is_file():
        return found
    if not _or(report.errors, lambda: text_of(path), "-").strip():
        report.add(Position(), "", "The file is empty", "Write [] into it, or remove it")
    for number, (source, where) in enumerate(() if report.errors else items_in(path, report), 1):
        try:
            found.items.append(exactly(source))
        except BadJSON as error:
            report.add(where, f"[{number - 1}]", f"Item {number}: {error}", "Correct the item")
        else:
            found.places.append(where)
    errors += report.errors
    # With an item missing, others would be told for naming it.
    return Definitions() if report.errors else found


def _contracts(items: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """As they are once they are registered: what a file leaves out is empty."""
    blank = {"entry": "", "probe": "", "record": "", "compensate_with": "", "allowed_tools": []}
    return {item["name"]: blank | {name: said for name, said in item.items() if said is not None} for item in items}


def _or(errors: list[WorkflowError], read: Callable[[], Read], otherwise: Read) -> Read:
    """What is read, or the other value and what is wrong."""
    try:
        return read()
    except WorkflowErrors as wrong:
        errors += wrong.errors
        return otherwise


def _place_of_key(path: Path, name: str) -> Position:
    """Near enough in a file of one object: where its name is first written."""
    before, found, _ = text_of(path).partition(json.dumps(name, ensure_ascii=False))
    return Position.after(before) if found else Position()
