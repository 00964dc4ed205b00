"""Where the nodes and arrows of a step graph go. Pure: needs in, columns and curves out.

Sizes are in sixteenths of a rem, the unit of the drawing's view box, so the drawing grows with the text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NODE_WIDTH, NODE_HEIGHT = 176, 52
GAP_X, GAP_Y = 28, 14
# As many columns as fit beside the navigation on a small laptop; a longer way goes on in a new line, which costs margins.
WIDEST, WRAPPED, LINE_GAP = 5, 4, 28


@dataclass(frozen=True)
class Place:
    """The top left corner of a node."""

    key: str
    x: float
    y: float


@dataclass(frozen=True)
class Arrow:
    """A curve from one node's end to another's start."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Layout:
    """A finished drawing."""

    width: int
    height: int
    places: tuple[Place, ...]
    arrows: tuple[Arrow, ...]


def layout(needs: Mapping[str, Sequence[str]]) -> Layout:
    """Columns by longest way from the start, each centred; unknown needs are ignored."""
    known = {key: [need for need in wanted if need in needs] for key, wanted in needs.items()}
    columns = _columns(known)
    a_line = len(columns) if len(columns) <= WIDEST else WRAPPED
    lines = [columns[at : at + a_line] for at in range(0, len(columns), a_line or 1)]
    margin = GAP_X if len(lines) > 1 else 0
    places: dict[str, Place] = {}
    lanes: dict[str, float] = {}
    top = 0
    for line in lines:
        height = max(map(len, line)) * (NODE_HEIGHT + GAP_Y) - GAP_Y
        for index, column in enumerate(line):
            for place in _stack(column, margin + index * (NODE_WIDTH + GAP_X), top, height):
                places[place.key], lanes[place.key] = place, top - LINE_GAP / 2
        top += height + LINE_GAP
    arrows = [_arrow(need, key, places, lanes) for key in known for need in known[key]]
    width = a_line * (NODE_WIDTH + GAP_X) - GAP_X + 2 * margin if columns else 0
    return Layout(width, max(top - LINE_GAP, 0), tuple(places.values()), tuple(arrows))


def _arrow(source: str, target: str, places: Mapping[str, Place], lanes: Mapping[str, float]) -> Arrow:
    """Within a line a curve; into another line around what stands between, through the lane above it."""
    one, two = places[source], places[target]
    path = _curve(one, two) if lanes[source] == lanes[target] else _around(one, two, lanes[target])
    return Arrow(source, target, path)


def _columns(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    depth: dict[str, int] = {}

    def of(key: str, path: frozenset[str]) -> int:
        if key not in depth:
            above = [of(need, path | {key}) for need in needs[key] if need not in path | {key}]
            depth[key] = 1 + max(above, default=-1)
        return depth[key]

    for key in needs:
        of(key, frozenset())
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for key in needs:
        columns[depth[key]].append(key)
    return columns


def _stack(column: list[str], x: float, top: float, height: int) -> list[Place]:
    pitch = NODE_HEIGHT + GAP_Y
    first = top + (height - (len(column) * pitch - GAP_Y)) / 2
    return [Place(key, x, first + row * pitch) for row, key in enumerate(column)]


def _curve(source: Place, target: Place) -> str:
    x1, y1 = source.x + NODE_WIDTH, source.y + NODE_HEIGHT / 2
    x2, y2 = target.x - 5, target.y + NODE_HEIGHT / 2
    if y1 == y2:
        return f"M{x1:g} {y1:g}H{x2:g}"
    bend = x2 - GAP_X / 2
    return f"M{x1:g} {y1:g}H{bend - 8:g}C{bend:g} {y1:g} {bend:g} {y2:g} {bend + 8:g} {y2:g}H{x2:g}"


def _around(source: Place, target: Place, lane: float) -> str:
    x1, y1 = source.x + NODE_WIDTH, source.y + NODE_HEIGHT / 2
    x2, y2 = target.x - 5, target.y + NODE_HEIGHT / 2
    return f"M{x1:g} {y1:g}H{x1 + GAP_X / 2:g}V{lane:g}H{target.x - GAP_X / 2:g}V{y2:g}H{x2:g}"


SPARK_WIDTH, SPARK_HEIGHT = 156, 24


def spark(points: Sequence[float | None]) -> list[str]:
    """The pieces of a small line over levels from 0 to 1: a gap where nothing is known, a short dash for a lone point."""
    step = SPARK_WIDTH / max(len(points) - 1, 1)
    pieces: list[list[str]] = [[]]
    for place, level in enumerate(points):
        if level is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{place * step:g},{spark_height(level):g}")
    return [" ".join(piece if len(piece) > 1 else piece * 2) for piece in pieces if piece]


def spark_height(level: float) -> float:
    """Upside down, and a stroke's width away from the edges."""
    return round(SPARK_HEIGHT - 2 - level * (SPARK_HEIGHT - 4), 1)
