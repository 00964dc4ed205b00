"""What a person found out about a send that nobody answered for."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from audit.ids import new_id
from orchestrator.models.action import Action


class OutcomeVerdict(models.TextChoices):
    HAPPENED = "happened", "It happened"
    DID_NOT = "did_not", "It did not happen"
    CANNOT_TELL = "cannot_tell", "Cannot tell"


class OutcomeCode(models.TextChoices):
    """How one knows, coded, so that answers can be counted and compared."""

    IN_THEIR_BOOKS = "in_their_books", "I saw it in the other system's books"
    NOT_IN_THEIR_BOOKS = "not_in_their_books", "It is not in the other system's books"
    THEY_CONFIRM = "they_confirm", "The people who run the other system say so"
    DOCUMENT = "document", "A document shows it (statement, receipt, mail)"
    NO_ACCESS = "no_access", "I cannot look into the other system"
    BOOKS_DISAGREE = "books_disagree", "What I found contradicts itself"
    OTHER = "other", "Other (see the note)"


_EITHER = {OutcomeCode.THEY_CONFIRM, OutcomeCode.DOCUMENT, OutcomeCode.OTHER}
# Which code speaks for which verdict; asked by the operation, so that page and API give one answer.
CODES = {
    OutcomeVerdict.HAPPENED: {OutcomeCode.IN_THEIR_BOOKS, *_EITHER},
    OutcomeVerdict.DID_NOT: {OutcomeCode.NOT_IN_THEIR_BOOKS, *_EITHER},
    OutcomeVerdict.CANNOT_TELL: {OutcomeCode.NO_ACCESS, OutcomeCode.BOOKS_DISAGREE, OutcomeCode.OTHER},
}


class OutcomeAnswer(models.Model):
    """One person's verdict on one doubtful send. Never edited, never deleted (enforced by trigger)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="answers")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    person_name = models.TextField()
    verdict = models.CharField(max_length=12, choices=OutcomeVerdict.choices)
    code = models.CharField(max_length=30, choices=OutcomeCode.choices)
    note = models.TextField()
    result = models.JSONField(null=True)
    # Who looks further where nobody can tell yet, and when they are reminded.
    owner = models.TextField(default="")
    remind_at = models.DateTimeField(null=True)
    at = models.DateTimeField(db_default=Now())

    objects: Any = models.Manager()

    def __str__(self) -> str:
        return f"{self.person_name}: {self.get_verdict_display()}"
