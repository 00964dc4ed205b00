"""What the engine asks of a runner, and what comes of it: values only. The child never loads this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from orchestrator.runner import wire

Kind = Literal["agent", "tool", "probe", "record"]
Isolation = Literal["reuse", "fork"]
FailureClass = Literal[
    "business",
    "system",
    "timeout",
    "unknown_outcome",
    "bug",
    "crash",
    "protocol",
    "too_large",
    "policy",
    "budget",
    "determinism",
]

_PARTS = ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
_NEVER_GIVEN = ("DATABASE_URL", "SECRET_KEY")
_NEVER_GIVEN_PREFIXES = ("PG", "LD_", "PYTHON", "DJANGO_")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_DNS = 53
_OUTCOMES = {"ok", "refused", "error"}
_MOST_SETTINGS = 20
_DIGEST = re.compile(r"[0-9a-f]{64}")
# As many places as a provider or a quotient of floats has: the ledger rounds, once.
_MONEY = re.compile(r"[0-9]{1,10}(\.[0-9]+)?")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one handler. `trust_key` names whose code it is: only equal keys ever share a process."""

    # The files of its release, by their path: a child is given what the release says, whatever lies on a disk here.
    code: Mapping[str, str]
    entry: str
    kind: Kind
    input: Mapping[str, Any]
    trust_key: str
    timeout_seconds: float
    context: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    isolation: Isolation = "reuse"
    ports: tuple[int, ...] = ()
    # No socket at all: no model, no other system, no name looked up. What it is given is all it has.
    offline: bool = False
    # The hosts it may reach, as `egress.places_of` reads them; none listed: whatever stands behind its ports.
    egress: tuple[str, ...] = ()
    max_result_bytes: int = 1_000_000
    max_calls: int = 256

    def __post_init__(self) -> None:
        for name in self.env:
            if name in _NEVER_GIVEN or name.startswith(_NEVER_GIVEN_PREFIXES):
                raise ValueError(f"A handler is never given {name}.")

    @property
    def key(self) -> tuple[object, ...]:
        """What two jobs must have in common to be run by one child after each other."""
        return (
            self.trust_key,
            self.isolation,
            self.ports,
            self.offline,
            self.egress,
            tuple(sorted(self.env.items())),
        )

    def granted_ports(self) -> list[int]:
        """The TCP ports the handler may connect to: those of addresses in its environment, and `ports`. Offline: none."""
        if self.offline:
            return []
        return sorted({_DNS, *self.ports} | {port for value in self.env.values() if (port := _port(value))})


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call the handler proposes: `raw` its arguments' canonical text, `number` counts from 0.

    `usage` is what its run has used so far.
    """

    tool: str
    arguments: dict[str, Any]
    raw: str
    number: int
    usage: tuple[Used, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says to a Call. Made by its four constructors."""

    verb: Literal["result", "refused", "park", "fail"]
    value: Any = None
    kind: str = ""
    message: str = ""
    failure_class: FailureClass = "system"

    @classmethod
    def result(cls, value: Any) -> Answer:
        """The call was made; the handler gets this value."""
        return cls("result", value=value)

    @classmethod
    def refused(cls, kind: str, message: str) -> Answer:
        """The control plane says no; raised in the handler as context.Refused."""
        return cls("refused", kind=kind, message=message)

    @classmethod
    def park(cls) -> Answer:
        """The call waits (for people, budget, time): the run ends here as Parked."""
        return cls("park")

    @classmethod
    def fail(cls, failure_class: FailureClass, message: str) -> Answer:
        """The run ends here as this Failure; the handler is not asked."""
        return cls("fail", failure_class=failure_class, message=message)


@dataclass(frozen=True, slots=True)
class Used:
    """What the handler said a model call used. `cost` is a decimal's text; None, of it or of a part, when nobody said."""

    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: str | None = None
    currency: str = ""
    provider: str = ""
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    is_batch: bool = False
    # How the model was called: prompt, settings, corpus, the request's digest, outcome; only what was said.
    call: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """The handler returned an object: `raw` is its canonical text, `seconds` the handler's own time."""

    result: dict[str, Any]
    raw: str
    logs: str
    seconds: float
    usage: tuple[Used, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """The attempt failed: declared by the handler, or found out about it."""

    failure_class: FailureClass
    message: str
    detail: dict[str, Any] = field(default_factory=dict)
    logs: str = ""
    seconds: float = 0.0
    usage: tuple[Used, ...] = ()


@dataclass(frozen=True, slots=True)
class Parked:
    """The run ended at this call, to be run again when it has been answered."""

    call: Call
    logs: str
    seconds: float
    usage: tuple[Used, ...] = ()


Outcome = Done | Failure | Parked


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use. Times of a single run are in the job."""

    memory_bytes: int = 1 << 30
    disk_bytes: int = 64 << 20
    processes: int = 64
    open_files: int = 256
    cpu_seconds: int = 3600
    runs: int = 5000

    def of_process(self) -> dict[str, int]:
        """The limits the kernel enforces per process, by their name in the resource module."""
        return {
            "RLIMIT_AS": self.memory_bytes,
            "RLIMIT_CPU": self.cpu_seconds,
            # A little less than all of it, so that one big file fails in the handler's own words and is no race with the keeper.
            "RLIMIT_FSIZE": self.disk_bytes - (1 << 20),
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_NPROC": self.processes,
        }


def call_of(header: Mapping[str, Any], body: bytes, number: int) -> Call:
    """The proposal in a message of the child. Raises wire.NotJson."""
    arguments = wire.decode(body)
    raw = wire.canonical_object(arguments)
    return Call(wire.clean(str(header.get("tool")), 200), arguments, raw, number)


def used_of(item: Mapping[str, Any]) -> Used:
    """One line of usage in a message of the child. Raises wire.NotJson."""
    model, currency, cost = (item.get(name, "") for name in ("model", "currency", "cost"))
    given, made = _count(item.get("input_tokens")), _count(item.get("output_tokens"))
    if cost and not (_MONEY.fullmatch(str(cost)) and _CURRENCY.fullmatch(str(currency))):
        raise wire.NotJson("a cost that is no amount of a currency")
    parts = {name: _count(item[name]) for name in _PARTS if name in item}
    if parts.get("cached_input_tokens", 0) + parts.get("cache_write_tokens", 0) > given:
        raise wire.NotJson("more cached input than input")
    return Used(
        wire.clean(str(model), 100),
        given,
        made,
        str(cost) if cost else None,
        str(currency) if cost else "",
        provider=wire.clean(str(item.get("provider", "")), 100),
        is_batch=item.get("is_batch") is True,
        call=_call(item.get("call")),
        **parts,
    )


def _call(item: object) -> dict[str, Any]:
    """How a model was called, in so many words and no more."""
    if not isinstance(item, Mapping):
        return {}
    found: dict[str, Any] = {name: wire.clean(str(item[name]), 200) for name in ("prompt", "corpus") if item.get(name)}
    if item.get("settings"):
        found["settings"] = _settings(item["settings"])
    if item.get("request"):
        if not _DIGEST.fullmatch(str(item["request"])):
            raise wire.NotJson("a digest of a request that is none")
        found["request"] = str(item["request"])
    found["outcome"] = str(item.get("outcome") or "ok")
    if found["outcome"] not in _OUTCOMES:
        raise wire.NotJson("an outcome of a model call that is not ok, refused or error")
    return found


def _settings(item: object) -> dict[str, Any]:
    if not isinstance(item, Mapping) or len(item) > _MOST_SETTINGS:
        raise wire.NotJson(f"settings of a model call that are no object of at most {_MOST_SETTINGS} names")
    wire.canonical(dict(item))
    return {wire.clean(str(name), 60): _setting(value) for name, value in item.items()}


def _setting(value: object) -> Any:
    return value if value is None or isinstance(value, (bool, int, float)) else wire.clean(str(value), 200)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= wire.MAX_EXACT_INTEGER:
        raise wire.NotJson("a number of tokens that is none")
    return value


def _port(value: str) -> int | None:
    try:
        parts = urlsplit(value)
        return parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
