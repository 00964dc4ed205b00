"""A state of the queue under a name: private, or shared with the reviewers of one unit."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from audit import scope
from audit.actors import Actor
from audit.ids import new_id


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def offered_to(self, actor: Actor) -> "SavedViewQuerySet":
        """One's own, and those shared with the reviewers of a unit where one reviews; with `is_default` for this person."""
        chosen = DefaultView.objects.filter(person_id=actor.user_id, view=OuterRef("pk"))
        rows = self.filter(Q(owner_id=actor.user_id) | Q(unit_id__in=scope.unit_ids(actor, "review")))
        return rows.annotate(is_default=Exists(chosen)).order_by("name", "id")


class SavedView(models.Model):
    """`query` is the canonical query string of the queue's filters; `unit_id` None means private."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    owner_name = models.TextField()
    unit_id = models.UUIDField(null=True)
    query = models.TextField()
    saved_at = models.DateTimeField(db_default=Now())

    objects: Any = SavedViewQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(name="one_saved_view_per_owner_and_name", fields=["owner", "name"])]
        indexes = [models.Index(name="saved_view_unit", fields=["unit_id"], condition=Q(unit_id__isnull=False))]

    def __str__(self) -> str:
        return self.name

    @property
    def stream(self) -> str:
        return f"saved_view:{self.pk}"


class DefaultView(models.Model):
    """The view that the bare address of the queue leads this person to."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.person_id}: {self.view_id}"
