"""What people give to show that it is they, and the forms with which they change their own second factors and password."""

from typing import Any

from django import forms

from approvals.authentication.factors import Factors, Given
from approvals.authentication.own_factors import LONGEST_NAME, Proof
from approvals.models import ApprovalRequest, Confirmation
from audit.canonical import BadJSON, read_strict


class OnceInput(forms.TextInput):
    """Good for one sending: never written into a page again, nor kept by the browser."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__({"autocomplete": "off", "data-once": "", **attrs})

    def use_required_attribute(self, initial: Any) -> bool:
        """Not of one that nobody sees: the browser would hold the form back without a word."""
        return "hidden" not in self.attrs and super().use_required_attribute(initial)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def code_field(**more: Any) -> forms.CharField:
    widget = OnceInput(autocomplete="one-time-code", inputmode="numeric", spellcheck="false")
    return forms.CharField(required=False, max_length=20, widget=widget, **more)


def carried(longest: int) -> forms.CharField:
    """Filled in by the page's script. Text, not hidden: a live update must not empty it."""
    return forms.CharField(required=False, max_length=longest, widget=OnceInput(hidden=True))


class ConfirmedForm(forms.Form):
    """A decision that is confirmed with a second factor, where one is asked for."""

    code = code_field(label="Code from your authenticator app")
    assertion = carried(20_000)
    challenge = carried(500)
    confirmation = forms.UUIDField(required=False, widget=OnceInput(hidden=True))
    # What was confirmed already, when the decision was refused for something else.
    confirmed: Confirmation | None = None

    def only_where_asked(self, approval: ApprovalRequest) -> None:
        """Without those fields where no factor is asked for."""
        self.fields["code"].needed_sometimes = True  # type: ignore[attr-defined]
        if not approval.asks_step_up:
            for name in ConfirmedForm.base_fields:
                del self.fields[name]

    def given(self) -> Given:
        return _given(self.cleaned_data)


def _given(data: dict[str, Any]) -> Given:
    return Given(
        code=data.get("code") or "",
        assertion=_object(data.get("assertion") or ""),
        challenge=data.get("challenge") or "",
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = read_strict(text.encode())
    except BadJSON:
        return None
    return found if isinstance(found, dict) else None


def _new_password(*, error: str, **more: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(max_length=500, strip=False, widget=widget, error_messages={"required": error}, **more)


class FactorForm(forms.Form):
    """A change of one's own factors: with one of them, or with the password while there is none."""

    password = forms.CharField(
        required=False, max_length=500, label="Your password", strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    code = code_field(label="Code from your authenticator app, or a recovery code")
    assertion = carried(20_000)
    challenge = carried(500)
    next = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)

    def __init__(self, *args: Any, factors: Factors, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("password", "code"):
            self.fields[name].needed_sometimes = True  # type: ignore[attr-defined]
        self.has_passkeys = bool(factors.passkeys)
        if factors.rows:
            del self.fields["password"]
        else:
            del self.fields["assertion"], self.fields["challenge"]
        if not (factors.app or factors.recovery):
            del self.fields["code"]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """What is asked beside the proof."""
        proof = FactorForm.base_fields
        return [bound for bound in self.visible_fields() if bound.name not in proof]

    @property
    def proof_faults(self) -> Any:
        """For whoever has passkeys only, and so no field that the fault could stand beside."""
        return self.non_field_errors()

    def proof(self) -> Proof:
        return Proof(password=self.cleaned_data.get("password") or "", given=_given(self.cleaned_data))


class AppForm(FactorForm):
    """The code that the app shows once it knows the secret; `pending` is that secret, encrypted."""

    pending = forms.CharField(max_length=1_000, widget=forms.HiddenInput)
    app_code = code_field(label="Code that the app shows now")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["app_code"].required = True
        self.fields["app_code"].error_messages["required"] = "Type the six digits that the app shows."


class PasskeyForm(FactorForm):
    """What the device made, and what its owner calls it."""

    name = forms.CharField(max_length=LONGEST_NAME, required=False, initial="Passkey", help_text="Such as: my laptop")
    credential = carried(20_000)
    made_for = carried(500)

    @property
    def own_fields(self) -> list[forms.BoundField]:
        return [self["name"]]

    def clean(self) -> dict[str, Any]:
        if not self.cleaned_data.get("credential"):
            # Of no field: nobody sees the one it is carried in, so nothing could lead there.
            self.add_error(None, "Press “Make a passkey on this device” first.")
        return self.cleaned_data

    def made(self) -> dict[str, Any]:
        return _object(self.cleaned_data["credential"]) or {}


class PasswordForm(FactorForm):
    """A new password, typed twice because nobody sees it."""

    new = _new_password(
        label="New password",
        help_text="At least eight characters, and none of the common ones.",
        error="Type the password you want.",
    )
    again = _new_password(label="New password, once more", error="Type the new password once more.")

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if "new" in given and "again" in given and given["new"] != given["again"]:
            self.add_error("again", "This is not the same as above. Type both once more.")
        return given


class ResetForm(forms.Form):
    """Why an administrator takes somebody's factors away."""

    why = forms.CharField(
        max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}), label="Why",
        error_messages={"required": "Say why, and how you know that it is they who ask."},
        help_text="And how you know that it is they who ask: a call back, a badge. It stands in the audit log.",
    )  # fmt: skip
