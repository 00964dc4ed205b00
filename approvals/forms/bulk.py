"""What people give when they act on several requests: which ones, and later the words that go with it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import TextChoices

from approvals.models import BulkAct, BulkOperation, ReasonCode, Verdict
from approvals.operations.bulk import VERDICTS, Words
from approvals.rules.answers import offered
from audit.ids import id_of


class Chosen(TextChoices):
    """Which rows an act is about."""

    SELECTED = "selected", "Selected rows"
    PAGE = "page", "All rows of this page"
    MATCHING = "matching", "All that match the filters"


class ChoiceForm(forms.Form):
    """The bar under the queue. Ids that are none are ignored: whoever types their own gets fewer rows."""

    act = forms.ChoiceField(choices=BulkAct.choices)
    rows = forms.ChoiceField(choices=Chosen.choices, required=False)
    page = forms.CharField(required=False, max_length=10_000)
    query = forms.CharField(required=False, max_length=2_000)

    def ids(self) -> list[UUID]:
        """The ticked rows, or those of the page as it was shown."""
        whole_page = self.cleaned_data["rows"] == Chosen.PAGE
        data: Any = self.data
        texts = self.cleaned_data["page"].split(",") if whole_page else data.getlist("item")
        return [pk for text in texts if (pk := id_of(text)) is not None]

    @property
    def all_matching(self) -> bool:
        return bool(self.cleaned_data["rows"] == Chosen.MATCHING)


class WordsForm(forms.Form):
    """What the confirmation of an act needs: a reason and a note for a decision, a person for an assignment."""

    reason_code = forms.ChoiceField(label="Reason", error_messages={"required": "Choose the reason that fits best."})
    note = forms.CharField(
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The agent and the auditors read it, on every one of these requests. “Other” needs a note.",
    )
    assignee = forms.TypedChoiceField(coerce=int, label="Ask", error_messages={"required": "Choose whom to ask."})

    def __init__(self, *args: Any, operation: BulkOperation, people: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "bulk_%s"})
        verdict = VERDICTS.get(BulkAct(operation.act))
        if verdict is None:
            del self.fields["reason_code"], self.fields["note"]
        else:
            self.fields["reason_code"].choices = _fitting(operation, verdict)  # type: ignore[attr-defined]
        if operation.act == BulkAct.ASSIGN:
            self.fields["assignee"].choices = [("", "Choose a person"), *people]  # type: ignore[attr-defined]
        else:
            del self.fields["assignee"]

    def words(self) -> Words:
        given = self.cleaned_data
        return Words(
            reason_code=given.get("reason_code", ""), note=given.get("note", ""), assignee_id=given.get("assignee")
        )


def _fitting(operation: BulkOperation, verdict: Verdict) -> list[tuple[str, str]]:
    """The reasons that the policies of every one of them offer."""
    items = operation.items.filter(outcome="").select_related("request")
    common = set(ReasonCode).intersection(*(offered(item.request, verdict) for item in items))
    return [("", "Choose a reason"), *((code.value, code.label) for code in ReasonCode if code in common)]


def people_named(ids: set[int]) -> list[tuple[int, str]]:
    """Names to choose from, in order."""
    users = get_user_model().objects.filter(pk__in=ids, is_active=True)
    return sorted(((user.pk, user.get_full_name() or user.get_username()) for user in users), key=lambda one: one[1])
