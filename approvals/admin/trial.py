"""The page on which a draft is tried: a plain GET, and nothing changes."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from approvals.models import ApprovalPolicy
from approvals.queries.trial import try_policy
from audit.actors import Actor

CHOICES = (100, 500, 2_000)
SHOWN = 50


def chosen(request: HttpRequest) -> int:
    """How many actions to try it on. What is not offered is the first choice: a shared link never breaks."""
    text = request.GET.get("last", "")
    return int(text) if text.isdecimal() and int(text) in CHOICES else CHOICES[0]


@require_safe
def trial_page(request: HttpRequest, row: ApprovalPolicy, by: Actor, context: dict[str, Any]) -> HttpResponse:
    last = chosen(request)
    trial = try_policy(row, by=by, last=last)
    kinds = {"stricter": trial.stricter[:SHOWN], "looser": trial.looser[:SHOWN], "others": trial.others[:SHOWN]}
    return render(
        request, "admin/policy_trial.html", {**context, **kinds, "trial": trial, "last": last, "choices": CHOICES}
    )
