"""A world for tests, built by the system's own verbs: definitions are drafted and activated, actions proposed and redeemed,
steps claimed and settled. Nothing here sets a status.
"""

import pickle
from collections.abc import Hashable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from approvals import operations as approvals
from approvals.admin.fields import NeedsField
from approvals.models import ApprovalPolicy, ApprovalRequest, BusinessCalendar, LinkedAccounts, ReviewerGroup
from approvals.operations import Voice
from audit import actors, events, lifecycle
from audit.actors import Actor, system
from audit.definitions import Definition, activate, draft
from audit.ids import new_id
from budgets.models import BusinessUnit
from budgets.permissions import grant
from budgets.pricing import Usage
from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.engine.claims import claim_of
from orchestrator.engine.parking import settle_parked
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import Segment, begin
from orchestrator.engine.settle import settle_failure, settle_success
from orchestrator.gate import propose as gate_propose
from orchestrator.gate import redeem as gate_redeem
from orchestrator.gate import report as gate_report
from orchestrator.models import Action, Agent, Alert, Channel, DeadLetter, Execution, Tool
from orchestrator.models.execution import UNDO
from orchestrator.operations import executions
from orchestrator.releases.bundle import publish
from orchestrator.statuses import StepStatus
from tests import kept, signing

MAKER = actors.system("tests")
PASSWORD = "correct horse battery staple"
_numbers = count(1)
_published: dict[Any, Hashable] = {}
_places = TemporaryDirectory(prefix="holdpoint-tests-")

POST_SCHEMA = {
    "type": "object",
    "required": ["reference", "account", "amount", "currency"],
    "properties": {name: {"type": "string"} for name in ("reference", "account", "amount", "currency", "memo")},
}
RECORD = {"account": {"account": "4010", "name": "Bank charges", "status": "open", "posting_limit": "10000.00"}}


# --- Units and people ------------------------------------------------------------------------------------------


def unit(name: str = "finance", title: str = "", parent: BusinessUnit | None = None) -> BusinessUnit:
    """The active unit of that name."""
    found = BusinessUnit.objects.filter(name=name).first()
    if found is None:
        row = BusinessUnit(name=name, title=title or name.capitalize(), parent=parent)
        # Beside its own columns only the unit above decides whether it comes into force.
        above = BusinessUnit.objects.filter(pk=row.parent_id).values_list("pk", "status").first() if parent else None
        found = kept.once(("unit", row.name, row.title, above), lambda: _by_verbs(row))
    return found


def person(
    username: str, *permissions: str, of: BusinessUnit | None = None, staff: bool = False, site: bool = False
) -> Any:
    """A user with permissions on a unit; `site` may also read the trail's entries of no unit."""
    where = of or (unit() if permissions else None)
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        key = ("person", username, permissions, where and where.pk, staff, site)
        return kept.once(key, lambda: _person(username, permissions, where, staff, site))
    return _with_roles(user, permissions, where, site)


def _person(username: str, permissions: tuple[str, ...], where: BusinessUnit | None, staff: bool, site: bool) -> Any:
    user = get_user_model().objects.create_user(username, password=PASSWORD, is_staff=staff)
    return _with_roles(user, permissions, where, site)


def _with_roles(user: Any, permissions: tuple[str, ...], where: BusinessUnit | None, site: bool) -> Any:
    for permission in permissions:
        grant(user, permission, where)
    if site:
        user.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    return user


def actor(user: Any) -> Actor:
    return actors.person(user.pk, user.get_full_name() or user.get_username())


# --- Definitions -----------------------------------------------------------------------------------------------


def tool(name: str = "erp.post_adjustment", **fields: Any) -> Tool:
    found = Tool.objects.active().filter(name=name).first()
    if found is not None:
        return found
    defaults = {
        "version": "1.0.0",
        "title": "Post {amount} {currency} to {account} for {reference}",
        "effect": "write",
        "tier": "customer_facing",
        "idempotency_class": "A",
        "input_schema": POST_SCHEMA,
        "probe": "handlers:find_posting",
        "record": "handlers:read_account",
        "business_key": "args.reference",
        "owner": "operator",
        "runbook": "1. Open the ERP journal.\n2. Partial: redrive the step.",
    }
    return _activated(Tool(name=name, **{**defaults, **fields}))


def agent(name: str = "poster", *, of: BusinessUnit | None = None, owner: Any = None, **fields: Any) -> Agent:
    found = Agent.objects.active().filter(name=name).first()
    if found is not None:
        return found
    defaults = {"allowed_tools": ["*"], "entry": "handlers:post", "runbook": "Redrive it."}
    row = Agent(
        name=name, unit_id=(of or unit()).pk, owner=owner or person("agent_owner", of=of), **{**defaults, **fields}
    )
    return _activated(row)


def policy(name: str = "two-above-1000", **fields: Any) -> ApprovalPolicy:
    defaults = {
        "tool": "erp.post_adjustment",
        "condition": "double(args.amount) > 1000.0",
        "required": 2,
        "reason": "The amount is above 1,000.00: two signatures",
    }
    return _activated(ApprovalPolicy(name=name, **{**defaults, **fields}))


def group(name: str, *members: Any, of: BusinessUnit | None = None) -> ReviewerGroup:
    """These people and nobody else are in the group from now on."""
    version = ReviewerGroup.objects.filter(name=name).count() + 1
    return _activated(ReviewerGroup(
        name=name, version=version, title=name.capitalize(), unit_id=of and of.pk, member_ids=[user.pk for user in members]
    ))  # fmt: skip


def calendar(name: str = "office", weekly_hours: str = "Mon-Fri 09:00-17:00", **fields: Any) -> BusinessCalendar:
    return _activated(BusinessCalendar(name=name, title=name.capitalize(), weekly_hours=weekly_hours, **fields))


def linked(name: str, *accounts: Any) -> LinkedAccounts:
    """These accounts are one person."""
    return _activated(LinkedAccounts(name=name, account_ids=[user.pk for user in accounts], reason="same passport"))


def needs(*lines: str) -> list[dict[str, Any]]:
    """Groups as the admin writes them: "1 from finance"."""
    return NeedsField().clean("\n".join(lines))


def _activated(row: Any) -> Any:
    kind = type(row)
    if kind.came_into_force is not Definition.came_into_force or kind._default_manager.filter(name=row.name).exists():
        return _by_verbs(row)  # what follows depends on what is there
    given = {
        field.attname: field.value_from_object(row) for field in row._meta.concrete_fields if not field.primary_key
    }
    return kept.once((kind, pickle.dumps(given)), lambda: _by_verbs(row))


def _by_verbs(row: Any) -> Any:
    draft(row, by=MAKER)
    activate(row, by=MAKER)
    return type(row)._default_manager.get(pk=row.pk)


# --- Actions ---------------------------------------------------------------------------------------------------


def arguments(amount: str = "48.20", **more: Any) -> dict[str, Any]:
    reference = more.pop("reference", f"ADJ-{next(_numbers):04d}")
    return {"reference": reference, "account": "4010", "amount": amount, "currency": "EUR", **more}


def action(
    amount: str = "48.20", *, of: BusinessUnit | None = None, by: Actor | None = None, using: Tool | None = None,
    context: dict[str, Any] | None = None, record: dict[str, Any] | None = None, named: str = "poster", **args: Any,
) -> Action:  # fmt: skip
    """A call proposed by an agent: held, granted or denied as the contracts and policies say."""
    using = using or tool()
    agent(named, of=of)
    return gate_propose.propose(
        tool=using.name, arguments=arguments(amount, **args), agent=named, unit_id=(of or unit()).pk,
        by=by or actors.agent(named, unit_ids=frozenset({(of or unit()).pk}), scopes=frozenset()),
        context={"reason": "The bank statement shows a fee the ledger does not have.", **(context or {})},
        record=RECORD if record is None and using.record else record,
    )  # fmt: skip


def request(amount: str = "48.20", **more: Any) -> ApprovalRequest:
    """A held action's approval request."""
    return ApprovalRequest.objects.get(pk=action(amount, **more).approval_id)


def voice(
    approval: ApprovalRequest,
    reason_code: str = "evidence_checked",
    note: str = "",
    answers: dict[str, Any] | None = None,
    by: Actor | None = None,
) -> Voice:
    return signing.voice(approval, reason_code, note, by=by, **({} if answers is None else {"answers": answers}))


def approved(approval: ApprovalRequest, *people: Any) -> ApprovalRequest:
    for user in people:
        approvals.approve(request_id=approval.pk, by=actor(user), voice=voice(approval, by=actor(user)))
    return ApprovalRequest.objects.get(pk=approval.pk)


def rejected(approval: ApprovalRequest, user: Any, note: str = "No invoice") -> ApprovalRequest:
    said = voice(approval, "missing_evidence", note, by=actor(user))
    approvals.reject(request_id=approval.pk, by=actor(user), voice=said)
    return ApprovalRequest.objects.get(pk=approval.pk)


def carried_out(granted: Action, outcome: Any = "success", *, cost: Usage | None = None, message: str = "") -> Action:
    """Redeem a granted action and report what came of it."""
    ticket = gate_redeem.redeem(action_id=granted.pk, by=MAKER)
    return gate_report.report(
        action_id=granted.pk, fence=ticket.fence, outcome=outcome, by=MAKER, message=message, usage=cost,
        result={"posting": "P-1", "status": "complete"} if outcome == "success" else None,
    )  # fmt: skip


def doubt(
    reference: str = "", *, of: BusinessUnit | None = None, tier: str = "informational", **tool_fields: Any
) -> Action:
    """A call that was sent, and that nobody answered for: nothing can look it up."""
    name = f"wire.{tier}"
    using = tool(name, **{"tier": tier, "idempotency_class": "C", "probe": "", "record": "", **tool_fields})
    granted = action(of=of, using=using, **({"reference": reference} if reference else {}))
    if granted.approval_id:
        signers = [person(name, "view", "review", of=of) for name in ("grace", "linus")]
        approved(ApprovalRequest.objects.get(pk=granted.approval_id), *signers[: granted.required])
    return carried_out(Action.objects.get(pk=granted.pk), "unknown", message="The line went dead.")


def later(table: str, column: str, pk: Any, seconds: int) -> None:
    """Let time pass for one row: its deadline, lease or due time moves into the past (the clock is the database's)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = {column} - make_interval(secs => %s) WHERE id = %s", [seconds, pk]
        )


# --- Workflows -------------------------------------------------------------------------------------------------


def new_place(name: str) -> Path:
    """Where a folder of this name may be made. It is gone when the tests end."""
    return Path(mkdtemp(dir=_places.name)) / name


def folder(path: Path, text: str) -> Path:
    """A workflow's folder with this text and no code worth running."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "workflow.yaml").write_text(text)
    (path / "handlers.py").write_text("def post(input, context):\n    return {}\n")
    return path


WORKFLOW = """
workflow: {name}
version: 1.0.0
input: {{type: object}}
steps:
  - look: {{agent: looker}}
  - post: {{agent: poster, needs: [look], retry: {{max_attempts: {attempts}, backoff: 1s}}}}
"""


def published(name: str = "closing", *, attempts: int = 1) -> Any:
    """A two-step workflow in production: `look`, then `post`."""
    tool()
    agent()
    agent("looker")
    wanted, there = (name, attempts, kept.standing(kept.DEFINED)), Channel.objects.filter(workflow=name)
    if (channel := there.select_related("release").first()) is None or _published.get(channel.release_id) != wanted:
        place = folder(new_place(name), WORKFLOW.format(name=name, attempts=attempts))
        kept.once(("published", name, attempts, kept.standing()), lambda: publish(place, by=MAKER) and None, anew=True)
        channel = there.select_related("release").get()
        _published[channel.release_id] = wanted
    return channel.release


def execution(
    status: str = "queued",
    *,
    by: Any = None,
    name: str = "closing",
    attempts: int = 1,
    business_key: str = "",
    calls: int = 1,
) -> Execution:
    """An execution that the engine's own verbs have brought to this status; a waiting one with so many held calls."""
    published(name, attempts=attempts)
    asker = actor(by or person("operator", "view", "operate"))
    started = executions.start(
        workflow=name, input={"month": "2026-10"}, unit="finance", by=asker, business_key=business_key
    )
    if status == "waiting":
        _waiting(started, asker, calls)
    else:
        _WALKS[status](started, asker)
    return Execution.objects.get(pk=started.pk)


def undo_of(run: Execution) -> Execution:
    """What undoes it, as one of its trace; without a step."""
    undo = Execution(
        workflow=f"{UNDO}{run.workflow}", parent_id=run.pk, root_id=run.root_id, trace_id=run.trace_id,
        release_id=run.release_id, unit_id=run.unit_id, unit_title=run.unit_title, requester="x", requester_name="x",
        execution_hash="x",
    )  # fmt: skip
    lifecycle.born(undo, by=MAKER)
    return undo


def claimed(started: Execution) -> Segment:
    """The attempt of the step that is due now, as a worker holds it."""
    claim = claim_of(started.pk, worker="test-worker")
    return begun(claim)


def begun(claim: Any) -> Segment:
    segment = begin(claim.fence)
    assert segment is not None
    return segment


def at_second_step(started: Execution) -> Segment:
    """The first step has succeeded; the second one is held by a worker."""
    claim = settle_success(claimed(started), input={"month": "2026-10"}, output={"rows": 3})
    return begun(claim) if claim else claimed(started)


def held_in(started: Execution, *, occurrence: int = 0, **args: Any) -> Action:
    """An action that the second step has proposed and that waits for people."""
    row = Execution.objects.get(pk=started.pk)
    post = row.steps.get(key="post")
    place = gate_propose.Place(
        execution=row, step_id=post.pk, fence=post.attempt_id, step_key="post", occurrence=occurrence
    )
    return gate_propose.propose(
        tool=tool().name, arguments=arguments(**args), agent="poster", unit_id=row.unit_id, by=MAKER, place=place,
        record=RECORD,
    )  # fmt: skip


def _waiting(started: Execution, asker: Actor, calls: int = 1) -> None:
    segment = at_second_step(started)
    for number in range(calls):
        held_in(started, occurrence=number)
    settle_parked(segment, to=StepStatus.AWAITING_APPROVAL, why="waiting for people", input={"rows": 3})


def _succeeded(started: Execution, asker: Actor) -> None:
    settle_success(at_second_step(started), input={"rows": 3}, output={"posted": 3})


def _failed(failure_class: str, message: str) -> Any:
    def walk(started: Execution, asker: Actor) -> None:
        segment = at_second_step(started)
        settle_failure(segment, Failure(failure_class, message, {"reply": "503"}), input={"rows": 3})

    return walk


def _cancelled(started: Execution, asker: Actor) -> None:
    executions.cancel(execution_id=started.pk, by=asker, why="started by mistake")


_WALKS: dict[str, Any] = {
    "queued": lambda started, asker: None,
    "running": lambda started, asker: at_second_step(started),
    "waiting": _waiting,
    "succeeded": _succeeded,
    "failed": _failed("business", "The account is closed."),
    "dead_lettered": _failed("system", "The ERP answered 503."),
    "cancelled": _cancelled,
}


def letter(
    message: str = "The ERP answered 503.", failure_class: str = "system", *, name: str = "closing",
    of: BusinessUnit | None = None, by: Any = None, tool: str = "", attempts: int = 1,
) -> DeadLetter:  # fmt: skip
    """The letter of a step that failed in this way, of a workflow published before or now."""
    published(name, attempts=attempts)
    asker = actor(by or person("operator", "view", "operate", of=of))
    where = of or unit()
    started = executions.start(workflow=name, input={"month": "2026-10"}, unit=where.name, by=asker)
    failed(at_second_step(started), message, failure_class, tool=tool)
    return DeadLetter.objects.get(execution=started)


def failed(segment: Segment, message: str, failure_class: str = "system", *, tool: str = "") -> None:
    evidence = {"reply": "503", **({"tool": tool} if tool else {})}
    settle_failure(segment, Failure(failure_class, message, evidence), input={"rows": 3})


def succeeded(row: DeadLetter) -> None:
    """A worker takes up the redriven step of this letter, and it succeeds."""
    settle_success(claimed(row.execution), input={"rows": 3}, output={"posted": 3})


def failed_again(row: DeadLetter, message: str = "The ERP answered 503.") -> None:
    failed(claimed(row.execution), message)


_COPY = """
INSERT INTO {table} SELECT (jsonb_populate_record(row, jsonb_build_object({changes}))).*
FROM {table} AS row, generate_series(1, %(number)s) AS n WHERE row.id = %(id)s
"""


def copies(row: DeadLetter, number: int) -> None:
    """So many more letters of the same cause, each with an execution and a step of its own.

    Copied inside the database, without its guards, because walking a thousand executions takes minutes.
    """
    ids = {name: f"md5('{row.pk} {name} ' || n)::uuid" for name in ("execution", "step", "letter")}
    tables = [
        ("orchestrator_execution", row.execution_id, f"'id', {ids['execution']}"),
        ("orchestrator_step", row.step_id, f"'id', {ids['step']}, 'execution_id', {ids['execution']}"),
        ("orchestrator_deadletter", row.pk,
         f"'id', {ids['letter']}, 'step_id', {ids['step']}, 'execution_id', {ids['execution']}"),
    ]  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, pk, changes in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_lifecycle")
            cursor.execute(_COPY.format(table=table, changes=changes), {"number": number, "id": pk})
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, _, _ in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_lifecycle")
        # As after a thousand that came one by one: by what it knew of empty tables, the database would go through all for each.
        cursor.execute(f"ANALYZE {', '.join(table for table, _, _ in tables)}")
        # What follows the trail learns of them.
        copied = [
            Jsonb([events.fact("execution.copied", by=system("tests"), unit_id=row.unit_id)]) for _ in range(number)
        ]
        cursor.execute(
            f"SELECT audit_append('execution:' || {ids['execution']}, fact) FROM unnest(%s) WITH ORDINALITY AS told (fact, n)",
            [copied],
        )


def dead_letter(**more: Any) -> DeadLetter:
    """The letter of a step that used up its attempts."""
    return DeadLetter.objects.get(execution=execution("dead_lettered", **more))


def alert(kind: str = "pager", *, of: BusinessUnit, about: UUID | None = None, **data: Any) -> Alert:
    """What some part of the system wrote into the trail as an alert, raised by one round."""
    about = about or new_id()
    data = {"severity": "critical", **data}
    events.record(f"alert.{kind}", by=system("night watch"), stream=f"pager:{about}", object_id=about, unit_id=of.pk,
                  why="80 % of the disk is full", data=data)  # fmt: skip
    judge_all()
    return Alert.objects.get(unit_id=of.pk, kind=kind, subject=str(about))


def ten_thousand_parts(run: Any) -> None:
    """Reported beneath this execution, without a verb: thirty with 333 below each, one of which failed (part 9876)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_span (id, trace_id, parent_id, unit_id, kind, name, started_at, ended_at, status, attributes) "
            "SELECT md5('part ' || n)::uuid, %s, CASE WHEN n < 30 THEN %s ELSE md5('part ' || (n %% 30))::uuid END, %s, "
            "'llm', 'part ' || n, now(), now() + n * interval '1 ms', CASE WHEN n = 9876 THEN 'error' ELSE 'ok' END, '{}' "
            "FROM generate_series(0, 9999) AS n",
            [run.trace_id, run.pk, run.unit_id],
        )
