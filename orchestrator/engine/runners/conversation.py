"""One run of one handler, as an exchange of messages between the engine and a child."""

import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from audit import failpoints
from orchestrator.runner import wire
from orchestrator.runner.context import MOST_CALLS
from orchestrator.runner.egress import MOST_TOLD
from orchestrator.runner.jobs import (
    Answer,
    Call,
    Done,
    Failure,
    FailureClass,
    Job,
    Outcome,
    Parked,
    Used,
    call_of,
    used_of,
)

OnCall = Callable[[Call], Answer]

# How long a handler that was told to stop may take to unwind. Less would cost warm children when the machine is busy, and a new
# one costs most just then.
_STOP_SECONDS = 0.1
_REAP_SECONDS = 1.0
# What a handler may declare; and what else a child may say of a failure. The engine finds out the rest.
_DECLARED: dict[str, FailureClass] = {
    "business": "business",
    "system": "system",
    "unknown_outcome": "unknown_outcome",
}
_SAID: dict[str, FailureClass] = {**_DECLARED, "bug": "bug", "too_large": "too_large"}


class Conversation:
    """One run as an exchange of messages. Every message of the child must carry this run's nonce."""

    def __init__(self, channel: wire.Channel, job: Job, on_call: OnCall | None) -> None:
        self.orderly = False
        self.usage: tuple[Used, ...] = ()
        self._channel, self._job, self._on_call = channel, job, on_call
        self._nonce = secrets.token_hex(8)
        self._started = time.monotonic()
        self._deadline = self._started + job.timeout_seconds
        self._answering = 0.0
        self._ended: float | None = None
        channel.max_body = job.max_result_bytes

    @property
    def seconds(self) -> float:
        """The handler's own time: what the engine took to answer its calls is not in it."""
        return (self._ended or time.monotonic()) - self._started - self._answering

    def hold(self) -> Outcome:
        """Raises wire.Closed, wire.Overdue or wire.Garbled when the child does not keep to the protocol.

        What it used until then is in `usage` however it ends, also when `on_call` raises.
        """
        self._send(self._run_message(), wire.canonical_object(self._job.input))
        failpoints.hit("send.under_way")
        for number in range(self._job.max_calls):
            header, body = self._receive()
            if header.get("type") != "call":
                return self._end(header, body)
            outcome = self._answer(header, body, number)
            if outcome is not None:
                has_strayed = isinstance(outcome, Failure) and outcome.failure_class == "policy"
                self.orderly = self._stop() and not has_strayed
                return outcome
        return self._end_of_patience()

    def _end_of_patience(self) -> Outcome:
        header, body = self._receive()
        if header.get("type") != "call":
            return self._end(header, body)
        return Failure("bug", f"The handler proposed more than {self._job.max_calls} calls.")

    def _run_message(self) -> dict[str, Any]:
        job = self._job
        return {
            "type": "run",
            "nonce": self._nonce,
            "entry": job.entry,
            "isolation": job.isolation,
            "context": dict(job.context),
            "timeout": job.timeout_seconds,
            "max_result_bytes": job.max_result_bytes,
        }

    def _answer(self, header: dict[str, Any], body: bytes, number: int) -> Outcome | None:
        """Let the engine answer one proposal. Returns the outcome if the run ends with it."""
        if self._on_call is None or self._job.kind != "agent":
            return Failure("bug", "Only an agent's handler may propose tool calls.")
        if strayed := self._strayed(header):
            return strayed
        call = replace(_call(header, body, number), usage=self.usage)
        answer = self._ask(self._on_call, call)
        if answer.verb == "park":
            return Parked(call, "", 0.0)
        if answer.verb == "fail":
            return Failure(answer.failure_class, answer.message)
        message = {"type": answer.verb, "kind": answer.kind, "message": answer.message}
        self._send(message, wire.canonical(answer.value) if answer.verb == "result" else "")
        return None

    def _ask(self, on_call: OnCall, call: Call) -> Answer:
        asked = time.monotonic()
        answer = on_call(call)
        waited = time.monotonic() - asked
        self._deadline += waited
        self._answering += waited
        return answer

    def _stop(self) -> bool:
        """Tell the handler that its run is over. Whether it unwound at once, so that its child may stay."""
        self._ended = time.monotonic()
        self._deadline = self._ended + _STOP_SECONDS
        try:
            self._send({"type": "stop"}, "")
            header, _ = self._receive()
            stopped = header.get("type") == "stopped" and header.get("swallowed") is False
            return stopped and self._is_settled(header)
        except (wire.Closed, wire.Garbled, wire.Overdue):
            return False

    def _end(self, header: dict[str, Any], body: bytes) -> Outcome:
        outcome = self._strayed(header) or self._read_end(header, body)
        self._ended = time.monotonic()
        kept = isinstance(outcome, Done) or outcome.failure_class in _DECLARED
        self.orderly = kept and self._is_settled(header)
        return outcome

    def _read_end(self, header: dict[str, Any], body: bytes) -> Done | Failure:
        match header:
            case {"type": "done"}:
                return _result(body)
            case {"type": "failed", "failure_class": str(kind), "message": str(said), "detail": dict(detail)}:
                if kind in _SAID:
                    return Failure(_SAID[kind], wire.clean(said, 4000), _cleaned(detail))
            case {"type": "reaped", "code": int(code)}:
                return crash(128 - code if code < 0 else code)
            case {"type": "stopped"}:
                return Failure("bug", "The handler raised the signal that ends a held run.")
        raise wire.Garbled(f"an unexpected message {str(header.get('type'))[:40]!r}")

    def _strayed(self, header: dict[str, Any]) -> Failure | None:
        """Reaching for a host that is not listed fails the run, whatever the handler made of being refused."""
        match header:
            case {"strangers": [_, *_] as strangers, "connected": bool(connected)}:
                hosts = ", ".join(wire.clean(str(host), 300) for host in strangers[:MOST_TOLD])
                message = (
                    f"The handler reached for {hosts}, and may reach only {', '.join(map(str, self._job.egress))}."
                )
                return Failure("policy", message, {"nothing_was_sent": not connected})
        return None

    def _is_settled(self, header: dict[str, Any]) -> bool:
        """Whether the child finds itself as it was before the run. After a fork the next message says so."""
        if self._job.isolation == "fork" and header.get("type") != "reaped":
            self._deadline = time.monotonic() + _REAP_SECONDS
            try:
                header, _ = self._receive()
            except (wire.Closed, wire.Garbled, wire.Overdue):
                return False
        return header.get("altered") is False

    def _send(self, header: dict[str, Any], body: str) -> None:
        self._channel.send(header, body, deadline=self._deadline)

    def _receive(self) -> tuple[dict[str, Any], bytes]:
        """The next message that asks or ends something; what was used is told in between, and nobody waits for an answer."""
        while True:
            header, body = self._channel.receive(deadline=self._deadline)
            if header.get("nonce") != self._nonce:
                raise wire.Garbled("a message of no run that is going on")
            if header.get("type") != "usage":
                return header, body
            if len(self.usage) >= MOST_CALLS:
                raise wire.Garbled(f"usage of more than {MOST_CALLS} model calls")
            self.usage = (*self.usage, _usage(header))


def _usage(header: dict[str, Any]) -> Used:
    """What the handler says it used. It can lie about that, but not in a way that breaks the books."""
    try:
        return used_of(header["usage"])
    except (wire.NotJson, AttributeError, KeyError, TypeError) as error:
        raise wire.Garbled(f"usage that is none: {error}") from None


def _result(body: bytes) -> Done:
    """What a child claims is a result, checked: the child's own checks ran beside foreign code."""
    try:
        result = wire.decode(body)
        return Done(result, wire.canonical_object(result), "", 0.0)
    except wire.NotJson as error:
        raise wire.Garbled(f"a result that is no result: {error}") from None


def _call(header: dict[str, Any], body: bytes, number: int) -> Call:
    try:
        return call_of(header, body, number)
    except wire.NotJson as error:
        raise wire.Garbled(f"a call that is no call: {error}") from None


def crash(code: int) -> Failure:
    """What the exit code of a child that went away says about the attempt."""
    name = f"was killed by {_signal_name(code - 128)}" if code > 128 else f"ended with exit code {code}"
    return Failure("crash", f"The handler's process {name}.", {"exit_code": code})


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _cleaned(detail: dict[str, Any]) -> dict[str, Any]:
    return {str(name)[:40]: wire.clean(str(value), 8000) for name, value in list(detail.items())[:8]}
