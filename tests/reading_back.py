"""A review page read back: from what stands on it, and nothing else, the bytes that would be signed.

Rows come from a browser's DOM or from the HTML text; both give the same: group, path, kind, and the value in pieces,
of which some are characters the page has spelled out.
"""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

from audit.canonical import canonical

SPELLED = re.compile(r"\[U\+([0-9A-F]{4,6}) [^\]]*?(?: x(\d+))?\]")
EMPTY = {"(empty text)": "", "(empty object)": {}, "(empty list)": [], "(null)": None}
VOID = {"input", "br", "img", "meta", "link", "use"}

# The same rows out of a live page, each with whether it can be seen.
FROM_THE_DOM = """() => {
  const pieces = (place) => {
    const found = [];
    const walk = (node) => {
      if (node.nodeType === Node.TEXT_NODE) found.push([false, node.data]);
      else if (node.classList?.contains("char")) found.push([true, node.textContent]);
      else node.childNodes.forEach(walk);
    };
    walk(place);
    return found;
  };
  const seen = (place) => place.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && place.getBoundingClientRect().width > 0 && place.getBoundingClientRect().height > 0
    && place.scrollWidth <= place.clientWidth + 1;
  return [...document.querySelectorAll("[data-values] [data-value]")].map((row) => {
    const text = row.querySelector("[data-text]");
    return {
      group: row.closest("[data-values]").dataset.values,
      path: [...row.querySelectorAll("[data-path] > :is([data-name], [data-place])")].map(
        (part) => ["place" in part.dataset ? "place" : "name", pieces(part)]),
      kind: text.dataset.kind || row.querySelector("[data-kind]").textContent,
      pieces: pieces(text),
      seen: seen(text) && seen(row.querySelector("[data-path]")),
      foreign: row.querySelectorAll("a, button, form, img, iframe, script, style, input").length,
    };
  });
}"""


def snapshot_on(rows: list[dict[str, Any]]) -> str:
    """The canonical bytes that the rows of a page add up to."""
    whole: dict[str, Any] = {"arguments": {}, "record": None}
    for row in rows:
        place = [_step(kind, pieces) for kind, pieces in row["path"]]
        if row["group"] != "bound":
            place = [row["group"], *place]
        _put(whole, place, _value(row["kind"], _text(row["pieces"])))
    return canonical(_lists(whole))


def rows_in(html: str) -> list[dict[str, Any]]:
    """The rows of a page as the server sent it."""
    reader = _Reader()
    reader.feed(html)
    return reader.rows


def _text(pieces: list[list[Any]]) -> str:
    return "".join(_character(text) if spelled else text for spelled, text in pieces)


def _character(spelled: str) -> str:
    if spelled in {"↵", "[no name]"}:
        return ""  # the line end itself follows as text
    found = SPELLED.fullmatch(spelled)
    assert found, spelled
    return chr(int(found[1], 16)) * int(found[2] or 1)


def _step(kind: str, pieces: list[list[Any]]) -> str | int:
    text = _text(pieces)
    return int(text.removeprefix("item ")) - 1 if kind == "place" else text


def _value(kind: str, text: str) -> Any:
    if kind == "nothing":
        return EMPTY[text]
    if kind == "yes/no":
        return {"yes": True, "no": False}[text]
    return json.loads(text) if kind == "number" else text


class _Places(dict):
    """A list under construction: places by number."""


def _put(here: dict[Any, Any], path: list[str | int], value: Any) -> None:
    for step, following in pairwise(path):
        kind = _Places if isinstance(following, int) else dict
        if not isinstance(here.get(step), dict):
            here[step] = kind()
        here = here[step]
    assert path[-1] not in here or here[path[-1]] in ({}, None), path
    here[path[-1]] = value


def _lists(value: Any) -> Any:
    if isinstance(value, _Places):
        return [_lists(value[place]) for place in range(len(value))]
    return {name: _lists(part) for name, part in value.items()} if isinstance(value, dict) else value


class _Reader(HTMLParser):
    """Elements as a stack of attribute dicts; text goes to the innermost place that collects it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.stack: list[dict[str, Any]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        here = {"tag": tag, **dict(attrs)}
        if "data-value" in here:
            group = next(one["data-values"] for one in reversed(self.stack) if "data-values" in one)
            self.rows.append({"group": group, "path": [], "kind": "", "pieces": []})
        if self.rows:
            self._open(here)
        if tag not in VOID:
            self.stack.append(here)

    def _open(self, here: dict[str, Any]) -> None:
        if "data-name" in here or "data-place" in here:
            self.rows[-1]["path"].append(["place" if "data-place" in here else "name", []])
        if here.get("data-kind"):
            self.rows[-1]["kind"] = here["data-kind"]
        if any("data-value" in one for one in self.stack):
            self.tags.add(here["tag"])

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop()["tag"] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any("data-value" in one for one in self.stack):
            return
        spelled = any(one.get("class") == "char" for one in self.stack)
        if any("data-name" in one or "data-place" in one for one in self.stack):
            self.rows[-1]["path"][-1][1].append([spelled, data])
        elif any("data-text" in one for one in self.stack):
            self.rows[-1]["pieces"].append([spelled, data])
        elif any("data-kind" in one for one in self.stack):
            self.rows[-1]["kind"] += data
