"""Forms that narrow a list, by its address."""

from typing import Any

from django import forms


def search() -> forms.CharField:
    box = forms.TextInput(attrs={"type": "search"})
    return forms.CharField(required=False, max_length=200, label="Text", widget=box)


class FilterBar(forms.Form):
    """What a list is narrowed to. What is not among the choices is ignored: a shared link never breaks."""

    def __init__(self, *args: Any, offered: dict[str, list[tuple[str, str]]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, options in offered.items():
            self.fields[name].choices = [("", "Any"), *options]  # type: ignore[attr-defined]
