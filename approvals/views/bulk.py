"""Acting on several requests: choose (POST), read the preview (GET), confirm (POST), read the result (the same GET)."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.forms.bulk import ChoiceForm, WordsForm, people_named
from approvals.forms.queue import QueueForm
from approvals.models import ApprovalRequest, BulkAct
from approvals.operations import bulk
from approvals.queries import queue as queues
from approvals.queries.bulk import BulkPage, assignable, bulk_page
from audit.actors import Actor
from audit.refusals import Invalid
from audit.web import actor_of, crumbs, page

PEOPLE_ARE_ASKED = {BulkAct.ASSIGN}


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Freeze the chosen rows and lead to their preview. Nothing is done to them yet."""
    form, by = ChoiceForm(request.POST), actor_of(request)
    if not form.is_valid():
        raise Invalid("This is nothing that can be done to several requests.")
    chosen = _matching(request, form, by) if form.all_matching else _ticked(form, by)
    operation = bulk.preview(act=form.cleaned_data["act"], requests=chosen, by=by, query=form.cleaned_data["query"])
    return redirect(operation)


def _ticked(form: ChoiceForm, by: Actor) -> list[ApprovalRequest]:
    rows = ApprovalRequest.objects.visible_to(by).filter(pk__in=form.ids()[: settings.BULK_LIMIT])
    return [*rows.due_first()]


def _matching(request: HttpRequest, form: ChoiceForm, by: Actor) -> list[ApprovalRequest]:
    filters = QueueForm(QueryDict(form.cleaned_data["query"]), offered=queues.choices(by)).filters(timezone.now())
    rows = [*queues.queue(by, filters).due_first()[: settings.BULK_LIMIT + 1]]
    if len(rows) > settings.BULK_LIMIT:
        messages.info(request, f"More match than can be done at once: these are the {settings.BULK_LIMIT} due first.")
    return rows[: settings.BULK_LIMIT]


@require_safe
def show(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Before the confirmation the preview, after it the result."""
    shown = bulk_page(actor_of(request), pk)
    return _page(request, shown, WordsForm(operation=shown.operation, people=_people(shown)))


@require_POST
def confirm(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Do it to each item by itself, and show what became of each."""
    by = actor_of(request)
    shown = bulk_page(by, pk)
    form = WordsForm(request.POST, operation=shown.operation, people=_people(shown))
    if shown.is_preview and not form.is_valid():
        return _page(request, shown, form, status=422)
    return redirect(bulk.confirm(operation_id=pk, by=by, words=form.words() if shown.is_preview else bulk.Words()))


def _people(shown: BulkPage) -> list[tuple[int, str]]:
    return people_named(assignable(shown)) if shown.operation.act in PEOPLE_ARE_ASKED else []


def _page(request: HttpRequest, shown: BulkPage, form: WordsForm, *, status: int = 200) -> HttpResponse:
    context = {"shown": shown, "operation": shown.operation, "form": form,
               "crumbs": crumbs("Approvals", "approvals", str(shown.operation))}  # fmt: skip
    return page(request, "approvals/bulk_detail.html", "approvals/bulk_detail.html", context, status=status)
