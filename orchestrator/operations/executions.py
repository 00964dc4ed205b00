"""Start and cancel. Starting validates everything before a single row is written, and one statement writes them all."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction

from audit import failpoints, scope
from audit.actors import Actor
from audit.canonical import NotCanonical, digest
from audit.ids import new_id
from audit.lifecycle import Moves, run
from audit.moments import moment
from audit.pointers import pointer_to
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden, Invalid, refuse_blank
from budgets.units import ActiveUnit, named
from orchestrator.engine.advance import advance
from orchestrator.engine.cancel import end_execution
from orchestrator.engine.claims import ENGINE, WAKE_CHANNEL
from orchestrator.engine.outputs import errors_of
from orchestrator.engine.released import Released, released
from orchestrator.gate.envelope import ENVELOPE_SCHEMA, problems_with
from orchestrator.gate.limits import refuse_full_queue
from orchestrator.gate.locks import lock_execution
from orchestrator.models import Execution, Release
from orchestrator.models.execution import UNDO, stream_of
from orchestrator.statuses import ExecutionStatus, StepStatus
from orchestrator.workflows.broken_rules import in_short
from orchestrator.workflows.plan import plan
from orchestrator.workflows.words import lookalike

# What every start needs to know, in one round trip.
_PLACE = """
SELECT u.id, u.title,
  (SELECT c.release_id FROM orchestrator_channel AS c WHERE c.workflow = %s AND c.name = 'production')
FROM budgets_businessunit AS u WHERE u.name = %s AND u.status = 'active'
"""
# Every step is born pending; what its columns hold by the model's defaults stands here once more.
_STEPS = """
INSERT INTO orchestrator_step (id, status, execution_id, unit_id, key, position, kind, spec, due_at,
  attempt_count, tries, failure_class, why)
SELECT (%s::uuid[])[n], 'pending', %s, %s, spec ->> 'key', n - 1, spec ->> 'kind', spec,
  CASE WHEN spec ->> 'key' = ANY (%s) THEN clock_timestamp() END, 0, 0, '', ''
FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS steps (spec, n)
"""


class NotPublished(Invalid):
    """No release of that workflow is in the production channel."""

    code = "not_published"


def start(
    *,
    workflow: str,
    input: dict[str, Any],
    unit: str,
    by: Actor,
    business_key: str = "",
    release: str | None = None,
    envelope: dict[str, Any] | None = None,
) -> Execution:
    """Queue one execution of a published workflow. Raises Invalid (each field named), NotPublished, Forbidden, Limited."""
    where, in_production = _place(unit, workflow)
    _refuse_unless_may_start_in(where, unit, by)
    refuse_full_queue(where.pk)
    pinned = _release(workflow, release, in_production)
    if release and by.kind == "agent" and pinned.id != in_production:
        raise Forbidden(
            "A token starts what is in production. A person can run another release.", code="not_in_production"
        )
    _refuse_bad_input(pinned, input, envelope or {})
    execution = _build(
        pinned, input, where, by, {**({"business_key": business_key} if business_key else {}), **(envelope or {})}
    )
    first = plan(pinned.spec, dict.fromkeys(pinned.spec.order, StepStatus.PENDING), {}, input)
    if first.skipped or first.errors:
        with transaction.atomic():
            insert(execution, pinned, first.ready, by)
            advance(lock_execution(execution.pk), by=ENGINE)
    else:
        insert(execution, pinned, first.ready, by)
    return execution


def cancel(*, execution_id: UUID, by: Actor, why: str) -> Execution:
    """End it now: nothing further is sent, waiting approvals are withdrawn. Raises NotVisible, Forbidden, Stale, Invalid."""
    execution: Execution = visible_or_refuse(Execution.objects.visible_to(by), execution_id, "execution")
    refuse_unless_operator(by, execution.unit_id, execution.unit_title)
    refuse_blank(why, "Say why this execution is stopped.")
    with transaction.atomic():
        end_execution(execution_id, to=ExecutionStatus.CANCELLED, by=by, why=why)
    execution.refresh_from_db()
    return execution


def refuse_unless_operator(by: Actor, unit_id: UUID, unit_title: str) -> None:
    if by.kind == "person" and unit_id not in scope.unit_ids(by, "operate"):
        raise Forbidden(f"You need the operator role in {unit_title}. Ask an administrator of that unit.")


def refuse_unless_a_person_operates(by: Actor, unit_id: UUID, unit_title: str, *, else_say: str) -> None:
    """For what no machine does, whatever its scopes."""
    if not by.is_person:
        raise Forbidden(else_say, code="people_only")
    refuse_unless_operator(by, unit_id, unit_title)


def _place(unit: str, workflow: str) -> tuple[ActiveUnit, UUID | None]:
    """The active unit of that name, and the release in production. Raises Invalid with the units there are."""
    for unit_id, title, release_id in run(_PLACE, [workflow, unit]):
        return ActiveUnit(unit_id, title), release_id
    return named(unit), None


def _refuse_unless_may_start_in(where: ActiveUnit, name: str, by: Actor) -> None:
    if by.kind != "system" and where.pk not in scope.unit_ids(by, "view"):
        raise Invalid(
            "There is no active business unit of that name that you can see.",
            errors=[("/unit", "unknown", f"“{name}” is not one of your units.")],
        )
    refuse_unless_operator(by, where.pk, where.title)


def _release(workflow: str, digest_or_none: str | None, in_production: UUID | None) -> Released:
    if workflow.startswith(UNDO):
        # Beside the execution whose effects it takes back nothing would hold it to that one's unit, policies and reviewers.
        raise Invalid(
            "An undo is not started by its name.",
            errors=[("/workflow", "undo", "Ask for it at the execution whose effects are to be taken back.")],
        )
    row = in_production
    if digest_or_none:
        row = Release.objects.filter(workflow=workflow, digest=digest_or_none).values_list("pk", flat=True).first()
    if row is None:
        raise NotPublished(
            f"No published release of “{workflow}”.",
            errors=[("/workflow", "not_published", "Publish it with `manage.py publish FOLDER`.")],
        )
    return released(row)


def _refuse_bad_input(pinned: Released, input: dict[str, Any], envelope: dict[str, Any]) -> None:
    errors = [
        *_missing(pinned.spec.needed_input, input),
        *_problems(pinned.spec.input_schema or {}, input, "/input"),
        *_problems(ENVELOPE_SCHEMA, envelope, "/envelope"),
    ]
    # Conditions and versions are looked at once they are texts.
    errors = errors or list(problems_with(envelope, version=pinned.spec.version))
    if errors:
        in_input = any(pointer.startswith("/input") for pointer, *_ in errors)
        words = "The input does not fit the workflow." if in_input else "The envelope cannot be taken like this."
        raise Invalid(words, errors=errors)


def _missing(needed: tuple[str, ...], input: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Names that the workflow takes from its trigger without a schema that asks for them."""
    return [
        ("/input", "required", f"`{name}` is missing, and the workflow needs it.{_slip(name, input)}")
        for name in needed
        if name not in input
    ]


def _slip(name: str, input: dict[str, Any]) -> str:
    meant = lookalike(name, input)
    return f" Did you mean it by `{meant}`?" if meant else ""


def _problems(schema: Mapping[str, Any], value: Any, root: str) -> list[tuple[str, str, str]]:
    found = islice(errors_of(schema, value), 20)
    return [
        (
            root + pointer_to(problem.absolute_path),
            str(problem.validator),
            in_short(problem),
        )
        for problem in found
    ]


def _build(
    pinned: Released, input: dict[str, Any], where: ActiveUnit, by: Actor, envelope: dict[str, Any]
) -> Execution:
    execution_id = new_id()
    try:
        execution_hash = digest({"input": input, "release": pinned.digest})
    except NotCanonical as error:
        raise Invalid("The input cannot be stored exactly.", errors=[("/input", "not_exact", str(error))]) from None
    return Execution(
        id=execution_id,
        root_id=execution_id,
        trace_id=envelope.get("trace_id") or execution_id,
        workflow=pinned.spec.workflow,
        release_id=pinned.id,
        unit_id=where.pk,
        unit_title=where.title,
        requester=by.key,
        requester_name=by.name,
        business_key=str(envelope.get("business_key", "")),
        input=input,
        envelope=envelope,
        hop_count=envelope.get("hop_count", 0),
        execution_hash=execution_hash,
        deadline_at=_moment(envelope.get("deadline")),
    )


def _moment(text: str | None) -> datetime | None:
    """Raises Invalid for what is no time, or none that can be kept; without an offset it would be the time of wherever the
    server stands."""
    if text is None:
        return None
    found = moment(text)
    if found is None:
        words = "Write an RFC 3339 time with its offset: 2026-12-01T10:00:00+01:00."
        raise Invalid("This deadline is no moment.", errors=[("/envelope/deadline", "not_a_moment", words)])
    return found


def insert(execution: Execution, pinned: Released, ready: tuple[str, ...], by: Actor) -> None:
    """Write it with its steps, `ready` ones due: one statement, so it is a transaction by itself."""
    moves = Moves(stream=stream_of(execution.pk), unit_id=execution.unit_id, by=by)
    clock = {}
    if pinned.spec.deadline_seconds:
        # What the caller asks for may be sooner than what the workflow allows, not later.
        asked = f"'{execution.deadline_at.isoformat()}'::timestamptz, " if execution.deadline_at else ""
        seconds = float(pinned.spec.deadline_seconds)
        clock["deadline_at"] = f"LEAST({asked}clock_timestamp() + make_interval(secs => {seconds}))"
    moves.born(execution, sql=clock, data={"hash": execution.execution_hash, "workflow": execution.workflow})
    ids = [new_id() for _ in pinned.spec.steps]
    moves.also(_STEPS, ids, execution.pk, execution.unit_id, list(ready), pinned.steps_text)
    moves.notify(WAKE_CHANNEL, str(execution.pk))
    failpoints.hit("start.before")
    moves.execute()
    failpoints.hit("start.committed")
