"""How somebody wants to be told."""

from typing import Any

from django import forms

from approvals.models import NotificationChoice
from audit.preferences import zones_by_place


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
