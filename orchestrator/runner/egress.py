"""Which hosts a child may reach: those its tool or its agent lists; without a list, whatever stands behind the granted ports.

Python tells hooks what a socket is about to do, whichever library made it; sockets themselves are asked first, because they
look a name up before they tell. So a name is refused before it is looked up, and an address before anything is sent. A program
of its own would reach where it likes, so where there is a list none is started. This holds an agent that was talked into
calling a stranger; it does not hold a handler that sets out to get around it (docs/runner.md).
"""

from __future__ import annotations

import re
import socket
import sys

from orchestrator.runner.context import Declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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
# Where a socket's method has its address.
_ADDRESS_OF = {"connect": 0, "connect_ex": 0, "bind": 0, "sendto": -1, "sendmsg": 3}
# What is told of one run; a scanner of networks would fill the answer's header.
MOST_TOLD = 5


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
        self._resolve, self._by_name = socket.getaddrinfo, socket.gethostbyname
        socket.getaddrinfo, socket.gethostbyname = self._remembered, self._remembered_name
        for name, place in _ADDRESS_OF.items():
            setattr(socket.socket, name, self._asked_first(name, place))

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

    def _remembered_name(self, host: Any) -> str:
        found = self._by_name(host)
        self._found |= {(found, port) for port in self._ports(_text(host))}
        return found

    def _asked_first(self, name: str, place: int) -> Callable[..., Any]:
        """A socket's method that is told its address before it looks up what is written there."""
        method = getattr(socket.socket, name)

        def ask_first(sock: socket.socket, *given: Any) -> Any:
            address = (given[place:] or (None,))[0]
            if name == "bind":
                self._look_at_name(address)
            else:
                self._look("socket.connect", (sock, address))
            return method(sock, *given)

        return ask_first

    def _look_at_name(self, address: Any) -> None:
        """A socket is bound to an address of its own; a name there would be looked up outside."""
        host = _text(address[0]) if isinstance(address, tuple) and address else ""
        if self._listed and host.strip("0123456789.") and ":" not in host and not self._ports(host):
            self._refuse(host)

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
        if where not in self._strangers and len(self._strangers) < MOST_TOLD:
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
