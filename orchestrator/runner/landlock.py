"""Landlock: which files and TCP ports the child may still reach. Works for any user."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable

from orchestrator.runner import kernel

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_PATH, _PORT = 1, 2
_FILE_READ = (1 << 0) | (1 << 2)  # execute, read_file
_READ = _FILE_READ | (1 << 3)  # and read_dir
_FILE_WRITE = (1 << 1) | (1 << 14)  # write_file, truncate
_DEVICE_MAKING = (1 << 6) | (1 << 11)  # make_char, make_block
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_UNIX, _SIGNAL = 1, 2
_ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_PORTS_SINCE, _SCOPES_SINCE = 4, 6


def version() -> int:
    """The kernel's Landlock version, 0 where there is none."""
    try:
        return kernel.syscall(_CREATE, None, 0, 1)
    except OSError:
        return 0


def restrict(readable: Iterable[int], writable: Iterable[int], ports: Iterable[int] | None) -> list[str]:
    """Leave this thread and its descendants these files (descriptors) and TCP ports; say what now holds."""
    abi = version()
    if not abi:
        return []
    everything = _ALL_BY_VERSION[min(abi, 5)]
    ruleset = _create(abi, everything, limit_ports=ports is not None)
    for descriptor in readable:
        _allow_path(ruleset, descriptor, _READ & everything)
    for descriptor in writable:
        _allow_path(ruleset, descriptor, everything & ~_DEVICE_MAKING)
    for port in (ports or ()) if abi >= _PORTS_SINCE else ():
        _add(ruleset, _PORT, struct.pack("=QQ", _CONNECT_TCP, port))
    kernel.syscall(_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return _names(abi, limit_ports=ports is not None)


def _create(abi: int, everything: int, *, limit_ports: bool) -> int:
    attributes = struct.pack("=Q", everything)
    if abi >= _PORTS_SINCE:
        attributes += struct.pack("=Q", _BIND_TCP | (_CONNECT_TCP if limit_ports else 0))
    if abi >= _SCOPES_SINCE:
        attributes += struct.pack("=Q", _ABSTRACT_UNIX | _SIGNAL)
    return kernel.syscall(_CREATE, attributes, len(attributes), 0)


def _allow_path(ruleset: int, descriptor: int, rights: int) -> None:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        rights &= _FILE_READ | _FILE_WRITE
    _add(ruleset, _PATH, struct.pack("=Qi", rights, descriptor))


def _add(ruleset: int, kind: int, rule: bytes) -> None:
    kernel.syscall(_ADD_RULE, ruleset, kind, rule, 0)


def _names(abi: int, *, limit_ports: bool) -> list[str]:
    names = ["landlock-files"]
    if limit_ports and abi >= _PORTS_SINCE:
        names.append("landlock-ports")
    if abi >= _SCOPES_SINCE:
        names.append("landlock-signals")
    return names
