"""What people type to let calls go out again."""

from django import forms


class CloseForm(forms.Form):
    """Why calls may go out again."""

    reason = forms.CharField(
        min_length=10, max_length=1_000, label="How do you know that it answers again?",
        error_messages={"required": "Say how you know that it answers again."},
    )  # fmt: skip
