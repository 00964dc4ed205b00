"""The form of a step that is done by hand: one field for each part of the result it promised, typed like its schema says."""

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms

from approvals.forms.deciding import DecisionForm
from approvals.forms.exchange import BAD_NUMBER, NUMBER
from approvals.models import ApprovalRequest, Verdict
from approvals.rules import showing
from audit.canonical import BadJSON, read_strict
from audit.pointers import names_in

ONE_LINE = 100
WHOLE = "result"


class ByHandForm(DecisionForm):
    """Done by hand, with the result; or rejected. A bare yes is no answer here."""

    url_name, agreeing = "approval_by_hand", Verdict.ANSWER
    verdict = forms.ChoiceField(
        choices=[(Verdict.ANSWER.value, "Done by hand"), (Verdict.REJECT.value, Verdict.REJECT.label)],
        widget=forms.RadioSelect,
        label="Your answer",
        error_messages={"required": "Choose Done by hand or Reject."},
    )

    def __init__(self, *args: Any, approval: ApprovalRequest, **kwargs: Any) -> None:
        super().__init__(*args, approval=approval, **kwargs)
        schema: Mapping[str, Any] = approval.result_schema or {}
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = list(schema.get("required") or ())
        # Objects come back from the database in an order of its own, lists in ours.
        ordered = [*(name for name in required if name in properties), *sorted(properties.keys() - set(required))]
        # An empty text is a text, where the schema asks for no more than that.
        self._may_be_empty = frozenset(name for name in required if _is_any_text(properties.get(name)))
        self._required = frozenset(required) - self._may_be_empty
        self._names = {f"result_{number}": name for number, name in enumerate(ordered)}
        for field_name, name in self._names.items():
            self.fields[field_name] = _field_of(name, properties[name])
            self.fields[field_name].needed_sometimes = name in required  # type: ignore[attr-defined]
        if not properties:
            self.fields[WHOLE] = _Json(
                label="Result", initial="{}", help_text="A JSON object; leave it empty if the step gives nothing."
            )

    @property
    def result_fields(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in (self._names or [WHOLE]))

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean()
        if given.get("verdict") == Verdict.ANSWER:
            self._miss()
        else:
            # Whoever rejects may leave a result half typed.
            for field_name in [*self._names, WHOLE]:
                self.errors.pop(field_name, None)
        return given

    def _miss(self) -> None:
        """Say what is still to be given."""
        for field_name, name in self._names.items():
            left_out = self.cleaned_data.get(field_name) is None and field_name not in self.errors
            if left_out and name in self._required:
                self.add_error(field_name, "Needed: what follows works with it. Write what the step would have given.")
        if not self._names and not isinstance(self.cleaned_data.get(WHOLE) or {}, dict):
            self.add_error(WHOLE, "Write a JSON object, in braces.")

    def result(self) -> dict[str, Any]:
        """What was typed, in the types of the schema. What was left empty is not in it."""
        if not self._names:
            return self.cleaned_data[WHOLE] or {}
        typed = {name: self.cleaned_data[field_name] for field_name, name in self._names.items()}
        return {
            name: "" if value is None else value
            for name, value in typed.items()
            if value is not None or name in self._may_be_empty
        }

    def _named(self, pointer: str) -> str | None:
        first, *rest = names_in(pointer)
        if first != WHOLE:
            return super()._named(pointer)
        fields = {name: field_name for field_name, name in self._names.items()}
        return fields.get(rest[0]) if rest else None


def decision_form(*args: Any, approval: ApprovalRequest, **kwargs: Any) -> DecisionForm:
    """The form this request is decided with."""
    kind = ByHandForm if approval.is_by_hand else DecisionForm
    return kind(*args, approval=approval, **kwargs)


def _is_any_text(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "string" and not {"minLength", "enum"} & schema.keys()


def _field_of(name: str, schema: Any) -> forms.Field:
    schema = schema if isinstance(schema, Mapping) else {}
    more: dict[str, Any] = {
        "label": showing.spoken(str(schema.get("title") or name)),
        "help_text": showing.spoken(str(schema.get("description", ""))),
    }
    options = schema.get("enum")
    if isinstance(options, list) and options and all(isinstance(one, str) for one in options):
        return _Choice(**more, choices=[("", "Choose"), *((one, showing.spoken(one)) for one in options)])
    match schema.get("type"):
        case "string":
            return _Text(**more, long=schema.get("maxLength", ONE_LINE + 1) > ONE_LINE)
        case "boolean":
            return _YesNo(**more)
        case "number" | "integer":
            return _Number(**more)
        case _:
            return _Json(**more)


class _Optional(forms.CharField):
    """Nothing typed is None. Which are needed depends on the verdict, so the form says it."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"required": False, "max_length": 100_000, "empty_value": None, **more})


class _Text(_Optional):
    def __init__(self, *, long: bool, **more: Any) -> None:
        super().__init__(**more, widget=forms.Textarea(attrs={"rows": 3}) if long else forms.TextInput())

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        # A browser sends every line end as CR LF.
        return found.replace("\r\n", "\n") if found else found


class _Number(_Optional):
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is None:
            return None
        if not NUMBER.fullmatch(found):
            raise forms.ValidationError(BAD_NUMBER)
        return read_strict(found.encode())


class _YesNo(forms.ChoiceField):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more, required=False, choices=[("", "Choose"), ("yes", "yes"), ("no", "no")])

    def clean(self, value: Any) -> Any:
        return {"yes": True, "no": False}.get(super().clean(value))


class _Choice(forms.ChoiceField):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more, required=False)

    def clean(self, value: Any) -> Any:
        return super().clean(value) or None


class _Json(_Optional):
    def __init__(self, **more: Any) -> None:
        more["help_text"] = more.get("help_text") or "As JSON."
        super().__init__(**more, widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}))

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is None:
            return None
        try:
            return read_strict(found.encode())
        except BadJSON as error:
            raise forms.ValidationError(str(error)) from None
