"""Frames and the strict JSON in them, without a child."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runner import wire

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
EXACT = st.integers(-(2**53), 2**53)
VALUES = st.recursive(
    st.none() | st.booleans() | EXACT | st.floats(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def ends() -> Iterator[tuple[wire.Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield wire.Channel(ours, max_body=1000), theirs
    ours.close()
    theirs.close()


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


class TestCanonicalText:
    @given(VALUES)
    def test_reads_back_as_the_same_value(self, value: Any) -> None:
        text = wire.canonical(value)

        assert wire.decode(text.encode()) == value
        assert wire.canonical(wire.decode(text.encode())) == text

    def test_is_sorted_compact_and_in_the_open(self) -> None:
        assert wire.canonical({"ö": [1, {"b": None, "a": True}], "a": "\n"}) == (
            '{"a":"\\n","ö":[1,{"a":true,"b":null}]}'
        )

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (float("nan"), "not JSON compliant"),
            (float("inf"), "not JSON compliant"),
            ("\ud800", "lone surrogate"),
            ({"\udc00": 1}, "lone surrogate"),
            ("a\0b", "U\\+0000"),
            (2**53 + 1, "beyond 2\\^53"),
            ([{"a": -(2**60)}], "beyond 2\\^53"),
            (2.0**53 + 2, "beyond 2\\^53"),
            ({"a": -1e17}, "beyond 2\\^53"),
            ([1e300], "beyond 2\\^53"),
            (nested(41), "deeper than 40"),
            (nested(10_000), "too deeply"),
            (object(), "not JSON serializable"),
            ({1, 2}, "not JSON serializable"),
            ({"a": b"bytes"}, "not JSON serializable"),
            ({1: "a", "b": 2}, "not supported between"),
        ],
    )
    def test_is_refused_to_what_cannot_be_kept(self, value: Any, why: str) -> None:
        with pytest.raises(wire.NotJson, match=why):
            wire.canonical(value)

    @pytest.mark.parametrize("value", [nested(40), 2**53, "\\u0000", "\\\\u0000", "1234567890123456789", [[]] * 50])
    def test_is_given_to_what_only_looks_like_it(self, value: Any) -> None:
        assert json.loads(wire.canonical(value)) == value

    def test_of_a_circle_is_refused(self) -> None:
        circle: list[Any] = []
        circle.append(circle)

        with pytest.raises(wire.NotJson):
            wire.canonical(circle)

    def test_has_a_size_counted_in_bytes(self) -> None:
        assert wire.canonical("ää", max_bytes=6) == '"ää"'
        with pytest.raises(wire.TooLarge, match="6 bytes where 5 are allowed"):
            wire.canonical("ää", max_bytes=5)

    @pytest.mark.parametrize("value", [[], "text", 1, None, True])
    def test_of_an_object_is_refused_to_anything_else(self, value: Any) -> None:
        with pytest.raises(wire.NotJson, match="expected a JSON object"):
            wire.canonical_object(value)


class TestDecoding:
    @pytest.mark.parametrize(
        "text", [b"NaN", b"-Infinity", b"{", b"\xff", b"", b'{"a":1}x', b"[" * 10_000 + b"]" * 10_000, b"9" * 5000]
    )
    def test_refuses_what_is_not_json(self, text: bytes) -> None:
        with pytest.raises(wire.NotJson):
            wire.decode(text)


class TestForeignText:
    def test_is_cut_in_the_middle(self) -> None:
        text = wire.clean("a" * 1000 + "z" * 1000, 100)

        assert text.startswith("a" * 25 + "\n[... 1,900 characters")
        assert text.endswith("z" * 75)

    def test_loses_what_no_database_holds(self) -> None:
        assert wire.clean("a\0b\ud800c", 100) == "a\N{REPLACEMENT CHARACTER}b?c"


class TestAFrame:
    @given(VALUES)
    def test_arrives_as_sent(self, value: Any) -> None:
        left, right = (wire.Channel(end) for end in socket.socketpair())
        left.send({"type": "done", "n": 1}, wire.canonical(value))
        header, body = right.receive()
        left.close()
        right.close()

        assert header == {"type": "done", "n": 1}
        assert wire.decode(body) == value

    def test_larger_than_the_socket_arrives_whole(self) -> None:
        left, right = (wire.Channel(end) for end in socket.socketpair())
        sender = threading.Thread(target=left.send, args=({}, "x" * 5_000_000))
        sender.start()
        assert len(right.receive()[1]) == 5_000_000
        sender.join()
        left.close()
        right.close()

    def test_comes_after_another_in_order(self, ends: tuple[wire.Channel, socket.socket]) -> None:
        channel, other = ends
        theirs = wire.Channel(other)
        for number in range(3):
            theirs.send({"number": number})

        assert [channel.receive()[0]["number"] for _ in range(3)] == [0, 1, 2]

    @pytest.mark.parametrize(
        "noise",
        [
            b"GET / HTTP/1.1\r\n\r\n",
            b"HPR1" + b"\xff" * 8,
            b"HPR1" + b"\0\0\0\2" + b"\0\0\x10\0" + b"{}",
            b"HPR1" + b"\0\0\0\2" + b"\0\0\0\0" + b"[]",
            b"HPR1" + b"\0\0\0\2" + b"\0\0\0\0" + b"{x",
        ],
    )
    def test_is_not_made_of_noise(self, ends: tuple[wire.Channel, socket.socket], noise: bytes) -> None:
        channel, other = ends
        other.sendall(noise)

        with pytest.raises(wire.Garbled):
            channel.receive(deadline=time.monotonic() + 5)

    def test_that_never_comes_is_overdue(self, ends: tuple[wire.Channel, socket.socket]) -> None:
        channel, other = ends
        other.sendall(b"HPR")

        with pytest.raises(wire.Overdue):
            channel.receive(deadline=time.monotonic() + 0.05)

    def test_that_nobody_reads_is_overdue(self, ends: tuple[wire.Channel, socket.socket]) -> None:
        channel, _ = ends

        with pytest.raises(wire.Overdue):
            channel.send({}, "x" * 10_000_000, deadline=time.monotonic() + 0.05)

    def test_from_or_to_a_closed_end_is_none(self, ends: tuple[wire.Channel, socket.socket]) -> None:
        channel, other = ends
        other.close()

        with pytest.raises(wire.Closed):
            channel.receive()
        with pytest.raises(wire.Closed):
            channel.send({})
