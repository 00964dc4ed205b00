"""Saving, sharing, preferring and deleting views of the queue. One address per state: a view is its query string."""

from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import UUID

from django.db import transaction

from approvals.models import DefaultView, SavedView
from approvals.rules.permissions import person_id
from audit import events, lifecycle, scope
from audit.actors import Actor
from audit.refusals import Forbidden, Invalid, NotVisible

# The filters that make a state; where a page begins is no part of it.
KEYS = ("state", "tier", "unit", "action", "agent", "held", "due", "q")
VIEWS_AT_MOST = 50


def canonical(query: Mapping[str, str]) -> str:
    """The same state always as the same text: known keys only, in one order, without empty ones."""
    return urlencode([(key, query[key]) for key in KEYS if query.get(key)])


def named(name: str, by: Actor) -> SavedView | None:
    """Their own view by this name, which saving replaces."""
    return SavedView.objects.filter(owner_id=person_id(by), name=name.strip()).first()


@transaction.atomic
def save(*, name: str, query: Mapping[str, str], unit_id: UUID | None, by: Actor) -> SavedView:
    """Keep this state under a name; the same name again replaces what it stood for. Sharing is for reviewers of the unit."""
    name = name.strip()
    if not name:
        raise Invalid("A view needs a name.", errors=[("/name", "required", "Give the view a name.")])
    if unit_id is not None and unit_id not in scope.unit_ids(by, "review"):
        raise Forbidden("Only a reviewer of the unit can share a view with its reviewers.", code="not_a_reviewer")
    own = SavedView.objects.select_for_update().filter(owner_id=person_id(by))
    if own.exclude(name=name).count() >= VIEWS_AT_MOST:
        raise Invalid(f"You have {VIEWS_AT_MOST} views already: delete one first.")
    view, _ = SavedView.objects.update_or_create(
        owner_id=person_id(by), name=name,
        defaults={"query": canonical(query), "unit_id": unit_id, "owner_name": by.name,
                  "saved_at": lifecycle.database_now()},
    )  # fmt: skip
    _record(view, "saved", by, shared=unit_id is not None)
    return view


@transaction.atomic
def delete(*, view_id: UUID, by: Actor) -> None:
    """Take a view of one's own away, from everybody it was shared with too."""
    view = SavedView.objects.select_for_update().filter(pk=view_id, owner_id=person_id(by)).first()
    if view is None:
        raise NotVisible("There is no such view of yours.")
    _record(view, "deleted", by, shared=view.unit_id is not None)
    view.delete()


@transaction.atomic
def prefer(*, view_id: UUID, by: Actor) -> SavedView:
    """Make it the view that the bare address of the queue leads to, for this person only."""
    view: SavedView | None = SavedView.objects.offered_to(by).filter(pk=view_id).first()
    if view is None:
        raise NotVisible("There is no such view, or it is not shared with you.")
    DefaultView.objects.update_or_create(person_id=person_id(by), defaults={"view": view})
    _record(view, "made_default", by, shared=view.unit_id is not None)
    return view


@transaction.atomic
def prefer_none(*, by: Actor) -> None:
    """Back to all that waits."""
    chosen = DefaultView.objects.filter(person_id=person_id(by)).select_related("view").first()
    if chosen is not None:
        chosen.delete()
        _record(chosen.view, "no_longer_default", by, shared=chosen.view.unit_id is not None)


def _record(view: SavedView, what: str, by: Actor, *, shared: bool) -> None:
    events.record(
        f"saved_view.{what}", by=by, stream=view.stream, object_id=view.pk, unit_id=view.unit_id,
        data={"shared": shared},
    )  # fmt: skip
