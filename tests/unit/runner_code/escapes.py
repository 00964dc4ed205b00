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
