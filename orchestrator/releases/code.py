"""The code of a release: which files it holds. Whether a runner can load them stands in loading.py."""

import os
from pathlib import Path
from typing import Final

from orchestrator.releases.files import text_of
from orchestrator.workflows.errors import Position, Report, WorkflowError, WorkflowErrors

CODE_SUFFIXES: Final = {".py", ".json", ".txt", ".md", ".csv"}
# At the top of the folder, not part of what handlers run: the example's own servers, sample inputs, definitions.
# Pages for people (README.md) are no part of it anywhere.
LEFT_OUT: Final = {"servers", "data", "__pycache__", "tools.json", "agents.json", "policies.json", "release.json"}
MAX_CODE_BYTES: Final = 4 * 1024 * 1024
_ELSEWHERE: Final = "Keep data out of the folder, or in `data/` at its top"


def code_of(folder: Path) -> dict[str, str]:
    """The files of a release by their path in the folder. Raises WorkflowErrors with every file that cannot be one."""
    files, errors = readable(folder)
    if errors:
        raise WorkflowErrors(errors)
    return files


def readable(folder: Path) -> tuple[dict[str, str], list[WorkflowError]]:
    """Those of them that can be read, and what is wrong with the others, or with all together."""
    files = dict[str, str]()
    paths, errors = _found(folder)
    for path in paths:
        inside = path.relative_to(folder)
        if path.is_file() and path.suffix in CODE_SUFFIXES and inside.name != "README.md":
            try:
                files[_name(path, inside)] = _storable(path, folder)
            except WorkflowErrors as wrong:
                errors += wrong.errors
    return files, errors or _too_large(folder, files)


def _found(folder: Path) -> tuple[list[Path], list[WorkflowError]]:
    """Every file, those left out at the top aside, and the inner folders that cannot be read."""
    paths, failed = list[Path](), list[OSError]()
    for home, folders, names in os.walk(folder, onerror=failed.append):
        left_out = LEFT_OUT if home == str(folder) else set[str]()
        folders[:] = [name for name in folders if name not in left_out]
        paths += [Path(home, name) for name in names if name not in left_out]
    reports = [(Report(error.filename), error) for error in failed]
    for report, error in reports:
        report.add(Position(), "", f"It cannot be read: {error.strerror}", "Check its permissions, or remove it")
    return sorted(paths), [one for report, _ in reports for one in report.errors]


def _too_large(folder: Path, files: dict[str, str]) -> list[WorkflowError]:
    size = sum(len(text.encode()) for text in files.values())
    if size <= MAX_CODE_BYTES:
        return []
    report = Report(str(folder / max(files, key=lambda name: len(files[name]))))
    said = f"This is the largest of the folder's files: {size:,} bytes together, and the limit is {MAX_CODE_BYTES:,}"
    report.add(Position(), "", said, _ELSEWHERE)
    return report.errors


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


def _storable(path: Path, folder: Path) -> str:
    report = Report(str(path))
    if not path.resolve().is_relative_to(folder.resolve()):
        # Whoever publishes may read more than whoever wrote the folder, and its code reads what a release holds.
        report.fail(Position(), "It is a link to a file outside of the folder", "Put a copy of the file in its place")
    if (size := path.stat().st_size) > MAX_CODE_BYTES:  # before it fills the memory
        said = f"It has {size:,} bytes, and the limit of all the folder's files together is {MAX_CODE_BYTES:,}"
        report.fail(Position(), said, _ELSEWHERE)
    text = text_of(path)
    before, found, _ = text.partition("\0")
    if found:
        remedy = "Remove it, or keep the file out of the folder"
        report.fail(Position.after(before), "The character U+0000 cannot be stored", remedy)
    return text
