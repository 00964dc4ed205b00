"""Sign-ins, sign-outs and failed sign-ins go into the audit trail."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from audit import actors, events, strangers


@receiver(user_logged_in)
def record_sign_in(user: Any, **_: Any) -> None:
    events.record("person.signed_in", by=actors.person(user.pk, user.get_username()))


@receiver(user_logged_out)
def record_sign_out(user: Any, **_: Any) -> None:
    if user is not None:
        events.record("person.signed_out", by=actors.person(user.pk, user.get_username()))


@receiver(user_login_failed)
def record_failed_sign_in(credentials: dict[str, Any], **_: Any) -> None:
    # The typed name is cut: people sometimes type their password into the name field.
    why = f"name {str(credentials.get('username', ''))[:3]}..."
    strangers.recorded(events.fact("person.sign_in_failed", by=actors.ANYONE, why=why))
