"""Failure groups: the list with counts and the trend of a day, and one group with what its letters have in common."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet

from audit import scope
from audit.actors import Actor
from audit.queries import Keyset, Slice, Story, counted, story, visible_or_refuse
from orchestrator.engine.dead_letters.filing import COMMON
from orchestrator.models import DeadLetter, Execution, FailureGroup, Operation, Release
from orchestrator.queries.work import units_to_choose
from orchestrator.statuses import DeadLetterStatus, GroupStatus

LATEST_FIRST = Keyset(("-seen_at", "-id"))
LETTERS_FIRST = Keyset(("-last_at", "-id"))
OPEN = [DeadLetterStatus.OPEN, DeadLetterStatus.REDRIVEN]
HOURS = 24
MOST_VALUES = 8
# In the order in which they ask for somebody.
TABS = ["new", "escalating", "regressed", "ongoing", "parked", "fixed"]

_TREND = f"""
SELECT group_id, {HOURS - 1} - floor(extract(epoch FROM clock_timestamp() - last_at) / 3600)::int AS hour, count(*)
FROM orchestrator_deadletter
WHERE group_id = ANY (%s) AND last_at > clock_timestamp() - interval '{HOURS} hours'
GROUP BY group_id, hour
"""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group with the figures of its letters."""

    group: FailureGroup
    open: int
    total: int
    first_at: datetime | None
    last_at: datetime | None
    trend: list[int]
    # Units, this one included, in which the reader sees a group of the same cause.
    units: int


@dataclass(frozen=True, slots=True)
class GroupList:
    rows: list[GroupRow]
    slice: Slice
    total: str
    # How many groups each tab has.
    counts: dict[str, int]


def group_list(
    actor: Actor, *, tab: str = "", unit: str = "", owner: str = "", after: str = "", before: str = ""
) -> GroupList:
    """Groups that the reader may see, the one that failed last on top. Without a tab: all that somebody has to look at."""
    mine = FailureGroup.objects.visible_to(actor)
    wanted = {"unit_id": unit, "owner": owner}
    mine = mine.filter(**{name: value for name, value in wanted.items() if value})
    counts = Counter(dict(_asking(mine).order_by().values_list("status").annotate(n=Count("id"))))
    rows = _asking(mine).filter(status=tab) if tab in TABS else _asking(mine.active())
    found = LATEST_FIRST.slice(rows, after=after, before=before)
    return GroupList(rows_of(found.rows, actor), found, counted(rows), {name: counts[name] for name in TABS})


def _asking(groups: QuerySet[FailureGroup]) -> QuerySet[FailureGroup]:
    """A group whose letters have all ended asks for nobody, unless a person's word about it stands."""
    left = DeadLetter.objects.filter(group=OuterRef("pk"), status__in=OPEN)
    said = Q(status__in=[GroupStatus.PARKED, GroupStatus.FIXED])
    return groups.filter(said | Exists(left)).exclude(status=GroupStatus.MERGED)


def rows_of(groups: Iterable[FailureGroup], actor: Actor) -> list[GroupRow]:
    """Figures of these groups: three statements, however many they are."""
    groups = list(groups)
    ids = [group.pk for group in groups]
    figures: dict[UUID, Any] = {row["group_id"]: row for row in DeadLetter.objects.filter(group__in=ids).order_by().values(
        "group_id").annotate(total=Count("id"), open=Count("id", filter=Q(status__in=OPEN)),
                             first=Min("first_at"), last=Max("last_at"))}  # fmt: skip
    trends, units = _trends(ids), _units(groups, actor)
    none: dict[str, Any] = {"total": 0, "open": 0, "first": None, "last": None}
    return [
        GroupRow(group, row["open"], row["total"], row["first"], row["last"], trends[group.pk],
                 units.get(group.fingerprint, 1))
        for group in groups
        if (row := figures.get(group.pk, none))
    ]  # fmt: skip


def _trends(ids: list[UUID]) -> dict[UUID, list[int]]:
    """Letters by the hour in which they last failed, the hour that runs last."""
    found: dict[UUID, list[int]] = defaultdict(lambda: [0] * HOURS)
    with connection.cursor() as cursor:
        cursor.execute(_TREND, [ids])
        for pk, hour, number in cursor.fetchall():
            found[pk][max(0, min(hour, HOURS - 1))] += number
    return found


def _units(groups: list[FailureGroup], actor: Actor) -> dict[str, int]:
    same = FailureGroup.objects.visible_to(actor).filter(fingerprint__in={group.fingerprint for group in groups})
    return dict(same.order_by().values_list("fingerprint").annotate(n=Count("unit_id", distinct=True)))


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the list can be narrowed to."""
    rows = FailureGroup.objects.visible_to(actor).order_by()
    owners = sorted(rows.exclude(owner="").values_list("owner", flat=True).distinct()[:200])
    return {"unit": units_to_choose(actor), "owner": [(owner, owner) for owner in owners]}


# --- One group ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """A value that some letters have in common, and whether the group can be split by it."""

    text: str
    raw: str
    count: int
    splits: bool


@dataclass(frozen=True, slots=True)
class Common:
    """One thing that letters can be told apart by, with its most frequent values."""

    name: str
    label: str
    values: list[Value]

    @property
    def caption(self) -> str:
        return f"Letters by {self.label.lower()}"


@dataclass(frozen=True, slots=True)
class GroupPage:
    row: GroupRow
    tab: str
    may_operate: bool
    letters: list[DeadLetter]
    slice: Slice
    executions: list[Execution]
    common: list[Common]
    story: Story | None
    operations: list[Operation]
    # The same cause in other units the reader sees, and other groups of this unit it could be merged into.
    elsewhere: list[FailureGroup]
    others: list[FailureGroup]
    releases: list[Release]

    @property
    def group(self) -> FailureGroup:
        return self.row.group

    @property
    def waiting(self) -> int:
        """Open letters: those that an operation on all of them would freeze."""
        return self.row.open

    @property
    def version(self) -> str:
        last = self.row.last_at.isoformat() if self.row.last_at else ""
        states = ".".join(operation.status for operation in self.operations)
        return f"{self.group.status}.{self.row.open}.{self.row.total}.{self.group.taken_by_id}.{last}.{states}"


def group_page(actor: Actor, group_id: UUID, *, tab: str, after: str = "", before: str = "") -> GroupPage:
    """Everything one tab of a group's page shows. Raises NotVisible."""
    rows = FailureGroup.objects.visible_to(actor).select_related("merged_into", "split_from", "fixed_in")
    group: FailureGroup = visible_or_refuse(rows.defer("fixed_in__bundle"), group_id, "group of failures")
    row = rows_of([group], actor)[0]
    may = group.unit_id in scope.unit_ids(actor, "operate")
    found = _letters(group, after, before) if tab == "letters" else Slice([])
    return GroupPage(
        row=row,
        tab=tab,
        may_operate=may,
        letters=found.rows,
        slice=found,
        executions=_executions(group) if tab == "executions" else [],
        common=_common(group, row.total) if tab == "values" else [],
        story=story([group.stream], names={group.pk: str(group)}, limit=300) if tab == "history" else None,
        operations=list(group.operations.order_by("-created_at", "-id")[:10]),
        elsewhere=_elsewhere(group, actor) if row.units > 1 else [],
        others=_others(group) if may and group.is_active else [],
        releases=_releases(group) if may else [],
    )


def _letters(group: FailureGroup, after: str, before: str) -> Slice:
    rows = group.letters.select_related("execution", "step").defer(
        "evidence", "execution__input", "step__input", "step__output"
    )
    return LETTERS_FIRST.slice(rows, after=after, before=before)


def _executions(group: FailureGroup) -> list[Execution]:
    letters = DeadLetter.objects.filter(group=group)
    rows = Execution.objects.filter(dead_letters__in=letters).distinct().select_related("release")
    return list(rows.defer("input", "output", "envelope", "release__bundle").newest_first()[:50])


def _common(group: FailureGroup, total: int) -> list[Common]:
    found = []
    for name, (label, path) in COMMON.items():
        rows = group.letters.order_by().values_list(path).annotate(n=Count("id")).order_by("-n", path)
        values = [(str(value), number) for value, number in rows[:MOST_VALUES]]
        shown = _shown(name, [value for value, _ in values])
        found.append(Common(name, label, [
            Value(shown.get(raw, raw), raw, number, splits=number < total and raw != group.fingerprint and len(raw) <= 500)
            for raw, number in values
        ]))  # fmt: skip
    return found


def _shown(name: str, values: list[str]) -> dict[str, str]:
    """What ids stand for."""
    if name == "release":
        return {str(one.pk): str(one) for one in Release.objects.filter(pk__in=values).defer("bundle")}
    if name == "cause":
        rows = FailureGroup.objects.filter(fingerprint__in=values, split_from=None)
        return dict(rows.values_list("fingerprint", "pattern"))
    return {}


def _elsewhere(group: FailureGroup, actor: Actor) -> list[FailureGroup]:
    same = FailureGroup.objects.visible_to(actor).filter(fingerprint=group.fingerprint, split_from=None)
    return list(same.exclude(unit_id=group.unit_id).order_by("unit_title")[:20])


def _others(group: FailureGroup) -> list[FailureGroup]:
    same_unit = FailureGroup.objects.active().filter(unit_id=group.unit_id).exclude(pk=group.pk)
    return list(same_unit.order_by("-seen_at", "-id")[:50])


def _releases(group: FailureGroup) -> list[Release]:
    workflows = group.letters.order_by().values("execution__workflow").distinct()
    rows: Any = Release.objects.filter(workflow__in=workflows).defer("bundle").order_by("-created_at")
    return list(rows[:20])
