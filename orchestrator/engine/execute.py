"""Run one execution as far as it goes: check the fence, run the handler with no transaction open, settle, take the next step."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import gethostname
from typing import Any

from django.db import Error, InterfaceError, OperationalError

from audit.conditions import compile_condition
from audit.lifecycle import database_now
from audit.refusals import Stale
from budgets.reserving import OverBudget, release
from orchestrator.engine import caps, heartbeat, successes, waits
from orchestrator.engine.budgeting import reserve_for
from orchestrator.engine.calls import CallOutcome, Halted, Held, Refused, Returned, call, no_longer_called
from orchestrator.engine.cancel import time_out
from orchestrator.engine.doubts import Unknown
from orchestrator.engine.handback import put_off
from orchestrator.engine.outputs import misses, problem_with
from orchestrator.engine.parking import settle_parked
from orchestrator.engine.patched import patched_input
from orchestrator.engine.people import Question
from orchestrator.engine.rereading import read_for_reviewers
from orchestrator.engine.retries import Failure
from orchestrator.engine.runners.pool import Done, Parked
from orchestrator.engine.runners.workshop import Answer, Call, contract_of, failure_class_of, make_ready, run_agent
from orchestrator.engine.segment import Segment, StepState, begin
from orchestrator.engine.settle import charge, light_success, settle_failure, settle_success
from orchestrator.engine.stopped import why_stopped
from orchestrator.engine.successes import Success
from orchestrator.engine.together import write_together
from orchestrator.engine.usages import usages_of
from orchestrator.engine.waits import Wait
from orchestrator.gate.limits import Limited
from orchestrator.models import Action, Step
from orchestrator.runner.jobs import Used
from orchestrator.statuses import StepStatus
from orchestrator.workflows.binding import BindingError, bind, scope_of

logger = logging.getLogger(__name__)

LOST_DATABASE = (OperationalError, InterfaceError)


class _Waits(Exception):
    """The step is waiting for people: park it. Their `question` is asked in the transaction that parks."""

    def __init__(
        self, to: str, why: str, question: Question | None = None, refusal: Limited | OverBudget | None = None
    ) -> None:
        super().__init__(why)
        self.to, self.why, self.question, self.refusal = to, why, question, refusal


class _Overdue(Exception):
    """The execution's deadline has passed: nothing more begins in it, no retry, person or fallback either."""


class _CannotStart(Exception):
    """This host can start no runner, for a full disk say; another one, or this one later, can. Nothing was begun."""


class _Fails(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A step that came to its end, or to people, and nobody has written that yet."""

    segment: Segment
    outcome: Success | Wait


def run(segment: Segment) -> tuple[Segment | None, Unwritten | None]:
    """Run one step. What follows it, or what is to be written of it together with others', or nothing: then that was all.

    A lost lease ends it quietly: somebody else owns the step.
    """
    try:
        return _run_step(segment)
    except Stale:
        _lost(segment)
        charge(segment)
        release(segment.fence, ran=False)
        return None, None


# How each kind is written, many at once.
_WRITE: dict[type, Callable[[Sequence[Any]], None]] = {Success: successes.write, Wait: waits.write}


def by_kind(unwritten: list[Unwritten]) -> list[list[Unwritten]]:
    """Those that are written in one statement."""
    parts = ([one for one in unwritten if isinstance(one.outcome, kind)] for kind in _WRITE)
    return [part for part in parts if part]


def write(unwritten: list[Unwritten]) -> list[Segment | None]:
    """Write these, all of one kind, in one statement. What follows each, or None."""
    errors = write_together([one.outcome for one in unwritten], _WRITE[type(unwritten[0].outcome)])
    return [_after(one, error) for one, error in zip(unwritten, errors, strict=True)]


def _after(one: Unwritten, error: Exception | None) -> Segment | None:
    if isinstance(error, Stale):
        _lost(one.segment)
    elif error is not None:
        # What a database says may quote a row; a bug of ours is seen by its traceback.
        bug = None if isinstance(error, Error) else error
        logger.warning("attempt %s could not be settled (%s)", one.segment.fence, type(error).__name__, exc_info=bug)
    elif isinstance(one.outcome, Success):
        return _next(one.segment, one.outcome)
    return None


def _lost(segment: Segment) -> None:
    logger.info("attempt %s lost its lease; its outcome was dropped", segment.fence)


def _run_step(segment: Segment) -> tuple[Segment | None, Unwritten | None]:
    input: dict[str, Any] = {}
    try:
        with heartbeat.held(segment.fence):
            input = _input_of(segment)
            output = _perform(segment, input)
    except _Waits as waiting:
        return None, _park(segment, waiting, input)
    except (_Overdue, _CannotStart, _Fails) as ended:
        _settle(segment, ended, input)
    except (Stale, *LOST_DATABASE):
        # Nobody knows whether the last write landed: the lease decides, and what was sent is looked up before a retry.
        raise
    except Exception as error:
        # A bug of ours: logged once with its traceback; the attempt fails as permanent rather than being retried blindly.
        logger.exception("attempt %s failed inside the engine", segment.fence)
        settle_failure(segment, Failure("bug", f"Internal error: {type(error).__name__}"), input=input)
    else:
        if success := light_success(segment, input=input, output=output):
            return None, Unwritten(segment, success)
        claim = settle_success(segment, input=input, output=output)
        return begin(claim.fence) if claim else None, None
    return None, None


def _settle(segment: Segment, ended: "_Overdue | _CannotStart | _Fails", input: dict[str, Any]) -> None:
    match ended:
        case _Fails(failure=failure):
            settle_failure(segment, failure, input=input)
        case _Overdue():
            time_out(segment.execution.pk)
        case _CannotStart():
            put_off(segment.fence, why=f"the host {gethostname()} can start no runner: {ended}"[:500])
            release(segment.fence, ran=False)


def _park(segment: Segment, waiting: _Waits, input: dict[str, Any]) -> Unwritten | None:
    """At once; a question of a chain together with others."""
    if waiting.question is not None and segment.is_light:
        return Unwritten(segment, Wait(fence=segment.fence, question=waiting.question, why=waiting.why))
    settle_parked(
        segment, to=waiting.to, why=waiting.why, input=input, question=waiting.question, refusal=waiting.refusal
    )
    return None


def _next(segment: Segment, success: Success) -> Segment | None:
    """The next step of a chain: everything about it is known, and its attempt was born begun."""
    segment.steps[segment.key].status = StepStatus.SUCCESS
    following = segment.released.spec.after(segment.key)
    if following is None or success.next_step is None or success.next_fence is None:
        return None
    segment.steps[following.key] = StepState(success.next_step, StepStatus.IN_PROGRESS, None)
    return Segment(
        execution=segment.execution,
        released=segment.released,
        steps=segment.steps,
        key=following.key,
        step_id=success.next_step,
        fence=success.next_fence,
        worker=segment.worker,
        tries=1,
        attempt_number=1,
    )


def _input_of(segment: Segment) -> dict[str, Any]:
    spec = segment.spec
    if spec.kind == "approval":
        return {}
    if segment.key in segment.released.undoes:
        # From the record, to the letter: nothing that an earlier step gave may slip into what is taken back.
        return dict(spec.arguments)
    contract = contract_of(segment)
    try:
        patched = patched_input(segment)
        input = bind(spec, _scope(segment), contract.get("input_schema") or {}) if patched is None else patched
    except BindingError as error:
        raise _Fails(Failure("business", str(error))) from None
    # A tool's arguments are judged by the gate; an agent's input is judged here.
    problem = problem_with(input, contract.get("input_schema") or {}, ()) if spec.agent else None
    if problem is not None:
        raise _Fails(Failure("business", f"the input does not fit {spec.agent}: {problem.message}"))
    return input


def _scope(segment: Segment) -> dict[str, Any]:
    return scope_of(segment.released.spec, segment.key, segment.execution.input, segment.outputs)


def _perform(segment: Segment, input: dict[str, Any]) -> dict[str, Any]:
    if why := why_stopped(segment):
        raise _Waits(StepStatus.STOPPED, why)
    if segment.spec.kind in {"agent", "tool"} and (why := make_ready(segment)):
        raise _CannotStart(why)
    if action := read_for_reviewers(segment):
        raise _waits_for_people(action)
    _refuse_over_caps(segment)
    match segment.spec.kind:
        case "agent":
            try:
                reserve_for(segment)
            except OverBudget as over:
                raise _Waits(StepStatus.BUDGET_HOLD, over.in_full, refusal=over) from None
            return _run_agent(segment, input)
        case "tool":
            return _unwrap(call(segment, tool=segment.spec.tool or "", arguments=input, occurrence=0))
        case _:
            return _ask_people(segment)


def _refuse_over_caps(segment: Segment) -> None:
    deadline = segment.execution.deadline_at
    if deadline is not None and database_now() >= deadline:
        raise _Overdue
    refusal = caps.refused_tool(segment, segment.spec.tool) if segment.spec.tool else None
    if refusal is not None:
        raise _Fails(Failure("policy", refusal))
    # A tool's call is judged where it is sent, and people use nothing.
    over = caps.over_before(segment) if segment.spec.agent else caps.over_steps(segment)
    if over is not None:
        raise _Fails(over)


def _run_agent(segment: Segment, input: dict[str, Any]) -> dict[str, Any]:
    stopped: list[CallOutcome] = []
    made = 0

    def on_call(asked: Call) -> Answer:
        nonlocal made
        made = asked.number + 1
        # Whatever is raised here, a lost lease for instance: what the run has used by now is charged.
        _remember(segment, asked.usage)
        refusal = caps.refused_tool(segment, asked.tool)
        if refusal is not None:
            return Answer.refused("policy", refusal)
        outcome: Any = call(segment, tool=asked.tool, arguments=asked.arguments, occurrence=asked.number)
        if isinstance(outcome, Returned):
            return Answer.result(outcome.value)
        if isinstance(outcome, Refused):
            return Answer.refused(outcome.kind, outcome.message)
        # The handler is not asked: it could catch the error and send again under a new key.
        stopped.append(outcome)
        return Answer.park()

    contract = contract_of(segment)
    ran = run_agent(segment, contract, input, on_call)
    # Charged whatever becomes of the run: the bill comes anyway.
    _remember(segment, ran.usage)
    if stopped:
        return _unwrap(stopped[0])
    if isinstance(ran, Parked):
        raise _Fails(Failure("bug", "the run was parked without a call"))
    if not isinstance(ran, Done):
        raise _Fails(Failure(failure_class_of(ran), ran.message, {"detail": ran.detail, "logs": ran.logs[-2000:]}))
    return _checked(segment, contract, ran.result, made)


def _remember(segment: Segment, told: Sequence[Used]) -> None:
    """What the run has told of its model calls so far; what was told before is known."""
    segment.usages += usages_of(told[len(segment.usages) :], segment.released)


def _checked(segment: Segment, contract: dict[str, Any], output: dict[str, Any], made: int) -> dict[str, Any]:
    spec = segment.spec
    problem = (
        no_longer_called(segment, made)
        or caps.over_after(segment)
        or problem_with(output, spec.promised_by(contract), spec.non_empty)
        or misses(spec, output)
    )
    if problem is not None:
        raise _Fails(problem)
    return output


def _unwrap(outcome: Any) -> dict[str, Any]:
    match outcome:
        case Returned(value):
            return value
        case Held(action):
            raise _waits_for_people(action)
        case Halted(why):
            raise _Waits(StepStatus.STOPPED, why)
        case Limited() as limited:
            raise _Waits(StepStatus.THROTTLED, limited.message, refusal=limited)
        case OverBudget() as over:
            raise _Waits(StepStatus.BUDGET_HOLD, over.in_full, refusal=over)
        case Refused(kind, message, evidence):
            raise _Fails(Failure("policy" if kind == "policy" else "business", message, evidence))
        case Unknown(why):
            raise _Waits(StepStatus.UNKNOWN_OUTCOME, why)
        case failure:
            raise _Fails(failure)


def _waits_for_people(action: Action) -> _Waits:
    return _Waits(StepStatus.AWAITING_APPROVAL, f"waiting for people: {action.tool}")


def _ask_people(segment: Segment) -> dict[str, Any]:
    """An `approve` step: passes when no condition asks for a person; a condition that errors asks for one.

    One that stands in for a failed step always asks: it would pass for the work, which nobody did.
    """
    scope, reasons = _scope(segment), []
    for source in segment.spec.human_if:
        verdict = compile_condition(source, segment.released.spec.variables_of(segment.key)).evaluate(scope)
        if verdict.error:
            reasons.append(f"“{source}” could not be evaluated, so a person decides: {verdict.error}")
        elif verdict.value:
            reasons.append(f"“{source}” holds")
    if segment.spec.human_if and not reasons and segment.spec.stands_in_for is None:
        return {"approved_by": [], "why": "no condition asked for a person"}
    why = reasons or ["The workflow asks a person here."]
    step = Step(id=segment.step_id, key=segment.key, attempt_count=segment.attempt_number)
    question = Question(execution=segment.execution, step=step, spec=segment.spec, scope=scope, reasons=why)
    raise _Waits(StepStatus.AWAITING_APPROVAL, "; ".join(why)[:500], question)
