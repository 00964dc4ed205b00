"""Which rows of a trace a page shows: at most two hundred, every error path at once, the rest opened on request."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from orchestrator.queries.costs import Cost, added
from orchestrator.queries.trace_parts import ERROR
from orchestrator.queries.traces import FIRST_PAGE, Node, Trace

VIEWS = {"tree": "Tree", "hot": "Hot path", "errors": "Errors only", "tools": "By tool"}
# A thousandth of the drawing's width: thinner bars cannot be seen.
WIDTH = 1000
DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Row:
    """A part as a line of the waterfall. `left` and `wide` are thousandths of the whole."""

    node: Node
    depth: int
    left: int
    wide: int
    took: timedelta | None
    share: int = 0


@dataclass(frozen=True, slots=True)
class More:
    """The line after the last shown child of a part: how many are left, and after which one they begin."""

    node: Node
    depth: int
    left_out: int
    after: int


@dataclass(frozen=True, slots=True)
class ToolRow:
    kind: str
    name: str
    calls: int
    errors: int
    took: timedelta
    cost: Cost


def first_page(trace: Trace, top: Node | None = None) -> list[Row | More]:
    """From the root or another part down: error paths first, then level by level, until the page is full."""
    top = top or trace.root
    chosen = {top.part.id}
    for node in top.walk():
        if node.part.state == ERROR and len(chosen) < FIRST_PAGE:
            _with_ancestors(trace, node, top, chosen)
    queue = deque([top])
    while queue and len(chosen) < FIRST_PAGE:
        node = queue.popleft()
        for child in node.children:
            if len(chosen) >= FIRST_PAGE:
                break
            chosen.add(child.part.id)
            queue.append(child)
    return _lines(trace, top, chosen)


def _with_ancestors(trace: Trace, node: Node, top: Node, chosen: set[UUID]) -> None:
    path = []
    while node.part.id not in chosen:
        path.append(node.part.id)
        parent = trace.nodes.get(node.part.parent_id) if node.part.parent_id else None
        if parent is None or node is top:
            break
        node = parent
    if len(chosen) + len(path) <= FIRST_PAGE:
        chosen.update(path)


def _lines(trace: Trace, top: Node, chosen: set[UUID]) -> list[Row | More]:
    lines: list[Row | More] = []
    stack: list[tuple[Node, int] | More] = [(top, 0)]
    while stack:
        item = stack.pop()
        if isinstance(item, More):
            lines.append(item)
            continue
        node, depth = item
        shown = [child for child in node.children if child.part.id in chosen]
        # Left out are those after the last shown in a row; one shown for its error alone does not count as the last.
        whole = 0
        while whole < len(node.children) and node.children[whole].part.id in chosen:
            whole += 1
        left_out = len(node.children) - len(shown)
        lines.append(_row(trace, node, depth))
        if left_out:
            stack.append(More(node, min(depth + 1, DEEPEST), left_out, whole))
        stack.extend((child, depth + 1) for child in reversed(shown))
    return lines


def children(trace: Trace, node: Node, *, after: int, depth: int) -> list[Row | More]:
    """The next two hundred children of a part; those that the first page showed for their error are told again."""
    some = node.children[after : after + FIRST_PAGE]
    lines: list[Row | More] = []
    for child in some:
        lines.append(_row(trace, child, depth))
        if child.children:
            lines.append(More(child, min(depth + 1, DEEPEST), len(child.children), 0))
    left = len(node.children) - after - len(some)
    return [*lines, More(node, min(depth, DEEPEST), left, after + len(some))] if left > 0 else lines


def hot_path(trace: Trace) -> list[Row | More]:
    """From the root, always into the part that ended last: what made it take as long as it did.

    A moment took no time, and an end that nobody knows is not the last one: such parts are on no path (see `beside`).
    """
    return [_row(trace, node, depth) for depth, node in enumerate(_hot(trace))]


def beside(trace: Trace) -> int:
    """How many parts the hot path passes by because they have no times of their own."""
    return sum(_time(trace, child) is None for node in _hot(trace) for child in node.children)


def _hot(trace: Trace) -> list[Node]:
    ends: dict[UUID, datetime | None] = {}
    for node in reversed(list(trace.root.walk())):
        below = [end for child in node.children if (end := ends[child.part.id])]
        # What has no time of its own is only a way to what has.
        ends[node.part.id] = trace.end_of(node.part) if _time(trace, node) else max(below, default=None)
    path = [trace.root]
    while timed := [(end, child) for child in path[-1].children if (end := ends[child.part.id])]:
        path.append(max(timed, key=lambda one: (one[0], one[1].part.started_at))[1])
    return path


def _time(trace: Trace, node: Node) -> timedelta | None:
    """How long a part took. None for a moment, and where nobody knows its end."""
    end = trace.end_of(node.part)
    return end - node.part.started_at if end and end > node.part.started_at else None


def errors_only(trace: Trace) -> list[Row | More]:
    chosen: set[UUID] = {trace.root.part.id}
    for node in trace.root.walk():
        if node.part.state == ERROR:
            _with_ancestors(trace, node, trace.root, chosen)
    return [line for line in _lines(trace, trace.root, chosen) if isinstance(line, Row)]


def by_tool(trace: Trace) -> list[ToolRow]:
    groups: dict[tuple[str, str], list[Node]] = {}
    for node in trace.root.walk():
        if node.part.kind not in {"execution", "step", "policy", "decision"}:
            groups.setdefault(
                (node.part.kind, node.part.name if node.part.kind != "approval" else "people's answers"), []
            ).append(node)
    rows = [_tool_row(trace, kind, name, nodes) for (kind, name), nodes in groups.items()]
    return sorted(rows, key=lambda row: (-row.took, row.name))


def _tool_row(trace: Trace, kind: str, name: str, nodes: Iterable[Node]) -> ToolRow:
    nodes = list(nodes)
    took = sum((_time(trace, node) or timedelta() for node in nodes), timedelta())
    errors = sum(node.part.state == ERROR for node in nodes)
    return ToolRow(kind, name, len(nodes), errors, took, added([node.own for node in nodes]))


def _row(trace: Trace, node: Node, depth: int) -> Row:
    part, scale = node.part, WIDTH / trace.seconds
    left = max(0, (part.started_at - trace.started_at).total_seconds())
    took = _time(trace, node)
    wide = max(0.0, took.total_seconds()) if took else 0.0
    return Row(
        node=node,
        depth=min(depth, DEEPEST),
        left=min(WIDTH - 2, round(left * scale)),
        wide=max(2, min(WIDTH - round(left * scale), round(wide * scale))),
        took=took,
        share=round(100 * wide / trace.seconds),
    )
