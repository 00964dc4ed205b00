"""Wrong passwords of people who are not signed in yet. Whose and from where, the row does not say."""

from django.db import models
from django.db.models.functions import Now


class SignInTries(models.Model):
    """Wrong tries at signing in under one key since the last right one, or within the hour. The row orders all who try.

    The key is an HMAC of a name, of an address or of both: what people type into the name field, perhaps their password,
    is written nowhere, and nobody reads from the table who works here. The sweep removes what nobody tried lately.
    """

    key = models.CharField(max_length=64, primary_key=True)
    wrong = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(db_default=Now(), help_text="When the hour began that is counted")
    locked_until = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["seen_at"], name="sign_in_tries_to_forget")]

    def __str__(self) -> str:
        return f"{self.wrong} wrong"
