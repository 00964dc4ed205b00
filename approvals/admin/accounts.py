"""Accounts and their groups, on Django's own pages: what is changed there is recorded, and by whom."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from approvals.authentication import sign_ins
from audit.acting import acting
from audit.admin import OwnFiltersOnly
from audit.opened_admin import OverWhatWasOpenedAdmin
from audit.web import READING, actor_of

View = Callable[..., HttpResponse]

admin.site.unregister([User, Group])


def _told(view: View) -> View:
    """The database writes the entries itself; it is told whose they are."""

    @wraps(view)
    def told(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in READING:
            return view(self, request, *args, **kwargs)
        with acting(actor_of(request)):
            return view(self, request, *args, **kwargs)

    return told


class WithRolesAdmin(OwnFiltersOnly, OverWhatWasOpenedAdmin):
    """An older page gives nobody back the role, or the account, that was taken from them after it was opened."""

    kept: ClassVar[tuple[str, ...]] = ()

    def content(self, row: Any) -> dict[str, Any]:
        roles = {name: sorted(map(str, getattr(row, name).select_related())) for name in self.filter_horizontal}
        return {name: getattr(row, name) for name in self.kept} | roles


@admin.register(User)
class AccountAdmin(WithRolesAdmin, UserAdmin):  # type: ignore[type-arg]
    # Not the password: the content of an account stands on its page.
    kept = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")
    # What happened is not typed; and a year that cannot be read would close the account, and each page that lists it.
    readonly_fields = ("last_login", "date_joined")
    changeform_view = _told(UserAdmin.changeform_view)
    changelist_view = _told(UserAdmin.changelist_view)
    delete_view = _told(UserAdmin.delete_view)
    _change_password = _told(UserAdmin.user_change_password)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Another's. One's own is changed where one shows that it is oneself: whoever took a session does not get to keep it."""
        user = self.get_object(request, unquote(id))
        own = user is not None and user.pk == request.user.pk
        return redirect("password") if own else self._change_password(request, id, form_url)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            sign_ins.end_of(obj)


@admin.register(Group)
class AccountGroupAdmin(WithRolesAdmin, GroupAdmin):
    kept = ("name",)
    changeform_view = _told(GroupAdmin.changeform_view)
    changelist_view = _told(GroupAdmin.changelist_view)
    delete_view = _told(GroupAdmin.delete_view)
