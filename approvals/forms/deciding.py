"""A decision as people give it: alone, as one of two, in an emergency, or as a second look."""

import re
import time
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.signing import BadSignature, TimestampSigner, b62_decode

from approvals.forms.factors import ConfirmedForm
from approvals.models import ApprovalRequest, ReasonCode, Verdict
from approvals.models.emergency import SHORTEST_REASON
from approvals.operations import Voice
from approvals.operations.emergencies import SHORTEST_NOTE
from approvals.rules import showing
from approvals.rules.answers import offered
from approvals.rules.showing import SECTIONS
from audit.canonical import BadJSON, read_strict
from audit.pointers import names_in
from audit.refusals import Invalid


def reasons(approval: ApprovalRequest, *, agreeing: Verdict = Verdict.APPROVE) -> list[Any]:
    """The reasons to choose from, as the request's policies offer them, by what they speak for."""
    yes, no = offered(approval, agreeing), offered(approval, Verdict.REJECT)
    groups = [
        (AGREED[agreeing], [code for code in yes if code not in no]),
        ("To reject", [code for code in no if code not in yes]),
        ("Either", [code for code in yes if code in no]),
    ]
    named = [(title, [(code.value, code.label) for code in codes]) for title, codes in groups if codes]
    return [("", "Choose a reason"), *named]


AGREED = {Verdict.APPROVE: "To approve", Verdict.ANSWER: "Done by hand"}
OPENED = TimestampSigner(salt="approvals.opened")
FOLD = re.compile(r"fold-[\w-]{1,200}")
MOST_FOLDS = 200


class DecisionForm(ConfirmedForm):
    """One person's voice, over the digest and revision that stood on their page."""

    prefix_of_ids, prefix_of_checks = "decision", ""
    # Where it is sent, and the answer that is not a refusal.
    url_name, agreeing = "approval_decisions", Verdict.APPROVE

    digest = forms.CharField(max_length=64, widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)
    verdict = forms.ChoiceField(
        choices=[(one.value, one.label) for one in (Verdict.APPROVE, Verdict.REJECT)],
        widget=forms.RadioSelect,
        label="Your answer",
        error_messages={"required": "Choose Approve or Reject."},
    )
    reason_code = forms.ChoiceField(label="Reason", error_messages={"required": "Choose the reason that fits best."})
    note = forms.CharField(
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Optional, but needed with “Other”. The agent and the auditors read it.",
    )
    viewed = forms.MultipleChoiceField(
        choices=[*SECTIONS.items()], required=False, widget=forms.CheckboxSelectMultiple, label="Viewed"
    )
    reading = forms.CharField(required=False, max_length=60_000, widget=forms.HiddenInput)
    view = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    record_read = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    opened = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    critical = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(
        self, *args: Any, approval: ApprovalRequest, kept: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        shown = {
            **(kept or {}),
            "digest": approval.digest,
            "revision": approval.revision,
            "view": showing.view_digest(approval),
            "record_read": approval.record_read_at.isoformat() if approval.record_read_at else "",
            "opened": OPENED.sign(str(approval.pk)),
        }
        kwargs |= {"initial": shown, "auto_id": f"{self.prefix_of_ids}_%s"}
        super().__init__(*args, **kwargs)
        self.approval = approval
        self.only_where_asked(approval)
        if "reason_code" in self.fields:
            self.fields["note"].needed_sometimes = True  # type: ignore[attr-defined]
            self.fields["reason_code"].choices = reasons(approval, agreeing=self.agreeing)  # type: ignore[attr-defined]
            # With a script, the answer chosen leaves only the reasons that fit it.
            for verdict in (self.agreeing, Verdict.REJECT):
                self.fields["reason_code"].widget.attrs[f"data-fit-{verdict}"] = " ".join(offered(approval, verdict))
        for number, check in enumerate(approval.checks):
            self.fields[f"check_{number}"] = forms.ChoiceField(
                label=check, choices=[("yes", "Yes"), ("no", "No")], widget=forms.RadioSelect, required=False
            )
        value = showing.critical_value(approval)
        if value is None:
            del self.fields["critical"]
        else:
            self.fields["critical"].label = f"Type the value of {showing.spoken(value.label)}, as you read it"
            self.fields[
                "critical"
            ].help_text = (
                "Approving needs it of both reviewers, rejecting does not. Grouping and currency do not matter."
            )
            # Asked for by one answer of the two, so neither the browser nor the word "optional" speaks for it.
            self.fields["critical"].needed_sometimes = True  # type: ignore[attr-defined]

    def offer_only_no(self) -> None:
        """For somebody who has signed: what the page still offers. A "yes" sent twice is read all the same."""
        no = [(code.value, code.label) for code in offered(self.approval, Verdict.REJECT)]
        if "reason_code" in self.fields:
            self.fields["reason_code"].choices = [("", "Choose a reason"), *no]  # type: ignore[attr-defined]

    @property
    def checks(self) -> list[forms.BoundField]:
        """The policy's questions, in its order."""
        return [self[f"check_{number}"] for number in range(len(self.approval.checks))]

    @property
    def answers(self) -> dict[str, bool]:
        """The questions that were answered."""
        given = [self.cleaned_data.get(f"check_{number}") for number in range(len(self.approval.checks))]
        return {check: answer == "yes" for check, answer in zip(self.approval.checks, given, strict=True) if answer}

    @property
    def must_view(self) -> bool:
        """An act that needs two people is signed only by somebody who has opened every part of it."""
        return self.approval.required > 1

    def clean_reason_code(self) -> str:
        code: str = self.cleaned_data["reason_code"]
        verdict = self.cleaned_data.get("verdict")
        if verdict and code not in offered(self.approval, Verdict(verdict)):
            raise forms.ValidationError(
                f"“{ReasonCode(code).label}” is no reason to {verdict}. Choose one that is, or the other answer."
            )
        return code

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("verdict") == Verdict.APPROVE and given.get("critical") == "":
            self.add_error("critical", "Type the value as you read it.")
        return given

    @property
    def says_yes(self) -> bool:
        return bool(self.cleaned_data["verdict"] == self.agreeing)

    def voice(self) -> Voice:
        given = self.cleaned_data
        return Voice(
            digest=given["digest"],
            revision=given["revision"],
            reason_code=given["reason_code"],
            note=given["note"],
            answers=self.answers,
            critical=given.get("critical", ""),
            confirmation=given.get("confirmation"),
            viewed={
                "sections": given["viewed"],
                "reading": _reading(given["reading"]),
                "view": given["view"],
                "seconds": _seconds_since(given["opened"], self.approval),
                **({"record_read": given["record_read"]} if given["record_read"] else {}),
            },
        )

    def blame(self, refusal: Invalid) -> bool:
        """Put what the verb says about a field beside that field. Is everything said there now?"""
        named = [(self._named(pointer), message) for pointer, _, message in refusal.errors]
        for name, message in named:
            self.add_error(name, message)
        return bool(named) and all(name for name, _ in named)

    def _named(self, pointer: str) -> str | None:
        """The field that a verb means: for a check its question, by the place it has in the policy."""
        first, *rest = names_in(pointer)
        if first == "answers" and rest and rest[0] in self.approval.checks:
            return f"check_{self.approval.checks.index(rest[0])}"
        return first if first in self.fields else None


def _seconds_since(opened: str, approval: ApprovalRequest) -> int | None:
    """How long the page was open, by the server's own signed note of when it made it; None where there is none."""
    try:
        if OPENED.unsign(opened) != str(approval.pk):
            return None
    except BadSignature:
        return None
    made = b62_decode(opened.rsplit(":", 2)[1])
    return max(0, int(time.time()) - made)


class BreakGlassForm(DecisionForm):
    """Signing alone: everything a signature is asked for, and why it cannot wait."""

    prefix_of_ids, prefix_of_checks = "glass", "glass-"
    verdict = reason_code = note = None  # type: ignore[assignment]
    reason = forms.CharField(
        min_length=SHORTEST_REASON, max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}),
        label="Why can it not wait for a second person?", error_messages={"required": "Say why it cannot wait."},
        help_text="At least 20 characters. Every reviewer and administrator is told, and one of them looks at it afterwards.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "critical" in self.fields:
            # Whoever has signed already has typed it; of everybody else the verb asks for it.
            self.fields[
                "critical"
            ].help_text = "Not needed again where you have signed. Grouping and currency do not matter."

    def voice(self) -> Voice:
        self.cleaned_data |= {"reason_code": ReasonCode.OTHER, "note": self.cleaned_data["reason"]}
        return super().voice()


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


def _reading(text: str) -> dict[str, Any]:
    """How long each part was on screen, as the browser reported it: kept only in the shape it should have."""
    try:
        reported = read_strict(text.encode())
    except BadJSON:
        return {}
    if not isinstance(reported, dict):
        return {}
    return {
        name: {part: seen[part] for part in ("ms", "opens") if isinstance(seen.get(part), int)} | _folds_of(seen)
        for name, seen in reported.items()
        if name in SECTIONS and isinstance(seen, dict)
    }


def _folds_of(seen: dict[str, Any]) -> dict[str, list[str]]:
    """Which folds in that part were opened, by their names on the page."""
    folds = seen.get("folds")
    named = [one for one in folds if isinstance(one, str) and FOLD.fullmatch(one)] if isinstance(folds, list) else []
    return {"folds": named[:MOST_FOLDS]} if named else {}
