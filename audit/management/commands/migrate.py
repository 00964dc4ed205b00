"""Django's migrate, beside work that goes on: nobody waits for it longer than a moment.

Whoever wants a table after a statement that waits for all of it waits behind that statement, and it waits for the longest
reader: a dump, say. So a migration gives up after half a second, has done nothing, and is begun anew a little later.
One that is not atomic keeps its first half: it builds indexes beside the work, waits as long as anybody else, and fails.
"""

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import DeadlockDetected, LockNotAvailable

# Less than PostgreSQL's `deadlock_timeout`: of a migration and the work it locks out, the migration gives way.
LOCK_MILLISECONDS = 500
PAUSE_SECONDS = 3
TRIES = 100


class Command(migrate.Command):
    help = "Brings the tables up to date, beside the version that still runs. " + migrate.Command.help

    def handle(self, *args: Any, **options: Any) -> None:
        self.line, self.is_atomic = connections[options["database"]], True
        for tries in range(TRIES, 0, -1):
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                others_had_it = isinstance(error.__cause__, (LockNotAvailable, DeadlockDetected))
                if tries == 1 or not (others_had_it and self.is_atomic):
                    raise
            finally:
                self._wait_for_locks("DEFAULT")
            self.stderr.write(" others use what it needs; nothing was done, and it tries again")
            time.sleep(PAUSE_SECONDS)

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        super().migration_progress_callback(action, migration, fake)
        if action in ("apply_start", "unapply_start"):
            self.is_atomic = migration.atomic
            self._wait_for_locks(f"'{LOCK_MILLISECONDS}ms'" if migration.atomic else "DEFAULT")

    def _wait_for_locks(self, at_most: str) -> None:
        with self.line.cursor() as cursor:
            cursor.execute(f"SET lock_timeout TO {at_most}")
