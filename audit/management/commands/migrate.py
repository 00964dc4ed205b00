"""Django's migrate, beside work that goes on: nobody waits for it longer than a moment.

Whoever wants a table after a statement that waits for all of it waits behind that statement, and it waits for the longest
reader: a dump, say. So a migration gives up after two seconds, has done nothing, and is begun anew a little later.
One that is not atomic would keep its first half: it builds indexes beside the work, and waits as long as anybody else.
"""

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import DeadlockDetected, LockNotAvailable

LOCK_SECONDS = 2
PAUSE_SECONDS = 3
TRIES = 100


class Command(migrate.Command):
    help = "Brings the tables up to date, beside the version that still runs. " + migrate.Command.help

    def handle(self, *args: Any, **options: Any) -> None:
        self.line = connections[options["database"]]
        for tries in range(TRIES, 0, -1):
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                if tries == 1 or not isinstance(error.__cause__, (LockNotAvailable, DeadlockDetected)):
                    raise
            finally:
                self._wait_for_locks("DEFAULT")
            self.stderr.write(" others use what it needs; nothing was done, and it tries again")
            time.sleep(PAUSE_SECONDS)

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        super().migration_progress_callback(action, migration, fake)
        if action in ("apply_start", "unapply_start"):
            self._wait_for_locks(f"'{LOCK_SECONDS}s'" if migration.atomic else "DEFAULT")

    def _wait_for_locks(self, at_most: str) -> None:
        with self.line.cursor() as cursor:
            cursor.execute(f"SET lock_timeout TO {at_most}")
