"""Attempts to reach what a handler was not given. Each says what came of it."""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import resource
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

Fields = dict[str, Any]


def _tried(attempt: Callable[[], object]) -> str:
    """The name of the error it ended in, or what it got."""
    try:
        return f"got {attempt()!r}"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__


def read(given: Fields, context: Any) -> Fields:
    return {path: _tried(Path(path).read_bytes) for path in given["paths"]}


def write(given: Fields, context: Any) -> Fields:
    return {path: _tried(partial(Path(path).write_text, "x")) for path in given["paths"]}


def connect_unix(given: Fields, context: Any) -> Fields:
    def attempt() -> object:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(given["path"])
        return "connected"

    return {"outcome": _tried(attempt)}


def connect_tcp(given: Fields, context: Any) -> Fields:
    def attempt() -> object:
        with socket.create_connection(("127.0.0.1", given["port"]), timeout=2):
            return "connected"

    return {"outcome": _tried(attempt)}


def reach_by_other_ways(given: Fields, context: Any) -> Fields:
    """The same port by whatever else leads to it than plain TCP that connects before it sends."""
    place, mptcp, sctp, fast_open = ("127.0.0.1", given["port"]), 262, 132, 0x20000000

    def connect(kind: int, protocol: int) -> str:
        with socket.socket(socket.AF_INET, kind, protocol) as sock:
            sock.connect(place)
        return "connected"

    def bind() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, mptcp) as sock:
            sock.bind(("127.0.0.1", 0))
        return "bound"

    def sendto(family: int, host: str) -> str:
        with socket.socket(family) as sock:
            sock.sendto(b"hello", fast_open, (host, given["port"]))
        return "sent"

    def sendmsg() -> str:
        with socket.socket() as sock:
            sock.sendmsg([b"hello"], [], fast_open, place)
        return "sent"

    ways = {
        "mptcp": partial(connect, socket.SOCK_STREAM, mptcp),
        "sctp": partial(connect, socket.SOCK_STREAM, sctp),
        "in packets": partial(connect, socket.SOCK_SEQPACKET, 0),
        "bound mptcp": bind,
        "fast open": partial(sendto, socket.AF_INET, "127.0.0.1"),
        "fast open, IPv6": partial(sendto, socket.AF_INET6, "::ffff:127.0.0.1"),
        "fast open, as a message": sendmsg,
    }

    return {name: _tried(attempt) for name, attempt in ways.items()}


def send_flagged(given: Fields, context: Any) -> Fields:
    def attempt() -> object:
        kind = socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with socket.socket(socket.AF_INET, kind, socket.IPPROTO_TCP) as sock:
            sock.settimeout(2)
            sock.connect(("127.0.0.1", given["port"]))
            return sock.send(b"hello", socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)

    return {"outcome": _tried(attempt)}


def listen(given: Fields, context: Any) -> Fields:
    def attempt() -> object:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
        return "bound"

    return {"outcome": _tried(attempt)}


def who(given: Fields, context: Any) -> Fields:
    return {"uids": list(os.getresuid()), "groups": os.getgroups()}


def surroundings(given: Fields, context: Any) -> Fields:
    return {
        "env": dict(os.environ),
        "cwd": os.getcwd(),
        "umask": os.umask(0o077),
        "session": os.getsid(0) == os.getpid(),
        "modules": sorted(sys.modules),
        "files": [number for number in range(3, 64) if _is_open(number)],
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in given["limits"]},
    }


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def imports(given: Fields, context: Any) -> Fields:
    return {name: _tried(partial(importlib.import_module, name)) for name in given["names"]}


def signal_others(given: Fields, context: Any) -> Fields:
    return {str(pid): _tried(partial(os.kill, pid, 0)) for pid in given["pids"]}


def become_root(given: Fields, context: Any) -> Fields:
    return {"outcome": _tried(lambda: os.setresuid(0, 0, 0))}


def system_calls(given: Fields, context: Any) -> Fields:
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int) -> str:
        result = libc.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0)
        return "allowed" if result >= 0 else errno.errorcode[ctypes.get_errno()]

    return {name: call(number) for name, number in given["calls"].items()}


def leave_memory(given: Fields, context: Any) -> Fields:
    """What the kernel keeps until somebody takes it away; taken away at once, should it be given."""
    libc = ctypes.CDLL(None, use_errno=True)
    private, new, remove = 0, 0o1600, 0

    def made(number: int, away: Callable[[int], object]) -> str:
        if number < 0:
            return errno.errorcode[ctypes.get_errno()]
        away(number)
        return "allowed"

    return {
        "segment": made(libc.shmget(private, ctypes.c_size_t(4096), new), lambda it: libc.shmctl(it, remove, None)),
        "semaphore": made(libc.semget(private, 1, new), lambda it: libc.semctl(it, 0, remove)),
        "queue": made(libc.msgget(private, new), lambda it: libc.msgctl(it, remove, None)),
        "message": made(
            libc.mq_open(b"/holdpoint-left", os.O_CREAT | os.O_RDWR, 0o600, None),
            lambda it: libc.mq_unlink(b"/holdpoint-left"),
        ),
    }


def standard_library(given: Fields, context: Any) -> Fields:
    import csv
    import decimal
    import email.message
    import sqlite3
    import ssl
    import zoneinfo

    modules = (csv, decimal, email.message, sqlite3, ssl, zoneinfo)
    berlin = zoneinfo.ZoneInfo("Europe/Berlin") if Path("/usr/share/zoneinfo").is_dir() else None
    return {"names": [module.__name__ for module in modules], "zone": str(berlin)}
