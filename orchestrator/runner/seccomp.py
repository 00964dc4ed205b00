"""A short deny list of system calls: no local sockets (a database's), no tracing, no new namespaces.

A deny list and not an allow list, because the interpreter and whatever library a handler loads must keep
working on kernels not written yet; which files and ports can be reached is Landlock's part. Landlock sees the
ports of plain TCP that connects before it sends, so of what else leads to a port nothing is left here.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from orchestrator.runner import kernel

_LOAD, _EQUALS, _AT_LEAST, _ANY_BIT, _RETURN, _KEEP_BITS = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE = 0, 4
_X32 = 0x40000000
_NEW_NAMESPACE = 0x7E020000
_NETWORKS = (socket.AF_INET, socket.AF_INET6)
# The other types and protocols (MPTCP, SCTP, DCCP) reach ports as well. 0 is the type's usual one.
_TYPES, _TYPE_BITS = (socket.SOCK_STREAM, socket.SOCK_DGRAM), 0xF
_PROTOCOLS = (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP)
# TCP Fast Open: sending connects.
_FAST_OPEN = 0x20000000

# Numbers are per architecture; those after 424 are the same everywhere: io_uring_*, the new mount calls,
# pidfd_getfd, mount_setattr, memfd_secret.
_MODERN = (*range(425, 434), 438, 442, 447)


class _Architecture:
    def __init__(
        self,
        audit: int,
        socket: int,
        clone: int,
        denied: tuple[int, ...],
        *,
        programs: tuple[int, ...],
        sends: tuple[tuple[int, int], ...],
    ) -> None:
        self.audit, self.socket, self.clone, self.denied = audit, socket, clone, denied + _MODERN
        self.programs = programs
        # sendto sendmsg sendmmsg, and which argument of each holds its flags.
        self.sends = sends


# ptrace acct mount umount2 pivot_root swapon reboot init_module delete_module quotactl add_key request_key
# keyctl unshare perf_event_open name_to_handle_at open_by_handle_at setns process_vm_* finit_module bpf
# userfaultfd kexec_* personality; memfd_create: memory that no limit counts; and shm* sem* msg* mq_*: memory that is there when
# its maker is not, and that everybody of the same user can open
_X86_64: tuple[int, ...] = (101, 163, 165, 166, 155, 167, 169, 175, 176, 179, 248, 249, 250, 272)
_X86_64 += (298, 303, 304, 308, 310, 311, 313, 321, 323, 246, 320, 135, 319)
_X86_64 += (*range(29, 32), *range(64, 67), *range(68, 72), 220, 240, 241)
_AARCH64: tuple[int, ...] = (117, 89, 40, 39, 41, 224, 142, 105, 106, 60, 217, 218, 219, 97)
_AARCH64 += (241, 264, 265, 268, 270, 271, 273, 280, 282, 104, 294, 92, 279)
_AARCH64 += (180, 181, *range(186, 197))
_ARCHITECTURES = {
    "x86_64": _Architecture(0xC000003E, 41, 56, _X86_64, programs=(59, 322), sends=((44, 3), (46, 2), (307, 3))),
    "aarch64": _Architecture(0xC00000B7, 198, 220, _AARCH64, programs=(221, 281), sends=((206, 3), (211, 2), (269, 3))),
}
_CLONE3 = 435


def restrict(*, networks: bool = True, programs: bool = True) -> list[str]:
    """Apply the deny list to this thread and its descendants; say what now holds.

    `networks`: whether sockets can be made; `programs`: whether others can be started (execve, execveat).
    """
    table = _ARCHITECTURES.get(os.uname().machine)
    if table is None:
        return []
    try:
        denied = table.denied if programs else table.denied + table.programs
        kernel.install_filter(_program(table, denied, _NETWORKS if networks else ()))
    except OSError:
        return []
    return ["seccomp"]


def _program(table: _Architecture, denied: tuple[int, ...], networks: tuple[int, ...]) -> bytes:
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUALS, table.audit, yes=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    steps += _refuse_if(_AT_LEAST, _X32, errno.ENOSYS)
    for number in denied:
        steps += _refuse_if(_EQUALS, number, errno.EPERM)
    # Its flags lie in memory, where no filter can look; libc falls back to clone when it is missing.
    steps += _refuse_if(_EQUALS, _CLONE3, errno.ENOSYS)
    for number, flags in table.sends:
        steps += _without_bits(number, flags, _FAST_OPEN)
    steps += _without_bits(table.clone, 0, _NEW_NAMESPACE)
    steps += [*_only_networks(table.socket, networks), _step(_RETURN, _ALLOW)]
    return b"".join(steps)


def _refuse_if(test: int, value: int, error: int) -> list[bytes]:
    return [_step(test, value, no=1), _step(_RETURN, _DENY | error)]


def _only_networks(number: int, networks: tuple[int, ...]) -> list[bytes]:
    body = [
        *_only(0, networks),
        *_only(1, _TYPES, of_bits=_TYPE_BITS),
        *_only(2, _PROTOCOLS),
        _step(_RETURN, _ALLOW),
    ]
    return [_step(_EQUALS, number, no=len(body)), *body]


def _only(argument: int, values: tuple[int, ...], *, of_bits: int = 0xFFFFFFFF) -> list[bytes]:
    """Go on where the argument is one of these, else refuse."""
    return [
        _load_argument(argument),
        _step(_KEEP_BITS, of_bits),
        *(_step(_EQUALS, value, yes=len(values) - place) for place, value in enumerate(values)),
        _step(_RETURN, _DENY | errno.EPERM),
    ]


def _without_bits(number: int, argument: int, bits: int) -> list[bytes]:
    body = [
        _load_argument(argument),
        *_refuse_if(_ANY_BIT, bits, errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return [_step(_EQUALS, number, no=len(body)), *body]


def _load_argument(place: int) -> bytes:
    """The lower half of it, which is all that an int has."""
    return _step(_LOAD, 16 + 8 * place)


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
