"""Saved views of the queue, as people make and unmake them: each POST leads back to the state it was sent from."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from approvals.models import SavedView
from approvals.operations import saved_views
from approvals.queries.queue import choices
from audit import scope
from audit.actors import Actor
from audit.refusals import Invalid
from audit.web import actor_of, came_from

# The bare address leads to the default view of whoever has one, so "all that waits" has an address of its own.
CLEARED = "state=pending"


class ViewForm(forms.Form):
    """Name, and who else may use it."""

    name = forms.CharField(max_length=60)
    unit = forms.TypedChoiceField(coerce=UUID, empty_value=None, required=False, label="Share with")
    is_default = forms.BooleanField(required=False, label="Open the queue with it")
    query = forms.CharField(required=False, max_length=2_000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, units: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "view_%s"})
        shared = [(pk, f"Reviewers of {title}") for pk, title in units]
        self.fields["unit"].choices = [("", "Nobody: only me"), *shared]  # type: ignore[attr-defined]


def reviewed(units: list[tuple[str, str]], actor: Actor) -> list[tuple[str, str]]:
    """Those of the reader's units whose reviewers one may share a view with."""
    mine = {str(pk) for pk in scope.unit_ids(actor, "review")}
    return [(pk, title) for pk, title in units if pk in mine]


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the state of the queue that the form was sent from."""
    by = actor_of(request)
    form = ViewForm(request.POST, units=reviewed(choices(by)["unit"], by))
    if not form.is_valid():
        raise Invalid("The view needs a name of at most 60 characters, and a unit where you review, or none.")
    given = form.cleaned_data
    query = QueryDict(given["query"]).dict()
    before = saved_views.named(given["name"], by)
    view = saved_views.save(name=given["name"], query=query, unit_id=given["unit"], by=by)
    if given["is_default"]:
        saved_views.prefer(view_id=view.pk, by=by)
    messages.success(request, f"The view “{view}” is saved.{_instead_of(before, view)}")
    return redirect(f"{reverse('approvals')}?{view.query or CLEARED}")


def _instead_of(before: SavedView | None, view: SavedView) -> str:
    """Nobody is asked before a name is taken again, so whoever did not mean it is told."""
    if before is None:
        return ""
    unshared = before.unit_id is not None and before.unit_id != view.unit_id
    return " It takes the place of the one you had by this name" + (
        ", and is no longer shared as that was." if unshared else "."
    )


@require_POST
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    saved_views.delete(view_id=pk, by=actor_of(request))
    return _back(request, "The view is deleted.")


@require_POST
def prefer(request: HttpRequest, pk: UUID) -> HttpResponse:
    view = saved_views.prefer(view_id=pk, by=actor_of(request))
    return _back(request, f"The queue opens with “{view}” now.")


@require_POST
def prefer_none(request: HttpRequest) -> HttpResponse:
    saved_views.prefer_none(by=actor_of(request))
    return _back(request, "The queue opens with all that waits now.")


def _back(request: HttpRequest, done: str) -> HttpResponse:
    messages.success(request, done)
    return redirect(came_from(request) or reverse("approvals"))
