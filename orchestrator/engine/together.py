"""Group commit: what several threads want written at about the same moment goes to the database as one statement.

Whoever comes alone writes at once. Those who come while somebody writes are written next, together, by the first of
them. And where the last write brought company, the next one waits a moment for it: a busy worker pays for one round trip
instead of many, an idle one waits for nobody.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Ticket(Generic[Item, Result]):
    """One thread's wish, and how it learns what became of it: an outcome, or that it is its turn to write."""

    __slots__ = ("item", "outcome", "turn")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: list[Result | Exception] = []
        self.turn = threading.Lock()
        self.turn.acquire()


class Together(Generic[Item, Result]):
    """`write` answers one outcome per item, in order; an exception as outcome is raised in the thread it belongs to."""

    def __init__(
        self, write: Callable[[list[Item]], list[Result | Exception]], *, most: int, patience_seconds: float
    ) -> None:
        self._write, self._most, self._patience = write, most, patience_seconds
        self._changed = threading.Condition()
        self._waiting: list[_Ticket[Item, Result]] = []
        self._is_writing = False
        self._members = 0
        self._had_company = False

    @contextmanager
    def member(self) -> Iterator[None]:
        """While it lasts this thread may come with a wish: somebody to wait for."""
        with self._changed:
            self._members += 1
        try:
            yield
        finally:
            with self._changed:
                self._members -= 1
                self._changed.notify()

    def __call__(self, item: Item) -> Result:
        """Have it written. Raises what `write` raised, or answered for this item."""
        ticket: _Ticket[Item, Result] = _Ticket(item)
        with self._changed:
            self._waiting.append(ticket)
            self._changed.notify()
            mine, self._is_writing = not self._is_writing, True
        if not mine:
            ticket.turn.acquire()
        if not ticket.outcome:
            self._write_batch()
        outcome = ticket.outcome[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _write_batch(self) -> None:
        batch = self._gather()
        outcomes: list[Result | Exception]
        try:
            outcomes = self._write([ticket.item for ticket in batch])
        except Exception as error:
            outcomes = [error] * len(batch)
        with self._changed:
            heir = self._waiting[0] if self._waiting else None
            self._is_writing = heir is not None
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome.append(outcome)
            # The writer's own lock is released, too, and nobody waits for it.
            ticket.turn.release()
        if heir is not None:
            heir.turn.release()

    def _gather(self) -> list[_Ticket[Item, Result]]:
        with self._changed:
            if self._had_company:
                self._changed.wait_for(lambda: len(self._waiting) >= min(self._members, self._most), self._patience)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            self._had_company = len(batch) > 1 or bool(self._waiting)
        return batch
