"""What people configure is drafted by one person and activated by another: policies, tools, agents, business units."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from audit import actors, lifecycle, people, scope
from audit.actors import Actor
from audit.canonical import canonical, digest
from audit.lifecycle import Governed, Lifecycle, move
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, Refusal, Stale

# For so long somebody's wish to take a definition out of force stands, and another may follow it.
WISH_STANDS = timedelta(days=7)


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
    # Everybody who ever edited this version, not only the last one: ids of users.
    editors = ArrayField(models.BigIntegerField(), default=list, db_default=[], editable=False)
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
            models.CheckConstraint(
                name="active_%(class)s_was_never_edited_by_its_activator",
                condition=Q(activated_by__isnull=True) | ~Q(editors__contains=[F("activated_by")]),
            ),
        ]

    @property
    def holds_everywhere(self) -> bool:
        """It could be one unit's, and is every unit's."""
        return hasattr(self, "unit_id") and self.unit_id is None

    @property
    def ends_by_two(self) -> bool:
        """It protects, and no next version could say what holds instead: one person asks for its end, another ends it."""
        return self.protects and not hasattr(self, "version")

    def came_into_force(self) -> None:
        """What follows for rows that exist already, in the transaction that activates it. Usually nothing."""


class DefinitionQuerySet(models.QuerySet[Any]):
    def active(self) -> "DefinitionQuerySet":
        return self.filter(status=DefinitionStatus.ACTIVE)


class SamePerson(Forbidden):
    """Four eyes: whoever edited a definition, first, last or in between, cannot be the one who activates it."""

    code = "same_person"


class ChangedSinceRead(Stale):
    """The draft, or what it would replace, is not what the activating person had read."""

    code = "changed_since_read"


class DraftNoMore(Stale):
    """It was activated or retired while somebody had the draft open."""

    code = "draft_no_more"


class NeedsTwo(Forbidden):
    """Four eyes: what protects is loosened by a draft and its activation, never by one person."""

    code = "needs_two"


class HoldsEverywhere(Forbidden):
    """What holds in every business unit is changed by people who see every one of them."""

    code = "holds_everywhere"


def content(row: Definition) -> dict[str, Any]:
    """What people typed, field by field, as plain JSON: what is read before a draft is activated."""
    fields = [field for field in row._meta.concrete_fields if field.editable or field.name == "version"]
    return {field.name: _plain(field.to_python(field.value_from_object(row))) for field in fields}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        # However many zeros were typed, or the database adds, it is the same number.
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        # In whichever zone it was typed, it is the same moment.
        return str(value.astimezone(UTC))
    return value if isinstance(value, (str, int, bool, list, dict)) or value is None else str(value)


def digest_of(row: Definition) -> str:
    return digest(content(row))


class Difference(NamedTuple):
    """One field of a definition on two occasions, as a difference is shown."""

    label: str
    before: str
    after: str


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    """The fields that are not the same."""
    return [
        Difference(name.replace("_", " "), _text(before.get(name)), _text(value))
        for name, value in after.items()
        if before.get(name) != value
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else canonical(value)


@transaction.atomic
def activate(row: Definition, *, by: Actor, read: str | None = None, over: str | None = None) -> None:
    """Make a draft the version in force and retire the one it replaces.

    `read` is the digest of what the activating person had on screen; without it, of the row in the caller's hand.
    `over` is the id of the version in force that they had beside it, "" for none; without it, whichever is in force.
    Raises ChangedSinceRead when either is something else by now, SamePerson for everybody who ever edited the draft.
    """
    read = digest_of(row) if read is None else read
    row = type(row)._default_manager.select_for_update().get(pk=row.pk)
    if row.status != DefinitionStatus.DRAFT:
        raise Refusal(f"This {row.lifecycle.noun} is {row.status}: only a draft can be activated.")
    refuse_out_of_reach(row, by)
    refuse_editor(row, by)
    if digest_of(row) != read:
        raise ChangedSinceRead(
            f"This {row.lifecycle.noun} was edited after you opened it. Nothing was activated.",
            remedy="Read it as it is now, then activate it.",
        )
    rows: Any = type(row)._default_manager
    replaced = list(rows.select_for_update().filter(name=row.name, status=DefinitionStatus.ACTIVE))
    _refuse_taken(row, replaced, by)
    if over is not None:
        _refuse_overtaken(row, replaced, over)
    for old in replaced:
        move(old, to=DefinitionStatus.RETIRED, by=by, why=f"replaced by {row}")
    move(row, to=DefinitionStatus.ACTIVE, by=by, data={"digest": read}, activated_by_id=by.user_id, activated_at=Now())
    row.came_into_force()


def _refuse_taken(row: Definition, replaced: list[Any], by: Actor) -> None:
    """Whoever may configure one unit could otherwise take another unit's rules out of force."""
    if by.is_person and any(old.stream_unit != row.stream_unit for old in replaced):
        raise Refusal("This name is taken outside this unit: choose another name.", code="name_taken")


def _refuse_overtaken(row: Definition, replaced: list[Any], over: str) -> None:
    """Of two drafts of one version the later would otherwise put back, unseen, what the first has changed."""
    if over == "".join(str(old.pk) for old in replaced):
        return
    meanwhile = f"{replaced[0]} came into force" if replaced else "what was in force under this name was retired"
    raise ChangedSinceRead(
        f"After you opened this draft, {meanwhile}: it changes something else now. Nothing was activated.",
        remedy="Read what it changes now, then activate it.",
    )


def refuse_draft_no_more(row: Definition) -> None:
    """Raises DraftNoMore: what came into force, or was retired, stays as it is."""
    if row.status != DefinitionStatus.DRAFT:
        again = "Make a new version of it" if hasattr(row, "version") else "Draft another one"
        raise DraftNoMore(
            f"This {row.lifecycle.noun} is {row.status} by now: only a draft can be edited. Nothing was saved.",
            remedy=f"{again}, and type there what you had typed here.",
        )


def refuse_editor(row: Definition, by: Actor) -> None:
    """Raises SamePerson. Another account of the same person is the same person."""
    if by.user_id is None:
        return
    editors = {*row.editors, row.edited_by_id}
    if by.user_id in editors:
        raise SamePerson("You edited this draft, so another administrator has to activate it.")
    if people.accounts_behind(by) & editors:
        raise SamePerson(
            "You edited this draft under another account of yours, so another administrator has to activate it."
        )


def refuse_out_of_reach(row: Definition, by: Actor) -> None:
    """Raises HoldsEverywhere: whoever configures one unit would otherwise loosen the rules of all the others."""
    if by.is_person and row.holds_everywhere and not scope.sees_every_unit(by):
        raise HoldsEverywhere(
            f"This {row.lifecycle.noun} holds in every business unit, and you do not see every one of them.",
            remedy="Make one for a unit of yours, or ask an administrator who sees every unit.",
        )


@transaction.atomic
def draft(row: Definition, *, by: Actor, why: str = "") -> None:
    """Store a new draft under its author's name."""
    refuse_out_of_reach(row, by)
    row.edited_by_id, row.editors = by.user_id, _with_editor([], by)
    lifecycle.born(row, by=by, why=why, data={"digest": digest_of(row)})


@transaction.atomic
def edit(row: Definition, *, by: Actor, changed: list[str]) -> bool:
    """Store changes to a draft. Nobody who ever edited it can be the one who activates it.

    False where it says what it said before: whoever saves what they have only read has edited nothing.
    """
    stored = type(row)._default_manager.select_for_update().get(pk=row.pk)
    refuse_draft_no_more(stored)
    # Neither is what holds everywhere made one unit's, nor the other way round.
    for version in (stored, row):
        refuse_out_of_reach(version, by)
    if digest_of(row) == digest_of(stored):
        return False
    row.edited_by_id, row.editors = by.user_id, _with_editor(stored.editors, by)
    row.save()
    event = f"{row.lifecycle.noun.replace(' ', '_')}.edited"
    lifecycle.note(row, event, by=by, data={"changed": sorted(changed), "digest": digest_of(row)})
    return True


def _with_editor(editors: list[int], by: Actor) -> list[int]:
    return editors if by.user_id is None else sorted({*editors, by.user_id})


@transaction.atomic
def retire(row: Definition, *, by: Actor, why: str = "") -> None:
    """Take it out of force for good. A person says why, and where it protects is not alone in wanting it."""
    row = type(row)._default_manager.select_for_update().get(pk=row.pk)
    if row.status == DefinitionStatus.RETIRED:
        raise Refusal(f"This {row.lifecycle.noun} is retired already.")
    refuse_out_of_reach(row, by)
    if row.protects and by.is_person and row.status == DefinitionStatus.ACTIVE:
        _refuse_alone(row, by)
    if by.is_person:
        _refuse_silent(row, why)
    move(row, to=DefinitionStatus.RETIRED, by=by, why=why.strip()[:1000])


@transaction.atomic
def ask_to_retire(row: Definition, *, by: Actor, why: str) -> None:
    """Ask for the end of what has no versions and is ended by two people. It stays in force until the other one retires it."""
    row = type(row)._default_manager.select_for_update().get(pk=row.pk)
    if not by.is_person:
        raise Forbidden("Only people ask for an end.", code="people_only")
    if not row.ends_by_two or row.status != DefinitionStatus.ACTIVE:
        raise Refusal(f"This {row.lifecycle.noun} is {row.status}: its end is not asked for.")
    refuse_out_of_reach(row, by)
    _refuse_silent(row, why)
    lifecycle.note(row, _end_asked(row), by=by, why=why.strip()[:1000])


def wishes(row: Definition) -> list[AuditEvent]:
    """Who asked for its end lately, oldest first: with their reason, from the trail."""
    rows = AuditEvent.objects.filter(stream=row.stream, event=_end_asked(row), at__gt=Now() - WISH_STANDS)
    return list(rows.oldest_first())


def wish_of_another(row: Definition, by: Actor) -> AuditEvent | None:
    """Another account of the same person is the same person, and who does not see the unit any more wishes nothing there."""
    own = people.keys_of(by)
    return next((wish for wish in wishes(row) if wish.actor not in own and _still_sees(wish, row)), None)


def _still_sees(wish: AuditEvent, row: Definition) -> bool:
    author = actors.person(int(wish.actor.removeprefix("user:")), wish.actor_name)
    return row.stream_unit in scope.unit_ids(author, "view")


def _end_asked(row: Definition) -> str:
    return f"{row.lifecycle.noun.replace(' ', '_')}.end_asked"


def _refuse_alone(row: Definition, by: Actor) -> None:
    if row.ends_by_two and wish_of_another(row, by):
        return
    raise NeedsTwo(
        f"One person alone cannot take this {row.lifecycle.noun} out of force.",
        remedy="Ask for its end and say why; another administrator retires it."
        if row.ends_by_two
        else "Draft a new version that says what holds instead; another administrator activates it.",
    )


def _refuse_silent(row: Definition, why: str) -> None:
    if not why.strip():
        raise Invalid(
            f"Say why this {row.lifecycle.noun} is retired.", errors=[("/why", "required", "Retiring needs a reason.")]
        )
