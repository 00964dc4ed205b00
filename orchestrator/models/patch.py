"""What a person made of a failed step's input. The original stays in the step's attempts and in `before`."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from audit.ids import new_id
from orchestrator.models.execution import Step


class StepPatch(models.Model):
    """One version of a step's input. Rows never change (a trigger refuses it); the newest is what the step is given."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="patches")
    number = models.PositiveIntegerField()
    before = models.JSONField()
    after = models.JSONField()
    before_digest = models.CharField(max_length=64)
    after_digest = models.CharField(max_length=64)
    why = models.TextField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    at = models.DateTimeField(db_default=Now())

    objects: Any = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(name="one_patch_per_number", fields=["step", "number"])]

    def __str__(self) -> str:
        return f"version {self.number} of the input of {self.step_id}"
