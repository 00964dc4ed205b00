"""What workers say of themselves, and what was measured every few seconds. Facts of the machine: nothing decides by them."""

from django.db import models
from django.db.models.functions import Now

from audit.ids import new_id


class WorkerHost(models.Model):
    """One `manage.py worker`, from its start to its end, written by its supervisor. Every time is the database's."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    host = models.TextField()
    pid = models.PositiveIntegerField()
    version = models.TextField()
    # The name its claims carry (Attempt.worker); a cluster that is restarted gets a new one.
    cluster = models.TextField(default="", db_default="")
    hands = models.PositiveIntegerField()
    busy = models.PositiveIntegerField(default=0, db_default=0)
    started_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())
    swept_at = models.DateTimeField(null=True)
    sweep_seconds = models.FloatField(null=True)
    last_claim_at = models.DateTimeField(null=True)
    last_progress_at = models.DateTimeField(null=True)
    # Its clock minus the database's; empty where it could not be measured.
    clock_skew_seconds = models.FloatField(null=True)
    # Its supervisor sees claimed work that does not move.
    stands_still = models.BooleanField(default=False, db_default=False)
    # In the last ten minutes, and the last one ever.
    restarts = models.PositiveIntegerField(default=0, db_default=0)
    restarted_at = models.DateTimeField(null=True)
    restarted_why = models.TextField(default="", db_default="")
    ended_at = models.DateTimeField(null=True)
    ended_why = models.TextField(default="", db_default="")

    def __str__(self) -> str:
        return f"{self.host} (pid {self.pid})"


class HealthSample(models.Model):
    """All figures at one moment, for the ten-minute lines. Written by whichever worker is first, kept for a day."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(db_default=Now())
    # Figure to value; figures of units hold a value per unit that has one.
    figures = models.JSONField()

    class Meta:
        indexes = [models.Index(name="health_sample_time", fields=["at"])]

    def __str__(self) -> str:
        return f"sample of {self.at}"
