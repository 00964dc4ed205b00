"""The queue's filter bar."""

from datetime import datetime, timedelta

from django import forms
from django.db.models import TextChoices

from approvals.queries.queue import ANY, FOR_ME, HELD_BY_ME, HELD_BY_NOBODY, WAITING, QueueFilters
from approvals.statuses import RequestStatus
from audit.filter_forms import FilterBar, search


class State(TextChoices):
    """The queue's views, in the order people need them."""

    WAITING = WAITING, "Waiting"
    FOR_ME = FOR_ME, "Waiting for me"
    SENT_BACK = RequestStatus.SENT_BACK, "Sent back with a question"
    APPROVED = RequestStatus.APPROVED, "Approved, not yet used"
    USED = RequestStatus.USED, "Approved and used"
    REJECTED = RequestStatus.REJECTED, "Rejected"
    ANSWERED = RequestStatus.ANSWERED, "Answered by a person"
    EXPIRED = RequestStatus.EXPIRED, "Expired"
    WITHDRAWN = RequestStatus.WITHDRAWN, "Withdrawn"
    VOID = RequestStatus.VOID, "Void"
    ANY = ANY, "Any"


TIERS = [("", "Any"), ("customer_facing", "Customer-facing"), ("financial", "Financial")]
DUE = [("", "Any time"), ("1", "Within 1 hour"), ("24", "Within 24 hours")]

HELD = [("", "Anybody"), (HELD_BY_ME, "Me, or asked of me"), (HELD_BY_NOBODY, "Nobody")]


class QueueForm(FilterBar):
    """Of the queue."""

    state = forms.ChoiceField(choices=State.choices, required=False, initial=State.WAITING)
    tier = forms.ChoiceField(choices=TIERS, required=False)
    unit = forms.ChoiceField(required=False)
    action = forms.ChoiceField(required=False)
    agent = forms.CharField(required=False, max_length=200)
    held = forms.ChoiceField(choices=HELD, required=False, label="Held by")
    due = forms.ChoiceField(choices=DUE, required=False)
    q = search()

    def filters(self, now: datetime) -> QueueFilters:
        self.is_valid()
        chosen = {name: self.cleaned_data.get(name) or "" for name in self.fields}
        due = chosen.pop("due")
        return QueueFilters(
            **{**chosen, "state": chosen["state"] or WAITING},
            due_before=now + timedelta(hours=int(due)) if due else None,
        )
