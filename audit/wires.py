"""Cut a connection while another thread waits for what comes from it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from os import dup


def cut(fileno: int) -> None:
    """Whoever reads from it reads its end. Only the socket is touched: what is built on it belongs to its own thread."""
    with suppress(OSError), socket.socket(fileno=dup(fileno)) as wire:
        wire.shutdown(socket.SHUT_RDWR)


@contextmanager
def within(seconds: float, line: socket.socket) -> Iterator[None]:
    """All that is done over the line, together. A socket's own time-out begins anew with every byte that arrives.

    Raises TimeoutError, also where the end that was cut off could be taken for a short answer.
    """
    over = threading.Event()
    # A number of our own: the line's may be closed, and given to another, at the moment its time is over.
    with socket.socket(fileno=dup(line.fileno())) as own:

        def end() -> None:
            over.set()
            cut(own.fileno())

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, HTTPException):
            if not over.is_set():
                raise
        finally:
            timer.cancel()
            timer.join()
    if over.is_set():
        raise TimeoutError
