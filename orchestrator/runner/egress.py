"""Which hosts a child may reach: those its tool or its agent lists; without a list, whatever stands behind the granted ports.

Python tells hooks, which cannot be taken out again, what a socket is about to do, whichever library made it. So a name is
refused before it is looked up, and an address before anything is sent. This holds an agent that was talked into calling a
stranger; it does not hold code that loads a native library to get around it (docs/runner.md).
A program of its own would reach where it likes, so where there is a list none is started.
"""

from __future__ import annotations

import re
import socket
import sys

from orchestrator.runner.context import Declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    # A host in lower case, perhaps beginning with "*.", and a port; 0 is any.
    Place = tuple[str, int]

_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_PROGRAMS = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system")
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_ENTRY = re.compile(
    r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<host>(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*))(?::(?P<port>[0-9]{1,5}))?"
)
_LAST_PORT = 65535
# What is told of one run; a scanner of networks would fill the answer's header.
_MOST_TOLD = 5


class NotListed(Declared):
    """The handler reached for a host that its egress list does not name."""

    failure_class = "policy"


class Watch:
    """What this child may reach, and what its current run reached for in vain. Made once, before any handler's code runs."""

    def __init__(self, listed: list[Place]) -> None:
        self._listed = [(host, port) for host, port in listed]
        self._found: set[Place] = set()
        self._strangers: list[str] = []
        self._has_connected = False
        sys.addaudithook(self._look)
        self._resolve = socket.getaddrinfo
        socket.getaddrinfo = self._remembered

    def begin(self) -> None:
        """Another run. It may use a connection that an earlier one left open, so that there was one is not forgotten."""
        self._strangers = []

    def report(self) -> dict[str, Any]:
        """What the engine is to know: nothing, or whom it reached for, and whether anybody may have been reached before."""
        return {"strangers": self._strangers, "connected": self._has_connected} if self._strangers else {}

    def _remembered(self, host: Any, *rest: Any, **more: Any) -> Any:
        """As `socket.getaddrinfo`: the addresses of a name that may be reached may be reached."""
        found = self._resolve(host, *rest, **more)
        self._found |= {(str(answer[4][0]), port) for answer in found for port in self._ports(_text(host))}
        return found

    def _look(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._listed:
            return
        if event in _PROGRAMS:
            self._refuse(f"another program ({_text(args[0])})")
        elif event in _NAMES:
            name = _text(args[0])
            if name and not self._ports(name):
                self._refuse(name)
        elif event in _SENDS and isinstance(args[1], tuple) and len(args[1]) > 1:
            host, port = _text(args[1][0]), args[1][1]
            if not self._ports(host) & {0, port} and not self._found & {(host, 0), (host, port)}:
                self._refuse(f"{host}:{port}")
            self._has_connected = True

    def _ports(self, host: str) -> set[int]:
        """The ports under which this host is listed."""
        return {port for listed, port in self._listed if _is(host, listed)}

    def _refuse(self, where: str) -> None:
        if where not in self._strangers and len(self._strangers) < _MOST_TOLD:
            self._strangers.append(where[:300])
        raise NotListed(f"{where} is not on the egress list")


def places_of(entries: Iterable[str]) -> list[Place]:
    """As a child is told. An entry that cannot be read, in a release made before lists were judged, is a host that nobody has."""
    return [_place_or_nobody(str(entry)) for entry in entries]


def _place_or_nobody(entry: str) -> Place:
    try:
        return place_of(entry)
    except ValueError:
        return entry, 0


def place_of(entry: str) -> Place:
    """The place that `host`, `host:port`, `[v6]` or `[v6]:port` names; `*.host` is every name below it. Raises ValueError."""
    found = _ENTRY.fullmatch(entry.lower())
    port = int(found["port"] or 0) if found else 0
    if found is None or port > _LAST_PORT or found["port"] == "0":
        raise ValueError(f"“{entry}” names no host")
    return found["address"] or found["host"], port


def _is(host: str, listed: str) -> bool:
    return host.endswith(listed[1:]) if listed.startswith("*.") else host == listed


def _text(host: Any) -> str:
    """As it is compared: names may be bytes, and upper case, and end in a dot."""
    text = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
    return text.lower().removesuffix(".")
