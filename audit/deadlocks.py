"""A transaction that the database ended for another's sake has done nothing: it is begun anew.

Whoever migrates locks tables in an order of its own, and beside it PostgreSQL ends whoever waited longer. Dropped like a
lost connection, an answer that is known would be forgotten, and people asked what became of the call.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, connection
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 5


def again(act: Callable[P, T]) -> Callable[P, T]:
    """Do it again after a deadlock. Stands outside of `transaction.atomic`; within somebody's transaction it does nothing."""

    @wraps(act)
    def tried(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES - 1):
            try:
                return act(*args, **kwargs)
            except DatabaseError as error:
                if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                    raise
        return act(*args, **kwargs)

    return tried
