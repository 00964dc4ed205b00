"""The pages of evaluation cases: the list with its filter, one case, and the file."""

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from approvals import snapshots
from approvals.models import CaseKind, EvaluationCase
from approvals.operations import cases
from approvals.operations.second_looks import waiting_for
from approvals.statuses import EvaluationCaseStatus
from audit.actors import Actor
from audit.filter_forms import search
from audit.queries import Keyset, counted, visible_or_refuse
from audit.refusals import Invalid
from audit.web import actor_of, chips, crumbs, cursors, page, pager

NEWEST_FIRST = Keyset(("-kept_at", "-id"))
MOST_EXPORTED = 10_000


class CaseFilters(forms.Form):
    """The filter bar. What is not a choice is ignored: a shared link never breaks."""

    state = forms.ChoiceField(choices=[("", "Any"), *EvaluationCaseStatus.choices], required=False)
    kind = forms.ChoiceField(choices=[("", "Any"), *CaseKind.choices], required=False)
    q = search()

    def narrow(self, rows: QuerySet[EvaluationCase]) -> QuerySet[EvaluationCase]:
        self.is_valid()
        given = {name: self.cleaned_data.get(name) or "" for name in self.fields}
        wanted = {"status": given["state"], "kind": given["kind"]}
        rows = rows.filter(**{name: value for name, value in wanted.items() if value})
        q = given["q"]
        said = Q(title__icontains=q) | Q(tool=q) | Q(agent=q) | Q(note__icontains=q) | Q(policy_version__icontains=q)
        return rows.filter(said) if q else rows


class JudgementForm(forms.Form):
    """Does this case teach anything?"""

    verdict = forms.ChoiceField(
        choices=[("accept", "Accept: releases are held against it"), ("dismiss", "Dismiss")],
        widget=forms.RadioSelect, label="What is it?", error_messages={"required": "Choose one answer."},
    )  # fmt: skip
    why = forms.CharField(
        min_length=cases.SHORTEST_REASON, max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}), label="Why",
        error_messages={"required": "Say why."},
    )  # fmt: skip


@require_safe
def case_list(request: HttpRequest) -> HttpResponse:
    """Newest first, of the units this person sees."""
    form = CaseFilters(request.GET)
    rows = form.narrow(_seen_by(actor_of(request))).defer("snapshot", "before", "after")
    found = NEWEST_FIRST.slice(rows, **cursors(request))
    return page(request, "approvals/case_list.html", "approvals/_case_rows.html", {
        "form": form,
        "listing": found,
        "total": counted(rows),
        "chips": chips(request, form),
        "pager": pager(request, found),
        "clear_url": request.path,
        "query": request.GET.urlencode(),
        "crumbs": crumbs("Approvals", "approvals", "Evaluation cases"),
    })  # fmt: skip


@require_safe
def case(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One case: what was proposed, what a person made of it, and why."""
    return _page(request, _visible(request, pk), JudgementForm())


@require_POST
def judgements(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Accept or dismiss it, with a reason."""
    row, form = _visible(request, pk), JudgementForm(request.POST)
    if not form.is_valid():
        return _page(request, row, form, status=422)
    given = form.cleaned_data
    row = cases.judge(case_id=pk, accept=given["verdict"] == "accept", why=given["why"], by=actor_of(request))
    messages.success(request, f"The case is {row.status}.")
    return redirect(row)


@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """The cases that the filter leaves, as JSON lines. A POST, because it is recorded that they left."""
    rows = CaseFilters(request.GET).narrow(_seen_by(actor_of(request)))
    found = list(rows.order_by("id")[: MOST_EXPORTED + 1])
    if len(found) > MOST_EXPORTED:
        raise Invalid(f"More than {MOST_EXPORTED:,} cases match.", remedy="Narrow the filter, then export again.")
    text = cases.export(found, by=actor_of(request))
    answer = HttpResponse(text, content_type="application/jsonl; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="evaluation-cases.jsonl"'
    return answer


def _seen_by(actor: Actor) -> QuerySet[EvaluationCase]:
    """Without those that would tell how a request was decided to somebody who shall judge it anew."""
    unseen = waiting_for(actor).values("request_id")
    rows: QuerySet[EvaluationCase] = EvaluationCase.objects.visible_to(actor).exclude(request_id__in=unseen)
    return rows


def _visible(request: HttpRequest, pk: UUID) -> EvaluationCase:
    found: EvaluationCase = visible_or_refuse(_seen_by(actor_of(request)), pk, "evaluation case")
    return found


def _page(request: HttpRequest, row: EvaluationCase, form: forms.Form, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "case": row,
        "form": form,
        "may": cases.may_judge(row, actor_of(request)),
        "changes": snapshots.difference(row.before, row.after) if row.kind == CaseKind.EDIT else [],
        "before": json.loads(row.before),
        "after": json.loads(row.after) if row.after else None,
        "crumbs": [*crumbs("Approvals", "approvals"), *crumbs("Evaluation cases", "cases", row.title)],
    }
    return render(request, "approvals/case_detail.html", context, status=status)
