#!/usr/bin/env python
"""Django's command line. `python manage.py help` lists what Holdpoint adds."""

import errno
import os
import sys

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}
NEEDS_NO_DATABASE = {"collectstatic", "diagrams", "help", "spectacular", "test", "validate"}


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    from config import database, postgres, starting

    # Closed (`>&-`), Python has none, and every command that says something would end with an AttributeError.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        if not NEEDS_NO_DATABASE & set(sys.argv[1:2]):
            postgres.ensure_running()
        starting.load()
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except ImproperlyConfigured as problem:
        # The sentence says all there is to know; where it was raised helps nobody.
        sys.exit(str(problem))
    except BrokenPipeError:
        # Nobody reads on, as behind `| head`. Nor should Python, which tries once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as problem:
        # A disk that is full, read-only or somebody else's is no mistake of ours either.
        if problem.errno not in DISK or "--traceback" in sys.argv:
            raise
        sys.exit(
            f"The disk does not do it: {problem}. VAR_DIR must name a folder that belongs to the user this process runs as, on "
            "a disk with room: VAR_DIR=/var/lib/holdpoint."
        )
    except DatabaseError as problem:
        said = database.in_a_sentence(problem)
        if not said or "--traceback" in sys.argv:
            raise
        sys.exit(said)


if __name__ == "__main__":
    main()
