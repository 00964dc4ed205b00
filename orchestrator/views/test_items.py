"""Pages of test items, for administrators: what there is, how it went, and writing one out of a past action."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from approvals import snapshots
from approvals.models import SeededItem
from approvals.operations.seeding import NotSwitchedOn, refuse_unless_writer
from approvals.rules.administrators import is_administrator
from audit.actors import Actor
from audit.queries import Keyset, visible_or_refuse
from audit.refusals import Forbidden, Invalid
from audit.web import actor_of, crumbs, cursors, pager, record_refusal
from orchestrator.forms.test_items import SeedForm
from orchestrator.gate.snapshot import snapshot_of
from orchestrator.models import Action
from orchestrator.operations import test_items

NEWEST_FIRST = Keyset(("-written_at", "-id"))


@require_safe
def item_list(request: HttpRequest) -> HttpResponse:
    """Every test item of the units this administrator sees, with how it went."""
    actor = actor_of(request)
    _refuse_unless_administrator(actor)
    rows = SeededItem.objects.visible_to(actor).select_related("request")
    found = NEWEST_FIRST.slice(rows, **cursors(request))
    context = {
        "listing": found,
        "pager": pager(request, found),
        "crumbs": crumbs("Approvals", "approvals", "Test items"),
    }
    return render(request, "orchestrator/test_item_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def write(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The form with the call's own values; posting it puts the copy in front of the reviewers."""
    actor = actor_of(request)
    action = visible_or_refuse(Action.objects.visible_to(actor), pk, "action")
    refuse_unless_writer(actor, action.unit_id)
    values = snapshots.read(snapshot_of(action)).arguments
    form = SeedForm(request.POST if request.method == "POST" else None, values=values)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            item = test_items.write(
                action_id=pk, arguments=form.arguments(), expected=given["expected"], hint=given["hint"], by=actor
            )
        except (Invalid, NotSwitchedOn) as refusal:
            record_refusal(request, refusal)
            form.add_error(None, f"{refusal.message} {refusal.remedy}".strip())
        else:
            messages.success(request, f"The test item “{item.request.title}” waits for its reviewers.")
            return redirect("test_items")
    context = {"action": action, "form": form, "crumbs": crumbs("Test items", "test_items", "Write one")}
    return render(request, "orchestrator/test_item_new.html", context, status=422 if form.errors else 200)


def _refuse_unless_administrator(actor: Actor) -> None:
    if not is_administrator(actor):
        raise Forbidden(
            "Test items are for administrators.",
            code="not_an_administrator",
            remedy="Ask an administrator of your business unit.",
        )
