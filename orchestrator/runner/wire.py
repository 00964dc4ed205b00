"""What the engine and the runner say to each other, and the strict JSON both sides insist on.

A frame is a header of ours (small JSON) and a body of theirs (canonical JSON text): the engine reads what
kind of message it got before it spends anything on what a handler wrote.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import time

TYPE_CHECKING = False  # importing typing costs every cold start 2 ms
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 40
MAX_HEADER = 1024 * 1024
MAX_EXACT_INTEGER = 2**53
_PREFIX = struct.Struct("!4sII")
_MAGIC = b"HPR1"
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# 1e+16 is what this writes for a number that PostgreSQL gives back as a whole one, and a text may hold as well.
_LONG_NUMBER = re.compile(r"[0-9]{16}|e\+")

# Bound at import: a handler that replaces json.dumps in its process does not replace ours.
_canonical_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
_header_text = json.JSONEncoder(separators=(",", ":")).encode


class Closed(Exception):
    """The other side is gone."""


class Garbled(Exception):
    """The other side wrote something that is no frame of this protocol."""


class Overdue(Exception):
    """The other side did not answer, or did not read, in time."""


class NotJson(ValueError):
    """The value cannot be kept as JSON. The message says why."""


class TooLarge(ValueError):
    """The value is JSON, but more of it than was allowed."""


class Channel:
    """One end of the socket pair. Not for two threads at once."""

    def __init__(self, sock: socket.socket, *, max_body: int = 2**30) -> None:
        self.max_body = max_body
        self._sock = sock
        self._buffer = bytearray()

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()

    def send(self, header: dict[str, Any], body: str = "", *, deadline: float | None = None) -> None:
        """Write one frame. Raises Closed or Overdue."""
        head, text = _header_text(header).encode(), body.encode()
        self._sock.settimeout(_left(deadline))
        try:
            self._sock.sendall(_PREFIX.pack(_MAGIC, len(head), len(text)) + head + text)
        except TimeoutError:
            raise Overdue from None
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self, *, deadline: float | None = None) -> tuple[dict[str, Any], bytes]:
        """Read one frame. Raises Closed, Garbled or Overdue."""
        magic, head_size, body_size = _PREFIX.unpack(self._take(_PREFIX.size, deadline))
        if magic != _MAGIC or head_size > MAX_HEADER:
            raise Garbled("not a frame")
        if body_size > self.max_body:
            raise Garbled(f"a frame of {body_size:,} bytes where {self.max_body:,} are allowed")
        frame = self._take(head_size + body_size, deadline)
        return _header(frame[:head_size]), frame[head_size:]

    def _take(self, size: int, deadline: float | None) -> bytes:
        while len(self._buffer) < size:
            self._sock.settimeout(_left(deadline))
            self._buffer += self._chunk(size - len(self._buffer))
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _chunk(self, missing: int) -> bytes:
        try:
            chunk = self._sock.recv(max(65536, min(missing, 2**20)))
        except TimeoutError:
            raise Overdue from None
        except OSError as error:
            raise Closed(str(error)) from None
        if not chunk:
            raise Closed("end of stream")
        return chunk


def canonical(value: Any, *, max_bytes: int | None = None) -> str:
    """The sorted, compact JSON text of a value. Raises NotJson or TooLarge.

    Refuses what another parser or PostgreSQL would read differently or not at all: NaN, lone surrogates,
    U+0000, numbers beyond 2**53, nesting deeper than MAX_DEPTH.
    """
    try:
        text = _canonical_text(value)
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise NotJson("text holds a lone surrogate") from None
    except RecursionError:
        raise NotJson("nested too deeply, or in a circle") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise NotJson(str(error)) from None
    if max_bytes is not None and size > max_bytes:
        raise TooLarge(f"{size:,} bytes where {max_bytes:,} are allowed")
    _refuse_unstorable(value, text)
    return text


def canonical_object(value: Any, *, max_bytes: int | None = None) -> str:
    """canonical() of what must be a JSON object."""
    if not isinstance(value, dict):
        raise NotJson(f"expected a JSON object, got {type(value).__name__}")
    return canonical(value, max_bytes=max_bytes)


def decode(text: bytes) -> Any:
    """The value of a JSON text. Raises NotJson; what it accepts, canonical() must still accept."""
    try:
        return json.loads(text.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError as error:
        raise NotJson(str(error)) from None


def clean(text: str, limit: int) -> str:
    """Foreign text that any log, page and database column can hold, its middle left out beyond the limit."""
    if len(text) > limit:
        tail = limit * 3 // 4
        text = f"{text[: limit - tail]}\n[... {len(text) - limit:,} characters left out ...]\n{text[-tail:]}"
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise Overdue
    return left


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise Garbled("a header that is not JSON") from None
    if not isinstance(header, dict):
        raise Garbled("a header that is not an object")
    return header


def _refuse_constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON")


def _refuse_unstorable(value: Any, text: str) -> None:
    if "\\u0000" in text and _NUL.search(text):
        raise NotJson("text holds the character U+0000, which cannot be stored")
    # Counting brackets and looking for long digits is cheap; only what looks suspicious is walked.
    if text.count("{") + text.count("[") > MAX_DEPTH or _LONG_NUMBER.search(text):
        _walk(value)


def _walk(value: Any) -> None:
    """Level by level, not by recursion: how deep it goes is just what is not known yet."""
    level, depth = [value], 0
    while level:
        if any(isinstance(item, int | float) and abs(item) > MAX_EXACT_INTEGER for item in level):
            raise NotJson("a number is beyond 2^53; send it as text")
        holders = [item for item in level if isinstance(item, (dict, list, tuple))]
        depth += bool(holders)
        if depth > MAX_DEPTH:
            raise NotJson(f"nested deeper than {MAX_DEPTH} levels")
        level = [part for item in holders for part in (item.values() if isinstance(item, dict) else item)]
