"""Patch and redrive: the input of a failed step as it is, what a person makes of it, the difference, and then the act."""

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from audit.refusals import Invalid
from audit.templatetags._render import short_id
from audit.web import actor_of, crumbs, record_refusal
from orchestrator.forms.triage import PatchForm
from orchestrator.operations import patches as operations
from orchestrator.queries.dead_letters import PatchPage, patch_page


@require_http_methods(["GET", "HEAD", "POST"])
def patch_new(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The first POST shows the difference; the second, with the same bytes, stores it and redrives."""
    by = actor_of(request)
    shown = patch_page(by, pk)
    if request.method != "POST":
        text = json.dumps(shown.before, indent=2, ensure_ascii=False)
        return _page(request, shown, PatchForm(initial={"input": text, "before_digest": shown.digest}))
    form = PatchForm(request.POST)
    if not form.is_valid():
        return _page(request, shown, form, status=422)
    after, given = form.cleaned_data["input"], form.cleaned_data
    try:
        operations.refuse_unfit(shown.letter, shown.letter.step, before=shown.before, after=after)
        if "confirm" not in request.POST:
            return _page(request, shown, form, changes=operations.changes(shown.before, after))
        operations.patch(letter_id=pk, by=by, before_digest=given["before_digest"], after=after, why=given["reason"])
    except Invalid as fault:
        record_refusal(request, fault)
        for place, _, words in fault.errors:
            form.add_error("input", f"{place}: {words}")
        return _page(request, shown, form, status=422)
    messages.success(request, "Patched and queued for retry. The original is kept.")
    return redirect(shown.letter)


def _page(
    request: HttpRequest,
    shown: PatchPage,
    form: PatchForm,
    *,
    changes: list[operations.Change] | None = None,
    status: int = 200,
) -> HttpResponse:
    place = crumbs("Dead letters", "failure_groups", f"DL-{short_id(shown.letter.pk)}", "Patch")
    place[1]["url"] = shown.letter.get_absolute_url()
    context = {"crumbs": place, "shown": shown, "letter": shown.letter, "form": form, "changes": changes}
    return render(request, "orchestrator/patch_new.html", context, status=status)
