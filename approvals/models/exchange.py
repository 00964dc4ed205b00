"""Between asking and deciding: arguments are edited, the record behind the act changes, a question is asked and answered."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from approvals.models.request import ApprovalRequest
from audit.ids import new_id


class Edit(models.Model):
    """A reviewer changed what is asked for: the bytes before and after, kept whole. Never changed, never deleted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="edits")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    note = models.TextField(default="", blank=True)
    revision = models.PositiveIntegerField(help_text="The revision this edit made")
    before = models.TextField()
    before_digest = models.CharField(max_length=64)
    after = models.TextField()
    after_digest = models.CharField(max_length=64)
    changes: Any = models.JSONField(help_text="Each value that differs: label, before, after")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(name="one_edit_per_revision", fields=["request", "revision"])]

    def __str__(self) -> str:
        return f"{self.person_name}: revision {self.revision}"


class RecordChange(models.Model):
    """Reading the record again found it changed: what people were asked before that. Never changed, never deleted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="record_changes")
    revision = models.PositiveIntegerField(help_text="The revision this reading made")
    before = models.TextField()
    before_digest = models.CharField(max_length=64)
    after_digest = models.CharField(max_length=64)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(name="one_record_change_per_revision", fields=["request", "revision"])]

    def __str__(self) -> str:
        return f"the record changed: revision {self.revision}"


class RemarkKind(models.TextChoices):
    QUESTION = "question"
    REPLY = "reply"


class Remark(models.Model):
    """A reviewer's question, or what was answered to it. Never changed, never deleted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="remarks")
    kind = models.CharField(max_length=10, choices=RemarkKind.choices)
    author = models.TextField(help_text="Key of the person or agent")
    author_name = models.TextField()
    text = models.TextField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(name="remark_request", fields=["request", "at"]),
            models.Index(name="remark_asker", fields=["author", "request"], condition=models.Q(kind="question")),
        ]

    def __str__(self) -> str:
        return f"{self.author_name}: {self.kind}"

    @property
    def is_agents(self) -> bool:
        return self.author.startswith("agent:")
