"""How definitions are administered: a draft is edited by one person and activated by another; nothing is ever deleted.

Each app registers its own definitions with `DefinitionAdmin`. Every verb is one of audit.definitions.
"""

from collections.abc import Callable
from copy import copy
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from audit import definitions, people
from audit.account_choice import AccountField, called
from audit.actors import Actor
from audit.definitions import ChangedSinceRead, Definition, DefinitionStatus, Difference, DraftNoMore
from audit.ids import new_id
from audit.opened_admin import HistoryInTheTrail, OverWhatWasOpenedAdmin, posted
from audit.refusals import Forbidden, Refusal
from audit.templatetags._status import pill
from audit.templatetags._visible import pieces
from audit.web import READING, actor_of, record_refusal

Verb = Callable[[HttpRequest, Any, Actor], Any]
# Beside Django's own "was added successfully", which sounds as if it counted.
NOT_YET = "This is a draft and changes nothing yet: another administrator has to activate it."
AS_BEFORE = "You saved what was there before, which is no edit: the same people as before may activate it."
WORDS = {"activate": "Activate", "version": "New version", "ask": "Ask to retire", "retire": "Retire"}
NEED_A_REASON = {"ask", "retire"}


class OwnFiltersOnly(ModelAdmin):  # type: ignore[type-arg]
    """A list narrows by what it offers: by any other column its rows would tell, letter by letter, what is not shown."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        filters: Any = self.get_list_filter(request)
        offered = {one if isinstance(one, str) else one[0] for one in filters}
        return lookup.split("__", maxsplit=1)[0] in offered and super().lookup_allowed(lookup, value, request)


class ReadOnlyAdmin(OwnFiltersOnly, HistoryInTheTrail):
    """What other verbs write: shown here, and neither added, changed nor deleted."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DefinitionAdmin(OwnFiltersOnly, HistoryInTheTrail, OverWhatWasOpenedAdmin):
    """Drafts can be edited; what is active or retired can only be read, copied into a new version, or retired."""

    change_form_template = "admin/definition_form.html"
    actions = None
    list_filter: ClassVar[Any] = ["status"]
    search_fields: ClassVar[Any] = ["name"]
    versioned: ClassVar[bool] = True
    who_and_when: ClassVar[tuple[str, ...]] = ("state", "everybody", "activated_by", "activated_at")
    # What a reader is shown in the place of a field that only a form or a program can use: field to method.
    in_words: ClassVar[dict[str, str]] = {}

    # --- What may be done ---------------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or (obj.status == DefinitionStatus.DRAFT and not _why_not_at_all(obj, request)))

    def may_configure(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.related_model is get_user_model():
            kwargs |= {"form_class": AccountField, "queryset": get_user_model().objects.order_by("username")}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # --- What is shown ------------------------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        words = (*self.who_and_when, *self.in_words.values()) if obj else ()
        return (*super().get_readonly_fields(request, obj), *words)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = list(super().get_fieldsets(request, obj))
        if obj and not self.has_change_permission(request, obj):
            shown = [(title, {**options, "fields": self._worded(options["fields"])}) for title, options in shown]
        return [*shown, ("State", {"fields": self.who_and_when})] if obj else shown

    def _worded(self, fields: Any) -> list[Any]:
        return [self.in_words.get(name, name) for name in fields]

    @admin.display(description="Owner")
    def owned_by(self, row: Any) -> str:
        """By name alone: Django would lead to an account's page, which not every administrator may open."""
        return called(row.owner)

    @admin.display(description="State", ordering="status")
    def state(self, row: Definition) -> str:
        shown = pill("definition", row.status)
        return format_html('<span class="pill" data-tone="{}">{}</span>', shown.tone, shown.word)

    @admin.display(description="Edited by")
    def everybody(self, row: Definition) -> str:
        """Everybody who ever edited this version: none of them activates it."""
        names = get_user_model().objects.filter(pk__in=row.editors).order_by("username")
        return ", ".join(names.values_list("username", flat=True)) or "the system"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None and self.may_configure(request):
            rests = self.what_rests_on(row) if row.status != DefinitionStatus.RETIRED else ""
            context |= self._what_may_be_done(request, row) | {"pages": self.further_pages(row), "rests": rests}
        if row is not None and row.status == DefinitionStatus.DRAFT:
            context |= self._against_the_one_in_force(request, row) | {"deceptive": self._deceptive(row)}
        return super().render_change_form(request, context, *args, **kwargs)

    def _what_may_be_done(self, request: HttpRequest, row: Definition) -> dict[str, Any]:
        """The verbs that are offered, and why one that could be is not."""
        if why_not := _why_not_at_all(row, request):
            return {"verbs": [], "why_not": why_not}
        by = actor_of(request)
        why_not = _why_not_activate(row, by)
        names = self._verbs_on(row, by)
        # A form that was not taken shows what was typed, which is not what would be activated.
        if why_not or (request.method not in READING and "activate" in names):
            names.remove("activate")
        verbs = [
            {"name": name, "word": WORDS[name], "why": name in NEED_A_REASON, "url": self._url(name, row.pk)}
            for name in names
        ]
        return {"verbs": verbs, "why_not": why_not, "wishes": definitions.wishes(row) if _may_end(row) else []}

    def further_pages(self, row: Definition) -> list[dict[str, str]]:
        """Pages about this row beside its form: links of a word and an address."""
        return []

    def what_rests_on(self, row: Definition) -> str:
        """What would be refused once this is out of force, or a draft in force, in a sentence; "" where nothing would."""
        return ""

    def _against_the_one_in_force(self, request: HttpRequest, row: Definition) -> dict[str, Any]:
        """Field by field, what activating this draft would change."""
        in_force = self.get_queryset(request).filter(name=row.name, status=DefinitionStatus.ACTIVE).first()
        if in_force is None:
            return {"in_force": None}
        changes = self._differences(definitions.content(in_force), definitions.content(row))
        return {"in_force": in_force, "changes": [change for change in changes if change.label != "version"]}

    def _deceptive(self, row: Definition) -> list[Difference]:
        """Fields with characters that a reader could miss, or take for others: a form shows them as they are."""
        fields = self._differences({}, definitions.content(row))
        return [field for field in fields if any(piece.spelled for piece in pieces(field.after))]

    def _verbs_on(self, row: Definition, by: Actor) -> list[str]:
        offered = {
            DefinitionStatus.DRAFT: ["activate", "retire"],
            DefinitionStatus.ACTIVE: ["version", *_ends(row, by)],
            DefinitionStatus.RETIRED: ["version"],
        }[DefinitionStatus(row.status)]
        return [name for name in offered if name != "version" or self.versioned]

    # --- What is done -------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Django would tell whoever saves a draft that is none any more that their account may not."""
        saves = request.method not in READING and object_id and "_saveasnew" not in request.POST
        row = self.get_object(request, unquote(object_id)) if saves and object_id else None
        try:
            if row is not None and self.may_configure(request):
                definitions.refuse_draft_no_more(row)
                definitions.refuse_out_of_reach(row, actor_of(request))
            return super().changeform_view(request, object_id, form_url, extra_context)
        except DraftNoMore as refusal:
            return self._not_saved(request, row, refusal)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Under a name that is there already it is the next version of it."""
        if "name" in form.changed_data and "version" not in form.fields and self._is_taken(obj):
            obj.version = self.next_version(obj)
        if not change:
            definitions.draft(obj, by=actor_of(request))
        elif not definitions.edit(obj, by=actor_of(request), changed=form.changed_data):
            messages.info(request, AS_BEFORE)
        messages.info(request, NOT_YET)

    def _is_taken(self, row: Any) -> bool:
        rows = type(row)._default_manager.exclude(pk=row.pk)
        return hasattr(row, "version") and bool(rows.filter(name=row.name, version=row.version).exists())

    def get_urls(self) -> list[URLPattern]:
        verbs: dict[str, Verb] = {
            "activate": self.activate,
            "ask": _ask_to_retire,
            "retire": _retire,
            "version": self.copy_as_draft,
        }
        own = [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(self._view(verb)), name=self._url_name(name))
            for name, verb in verbs.items()
            if name != "version" or self.versioned
        ]
        return [*own, *super().get_urls()]

    @transaction.atomic
    def activate(self, request: HttpRequest, row: Definition, by: Actor) -> None:
        """As it was read, over what it was compared with; and only what could still be saved like this."""
        faults = self.faults_as_it_is(request, row) if row.status == DefinitionStatus.DRAFT else ""
        definitions.activate(row, by=by, read=request.POST.get("digest", ""), over=request.POST.get("over", ""))
        if faults:
            raise Refusal(
                f"As it is, this draft could not be saved any more. {faults}",
                remedy="Edit it; somebody who has not edited it activates it.",
                code="fits_no_more",
            )
        messages.success(request, f"{row} is in force now.")

    def copy_as_draft(self, request: HttpRequest, row: Any, by: Actor) -> Any:
        """The next version as a draft that starts out equal."""
        fresh = copy(row)
        fresh.pk, fresh._state = new_id(), copy(row._state)
        fresh._state.adding = True
        fresh.status, fresh.version = DefinitionStatus.DRAFT, self.next_version(row)
        fresh.activated_by = fresh.activated_at = None
        definitions.draft(fresh, by=by, why=f"copied from {row}")
        messages.success(request, f"{fresh} is a draft now. Edit it; another administrator activates it.")
        return fresh

    def next_version(self, row: Any) -> Any:
        versions = type(row)._default_manager.filter(name=row.name).values_list("version", flat=True)
        return max(versions) + 1

    def _view(self, verb: Verb) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: UUID) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            row = self.get_object(request, str(pk))
            if row is None or not self.may_configure(request):
                raise Forbidden("You may not configure this.")
            try:
                row = verb(request, row, actor_of(request)) or row
            except ChangedSinceRead as refusal:
                return self._changed(request, row, refusal)
            except Refusal as refusal:
                record_refusal(request, refusal)
                messages.error(request, f"{refusal.message} {refusal.remedy}".strip())
            except IntegrityError:
                messages.error(request, "Somebody did the same at this moment. Look at what is there now.")
            if self.get_queryset(request).filter(pk=row.pk).exists():
                return redirect(self._url("change", row.pk))
            # A unit above all others, in force: nobody can have been given a role in it yet.
            messages.info(request, "You hold no role there, so you do not see it: `manage.py roles` gives one.")
            return redirect(reverse(f"admin:{self._url_name('changelist')}"))

        return view

    def _changed(self, request: HttpRequest, row: Definition, refusal: Refusal) -> HttpResponse:
        """What the activating person read beside what the draft is now. They read it anew before they activate it."""
        read, now = posted(request), definitions.content(row)
        context = {
            "difference": self._differences(read, now) if read else [],
            # Then it is what it would replace that has changed.
            "same": read == now,
        }
        return self._refused(request, row, refusal, "admin/definition_changed.html", context)

    def _not_saved(self, request: HttpRequest, row: Any, refusal: Refusal) -> HttpResponse:
        """What was typed stands beside what is there: it has a place in another draft only."""
        form: Any = self.get_form(request)(request.POST)
        form.is_valid()
        # A field that could not be read says nothing.
        read = {name: value for name, value in definitions.content(form.instance).items() if name in form.cleaned_data}
        now = {name: value for name, value in definitions.content(row).items() if name in read}
        context = {"difference": self._differences(now, read)}
        return self._refused(request, row, refusal, "admin/definition_not_saved.html", context)

    def _refused(
        self, request: HttpRequest, row: Definition, refusal: Refusal, template: str, more: dict[str, Any]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": str(row),
            "opts": self.opts,
            "original": row,
            "refusal": refusal,
            "reference": record_refusal(request, refusal),
            "again": self._url("change", row.pk),
            **more,
        }
        return render(request, template, context, status=refusal.status_code)

    def readable(self, content: dict[str, Any]) -> dict[str, Any]:
        """A definition's content with what only a program can read put into words: a person's name for their id."""
        related: dict[str, Any] = {
            field.name: field.related_model for field in self.opts.concrete_fields if field.is_relation
        }
        words = {
            name: str(model._default_manager.filter(pk=content[name]).first() or content[name])
            for name, model in related.items()
            if content.get(name) is not None
        }
        return {**content, **words}

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _url(self, name: str, pk: object) -> str:
        return reverse(f"admin:{self._url_name(name)}", args=[pk])


def _why_not_at_all(row: Definition, request: HttpRequest) -> str:
    """The verbs' own words for whoever they would all refuse; "" for everybody else."""
    return _words_of(definitions.refuse_out_of_reach, row, actor_of(request))


def _why_not_activate(row: Definition, by: Actor) -> str:
    """The same of whoever may do anything but this."""
    return _words_of(definitions.refuse_editor, row, by) if row.status == DefinitionStatus.DRAFT else ""


def _words_of(rule: Callable[[Definition, Actor], None], row: Definition, by: Actor) -> str:
    try:
        rule(row, by)
    except Refusal as refusal:
        return refusal.message
    return ""


def _may_end(row: Definition) -> bool:
    return row.ends_by_two and row.status == DefinitionStatus.ACTIVE


def _ends(row: Definition, by: Actor) -> list[str]:
    """How this person may take it out of force: alone, by asking for it, as the second one, or by a new version only."""
    if not row.protects:
        return ["retire"]
    if not row.ends_by_two:
        return []
    if definitions.wish_of_another(row, by):
        return ["retire"]
    own = people.keys_of(by)
    return [] if any(wish.actor in own for wish in definitions.wishes(row)) else ["ask"]


def _why(request: HttpRequest) -> str:
    """No form of Django's reads it, which would refuse what the database cannot store."""
    return request.POST.get("why", "").replace("\0", "")


def _retire(request: HttpRequest, row: Definition, by: Actor) -> None:
    definitions.retire(row, by=by, why=_why(request))
    messages.success(request, f"{row} is retired.")


def _ask_to_retire(request: HttpRequest, row: Definition, by: Actor) -> None:
    definitions.ask_to_retire(row, by=by, why=_why(request))
    days = definitions.WISH_STANDS.days
    messages.success(request, f"{row} stays in force until another administrator retires it, in the next {days} days.")
