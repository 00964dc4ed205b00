"""Forms of the admin that save only over what was opened: the text of the row goes out with the page and comes back with it."""

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin.options import ModelAdmin
from django.db.models import DateTimeField, JSONField
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.timezone import get_current_timezone_name

from audit import definitions
from audit.canonical import BadJSON, canonical, digest, digest_text, read_strict
from audit.definitions import Difference
from audit.moments import refuse_other_years
from audit.web import READING

MEANWHILE = (
    "This was saved elsewhere after you had opened it, so nothing of yours is saved yet. What you typed still stands here; "
    "to put it in the place of the other, save again."
)


class ExactJSONField(forms.JSONField):
    """JSON that can be stored and digested exactly as it was typed: what an import would refuse is refused here, too."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip() and (fault := _not_exact(value)):
            raise forms.ValidationError(fault, code="invalid")
        return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What cannot be read is shown again as it was typed."""
        return InvalidJSONInput(data) if data and _not_exact(data) else super().bound_data(data, initial)


def _not_exact(text: str) -> str:
    try:
        read_strict(text.encode())
    except BadJSON as error:
        return str(error)
    return ""


class HistoryInTheTrail(ModelAdmin):  # type: ignore[type-arg]
    """The audit trail records what becomes of these rows; the admin's own log would be a second book, and an empty one."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Recorded by the verb."""

    log_change = log_addition

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return redirect(f"{reverse('audit')}?object={object_id}")


class OverWhatWasOpenedAdmin(ModelAdmin):  # type: ignore[type-arg]
    """A row is saved only over what its editor had opened: of two who edit it, the later one is told."""

    change_form_template = "admin/opened_form.html"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, JSONField):
            kwargs.setdefault("form_class", ExactJSONField)
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, DateTimeField) and field:
            field.validators.append(refuse_other_years)
            field.help_text = f"{field.help_text}. In {get_current_timezone_name()}, as your preferences say"
            _name_both_halves(field)
        return field

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """An address may fill in a form, but no moment: Django takes the text for one, and breaks."""
        moments = {field.name for field in self.opts.fields if isinstance(field, DateTimeField)}
        return {
            name: text for name, text in super().get_changeform_initial_data(request).items() if name not in moments
        }

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if obj is None:
            return form
        told = {
            "opened": staticmethod(lambda: posted(request)),
            "content": staticmethod(self.content),
            "differences": staticmethod(self._differences),
        }
        return type(form)(form.__name__, (_OverWhatWasOpened, form), told)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None:
            context |= _as_read(self.content(row if request.method in READING else _stored(row)))
        return super().render_change_form(request, context, *args, **kwargs)

    def _differences(self, read: dict[str, Any], now: dict[str, Any]) -> list[Difference]:
        return definitions.differences(self.readable(read), self.readable(now))

    def faults_as_it_is(self, request: HttpRequest, row: Any) -> str:
        """Why the row, as it is stored, could not be saved today; "" where it could.

        What it refers to may have gone since. Run inside a transaction.
        """
        form: Any = self.get_form(request, row, change=True)({}, instance=row)
        for field in form.fields.values():
            # Then Django takes what is stored, and nothing of what was sent.
            field.disabled = True
        return " ".join(
            f"{form[name].label}: {fault}" if name in form.fields else fault
            for name, faults in form.errors.items()
            for fault in faults
        )

    def content(self, row: Any) -> dict[str, Any]:
        """What its form saves, as plain JSON."""
        return definitions.content(row)

    def readable(self, content: dict[str, Any]) -> dict[str, Any]:
        """A row's content with what only a program can read put into words."""
        return content


class _OverWhatWasOpened:
    """Two people may edit one row, or one person in two tabs: the later one is told, instead of putting the other's back."""

    meanwhile: list[Difference] | None = None
    fields: dict[str, forms.Field]
    initial: dict[str, Any]
    opened: Callable[[], dict[str, Any]]
    content: Callable[[Any], dict[str, Any]]
    differences: Callable[[dict[str, Any], dict[str, Any]], list[Difference]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            _keep_in_sight(field, self.initial.get(name))

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data  # type: ignore[misc,attr-defined]
        opened, now = self.opened(), self.content(_stored(self.instance))  # type: ignore[attr-defined]
        if opened and digest(opened) != digest(now):
            self.meanwhile = self.differences(opened, now)
            self.add_error(None, MEANWHILE)  # type: ignore[attr-defined]
        return data


def _keep_in_sight(field: Any, value: Any) -> None:
    """What was chosen and is offered no more still stands in the list: the page would show another choice in its place."""
    if isinstance(field, forms.ModelChoiceField):
        chosen = [getattr(one, "pk", one) for one in (value if isinstance(value, list) else [value])]
        field.queryset |= field.queryset.model._default_manager.filter(pk__in=chosen)  # type: ignore[union-attr]
    elif isinstance(field, forms.ChoiceField) and _is_offered_no_more(field, value):
        field.widget.choices = [*field.widget.choices, (value, f"{value} (cannot be chosen any more)")]


def _is_offered_no_more(field: forms.ChoiceField, value: Any) -> bool:
    one = not isinstance(field, forms.MultipleChoiceField)
    return one and value not in (None, "") and not field.valid_value(value)


def _stored(row: Any) -> Any:
    """As it is in the database; inside a transaction nobody else saves it until that ends."""
    return type(row)._default_manager.select_for_update(of=("self",)).get(pk=row.pk)


def _as_read(content: dict[str, Any]) -> dict[str, str]:
    """What the Activate form carries: the digest that binds, and the text it was taken over, to show what differs."""
    text = canonical(content)
    return {"read": text, "read_digest": digest_text(text)}


def posted(request: HttpRequest) -> dict[str, Any]:
    """The text that stood on the page, if it is the one its digest was taken over."""
    text = request.POST.get("read", "")
    try:
        read = json.loads(text) if digest_text(text) == request.POST.get("digest") else {}
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _name_both_halves(field: Any) -> None:
    """A moment is typed as a date and a time. Django writes that beside the two, but names neither of them."""
    for half, name in zip(field.widget.widgets, ("date", "time"), strict=True):
        half.attrs["aria-label"] = f"{capfirst(field.label)}, {name}"
