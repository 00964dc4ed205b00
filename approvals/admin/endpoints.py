"""Endpoints that are called when something happens, and what was delivered, in the admin."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from approvals.models import Delivery, WebhookEndpoint
from approvals.notifying import webhooks
from audit import events, scope
from audit.account_choice import called
from audit.admin import OwnFiltersOnly, ReadOnlyAdmin
from audit.canonical import digest_text
from audit.opened_admin import HistoryInTheTrail, OverWhatWasOpenedAdmin
from audit.web import actor_of
from budgets.admin import unit_or_all

STORED = ["name", "unit_id", "url", "slack", "enabled"]


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    """An address that is called, judged before it is stored and again at every call."""

    url = forms.URLField(max_length=500, assume_scheme="https", help_text="https, and not inside your own network")
    new_secret = forms.BooleanField(
        required=False, help_text="The old secret stops working. The new one is shown once."
    )

    class Meta:
        model = WebhookEndpoint
        fields = STORED

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            webhooks.judge(url)
        except webhooks.Unsafe as error:
            raise forms.ValidationError(str(error)) from None
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(OwnFiltersOnly, HistoryInTheTrail, OverWhatWasOpenedAdmin):
    """Nothing here is deleted: what is no longer called is switched off."""

    form = EndpointForm
    list_display = ["name", "url", "slack", "enabled", "waiting"]
    fields = [*STORED, "new_secret"]
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        seen = scope.unit_ids(actor_of(request), "view")
        rows = super().get_queryset(request).filter(Q(unit_id=None) | Q(unit_id__in=seen))
        open_ones = Q(deliveries__sent_at=None, deliveries__dropped_at=None, deliveries__id__isnull=False)
        counted: QuerySet[Any] = rows.annotate(open_deliveries=Count("deliveries", filter=open_ones))
        return counted

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "unit_id":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return unit_or_all(actor_of(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is sent of every unit is pointed elsewhere only by somebody who sees every unit."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or obj.unit_id is not None or scope.sees_every_unit(actor_of(request)))

    def content(self, row: WebhookEndpoint) -> dict[str, Any]:
        """With its secret, by a mark: who asks for a new one would end another's that was shown a moment ago."""
        return {**super().content(row), "secret": f"…{digest_text(row.salt)[-8:]}"}

    @admin.display(description="Not yet taken")
    def waiting(self, row: Any) -> int:
        return int(row.open_deliveries)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change and not form.changed_data:
            return
        fresh = not change or form.cleaned_data["new_secret"]
        if fresh:
            obj.salt = webhooks.new_salt()
        obj.save()
        now = _told({name: getattr(obj, name) for name in STORED})
        data = {"name": obj.name, "changed": sorted(form.changed_data), "after": now}
        units = {obj.unit_id}
        if change:
            data["before"] = _told(form.initial)
            # Whoever audits the unit it was taken from reads that, too.
            units.add(form.initial["unit_id"])
        event = "webhook_endpoint.changed" if change else "webhook_endpoint.added"
        for unit_id in units:
            events.record(event, by=actor_of(request), object_id=obj.pk, unit_id=unit_id, data=data)
        if fresh:
            secret = webhooks.secret_of(obj.salt)
            messages.warning(request, f"The secret of {obj.name}, shown this once: {secret}")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """What the trail says of an endpoint."""
    unit_id, to = row["unit_id"], _place(row["url"])
    return {
        "name": row["name"],
        "unit": unit_id and str(unit_id),
        "to": to,
        "slack": row["slack"],
        "enabled": row["enabled"],
    }


def _place(url: str) -> str:
    """Where it leads, without what may be a secret: the path and the query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Read only: what has not arrived yet, how often it was tried, and what the other side said."""

    list_display = ["notice", "endpoint", "tries", "due_at", "sent_at", "last_error"]
    list_filter = [("sent_at", admin.EmptyFieldListFilter)]
    fields = ["notice", "to", "endpoint", "due_at", "tries", "last_error", "sent_at", "dropped_at"]
    readonly_fields = ["to"]

    @admin.display(description="Person")
    def to(self, row: Delivery) -> str:
        return called(row.person)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        seen = scope.unit_ids(actor_of(request), "view")
        rows = super().get_queryset(request).select_related("notice", "endpoint", "person")
        return rows.filter(Q(notice__unit_id=None) | Q(notice__unit_id__in=seen))
