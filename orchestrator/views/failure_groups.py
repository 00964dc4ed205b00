"""Pages of failure groups: what is stuck by cause, one group with its letters, and what people do with it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from audit.lifecycle import database_now
from audit.refusals import Invalid
from audit.web import actor_of, address, chips, crumbs, cursors, page, pager, record_refusal, unchanged
from orchestrator.forms.triage import (
    ChoiceForm,
    FixForm,
    GroupFilters,
    MergeForm,
    ParkForm,
    ReopenForm,
    SplitForm,
    TicketForm,
)  # fmt: skip
from orchestrator.models import FailureGroup
from orchestrator.operations import bulk_letters
from orchestrator.operations import failure_groups as operations
from orchestrator.queries import failure_groups as queries

TABS = {"letters": "Letters", "executions": "Affected executions", "values": "Common values", "history": "History"}


@require_safe
def group_list(request: HttpRequest) -> HttpResponse:
    """The group that failed last on top."""
    actor = actor_of(request)
    form = GroupFilters(request.GET, offered=queries.choices(actor))
    chosen = form.chosen()
    found = queries.group_list(actor, **chosen, **cursors(request))
    views = [("", "All open", None), *((tab, tab.capitalize(), found.counts[tab]) for tab in queries.TABS)]
    context = {
        "form": form,
        "listing": found,
        "chips": chips(request, form),
        "tab": chosen["tab"],
        "views": [
            (label, count, address(request, tab=tab, after=None, before=None), tab == chosen["tab"])
            for tab, label, count in views
        ],
        "pager": pager(request, found.slice),
    }
    return page(request, "orchestrator/failure_group_list.html", "orchestrator/_failure_group_rows.html", context)


@require_safe
def group_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One group, tab by tab."""
    shown = _shown(request, pk)
    return unchanged(request, shown.version) or _group_page(request, shown)


def _shown(request: HttpRequest, pk: UUID) -> queries.GroupPage:
    tab = request.GET.get("tab", "")
    return queries.group_page(actor_of(request), pk, tab=tab if tab in TABS else "letters", **cursors(request))


def _group_page(
    request: HttpRequest, shown: queries.GroupPage, faulty: Form | None = None, *, status: int = 200
) -> HttpResponse:
    forms: dict[str, Any] = {
        "park": ParkForm(),
        "fix": FixForm(releases=shown.releases),
        "reopen": ReopenForm(),
        "ticket": TicketForm(initial={"ticket": shown.group.ticket}),
        "merge": MergeForm(others=shown.others),
    }
    if faulty is not None:
        forms[str(faulty.prefix)] = faulty
    context = {
        "crumbs": crumbs("Dead letters", "failure_groups", str(shown.group)),
        "shown": shown,
        "group": shown.group,
        "forms": forms,
        "tab": shown.tab,
        "tab_template": f"orchestrator/_failure_group_{shown.tab}.html",
        "tabs": [
            (name, label, address(request, tab=None if name == "letters" else name, after=None, before=None))
            for name, label in TABS.items()
        ],
        "pager": pager(request, shown.slice),
    }
    full, part = "orchestrator/failure_group_detail.html", "orchestrator/_failure_group.html"
    return page(request, full, part, context, status=status)


# --- Acts --------------------------------------------------------------------------------------------------------


@require_POST
def takes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Look after it."""
    return redirect(operations.take(group_id=pk, by=actor_of(request)))


@require_POST
def parkings(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let it rest."""
    form = ParkForm(request.POST)
    if not form.is_valid():
        return _group_page(request, _shown(request, pk), form, status=422)
    group = operations.park(
        group_id=pk, by=actor_of(request), until=form.until(database_now()), more=form.growth(),
        why=form.cleaned_data["reason"],
    )  # fmt: skip
    return _done(request, group, "It rests, and wakes up by itself.")


@require_POST
def fixes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that the cause is gone."""
    shown = _shown(request, pk)
    form = FixForm(request.POST, releases=shown.releases)
    if not form.is_valid():
        return _group_page(request, shown, form, status=422)
    group = operations.mark_fixed(
        group_id=pk, by=actor_of(request), release_id=form.release_id(), why=form.cleaned_data["reason"]
    )
    return _done(request, group, "Marked as fixed. A later letter where the fix should be brings it back.")


@require_POST
def reopenings(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take back that it rests or is fixed."""
    form = ReopenForm(request.POST)
    if not form.is_valid():
        return _group_page(request, _shown(request, pk), form, status=422)
    return redirect(operations.reopen(group_id=pk, by=actor_of(request), why=form.cleaned_data["reason"]))


@require_POST
def tickets(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Link the ticket, or take the link away."""
    form, by = TicketForm(request.POST), actor_of(request)
    if form.is_valid():
        try:
            group = operations.link_ticket(group_id=pk, by=by, ticket=form.cleaned_data["ticket"])
        except Invalid as fault:
            record_refusal(request, fault)
            form.add_error("ticket", fault.errors[0][2])
        else:
            return _done(request, group, "The ticket is linked." if group.ticket else "The link is gone.")
    return _group_page(request, _shown(request, pk), form, status=422)


@require_POST
def merges(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put it into another group."""
    shown = _shown(request, pk)
    form = MergeForm(request.POST, others=shown.others)
    if not form.is_valid():
        return _group_page(request, shown, form, status=422)
    into = operations.merge(
        group_id=pk, into_id=UUID(form.cleaned_data["into"]), by=actor_of(request), why=form.cleaned_data["reason"]
    )
    return _done(request, into, "All its letters are in this group now, also those to come.")


@require_POST
def splits(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Tell letters with one common value apart."""
    form = SplitForm(request.POST)
    if not form.is_valid():
        raise Invalid("Choose one of the common values.")
    part = operations.split(group_id=pk, by=actor_of(request), **form.cleaned_data)
    return _done(request, part, "These letters are a group of their own now, also those to come.")


@require_POST
def choices(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Freeze the chosen letters and lead to their preview. Nothing is done to them yet."""
    form = ChoiceForm(request.POST)
    if not form.is_valid():
        raise Invalid("Choose what to do, and with which letters.")
    operation = bulk_letters.preview(
        act=form.cleaned_data["act"], group_id=pk, by=actor_of(request), letter_ids=form.ids()
    )
    return redirect(operation)


def _done(request: HttpRequest, group: FailureGroup, words: str) -> HttpResponse:
    messages.success(request, words)
    return redirect(group)
