"""One operation on many letters: its preview, its progress, and the few things a person can do about it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from audit.refusals import Invalid
from audit.web import actor_of, address, crumbs, cursors, page, pager, record_refusal, unchanged
from orchestrator.forms.triage import TermsForm
from orchestrator.operations import bulk_letters as operations
from orchestrator.operations.bulk_letters import WrongCount
from orchestrator.queries import operations as queries
from orchestrator.statuses import ItemStatus, OperationStatus


@require_safe
def operation_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Before the confirmation what would be done; afterwards what was seen."""
    shown = _shown(request, pk)
    return unchanged(request, shown.version) or _operation_page(request, shown, _blank(shown))


@require_POST
def confirmations(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Its person lets it begin."""
    shown = _shown(request, pk)
    form = TermsForm(request.POST, operation=shown.operation, must_type=shown.must_type)
    if form.is_valid():
        try:
            return redirect(operations.confirm(operation_id=pk, by=actor_of(request), terms=form.terms()))
        except (WrongCount, Invalid) as fault:
            record_refusal(request, fault)
            form.add_error(
                "count" if isinstance(fault, WrongCount) else None, f"{fault.message} {fault.remedy}".strip()
            )
    return _operation_page(request, shown, form, status=422)


@require_POST
def seconds(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A second person agrees."""
    shown = _shown(request, pk)
    form = TermsForm(request.POST, operation=shown.operation, must_type=shown.must_type, second=True)
    if form.is_valid():
        try:
            count = form.cleaned_data.get("count")
            return redirect(operations.second(operation_id=pk, by=actor_of(request), count=count))
        except WrongCount as fault:
            record_refusal(request, fault)
            form.add_error("count", f"{fault.message} {fault.remedy}")
    return _operation_page(request, shown, form, status=422)


@require_POST
def pauses(request: HttpRequest, pk: UUID) -> HttpResponse:
    return redirect(operations.pause(operation_id=pk, by=actor_of(request)))


@require_POST
def resumptions(request: HttpRequest, pk: UUID) -> HttpResponse:
    return redirect(operations.resume(operation_id=pk, by=actor_of(request)))


@require_POST
def cancellations(request: HttpRequest, pk: UUID) -> HttpResponse:
    """No further letter is tried."""
    operation = operations.cancel(operation_id=pk, by=actor_of(request))
    messages.success(request, "Cancelled. What is under way cannot be called back, and is still seen.")
    return redirect(operation)


def _shown(request: HttpRequest, pk: UUID) -> queries.OperationPage:
    return queries.operation_page(actor_of(request), pk, show=request.GET.get("show", ""), **cursors(request))


def _blank(shown: queries.OperationPage) -> TermsForm | None:
    if shown.operation.status not in {OperationStatus.PREVIEWED, OperationStatus.SECOND_PERSON}:
        return None
    second = shown.operation.status == OperationStatus.SECOND_PERSON
    return TermsForm(operation=shown.operation, must_type=shown.must_type, second=second)


def _operation_page(
    request: HttpRequest, shown: queries.OperationPage, form: TermsForm | None, *, status: int = 200
) -> HttpResponse:
    place = crumbs("Dead letters", "failure_groups", str(shown.operation.group), str(shown.operation))
    place[1]["url"] = shown.operation.group.get_absolute_url()
    narrowed = request.GET.get("show", "")
    context = {
        "crumbs": place,
        "shown": shown,
        "operation": shown.operation,
        "form": form,
        "views": [("All", shown.total, address(request, show=None, after=None, before=None), not narrowed)]
        + [
            (ItemStatus(name).label, number, address(request, show=name, after=None, before=None), name == narrowed)
            for name, number in shown.counts.items()
            if number
        ],
        "pager": pager(request, shown.slice),
    }
    full, part = "orchestrator/operation_detail.html", "orchestrator/_operation.html"
    return page(request, full, part, context, status=status)
