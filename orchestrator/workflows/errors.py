"""What is wrong with a file: where, what, and what to do about it. Collected, so that one run shows everything."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol


class Placed(Protocol):
    """Anything with a position in the file; both count from 1."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the file."""

    line: int = 1
    column: int = 1

    @classmethod
    def after(cls, text: str) -> "Position":
        """Of what follows this beginning of a file."""
        return cls(text.count("\n") + 1, len(text) - text.rfind("\n"))


@dataclass(frozen=True, slots=True)
class WorkflowError:
    """One mistake. Its text is one line, whatever the file holds."""

    file: str
    line: int
    column: int
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        said = ". ".join(part.rstrip(".") for part in (self.message, self.remedy) if part)
        end = "" if said.endswith("?") else "."
        return f"{_one_line(self.file)}:{self.line}:{self.column}: {_one_line(said)}{end}"


class WorkflowErrors(Exception):
    """Every mistake found, in the order of the file."""

    def __init__(self, errors: Iterable[WorkflowError]) -> None:
        self.errors = tuple(sorted(dict.fromkeys(errors), key=lambda error: (error.file, error.line, error.column)))
        super().__init__("\n".join(map(str, self.errors)))


@dataclass(slots=True)
class Report:
    """The mistakes of one file so far."""

    file: str
    errors: list[WorkflowError] = field(default_factory=list)

    def add(self, where: Placed, path: str, message: str, remedy: str = "") -> None:
        """Note one mistake and go on."""
        self.errors.append(WorkflowError(self.file, where.line, where.column, path, message, remedy))

    def fail(self, where: Placed, message: str, remedy: str = "") -> NoReturn:
        """Note a mistake after which reading on makes no sense. Raises WorkflowErrors."""
        self.add(where, "", message, remedy)
        raise WorkflowErrors(self.errors)

    def stop_if_wrong(self) -> None:
        """Raise WorkflowErrors when anything was noted."""
        if self.errors:
            raise WorkflowErrors(self.errors)


@dataclass(frozen=True, slots=True)
class At:
    """A report together with the path being read."""

    report: Report
    path: str = ""

    def inside(self, name: str | int) -> "At":
        """The same report, one level deeper."""
        return At(self.report, f"{self.path}.{name}" if self.path else str(name))

    def refuse(self, where: Placed, message: str, remedy: str = "") -> None:
        """Note one mistake and go on."""
        self.report.add(where, self.path, message, remedy)


def _one_line(text: str) -> str:
    shown = text if len(text) <= 400 else f"{text[:400]}…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in shown)
