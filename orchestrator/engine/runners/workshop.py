"""This worker's runners, and how the jobs given to them are made. The one place that starts handler code."""

import threading
from typing import Any

from django.conf import settings

from audit import failpoints
from orchestrator.engine.runners.pool import Answer, Call, Done, Failure, Job, Outcome, RunnerPool
from orchestrator.engine.segment import Segment
from orchestrator.gate.redeem import Ticket
from orchestrator.runner.jobs import Kind

# Where a contract says which function runs.
_ENTRIES: dict[Kind, str] = {"agent": "entry", "tool": "entry", "probe": "probe", "record": "record"}

_pool: list[RunnerPool] = []
_one_pool = threading.Lock()


def pool() -> RunnerPool:
    """Made on first use, after django-q2 has forked: children belong to one worker process."""
    with _one_pool:
        if not _pool:
            # Each hand may hold one at a time, and finds it warm again.
            _pool.append(RunnerPool(max_idle=settings.HANDS))
        return _pool[0]


def close_pool() -> None:
    while _pool:
        _pool.pop().close()


def job(segment: Segment, kind: Kind, contract: dict[str, Any], input: dict[str, Any], context: dict[str, Any]) -> Job:
    """Only code of the same release, for the same unit, ever shares a child process."""
    return Job(
        code=segment.released.code,
        entry=contract[_ENTRIES[kind]],
        kind=kind,
        input=input,
        context={"attempt": segment.attempt_number, "execution": str(segment.execution.pk), **context},
        env=segment.released.env,
        offline=segment.spec.offline,
        # Releases built before agents had a list hold none.
        egress=tuple(contract.get("egress") or ()),
        timeout_seconds=segment.spec.timeout_seconds,
        trust_key=f"{segment.released.digest}:{segment.execution.unit_id}",
    )


def make_ready(segment: Segment) -> str:
    """Have a runner wait for the step's own code. Why this host can start none, or "": then nothing of it has happened yet."""
    kind: Kind = "agent" if segment.spec.agent else "tool"
    return pool().make_ready(job(segment, kind, contract_of(segment), {}, {}))


def contract_of(segment: Segment) -> dict[str, Any]:
    """Of the agent or the tool that the step names."""
    spec = segment.spec
    return segment.released.tools[spec.tool] if spec.tool else segment.released.agents[spec.agent or ""]


def run_tool(segment: Segment, contract: dict[str, Any], ticket: Ticket) -> Done | Failure:
    """The tool's own implementation, with the stored arguments and the minted key."""
    context = {"idempotency_key": ticket.idempotency_key, "business_key": ticket.action.business_key}
    failpoints.hit("send.before")
    return _without_calls(pool().run(job(segment, "tool", contract, ticket.arguments, context)))


def run_helper(
    segment: Segment, kind: Kind, contract: dict[str, Any], arguments: dict[str, Any], context: dict[str, Any]
) -> Done | Failure:
    """A probe or a record reader: reads only, so it is not an action of its own."""
    return _without_calls(pool().run(job(segment, kind, contract, arguments, context)))


def run_agent(segment: Segment, contract: dict[str, Any], input: dict[str, Any], on_call: Any) -> Outcome:
    failpoints.hit("handler.before")
    outcome = pool().run(job(segment, "agent", contract, input, {}), on_call)
    failpoints.hit("handler.ended")
    return outcome


# What only a runner tells apart. The same handler given the same would answer the same again.
_IN_WORDS_OF_THE_ENGINE = {"crash": "lost", "too_large": "bug", "protocol": "bug"}


def failure_class_of(ran: Failure) -> str:
    """What a run failed of, in the words by which retries are decided and people are alerted."""
    if ran.failure_class == "system" and "timed_out" in ran.detail:
        return "timeout"
    return _IN_WORDS_OF_THE_ENGINE.get(ran.failure_class, ran.failure_class)


def _without_calls(outcome: Outcome) -> Done | Failure:
    return outcome if isinstance(outcome, (Done, Failure)) else Failure("protocol", "a tool cannot call tools")


__all__ = [
    "Answer",
    "Call",
    "close_pool",
    "contract_of",
    "failure_class_of",
    "make_ready",
    "pool",
    "run_agent",
    "run_helper",
    "run_tool",
]
