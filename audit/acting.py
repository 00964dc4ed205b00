"""Who is at it, for what the database itself writes down: changes of people's accounts and roles (migration 0009_people).

Every verb of ours is told its actor and writes its own event. Django's pages for accounts are no verbs of ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from audit.actors import Actor

_SAY = "SELECT set_config('holdpoint.actor', %s, true), set_config('holdpoint.actor_name', %s, true)"


@contextmanager
def acting(by: Actor) -> Iterator[None]:
    """One transaction, and what it says ends with it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SAY, [by.key, by.name])
        yield
        cursor.execute(_SAY, ["", ""])
