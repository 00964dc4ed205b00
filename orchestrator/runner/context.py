"""What a handler is given beside its input: how to propose calls, how to fail, what it may know."""

from __future__ import annotations

import _thread
import sys
import time

from orchestrator.runner import web, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Used = tuple[int, int, str]

MOST_CALLS = 1000
# All of them together still fit into the header of the run's answer.
_LONGEST_CALL = 600


class Declared(Exception):
    """A failure the author foresaw and named; what it means for retries is the engine's decision."""

    failure_class = ""


class BusinessError(Declared):
    """The thing asked for is wrong or forbidden; asking again changes nothing."""

    failure_class = "business"


class SystemFault(Declared):
    """Something is out of order and nothing happened; it may be tried again."""

    failure_class = "system"


class UnknownOutcome(Declared):
    """It was sent and no answer came: it may have happened."""

    failure_class = "unknown_outcome"


class Refused(BusinessError):
    """The control plane refused a proposed tool call. `kind` says which rule."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Stopped(BaseException):
    """This run is over: its call is held, or failed. A handler that catches this is no longer listened to."""


class Context:
    """Passed to every handler. Holds no authority: it can only propose."""

    BusinessError = BusinessError
    SystemError = SystemFault
    UnknownOutcome = UnknownOutcome
    Refused = Refused

    def __init__(
        self, header: dict[str, Any], channel: wire.Channel, strangers: Callable[[], dict[str, Any]] = dict
    ) -> None:
        """`strangers` tells whom this run has reached for in vain: the engine hears of it with every call."""
        self.given: dict[str, Any] = header["context"]
        self.idempotency_key: str | None = self.given.get("idempotency_key")
        self.attempt: int | None = self.given.get("attempt")
        self.deadline: float = self.given.get("deadline") or time.time() + header["timeout"]
        self.stopped = False
        self._told = 0
        self._header = header
        self._channel = channel
        self._strangers = strangers
        self._one_at_a_time = _thread.allocate_lock()

    def call(self, tool: str, arguments: dict[str, Any] | None = None) -> Any:
        """Propose a tool call and return its result.

        Raises Refused when the control plane says no. May not return at all: a call that waits for people
        ends this run, and the handler is run again from its start when they have decided.
        """
        text = wire.canonical_object({} if arguments is None else arguments, max_bytes=self._header["max_result_bytes"])
        with self._one_at_a_time:
            answer, body = self._ask(tool, text)
        if answer["type"] == "result":
            return wire.decode(body)
        if answer["type"] == "refused":
            raise Refused(answer["kind"], answer["message"])
        self.stopped = True
        raise Stopped

    def log(self, text: object) -> None:
        """Add a line to the attempt's log."""
        sys.stdout.write(f"{text}\n")

    def usage(
        self,
        *,
        model: str = "",
        provider: str = "",
        input_tokens: int = 0,
        output_tokens: int = 0,
        cached_input_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        is_batch: bool = False,
        cost: object = None,
        currency: str = "",
        prompt: str = "",
        settings: dict[str, Any] | None = None,
        corpus: str = "",
        request: object = None,
        outcome: str = "ok",
    ) -> None:
        """Say what one model call used, as soon as you know: from then on it is charged whatever becomes of the run.

        Without a cost it is estimated from the model's price, or unknown, never zero. `input_tokens` are all of them, those
        read from a cache included; `output_tokens` include reasoning. Leave a part out if you do not know it.

        How it was called stands in the trace: `prompt` names a file of the release, `settings` are temperature and the like,
        `corpus` the data it read, `outcome` is ok, refused or error. Of `request`, text or JSON, only the digest leaves here.
        """
        if self._told >= MOST_CALLS:
            raise ValueError(f"usage of more than {MOST_CALLS} model calls in one run")
        parts = {
            "cached_input_tokens": cached_input_tokens,
            "cache_write_tokens": cache_write_tokens,
            "reasoning_tokens": reasoning_tokens,
        }
        line = {"model": str(model)[:100], "provider": str(provider)[:100], "is_batch": bool(is_batch)}
        line |= {"input_tokens": int(input_tokens), "output_tokens": int(output_tokens)}
        line |= {name: int(count) for name, count in parts.items() if count is not None}
        line |= _money(cost, currency)
        told = {"prompt": str(prompt)[:200], "corpus": str(corpus)[:200], "settings": settings, "outcome": str(outcome)}
        told["request"] = "" if request is None else _digest(request)
        call = {name: value for name, value in told.items() if value}
        if outcome not in {"ok", "refused", "error"} or not isinstance(settings or {}, dict):
            raise ValueError("a model call ends ok, refused or error, and its settings are an object")
        if len(wire.canonical(call)) > _LONGEST_CALL:
            raise ValueError(f"more than {_LONGEST_CALL} characters about one model call")
        with self._one_at_a_time:
            self._told += 1
            self._channel.send({"type": "usage", "nonce": self._header["nonce"], "usage": line | {"call": call}})

    def http_json(
        self,
        method: str,
        url: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """One HTTP exchange in JSON, its failures already sorted: see web.exchange."""
        return web.exchange(self, method, url, body=body, headers=headers or {}, timeout=timeout)

    def _ask(self, tool: str, text: str) -> tuple[dict[str, Any], bytes]:
        if self.stopped:
            raise Stopped
        asked = time.time()
        call = {"type": "call", "nonce": self._header["nonce"], "tool": str(tool)}
        self._channel.send(call | self._strangers(), text)
        answer = self._channel.receive()
        if "deadline" not in self.given:
            # Waiting for the control plane is not the handler's time.
            self.deadline += time.time() - asked
        return answer


def _digest(request: object) -> str:
    """Lower-case hex SHA-256 over a text, or over the canonical bytes of anything else."""
    from hashlib import sha256  # noqa: PLC0415

    return sha256((request if isinstance(request, str) else wire.canonical(request)).encode()).hexdigest()


def _money(cost: object, currency: str) -> dict[str, str]:
    if cost is None:
        return {}
    if len(currency) != 3 or not (currency.isascii() and currency.isupper()):
        raise ValueError(f"A cost needs its currency, such as EUR: {currency!r} is none")
    return {"cost": _plain(cost), "currency": currency}


def _plain(amount: object) -> str:
    """As decimal text, and without importing decimal (a millisecond of every cold start) unless there is a cost."""
    from decimal import Decimal  # noqa: PLC0415

    number = Decimal(str(amount))
    if not (number.is_finite() and number >= 0):
        raise ValueError(f"A cost is an amount, and not below nothing: {amount!r} is none")
    return f"{number.copy_abs():f}"
