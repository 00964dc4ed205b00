"""Delegation and absence: what a person has lent, was lent and has announced, on one page of their own."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.operations import delegations
from approvals.queries import standing as standing_queries
from approvals.queries.standing import StandingPage
from audit.moments import refuse_other_years
from audit.refusals import Invalid, Refusal
from audit.web import actor_of, page, record_refusal


def _moment(label: str) -> forms.DateTimeField:
    """In the person's own time zone, to the minute."""
    box = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=box, validators=[refuse_other_years])


class DelegationForm(forms.Form):
    """Where, to whom, from when until when."""

    unit = forms.TypedChoiceField(coerce=UUID, label="Business unit")
    to = forms.TypedChoiceField(
        coerce=int, label="Person", help_text="They must be able to look into the unit already."
    )
    starts_at = _moment("From")
    ends_at = _moment("Until")

    def __init__(self, *args: Any, offered: StandingPage, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "delegation_%s"})
        self.fields["unit"].choices = [("", "Choose a unit"), *offered.units]  # type: ignore[attr-defined]
        self.fields["to"].choices = [("", "Choose a person"), *offered.people]  # type: ignore[attr-defined]


class AbsenceForm(forms.Form):
    """From when until when, and who looks after what is assigned meanwhile."""

    away_from = _moment("Away from")
    away_until = _moment("Until")
    stand_in = forms.TypedChoiceField(
        coerce=int, empty_value=None, required=False, label="Stand-in",
        help_text="What colleagues assign to you goes to them. To sign they need a role of their own, or a delegation.",
    )  # fmt: skip

    def __init__(self, *args: Any, offered: StandingPage, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "absence_%s"})
        self.fields["stand_in"].choices = [("", "Nobody"), *offered.people]  # type: ignore[attr-defined]


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return _page(request)


@require_POST
def delegate(request: HttpRequest) -> HttpResponse:
    """Lend the right to sign in one unit."""
    offered = standing_queries.standing(actor_of(request))
    form = DelegationForm(request.POST, offered=offered)
    if not form.is_valid():
        return _page(request, lending=form, status=422)
    given = form.cleaned_data
    try:
        row = delegations.delegate(
            unit_id=given["unit"],
            to=given["to"],
            starts_at=given["starts_at"],
            ends_at=given["ends_at"],
            by=actor_of(request),
        )
    except Refusal as refusal:
        return _refused(request, refusal, lending=form)
    messages.success(request, f"{row.delegate_name} can sign for you in {row.unit_title} during these dates.")
    return redirect("standing")


@require_POST
def go_away(request: HttpRequest) -> HttpResponse:
    """Announce an absence."""
    form = AbsenceForm(request.POST, offered=standing_queries.standing(actor_of(request)))
    if not form.is_valid():
        return _page(request, leaving=form, status=422)
    try:
        delegations.go_away(**form.cleaned_data, by=actor_of(request))
    except Refusal as refusal:
        return _refused(request, refusal, leaving=form)
    messages.success(request, "Your absence is announced.")
    return redirect("standing")


@require_POST
def revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    delegations.revoke(delegation_id=pk, by=actor_of(request))
    messages.success(request, "The delegation is over.")
    return redirect("standing")


@require_POST
def come_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    delegations.come_back(absence_id=pk, by=actor_of(request))
    messages.success(request, "The absence is over.")
    return redirect("standing")


def _refused(request: HttpRequest, refusal: Refusal, **form: forms.Form) -> HttpResponse:
    """The page again with the refusal in its form: what was typed stays."""
    details = [message for _, _, message in refusal.errors] if isinstance(refusal, Invalid) else []
    for bound in form.values():
        bound.add_error(None, " ".join([refusal.message, *details, refusal.remedy]).strip())
    record_refusal(request, refusal)
    return _page(request, **form, status=refusal.status_code)


def _page(
    request: HttpRequest, *, lending: forms.Form | None = None, leaving: forms.Form | None = None, status: int = 200
) -> HttpResponse:
    shown, now = standing_queries.standing(actor_of(request)), timezone.now()
    context = {
        "shown": shown,
        "lending": lending or DelegationForm(offered=shown, initial={"starts_at": now}),
        "leaving": leaving or AbsenceForm(offered=shown, initial={"away_from": now}),
    }
    return page(request, "approvals/standing.html", "approvals/standing.html", context, status=status)
