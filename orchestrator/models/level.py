"""What service levels are counted from: the facts of each execution, and their sums. Made from stored rows, never by hand."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

COUNTS = ("ended", "succeeded", "completed", "escalated", "undone", "leaked", "measured", "priced", "staged",
          "proposed", "denied")  # fmt: skip
STAGES = ("queued", "running", "people", "reconciling", "between")
STAGE_TIMES = tuple(f"{name}_time" for name in STAGES)
TALLIES = tuple(f"{name}_tally" for name in ("took", "overhead", *STAGES))
SUMS = ("asked", *COUNTS, "cost", *STAGE_TIMES, *TALLIES)


class TallyField(models.Field):  # type: ignore[type-arg]  # Django's own takes no parameters when it runs
    """How often a time was how long: a histogram in one number of any length (orchestrator/health/tallies.py)."""

    def db_type(self, connection: object) -> str:
        return "numeric"


class LevelColumns(models.Model):
    """How many executions; of one, 0 or 1. How many calls they proposed, and how many of those were denied."""

    unit_id = models.UUIDField()
    ended = models.IntegerField()
    succeeded = models.IntegerField()
    completed = models.IntegerField()
    escalated = models.IntegerField()
    undone = models.IntegerField()
    leaked = models.IntegerField()
    measured = models.IntegerField()
    priced = models.IntegerField()
    staged = models.IntegerField()
    proposed = models.IntegerField()
    denied = models.IntegerField()

    class Meta:
        abstract = True


def _seconds() -> Any:
    return models.DecimalField(max_digits=20, decimal_places=6, null=True)


class RunLevel(LevelColumns):
    """One execution. Times are in seconds, the cost is in USD; None where it has no part in that figure."""

    execution_id = models.UUIDField(primary_key=True)
    asked_at = models.DateTimeField()
    workflow = models.TextField()
    unit_title = models.TextField()
    release = models.TextField()
    # The first step that failed; empty where none did.
    failing = models.TextField()
    # Everyone who proposed a call in it, with how many, and how many were denied.
    agents = ArrayField(models.TextField())
    proposed_by = ArrayField(models.IntegerField())
    denied_by = ArrayField(models.IntegerField())
    cost = models.DecimalField(max_digits=30, decimal_places=10, null=True)
    took = _seconds()
    overhead = _seconds()
    queued_time = _seconds()
    running_time = _seconds()
    people_time = _seconds()
    reconciling_time = _seconds()
    between_time = _seconds()

    class Meta:
        indexes = [
            models.Index(name="run_level_asked", fields=["unit_id", "asked_at"]),
            models.Index(name="run_level_failing", fields=["unit_id", "asked_at"], include=["workflow", "failing"],
                         condition=~models.Q(failing="")),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.workflow} {self.execution_id}"


class LevelRollup(LevelColumns):
    """Executions of a unit that were asked for on one day of UTC: all of them (`by` is unit), or those of one line of a page."""

    pk = models.CompositePrimaryKey("unit_id", "day", "by", "line")
    day = models.DateField()
    by = models.TextField()
    line = models.TextField()
    asked = models.IntegerField()
    cost = models.DecimalField(max_digits=30, decimal_places=10)
    queued_time = models.DecimalField(max_digits=20, decimal_places=6)
    running_time = models.DecimalField(max_digits=20, decimal_places=6)
    people_time = models.DecimalField(max_digits=20, decimal_places=6)
    reconciling_time = models.DecimalField(max_digits=20, decimal_places=6)
    between_time = models.DecimalField(max_digits=20, decimal_places=6)
    took_tally = TallyField()
    overhead_tally = TallyField()
    queued_tally = TallyField()
    running_tally = TallyField()
    people_tally = TallyField()
    reconciling_tally = TallyField()
    between_tally = TallyField()

    def __str__(self) -> str:
        return f"{self.day} {self.by} {self.line}".strip()
