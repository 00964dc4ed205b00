"""The files of a workflow's folder: what cannot be read exactly as it stands is refused by its name."""

from pathlib import Path
from typing import Any

from audit.canonical import BadJSON, read_strict
from audit.refusals import Invalid
from orchestrator.workflows.catalogue import LARGEST_BYTES


def text_of(path: Path) -> str:
    """Raises Invalid where it cannot be read, or is no text in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(
            f"{path}: it cannot be read: {error.strerror}.", remedy="Check the path and its permissions."
        ) from None
    except UnicodeDecodeError as error:
        remedy = "Save it as UTF-8, or keep it out of the folder."
        raise Invalid(f"{path}: byte {error.start + 1} is no UTF-8.", remedy=remedy) from None


def json_of(path: Path) -> Any:
    """What a JSON file says to every reader alike; a byte order mark, as some editors write one, says nothing. Raises Invalid."""
    text = text_of(path).removeprefix("\ufeff")
    try:
        return read_strict(text.encode(), max_bytes=LARGEST_BYTES)
    except BadJSON as error:
        raise Invalid(f"{path}: {error}") from None
