"""Keeps the lease of the attempt in hand while its handler runs; a lost lease is noticed within a third of its length."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.db import Error, connection

from orchestrator.engine.claims import renew


class _Heart(threading.Thread):
    """One daemon thread per worker process, for all its hands. A short step is over before it ever beats."""

    def __init__(self) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.fences: set[UUID] = set()

    def run(self) -> None:
        while True:
            time.sleep(settings.LEASE_SECONDS / 3)
            fences = self.fences.copy()
            if fences:
                self._beat(fences)

    def _beat(self, fences: set[UUID]) -> None:
        try:
            renew(fences)
        except Error:
            # The database is away. The lease decides, not we: if it lapses, the outcome is refused at settle.
            connection.close()


_heart: list[_Heart] = []
_one_heart = threading.Lock()


@contextmanager
def held(fence: UUID) -> Iterator[None]:
    """Renew this attempt's lease for as long as the block runs."""
    heart = _beating()
    heart.fences.add(fence)
    try:
        yield
    finally:
        heart.fences.discard(fence)


def _beating() -> _Heart:
    """This process's heart. One that was made before a fork does not beat in the child."""
    with _one_heart:
        if not _heart or not _heart[0].is_alive():
            _heart[:] = [_Heart()]
            _heart[0].start()
        return _heart[0]
