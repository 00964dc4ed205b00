"""In which order a page shows the values of an act: first what decides it, folded what only led there. Pure.

A call is its arguments: they stand together, open. What people let go on brings along everything that led to it, and
the few values a decision rests on would drown there. Nothing is left out: each row stands in exactly one part.
"""

from dataclasses import dataclass
from itertools import groupby

from django.utils.text import slugify

from approvals.models import ApprovalRequest
from approvals.rules.showing import Row

# The parts of a step's facts in the order they are read, with their headings; what is none of them stands between.
LEAD = {
    "by_hand": "What a person did by hand",
    "because": "What the conditions looked at",
    "comes_next": "What comes next",
}
SECOND = {
    "message": "What went wrong",
    "took_effect": "What it did before that",
    "failure_class": "How it failed",
    "input": "What it was started with",
}
FOLDED = "steps"
IN_A_SUMMARY = 3
LONGEST_IN_A_SUMMARY = 40


@dataclass(frozen=True, slots=True)
class Part:
    """Rows under one heading. `leads`: its numbers are written large. `folds`: closed until somebody opens it."""

    title: str
    rows: list[Row]
    leads: bool = False
    folds: bool = False
    opened: bool = False

    @property
    def stands(self) -> bool:
        return not self.folds

    @property
    def id(self) -> str:
        return slugify(self.title)

    @property
    def summary(self) -> str:
        """How many values, and the first that are short, for whoever decides whether to open it."""
        short = [
            row for row in self.rows if len(row.text) <= LONGEST_IN_A_SUMMARY and isinstance(row.value.path[-1], str)
        ]
        values = f"{len(self.rows)} value{'' if len(self.rows) == 1 else 's'}"
        said = ", ".join(f"{row.value.path[-1]} {row.text}" for row in short[:IN_A_SUMMARY])
        return f"{values}: {said}" if said else values


def parts_of(rows: list[Row], request: ApprovalRequest) -> list[Part]:
    """Every row, in the parts of its page. Where two people sign, nothing is closed: each of them reads all of it."""
    if request.is_call:
        return [Part("Exact arguments", rows)]
    heads = {head: list(group) for head, group in groupby(rows, lambda row: str(row.value.path[0]))}
    first = [Part(title, heads.pop(head), leads=True) for head, title in LEAD.items() if head in heads]
    second = [Part(title, heads.pop(head)) for head, title in SECOND.items() if head in heads]
    folded = heads.pop(FOLDED, [])
    others = [Part(head, group) for head, group in heads.items()]
    if request.is_by_hand:
        # Whoever is to do a step first reads what went wrong with it.
        first, second = second, first
    return [*first, *second, *others, *_folds(folded, opened=request.required > 1)]


def _folds(rows: list[Row], *, opened: bool) -> list[Part]:
    """One fold for what each step gave."""
    return [
        Part(f"What {step} gave" if step else "What the steps gave", list(group), folds=True, opened=opened)
        for step, group in groupby(rows, lambda row: "".join(str(part) for part in row.value.path[1:2]))
    ]
