"""What one run could leave behind for the next in the same interpreter.

Nothing is repaired: a child whose surroundings a handler altered is replaced. What is not looked at (a
handler's own module globals, the state of `random`) stays, which is why a release may ask for a fork per run
instead.
"""

from __future__ import annotations

import builtins
import json
import os
import resource
import signal
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MODULES = (builtins, json, json.decoder, json.encoder, os, socket, sys, time)
_SIGNALS = (signal.SIGALRM, signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ)
_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)
# More open files than this after a run is a leak that would in the end fail a run that did nothing wrong.
_MANY_FILES = 48


class Surroundings:
    """The interpreter as it was; compared, not copied again, after every run."""

    def __init__(self) -> None:
        self._modules = [dict(names) for names in _names()]
        self._settings = _settings()

    def altered(self) -> bool:
        """Whether a run changed something another run would notice. Ends a pending alarm."""
        alarm = signal.setitimer(signal.ITIMER_REAL, 0)[0] > 0
        leaking = _lowest_free_descriptor() > _MANY_FILES
        return alarm or leaking or _names() != self._modules or _settings() != self._settings


def _names() -> list[dict[str, Any]]:
    return [vars(module) for module in _MODULES]


def _settings() -> tuple[Any, ...]:
    return (
        list(sys.path),
        dict(vars(os.environ)["_data"]),  # os.environ decodes every name each time it is read
        [signal.getsignal(number) for number in _SIGNALS],
        [resource.getrlimit(which) for which in _LIMITS],
        (sys.getrecursionlimit(), sys.gettrace(), sys.getprofile(), socket.getdefaulttimeout()),
    )


def _lowest_free_descriptor() -> int:
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor
