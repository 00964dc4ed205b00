"""Form fields for what policies say in lists: one line of text each, so that they are read and compared as text."""

import re
from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from approvals.quorum import Need
from audit.account_choice import called

_NEED = re.compile(r"(\d{1,2})\s+from\s+(.+)")
_OR = re.compile(r"\s+or\s+|\s*,\s*")


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        return list(dict.fromkeys(line.strip() for line in (value or "").splitlines() if line.strip()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or []))
        except forms.ValidationError:
            return True

    def run_validators(self, value: Any) -> None:
        """The validators of a text do not fit a list."""


class ChecksField(LinesField):
    """Questions to answer with yes or no."""

    def to_python(self, value: Any) -> Any:
        checks = super().to_python(value)
        if len(checks) > 10 or any(len(check) > 200 for check in checks):
            raise forms.ValidationError(
                "At most 10 checks, of 200 characters each: people have to read them every time."
            )
        return checks


class NeedsField(LinesField):
    """Whose signatures: `1 from finance`, or `2 from finance or risk`."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, Need.read(value))) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        lines = super().to_python(value)
        return [self._read(number, line) for number, line in enumerate(lines, 1)]

    def _read(self, number: int, line: str) -> dict[str, Any]:
        found = _NEED.fullmatch(line)
        if found is None or int(found[1]) < 1:
            raise forms.ValidationError(f"Line {number}: “{line}” is not understood. Write it like: 1 from finance")
        return Need(tuple(sorted(set(_OR.split(found[2].strip())))), int(found[1])).to_json()


class AccountsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Accounts of people, kept as their ids."""

    def __init__(self, *, disabled_too: bool = False, **kwargs: Any) -> None:
        accounts = get_user_model().objects.order_by("username")
        offered = accounts if disabled_too else accounts.filter(is_active=True)
        super().__init__(queryset=offered, widget=forms.CheckboxSelectMultiple, **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        return called(obj)

    def clean(self, value: Any) -> Any:
        return sorted(super().clean(value).values_list("pk", flat=True))


def names_of(ids: list[int]) -> str:
    """User names of accounts, for people to read."""
    found = get_user_model().objects.filter(pk__in=ids).order_by("username")
    return ", ".join(found.values_list("username", flat=True)) or "nobody"
