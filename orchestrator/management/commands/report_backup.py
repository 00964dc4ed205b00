"""`manage.py report_backup "WHAT"`: tell the health page that a backup has succeeded. The job that makes it calls this last."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit import actors, events
from orchestrator.health.readings import BACKUP_STREAM

COMMAND_LINE = actors.system("command line")
LONGEST = 200


class Command(BaseCommand):
    help = "Report a backup that has succeeded, in a few words that a person can act on: what, where, how large."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", help='for example "nightly pg_basebackup to the vault, 1.2 GB"')

    def handle(self, *_: Any, **options: Any) -> None:
        # A name that is no UTF-8 comes as halves of pairs, which nothing stores; the backup has been made all the same.
        what = " ".join(options["what"].encode(errors="replace").decode().split())
        if not what or len(what) > LONGEST:
            raise CommandError(f"Say what was backed up, in 1 to {LONGEST} characters.")
        events.record("backup.reported", by=COMMAND_LINE, stream=BACKUP_STREAM, why=what)
        self.stdout.write(f"Reported: {what}")
