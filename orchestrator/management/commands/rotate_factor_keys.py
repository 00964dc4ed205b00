"""`manage.py rotate_factor_keys`: encrypt the secrets of second factors anew, under the first of FACTOR_KEYS."""

from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from approvals.authentication.factor_secrets import encrypted_anew
from audit import actors, events

COMMAND_LINE = actors.system("command line")

# Where each kind keeps its secret; a passkey's private half never leaves its device.
SECRETS = {"totp": "secret", "recovery_codes": "seed"}
KINDS = {"totp": "app", "recovery_codes": "recovery codes"}


class Command(BaseCommand):
    help = "Encrypt the secrets of second factors anew under the first of FACTOR_KEYS; then the old key can go."

    def handle(self, *args: Any, **options: Any) -> None:
        done, lost = 0, []
        for pk in Authenticator.objects.filter(type__in=SECRETS).order_by("pk").values_list("pk", flat=True):
            try:
                _rotate(pk)
                done += 1
            except InvalidToken:
                lost.append(str(pk))
        events.record("person.factors_encrypted", by=COMMAND_LINE, data={"count": done, "unreadable": lost})
        self.stdout.write(f"{done} secrets are encrypted under the first key.")
        if lost:
            rows = Authenticator.objects.filter(pk__in=lost).order_by("user__username", "type").select_related("user")
            whose = ", ".join(f"the {KINDS[row.type]} of {row.user.get_username()}" for row in rows)
            raise CommandError(
                f"No key of FACTOR_KEYS opens {whose}. Add the key they were encrypted under to the list; where it is lost, "
                "an administrator resets these people's factors, and they add new ones."
            )


@transaction.atomic
def _rotate(pk: int) -> None:
    row = Authenticator.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        return
    name = SECRETS[row.type]
    row.data[name] = encrypted_anew(row.data[name])
    row.save(update_fields=["data"])
