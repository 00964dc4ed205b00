"""Who has which second factor, and when it was last used. An administrator can take somebody's away, never their own."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from approvals.admin.fields import names_of
from approvals.authentication import factors, own_factors
from approvals.forms.factors import ResetForm
from approvals.models import SIGNING
from approvals.rules.administrators import is_administrator
from audit import people
from audit.admin import ReadOnlyAdmin
from audit.refusals import Invalid, NotVisible
from audit.web import actor_of, record_refusal
from budgets.permissions import people_with

LIST = "admin:mfa_authenticator_changelist"
RESET = "admin:mfa_authenticator_reset"

# allauth's own pages would show secrets, and e-mail addresses that nothing here uses.
admin.site.unregister([Authenticator, EmailAddress])


@admin.register(Authenticator)
class FactorAdmin(ReadOnlyAdmin):
    """Read only: the secrets stay where they are, and what is changed here is changed by a verb."""

    list_display = ["person", "kind", "called", "created_at", "last_used_at", "lost"]
    list_display_links = None
    list_filter = ["type"]
    search_fields = ["user__username", "user__first_name", "user__last_name"]
    ordering = ["user__username", "created_at", "id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        own = Q(user_id__in=people.accounts_behind(actor_of(request)))
        rows = super().get_queryset(request).select_related("user")
        marked: QuerySet[Any] = rows.annotate(is_own=ExpressionWrapper(own, output_field=BooleanField()))
        return marked

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_administrator(actor_of(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_administrator(actor_of(request))

    @admin.display(description="Person", ordering="user__username")
    def person(self, row: Authenticator) -> str:
        return f"{row.user.get_username()} {row.user.get_full_name()}".strip()

    @admin.display(description="Factor", ordering="type")
    def kind(self, row: Authenticator) -> str:
        return str(row.get_type_display())

    @admin.display(description="Name")
    def called(self, row: Authenticator) -> str:
        return factors.name_of(row)

    @admin.display(description="Lost?")
    def lost(self, row: Any) -> str:
        if row.is_own:
            return "your own"
        return format_html('<a href="{}">Reset…</a>', reverse(RESET, args=[row.user_id]))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Above the list: which reviewers have none, and so can sign nothing that takes one."""
        told = {"title": "Second factors: who has which", "subtitle": f"Reviewers without one: {_without()}"}
        return super().changelist_view(request, {**told, **(extra_context or {})})

    def change_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """A factor has no page of its own: its data are secrets."""
        raise NotVisible("There is no such page.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.reset)
        return [path("reset/<int:user_id>/", view, name="mfa_authenticator_reset"), *super().get_urls()]

    def reset(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Why, and then it is done."""
        by = actor_of(request)
        user: Any = get_user_model().objects.filter(pk=user_id).first()
        if user is None or not is_administrator(by):
            raise NotVisible("There is no such person.")
        form = ResetForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                taken = own_factors.reset(user_id=user_id, by=by, why=form.cleaned_data["why"])
            except Invalid as refusal:
                record_refusal(request, refusal)
                form.add_error("why", refusal.errors[0][2])
            else:
                messages.success(request, f"{taken} factors of {user.get_username()} are taken away. It is recorded.")
                return redirect(LIST)
        context = {**self.admin_site.each_context(request), "title": f"Reset the second factors of {user.get_username()}",
                   "opts": self.opts, "form": form, "person": user, "back": reverse(LIST)}  # fmt: skip
        return render(request, "admin/factors_reset.html", context, status=422 if form.errors else 200)


def _without() -> str:
    """Names of the reviewers of any unit who have nothing to confirm a decision with."""
    having = Authenticator.objects.filter(type__in=SIGNING).values_list("user_id", flat=True)
    return names_of(sorted(people_with("review", None) - set(having)))
