"""Immutable, content-addressed bundles. A channel is a pointer with a history in the audit trail."""

from typing import Any

from django.db import models
from django.db.models.functions import Now

from audit.ids import new_id


class Release(models.Model):
    """Everything an execution runs under: workflow text and spec, contracts, policy versions, handler code.

    `digest` is the SHA-256 of the canonical bundle. Rows never change (a trigger refuses it): a new bundle is a new row.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workflow = models.CharField(max_length=200)
    version = models.CharField(max_length=40)
    digest = models.CharField(max_length=64, unique=True)
    bundle = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.TextField()

    objects: Any = models.Manager()

    class Meta:
        indexes = [models.Index(name="release_workflow", fields=["workflow", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.workflow} {self.version} ({self.digest[:8]})"


class Channel(models.Model):
    """Which release a new execution gets: (workflow, "production") -> release."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workflow = models.CharField(max_length=200)
    name = models.CharField(max_length=40, default="production")
    release = models.ForeignKey(Release, on_delete=models.PROTECT)
    moved_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(name="one_release_per_channel", fields=["workflow", "name"])]

    def __str__(self) -> str:
        return f"{self.workflow}/{self.name}"
