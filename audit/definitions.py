"""What people configure is drafted by one person and activated by another: policies, tools, agents, business units."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from audit import lifecycle
from audit.actors import Actor
from audit.lifecycle import Governed, Lifecycle, move
from audit.refusals import Forbidden, Refusal


class DefinitionStatus(models.TextChoices):
    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


def definition_lifecycle(noun: str) -> Lifecycle:
    return Lifecycle(
        noun,
        {
            DefinitionStatus.DRAFT: {DefinitionStatus.ACTIVE, DefinitionStatus.RETIRED},
            DefinitionStatus.ACTIVE: {DefinitionStatus.RETIRED},
            DefinitionStatus.RETIRED: set(),
        },
        initial={DefinitionStatus.DRAFT},
    )


class Definition(Governed):
    """Drafted, then activated by somebody else; active and retired rows are read-only. `name` is shared by versions."""

    lifecycle: ClassVar[Lifecycle]
    # Taking it out of force lets more through than before: that needs two people, like any other change of it.
    protects: ClassVar[bool] = False
    name: Any
    status = models.CharField(
        max_length=10, choices=DefinitionStatus.choices, default=DefinitionStatus.DRAFT, editable=False
    )
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                name="one_active_%(class)s_per_name", fields=["name"], condition=Q(status=DefinitionStatus.ACTIVE)
            ),
            models.CheckConstraint(
                name="active_%(class)s_was_activated_by_another_person",
                condition=Q(activated_by__isnull=True) | ~Q(activated_by=F("edited_by")),
            ),
        ]


class SamePerson(Forbidden):
    """Four eyes: the person who edited a definition cannot be the one who activates it."""

    code = "same_person"


class NeedsTwo(Forbidden):
    """Four eyes: what protects is loosened by a draft and its activation, never by one person."""

    code = "needs_two"


@transaction.atomic
def activate(row: Definition, *, by: Actor) -> None:
    """Make a draft the version in force and retire the one it replaces."""
    row = type(row)._default_manager.select_for_update().get(pk=row.pk)
    if by.is_person and by.user_id == row.edited_by_id:
        raise SamePerson("You edited this draft, so another administrator has to activate it.")
    if row.status != DefinitionStatus.DRAFT:
        raise Refusal(f"This {row.lifecycle.noun} is {row.status}: only a draft can be activated.")
    rows: Any = type(row)._default_manager
    for old in rows.select_for_update().filter(name=row.name, status=DefinitionStatus.ACTIVE):
        if by.is_person and old.stream_unit != row.stream_unit:
            # Whoever may configure one unit could otherwise take another unit's rules out of force.
            raise Refusal("This name is taken outside this unit: choose another name.", code="name_taken")
        move(old, to=DefinitionStatus.RETIRED, by=by, why=f"replaced by {row}")
    move(row, to=DefinitionStatus.ACTIVE, by=by, activated_by_id=by.user_id, activated_at=Now())


@transaction.atomic
def draft(row: Definition, *, by: Actor, why: str = "") -> None:
    """Store a new draft under its author's name."""
    row.edited_by_id = by.user_id
    lifecycle.born(row, by=by, why=why)


@transaction.atomic
def edit(row: Definition, *, by: Actor, changed: list[str]) -> None:
    """Store changes to a draft. Whoever edited it last cannot be the one who activates it."""
    stored = type(row)._default_manager.select_for_update().get(pk=row.pk)
    if stored.status != DefinitionStatus.DRAFT:
        raise Refusal(f"This {row.lifecycle.noun} is {stored.status}: only a draft can be edited.")
    row.edited_by_id = by.user_id
    row.save()
    event = f"{row.lifecycle.noun.replace(' ', '_')}.edited"
    lifecycle.note(row, event, by=by, data={"changed": sorted(changed)})


@transaction.atomic
def retire(row: Definition, *, by: Actor, why: str = "") -> None:
    row = type(row)._default_manager.select_for_update().get(pk=row.pk)
    if row.protects and by.is_person and row.status == DefinitionStatus.ACTIVE:
        raise NeedsTwo(
            f"One person alone cannot take this {row.lifecycle.noun} out of force.",
            remedy="Draft a new version that asks for less; another administrator activates it.",
        )
    move(row, to=DefinitionStatus.RETIRED, by=by, why=why)
