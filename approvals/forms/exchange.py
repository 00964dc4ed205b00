"""What a reviewer may do beside signing: ask, edit, give the result; and what the asked person replies."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms

from approvals.forms.factors import ConfirmedForm, OnceInput
from approvals.models import ApprovalRequest, Verdict
from approvals.operations import Voice
from approvals.rules import showing
from approvals.rules.answers import offered
from approvals.snapshots import Value, tree_of
from audit.canonical import BadJSON, read_strict
from audit.pointers import pointer_to
from audit.refusals import Invalid
from audit.templatetags._visible import LINE_END, exact_pieces

MOST_FIELDS = 60
LONGEST_FIELD = 5_000
BAD_NUMBER = "Write a number as in 4860.5: a point before the decimals, and no grouping."
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


class _Read(forms.Form):
    """Over the digest and revision that stood on the page."""

    digest = forms.CharField(max_length=64, widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, approval: ApprovalRequest, **kwargs: Any) -> None:
        initial = {"digest": approval.digest, "revision": approval.revision, "view": showing.view_digest(approval)}
        super().__init__(*args, **(kwargs | {"initial": initial, "auto_id": f"{type(self).__name__.lower()}_%s"}))
        self.approval = approval

    @property
    def typed(self) -> str:
        """What a person would not want to type again, should the form be gone."""
        return "\n".join(
            str(self.data.get(name, ""))
            for name, field in self.fields.items()
            if not field.widget.is_hidden and not isinstance(field.widget, OnceInput)
        )


class QuestionForm(_Read):
    question = forms.CharField(
        max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}), error_messages={"required": "Write what you want to know."},
        help_text="The agent, whoever asked, and the operators read it. Nobody decides until it is answered.",
    )  # fmt: skip


class ReplyForm(_Read):
    reply = forms.CharField(
        max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}), error_messages={"required": "Write an answer."},
        help_text="The reviewers read it, with your name. Whoever answers does not sign.",
    )  # fmt: skip


class ResultForm(ConfirmedForm, _Read):
    """A result in the tool's place, as JSON."""

    view = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    result = forms.CharField(
        max_length=100_000, widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}), label="Result",
        help_text='A JSON object, as the tool would have answered: {"order": "A-17"}',
        error_messages={"required": "Write the result as a JSON object."},
    )  # fmt: skip
    reason_code = forms.ChoiceField(
        label="Reason", error_messages={"required": "Choose the reason that fits best."},
    )  # fmt: skip
    note = forms.CharField(required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, approval: ApprovalRequest, **kwargs: Any) -> None:
        super().__init__(*args, approval=approval, **kwargs)
        self.only_where_asked(approval)
        fitting = [(code.value, code.label) for code in offered(approval, Verdict.ANSWER)]
        self.fields["reason_code"].choices = [("", "Choose a reason"), *fitting]  # type: ignore[attr-defined]

    def clean_result(self) -> dict[str, Any]:
        try:
            value = read_strict(self.cleaned_data["result"].encode())
        except BadJSON as error:
            raise forms.ValidationError(str(error)) from None
        if not isinstance(value, dict):
            raise forms.ValidationError("Write a JSON object, in braces.")
        return value

    def voice(self) -> Voice:
        given = self.cleaned_data
        return Voice(digest=given["digest"], revision=given["revision"], reason_code=given["reason_code"],
                     note=given["note"], viewed={"view": given["view"]},
                     confirmation=given.get("confirmation"))  # fmt: skip


class ValuesForm(forms.Form):
    """One field per value that can be typed as it is; what holds hidden characters is not edited but rejected."""

    def __init__(self, *args: Any, values: list[Value], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.values = values
        self.fields |= {name: _field_of(value) for name, value in self._editable()}

    def _editable(self) -> Iterator[tuple[str, Value]]:
        for number, value in enumerate(self.values[:MOST_FIELDS]):
            if (
                value.kind in {"text", "number", "yes/no"}
                and len(value.text) <= LONGEST_FIELD
                and _is_plain(value.text)
            ):
                yield f"value_{number}", value

    @property
    def offered(self) -> list[forms.BoundField]:
        return [self[name] for name, _ in self._editable()]

    def arguments(self) -> dict[str, Any]:
        """The arguments with what was typed in the places of what stood there."""
        typed = {value.path: self.cleaned_data[name] for name, value in self._editable()}
        whole: dict[str, Any] = tree_of([(value.path, _raw(value, typed)) for value in self.values])
        return whole


class EditForm(ValuesForm, _Read):
    """Other values in the places of those that were proposed."""

    note = forms.CharField(required=False, max_length=2_000, label="Why", widget=forms.Textarea(attrs={"rows": 2}))

    def blame(self, refusal: Invalid) -> bool:
        """Put what is wrong with a value beside its field. Is everything said there now?"""
        fields = {pointer_to(["arguments", *value.path]): name for name, value in self._editable()}
        for pointer, _, message in refusal.errors:
            if pointer in fields:
                self.add_error(fields[pointer], message)
        return bool(refusal.errors) and all(pointer in fields for pointer, _, _ in refusal.errors)


def _is_plain(text: str) -> bool:
    return all(not piece.spelled or piece.text == LINE_END for piece in exact_pieces(text))


def _field_of(value: Value) -> forms.Field:
    label = showing.spoken(value.label)
    more: Mapping[str, Any] = {"label": label, "initial": value.text, "required": False}
    if value.kind == "yes/no":
        choice = forms.ChoiceField(**more, choices=[("yes", "yes"), ("no", "no")])
        choice.needed_sometimes = True  # type: ignore[attr-defined]
        return choice
    if value.kind == "number":
        return forms.RegexField(rf"\A{NUMBER.pattern}\Z", strip=True, **{**more, "required": True}, max_length=40,
                                error_messages={"invalid": BAD_NUMBER})  # fmt: skip
    lines = value.text.count("\n")
    widget = forms.Textarea(attrs={"rows": min(lines + 2, 8)}) if lines else forms.TextInput()
    text = forms.CharField(**more, strip=False, max_length=LONGEST_FIELD, widget=widget)
    # Empty text is a value like any other, so nothing is asked for and nothing is optional.
    text.needed_sometimes = True  # type: ignore[attr-defined]
    return text


def _raw(value: Value, typed: Mapping[Any, str]) -> Any:
    if value.path not in typed:
        return value.raw
    text = typed[value.path]
    if value.kind == "text":
        # A browser sends every line end as CR LF.
        return text.replace("\r\n", "\n")
    return Value(value.path, text, value.kind).raw
