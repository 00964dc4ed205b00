"""`manage.py token`: issue a machine's key, shown once, or revoke one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.refusals import Refusal
from orchestrator.operations import tokens


class Command(BaseCommand):
    help = "Issue an API token for an agent (printed once), or revoke one with --revoke PREFIX."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agent", help="name of an active agent")
        parser.add_argument("--unit", help="name of the business unit the token is bound to")
        parser.add_argument("--scope", action="append", default=[], help=f"one of: {', '.join(tokens.SCOPES)}")
        parser.add_argument("--days", type=int, default=90, help="days until it expires (default 90)")
        parser.add_argument("--revoke", metavar="PREFIX", help="revoke the token with this prefix")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            self._revoke(options["revoke"]) if options["revoke"] else self._issue(options)
        except Refusal as refusal:
            raise CommandError(f"{refusal} {refusal.remedy}".strip()) from None

    def _issue(self, options: dict[str, Any]) -> None:
        if not (options["agent"] and options["unit"]):
            raise CommandError("Both --agent and --unit are needed: --agent NAME --unit UNIT --scope SCOPE.")
        text, token = tokens.issue(options["agent"], options["unit"], options["scope"], options["days"])
        # The secret alone on stdout, so that a script can take it; everything else on stderr.
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except OSError:
            # Nobody will ever know it.
            tokens.revoke(token.prefix, why="it could not be shown")
            raise
        self.stderr.write(
            f"Shown this once. Expires {token.expires_at:%Y-%m-%d %H:%M} UTC. Revoke: --revoke {token.prefix}"
        )

    def _revoke(self, prefix: str) -> None:
        tokens.revoke(prefix)
        self.stderr.write(f"Token {prefix} is revoked.")
