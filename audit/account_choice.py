"""How an account is named, and chosen, in the admin."""

from typing import Any

from django import forms


def called(account: Any) -> str:
    """An account as people choose it from a list; a dash where there is none."""
    if account is None:
        return "-"
    name = f"{account.get_username()} {account.get_full_name()}".strip()
    return name if account.is_active else f"{name} (disabled)"


class AccountField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One person, from a list: the admin's own search of accounts answers only those who may read all that is in them."""

    def label_from_instance(self, obj: Any) -> str:
        return called(obj)
