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
    """One daemon thread per worker process. A short step is over before it ever beats."""

    def __init__(self) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.fence: UUID | None = None

    def run(self) -> None:
        while True:
            time.sleep(settings.LEASE_SECONDS / 3)
            fence = self.fence
            if fence is not None:
                self._beat(fence)

    def _beat(self, fence: UUID) -> None:
        try:
            renew(fence)
        except Error:
            # The database is away. The lease decides, not we: if it lapses, the outcome is refused at settle.
            connection.close()


_heart: list[_Heart] = []


@contextmanager
def held(fence: UUID) -> Iterator[None]:
    """Renew this attempt's lease for as long as the block runs."""
    if not _heart or not _heart[0].is_alive():
        _heart[:] = [_Heart()]
        _heart[0].start()
    _heart[0].fence = fence
    try:
        yield
    finally:
        _heart[0].fence = None
