"""`manage.py demo_code USERNAME`: what the authenticator app of a demo person shows now. In the demo, and nowhere else."""

from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.authentication.factor_secrets import Unreadable
from approvals.authentication.factors import code_at, secret_of
from approvals.models import Confirmation
from audit import lifecycle
from orchestrator.management.commands.demo import PEOPLE, app_of, is_demo


class Command(BaseCommand):
    help = "Print the code that a demo person's authenticator app shows now. Refused outside ENVIRONMENT=demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", default="reviewer")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        if not is_demo():
            raise CommandError("Only the demo gives away people's codes: this installation is not ENVIRONMENT=demo.")
        if username not in PEOPLE:
            raise CommandError(f"{username} is nobody of the demo. Its people: {', '.join(PEOPLE)}.")
        try:
            app = app_of(username)
        except Authenticator.DoesNotExist:
            raise CommandError(f"{username} has no authenticator app here.") from None
        try:
            self.stdout.write(code_at(secret_of(app), _unused(app)))
        except Unreadable:
            raise CommandError(
                f"The app of {username} cannot be read: SECRET_KEY or FACTOR_KEYS is another than it was."
            ) from None


def _unused(app: Authenticator) -> int:
    """The half minute of now, or the next one, which is taken as well, where its code was used already."""
    here: int = int(lifecycle.database_now().timestamp()) // app_settings.TOTP_PERIOD
    for counter in (here, here + 1):
        if not Confirmation.objects.filter(once=f"totp:{app.pk}:{counter}").exists():
            return counter
    raise CommandError("The codes of this minute are used up; each is good once. Ask again in half a minute.")
