"""One trace as a tree: what triggered it, what it spawned, what every part took and cost, with its whole subtree."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet

from audit import scope
from audit.actors import Actor
from audit.models import Span
from audit.refusals import NotVisible
from orchestrator.models import Action, Execution
from orchestrator.queries.costs import Cost, added
from orchestrator.queries.trace_parts import ERROR, MOST_PARTS, Part, Spent, parts_of, spent_on

FIRST_PAGE = 200


@dataclass(slots=True)
class Node:
    """A part in its place. `own` is what the ledger says of it, `whole` of it and everything below it."""

    part: Part
    depth: int = 0
    children: list["Node"] = field(default_factory=list)
    own: Cost = field(default_factory=Cost)
    whole: Cost = field(default_factory=Cost)
    errors: int = 0
    size: int = 1

    def walk(self) -> Iterator["Node"]:
        """Itself and everything below, in the order of the page. No recursion: traces may be deep."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole trace, as far as the reader may see it. `withheld` parts belong to units the reader may not see."""

    id: UUID
    root: Node
    nodes: dict[UUID, Node]
    executions: list[Execution]
    withheld: int
    cut: bool
    now: datetime
    # From the first beginning to the last end; what still runs ends now.
    seconds: float
    # Nothing goes on in it any more: what has no end here was never reported to have ended.
    is_over: bool = False

    @property
    def started_at(self) -> datetime:
        return self.root.part.started_at

    @property
    def took(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    def end_of(self, part: Part) -> datetime | None:
        """None where nobody knows it."""
        return part.ended_at or (None if self.is_over else self.now)

    @property
    def is_live(self) -> bool:
        return any(not execution.is_final for execution in self.executions)

    @property
    def version(self) -> str:
        return f"{len(self.nodes)}.{sum(node.part.ended_at is not None for node in self.nodes.values())}"


def trace(actor: Actor, trace_id: UUID, *, now: datetime) -> Trace:
    """Raises NotVisible: there is no such trace, or none of it is the reader's to see."""
    runs = list(executions_of(trace_id))
    seen = scope.unit_ids(actor, "view")
    shown = [run for run in runs if run.unit_id in seen]
    parts = parts_of(trace_id, [run.pk for run in shown], seen)
    mine = [part for part in parts if part.unit_id in seen]
    if not mine:
        raise NotVisible("There is no such trace.")
    ids = [run.pk for run in shown]
    # Who only sent spans under an id of others learns nothing by it, not even that it is one.
    is_only_reported = all(part.note == "reported" for part in mine)
    withheld = 0 if is_only_reported else len(parts) - len(mine) + len(runs) - len(shown)
    spent = spent_on(mine[:MOST_PARTS], ids)
    root, nodes = _tree(mine[:MOST_PARTS], spent)
    is_over = root.part.ended_at is not None and all(run.is_final for run in shown)
    ends = [node.part.ended_at or now for node in nodes.values() if node.part.ended_at or not is_over]
    seconds = max((max(ends) - root.part.started_at).total_seconds(), 0.000_001)
    return Trace(trace_id, root, nodes, shown, withheld, len(mine) > MOST_PARTS, now, seconds, is_over)


def executions_of(trace_id: UUID) -> QuerySet[Execution]:
    """A trace is named by the execution that began it, or by the id that came in its envelope."""
    joined = Q(trace_id=trace_id) & ~Q(trace_id=F("id"))
    rows = Execution.objects.filter(Q(pk=trace_id, trace_id=trace_id) | joined).select_related("release")
    return rows.defer("input", "output", "release__bundle").order_by("created_at", "id")


def trace_id_of(record_id: UUID) -> UUID | None:
    """The trace that an execution, a call or a reported span belongs to."""
    if run := Execution.objects.trace_of(record_id):
        return run
    action = Action.objects.filter(pk=record_id).values_list("execution_id", "trace_id").first()
    if action is not None:
        # The run that it names may be another system's.
        return Execution.objects.trace_of(action[0]) or action[1] or record_id
    return Span.objects.filter(pk=record_id).values_list("trace_id", flat=True).first()


def _tree(parts: list[Part], spent: Iterable[Spent]) -> tuple[Node, dict[UUID, Node]]:
    """Every part under its parent; what names a parent that is not here, or itself in a circle, hangs from the root."""
    nodes = {part.id: Node(part) for part in parts}
    root = next((node for node in nodes.values() if node.part.parent_id not in nodes), next(iter(nodes.values())))
    for node in nodes.values():
        if node is root:
            continue
        parent = nodes.get(node.part.parent_id) if node.part.parent_id else None
        (parent if parent is not None and parent is not node else root).children.append(node)
    order = list(root.walk())
    reached = {node.part.id for node in order}
    for node in nodes.values():
        if node.part.id not in reached:
            # A circle: nothing of it is reached from the root, so it is cut at its earliest part.
            _cut(node, nodes)
            root.children.append(node)
            reached.update(found.part.id for found in node.walk())
    _count(root, list(root.walk()), spent)
    return root, nodes


def _cut(node: Node, nodes: dict[UUID, Node]) -> None:
    parent = nodes.get(node.part.parent_id) if node.part.parent_id else None
    if parent is not None:
        parent.children = [child for child in parent.children if child is not node]


def _count(root: Node, order: list[Node], spent: Iterable[Spent]) -> None:
    """Depths downwards, then sums upwards. What the ledger says of no part here stands at the root."""
    for node in order:
        for child in node.children:
            child.depth = node.depth + 1
    known = {node.part.id: node for node in order}
    lines: dict[UUID, list[Cost]] = defaultdict(list)
    for line in spent:
        lines[line.part if line.part in known else root.part.id].append(line.cost)
    for node in reversed(order):
        node.own = added(lines[node.part.id])
        node.whole = added([node.own, *(child.whole for child in node.children)])
        node.errors = (node.part.state == ERROR) + sum(child.errors for child in node.children)
        node.size = 1 + sum(child.size for child in node.children)
