"""What CEL says about a text it cannot compile, in the words of the workflow file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

# fmt: off
FUNCTIONS: Final = (
    "all", "bool", "bytes", "contains", "double", "duration", "dyn", "endsWith", "exists", "exists_one", "filter",
    "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds",
    "getMinutes", "getMonth", "getSeconds", "has", "int", "map", "matches", "size", "startsWith", "string",
    "timestamp", "type", "uint",
)
# fmt: on

_PROBLEM = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR: | \[[A-Z_]+\]$|\Z)", re.DOTALL)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(
    r"no matching overloads?(?: found)?(?: for| :) '?_?([^\s'()]+?)_?'?(?: applied to '|)\((.*)\)", re.I
)
_NO_OVERLOAD = re.compile(r"No matching overloads found : <?_?([^\s_<>]+)")
_INSTEAD: Final = {"and": "&&", "or": "||", "not": "!", "=": "==", "is": "=="}


@dataclass(frozen=True, slots=True)
class Problem:
    """One static error: what is wrong, where in the source (both from 1), and what to write instead."""

    message: str
    line: int
    column: int
    remedy: str = ""
    undeclared: str = ""

    def __str__(self) -> str:
        remedy = f". {self.remedy}" if self.remedy else ""
        return f"line {self.line}, column {self.column}: {self.message}{remedy}"


class BadCondition(ValueError):
    """The text cannot be compiled. `problems` holds every static error, in order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def problems_in(source: str, said: str, known: Mapping[str, str]) -> list[Problem]:
    """The compiler's complaint, problem by problem. `known` are the declared names."""
    found = []
    for line, column, text in _PROBLEM.findall(said):
        found.append(_problem(source, max(int(line), 1), max(int(column), 1), text, known))
        if text.startswith("Syntax error"):
            break  # what follows is fallout
    # One misspelt name read twice by a macro is one mistake.
    return list(dict.fromkeys(found)) or [Problem(speak(said.split("\n", maxsplit=1)[0])[:200], 1, 1)]


def speak(said: str) -> str:
    """CEL's own message without its codes."""
    text = re.sub(r"^(?:[A-Z_]+: )+|\s*\[[A-Z_]+\]$", "", said.strip())
    if found := re.search(r'No value with name "(.*?)" found', text):
        return f"`{found[1]}` has no value"
    if found := re.search(r"Key not found in map : (.*)", text):
        return f"there is no {found[1]}"
    if found := _OVERLOAD.search(text):
        return f"`{found[1]}` does not take ({found[2].replace('int64', 'int').replace('null_type', 'null')})"
    if found := _NO_OVERLOAD.search(text):
        return f"`{'?:' if found[1] == 'jump' else found[1]}` takes only true or false"
    return text


def _problem(source: str, line: int, column: int, text: str, known: Mapping[str, str]) -> Problem:
    undeclared = _UNDECLARED.search(text)
    if undeclared:
        return _unknown_name(source, line, column, undeclared[1], known)
    word, message = _syntax(text)
    remedy = f"Write `{_INSTEAD[word]}`" if word in _INSTEAD else ""
    if "type(" in message:
        remedy = "Names of types are words of the language: write `input.type` or `steps.key.type`"
    return Problem(message, line, column, remedy)


def _unknown_name(source: str, line: int, column: int, name: str, known: Mapping[str, str]) -> Problem:
    row = source.split("\n")[line - 1]
    root = name.partition(".")[0]
    # CEL points at the bracket of a call and at the last dot of a path; people look for the word.
    start = row.rfind(root, 0, column + len(root) - 1)
    column = start + 1 if start >= 0 else column
    if re.match(rf"{re.escape(root)}\s*\(", row[column - 1 :]):
        close = get_close_matches(root, FUNCTIONS, n=1)
        message = f"there is no function `{root}` for these arguments"
        return Problem(message, line, column, f"Did you mean `{close[0]}`?" if close and close[0] != root else "")
    close = get_close_matches(root, known, n=1)
    remedy = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(sorted(known)) or 'nothing'}"
    return Problem(f"unknown name `{root}`", line, column, remedy, undeclared=root)


def _syntax(text: str) -> tuple[str, str]:
    """The offending word, and the message in our words."""
    text = text.removeprefix("Syntax error: ")
    if "'<EOF>'" in text and "expecting" in text:
        return "", "it ends too early"
    if found := re.match(r"(?:mismatched|extraneous) input '(.*?)' expecting", text, re.DOTALL):
        return found[1], f"`{found[1]}` cannot stand here"
    if found := re.match(r"token recognition error at: '(.*)'?", text, re.DOTALL):
        word = found[1].rstrip("'").strip()
        return word, f"`{word}` cannot be read"
    return "", speak(text)
