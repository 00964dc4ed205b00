"""What people type: the queue's filters, and a decision."""

import json
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import TextChoices

from approvals.emergencies import SHORTEST_NOTE
from approvals.models import FITS, ApprovalRequest, NotificationChoice, ReasonCode, Verdict
from approvals.models.emergency import SHORTEST_REASON
from approvals.operations import Voice
from approvals.queue import ANY, FOR_ME, HELD_BY_ME, HELD_BY_NOBODY, WAITING, QueueFilters
from approvals.statuses import RequestStatus
from audit.preferences import zones_by_place


class State(TextChoices):
    """The queue's views, in the order people need them."""

    WAITING = WAITING, "Waiting"
    FOR_ME = FOR_ME, "Waiting for me"
    APPROVED = RequestStatus.APPROVED, "Approved, not yet used"
    USED = RequestStatus.USED, "Approved and used"
    REJECTED = RequestStatus.REJECTED, "Rejected"
    EXPIRED = RequestStatus.EXPIRED, "Expired"
    WITHDRAWN = RequestStatus.WITHDRAWN, "Withdrawn"
    VOID = RequestStatus.VOID, "Void"
    ANY = ANY, "Any"


TIERS = [("", "Any"), ("customer_facing", "Customer-facing"), ("financial", "Financial")]
DUE = [("", "Any time"), ("1", "Within 1 hour"), ("24", "Within 24 hours")]

HELD = [("", "Anybody"), (HELD_BY_ME, "Me, or asked of me"), (HELD_BY_NOBODY, "Nobody")]


class QueueForm(forms.Form):
    """The filter bar. What is not a choice is ignored: a shared link never breaks."""

    state = forms.ChoiceField(choices=State.choices, required=False, initial=State.WAITING)
    tier = forms.ChoiceField(choices=TIERS, required=False)
    unit = forms.ChoiceField(required=False)
    action = forms.ChoiceField(required=False)
    agent = forms.CharField(required=False, max_length=200)
    held = forms.ChoiceField(choices=HELD, required=False, label="Held by")
    due = forms.ChoiceField(choices=DUE, required=False)
    q = forms.CharField(required=False, max_length=200, label="Text", widget=forms.TextInput(attrs={"type": "search"}))

    def __init__(self, *args: Any, offered: dict[str, list[tuple[str, str]]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, options in offered.items():
            self.fields[name].choices = [("", "Any"), *options]  # type: ignore[attr-defined]

    def filters(self, now: datetime) -> QueueFilters:
        self.is_valid()
        chosen = {name: self.cleaned_data.get(name) or "" for name in self.fields}
        due = chosen.pop("due")
        return QueueFilters(
            **{**chosen, "state": chosen["state"] or WAITING},
            due_before=now + timedelta(hours=int(due)) if due else None,
        )


REASONS = [
    ("", "Choose a reason"),
    ("To approve", [(code.value, code.label) for code in (ReasonCode.EVIDENCE_CHECKED, ReasonCode.WITHIN_POLICY)]),
    (
        "To reject",
        [
            (code.value, code.label)
            for code in (
                ReasonCode.WRONG_AMOUNT,
                ReasonCode.WRONG_TARGET,
                ReasonCode.MISSING_EVIDENCE,
                ReasonCode.NOT_ALLOWED,
                ReasonCode.DUPLICATE,
            )
        ],
    ),
    ("Either", [(ReasonCode.OTHER.value, ReasonCode.OTHER.label)]),
]
SECTIONS = {
    "act": "What will happen",
    "change": "Change against the record",
    "evidence": "Evidence",
    "policy": "Policy",
}


class DecisionForm(forms.Form):
    """One person's voice, over the digest and revision that stood on their page."""

    digest = forms.CharField(max_length=64, widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)
    verdict = forms.ChoiceField(
        choices=Verdict.choices,
        widget=forms.RadioSelect,
        label="Your answer",
        error_messages={"required": "Choose Approve or Reject."},
    )
    reason_code = forms.ChoiceField(
        choices=REASONS, label="Reason", error_messages={"required": "Choose the reason that fits best."}
    )
    note = forms.CharField(
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The agent and the auditors read it. “Other” needs a note.",
    )
    viewed = forms.MultipleChoiceField(
        choices=[*SECTIONS.items()], required=False, widget=forms.CheckboxSelectMultiple, label="Viewed"
    )
    reading = forms.CharField(required=False, max_length=4_000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, approval: ApprovalRequest, **kwargs: Any) -> None:
        kwargs |= {"initial": {"digest": approval.digest, "revision": approval.revision}, "auto_id": "decision_%s"}
        super().__init__(*args, **kwargs)
        self.approval = approval

    @property
    def must_view(self) -> bool:
        """An act that needs two people is signed only by somebody who has opened every part of it."""
        return self.approval.required > 1

    def clean_viewed(self) -> list[str]:
        viewed: list[str] = self.cleaned_data["viewed"]
        missing = [title for name, title in SECTIONS.items() if name not in viewed]
        if self.must_view and missing:
            raise forms.ValidationError(f"Still to view: {', '.join(missing)}.")
        return viewed

    def clean_reason_code(self) -> str:
        code: str = self.cleaned_data["reason_code"]
        verdict = self.cleaned_data.get("verdict")
        if verdict and code not in FITS[Verdict(verdict)]:
            raise forms.ValidationError(f"This is no reason to {verdict}.")
        return code

    @property
    def says_yes(self) -> bool:
        return bool(self.cleaned_data["verdict"] == Verdict.APPROVE)

    def voice(self) -> Voice:
        given = self.cleaned_data
        return Voice(
            digest=given["digest"],
            revision=given["revision"],
            reason_code=given["reason_code"],
            note=given["note"],
            viewed={"sections": given["viewed"], "reading": _reading(given["reading"])},
        )


class BreakGlassForm(forms.Form):
    """Signing alone: over what stood on the page, and why it cannot wait."""

    digest = forms.CharField(max_length=64, widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        min_length=SHORTEST_REASON, max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}),
        label="Why can it not wait for a second person?", error_messages={"required": "Say why it cannot wait."},
        help_text="At least 20 characters. Every reviewer and administrator is told, and one of them looks at it afterwards.",
    )  # fmt: skip

    def voice(self) -> Voice:
        given = self.cleaned_data
        return Voice(
            digest=given["digest"], revision=given["revision"], reason_code=ReasonCode.OTHER, note=given["reason"]
        )


class LookForm(forms.Form):
    """What a second person thinks of it afterwards."""

    verdict = forms.ChoiceField(
        choices=[("justified", "It was justified"), ("objected", "I object")], widget=forms.RadioSelect,
        label="What do you think?", error_messages={"required": "Choose one answer."},
    )  # fmt: skip
    note = forms.CharField(
        min_length=SHORTEST_NOTE, max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}),
        label="What did you look at?", error_messages={"required": "Say what you looked at."},
    )  # fmt: skip


class NotificationForm(forms.ModelForm):  # type: ignore[type-arg]
    """How one person wants to be told."""

    time_zone = forms.ChoiceField(help_text="In which the hours above are meant.")

    class Meta:
        model = NotificationChoice
        fields = ["pace", "quiet_from", "quiet_to", "time_zone"]
        labels = {"pace": "E-mail", "quiet_from": "Quiet from", "quiet_to": "Quiet until"}
        help_texts = {
            "pace": "Emergencies and stops are told at once, unless you choose “Not at all”.",
            "quiet_to": "Messages of the quiet hours arrive when they end.",
        }
        widgets = {
            "pace": forms.RadioSelect,
            "quiet_from": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "quiet_to": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = [("UTC", "UTC"), *((zone, zone) for zone in zones_by_place())]
        self.fields["time_zone"].choices = zones  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(given.get("quiet_from")) != bool(given.get("quiet_to")):
            self.add_error("quiet_to", "Quiet hours need a beginning and an end, or neither.")
        return given


def _reading(text: str) -> dict[str, Any]:
    """How long each part was on screen, as the browser reported it: kept only in the shape it should have."""
    try:
        reported = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(reported, dict):
        return {}
    return {
        name: {part: seen[part] for part in ("ms", "opens") if isinstance(seen.get(part), int)}
        for name, seen in reported.items()
        if name in SECTIONS and isinstance(seen, dict)
    }
