"""Dead letters: the list, and one letter with all that is known about why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from audit import scope
from audit.actors import Actor
from audit.canonical import digest
from audit.queries import Keyset, Slice, Story, counted, story, visible_or_refuse
from orchestrator.engine.dead_letters.letters import why_not_again
from orchestrator.models import Attempt, DeadLetter, StepPatch
from orchestrator.operations.executions import refuse_unless_operator
from orchestrator.operations.patches import current_input
from orchestrator.queries.behind import Behind, letters_behind
from orchestrator.queries.failure_record import FailureRecord, record_of
from orchestrator.queries.work import units_to_choose
from orchestrator.statuses import DeadLetterStatus

NEWEST_FIRST = Keyset(("-last_at", "-id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilters:
    """What the list is narrowed to."""

    status: str = ""
    failure: str = ""
    unit: str = ""
    owner: str = ""
    since: datetime | None = None
    q: str = ""
    behind: Behind | None = None


@dataclass(frozen=True, slots=True)
class LetterList:
    rows: list[DeadLetter]
    slice: Slice
    total: str


def letter_list(actor: Actor, filters: LetterFilters, *, after: str = "", before: str = "") -> LetterList:
    rows = narrowed(DeadLetter.objects.visible_to(actor), filters)
    shown = rows.select_related("execution", "step").defer(
        "evidence", "execution__input", "step__input", "step__output"
    )
    found = NEWEST_FIRST.slice(shown, after=after, before=before)
    return LetterList(found.rows, found, counted(rows))


def narrowed(rows: QuerySet[DeadLetter], filters: LetterFilters) -> QuerySet[DeadLetter]:
    wanted = {
        "status": filters.status,
        "failure_class": filters.failure,
        "unit_id": filters.unit,
        "owner": filters.owner,
        "last_at__gte": filters.since,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if filters.behind:
        rows = letters_behind(rows, filters.behind)
    return rows.filter(Q(message__icontains=filters.q) | Q(component__icontains=filters.q)) if filters.q else rows


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer."""
    rows = DeadLetter.objects.visible_to(actor).order_by()
    owners = sorted(rows.exclude(owner="").values_list("owner", flat=True).distinct()[:200])
    return {"unit": units_to_choose(actor), "owner": [(owner, owner) for owner in owners]}


@dataclass(frozen=True, slots=True)
class LetterPage:
    letter: DeadLetter
    attempts: list[Attempt]
    story: Story
    alike: int
    may_operate: bool
    record: FailureRecord
    # Why the step must not run again, or empty.
    against: str

    @property
    def is_open(self) -> bool:
        return bool(self.letter.status == DeadLetterStatus.OPEN)

    @property
    def may_patch(self) -> bool:
        """A person's decision has no input, and a compensation is given no other one; the rest is judged when it is patched."""
        has_input = self.letter.step.kind != "approval" and not self.letter.execution.is_undo
        return self.is_open and self.may_operate and not self.against and has_input

    @property
    def version(self) -> str:
        return f"{self.letter.status}.{len(self.story.entries)}"


@dataclass(frozen=True, slots=True)
class PatchPage:
    """What one patches: the letter, the input as it is now, and the versions it has had."""

    letter: DeadLetter
    before: dict[str, Any]
    digest: str
    versions: list[StepPatch]


def patch_page(actor: Actor, letter_id: UUID) -> PatchPage:
    """For somebody who may operate it. Raises NotVisible, Forbidden."""
    rows = DeadLetter.objects.visible_to(actor).select_related("execution", "step")
    letter: DeadLetter = visible_or_refuse(rows, letter_id, "dead letter")
    refuse_unless_operator(actor, letter.unit_id, letter.unit_title)
    before = current_input(letter.step)
    return PatchPage(letter, before, digest(before), list(letter.step.patches.order_by("number")))


def letter_page(actor: Actor, letter_id: UUID) -> LetterPage:
    """Everything the page of one dead letter shows. Raises NotVisible."""
    rows = DeadLetter.objects.visible_to(actor).select_related("execution", "execution__release", "step", "group")
    letter: DeadLetter = visible_or_refuse(rows.defer("execution__release__bundle"), letter_id, "dead letter")
    attempts = list(Attempt.objects.filter(step_id=letter.step_id).in_order())
    names = {letter.pk: letter.component, letter.step_id: letter.step.key}
    names |= {one.pk: f"Attempt {one.number}" for one in attempts}
    alike = DeadLetter.objects.visible_to(actor).open().filter(group_id=letter.group_id).exclude(pk=letter.pk)
    return LetterPage(
        letter=letter,
        attempts=attempts,
        story=story([letter.stream], names=names, objects=names, limit=300),
        alike=alike.count(),
        may_operate=letter.unit_id in scope.unit_ids(actor, "operate"),
        record=record_of(letter),
        against=why_not_again([letter]).get(letter.pk, ""),
    )
