"""The files of a workflow's folder: what cannot be read exactly as it stands is refused by its name and place."""

import json
from pathlib import Path
from typing import Any

from audit.canonical import BadJSON, read_strict
from orchestrator.workflows.catalogue import LARGEST_BYTES
from orchestrator.workflows.errors import Position, Report


def text_of(path: Path) -> str:
    """Raises WorkflowErrors where it cannot be read, or is no text in UTF-8."""
    report = Report(str(path))
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        report.fail(Position(), f"It cannot be read: {error.strerror}", "Check the path and its permissions")
    except UnicodeDecodeError as error:
        where = Position.after(error.object[: error.start].decode(errors="replace"))
        remedy = "Save it as UTF-8, or keep it out of the folder"
        report.fail(where, f"Byte {error.start + 1} is no UTF-8", remedy)


def json_of(path: Path) -> Any:
    """What a JSON file says to every reader alike; a byte order mark, as some editors write one, says nothing.

    Raises WorkflowErrors.
    """
    text = text_of(path).removeprefix("\ufeff")
    try:
        return read_strict(text.encode(), max_bytes=LARGEST_BYTES)
    except BadJSON as error:
        Report(str(path)).fail(_place_of_slip(text), str(error), "Correct the file")


def _place_of_slip(text: str) -> Position:
    """Where JSON ends to be JSON. What only a strict reader refuses has no place of its own."""
    try:
        # Only the place is wanted: long numbers are not counted.
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        return Position(error.lineno, error.colno)
    except RecursionError:
        pass
    return Position()
