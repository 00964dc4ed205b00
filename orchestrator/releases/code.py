"""The code of a release: which files it holds. Whether a runner can load them stands in loading.py."""

import os
from pathlib import Path
from typing import Final

from orchestrator.releases.files import text_of
from orchestrator.workflows.errors import Position, Report, WorkflowError, WorkflowErrors

CODE_SUFFIXES: Final = {".py", ".json", ".txt", ".md", ".csv"}
# At the top of the folder, not part of what handlers run: the example's own servers, sample inputs, definitions.
LEFT_OUT: Final = {"servers", "data", "__pycache__", "tools.json", "agents.json", "policies.json", "release.json"}
MAX_CODE_BYTES: Final = 4 * 1024 * 1024


def code_of(folder: Path) -> dict[str, str]:
    """The files of a release by their path in the folder. Raises WorkflowErrors with every file that cannot be one."""
    files, errors = {}, list[WorkflowError]()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and path.suffix in CODE_SUFFIXES and _belongs(inside):
            try:
                files[_name(path, inside)] = _storable(path)
            except WorkflowErrors as wrong:
                errors += wrong.errors
    if errors:
        raise WorkflowErrors(errors)
    _refuse_too_large(folder, files)
    return files


def _refuse_too_large(folder: Path, files: dict[str, str]) -> None:
    size = sum(len(text.encode()) for text in files.values())
    if size > MAX_CODE_BYTES:
        largest = max(files, key=lambda name: len(files[name]))
        said = (
            f"This is the largest of the folder's files: {size:,} bytes together, and the limit is {MAX_CODE_BYTES:,}"
        )
        Report(str(folder / largest)).fail(Position(), said, "Keep data out of the folder, or in `data/` at its top")


def _name(path: Path, inside: Path) -> str:
    """Raises WorkflowErrors where the name is no text: a release could not say which file it holds."""
    name = inside.as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        readable = os.fsencode(path).decode(errors="backslashreplace")
        remedy = "Rename the file, or keep it out of the folder"
        Report(readable).fail(Position(), "The name of the file is no UTF-8", remedy)
    return name


def _belongs(inside: Path) -> bool:
    """Pages for people do not, and of the rest only what stands at the top is known by its name."""
    return inside.parts[0] not in LEFT_OUT and inside.name != "README.md"


def _storable(path: Path) -> str:
    text = text_of(path)
    before, found, _ = text.partition("\0")
    if found:
        remedy = "Remove it, or keep the file out of the folder"
        Report(str(path)).fail(Position.after(before), "The character U+0000 cannot be stored", remedy)
    return text
