"""One part of a trace in the side panel: who asked, under which release, over which bytes, judged how, with what outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse

from approvals.models import ApprovalRequest, Decision
from audit.models import Span
from budgets.models import LedgerEntry
from orchestrator.models import Action, Attempt, Execution
from orchestrator.queries.traces import Node


@dataclass(frozen=True, slots=True)
class Detail:
    """Facts in reading order; `url` leads to the record itself; `attributes` are a foreign agent's own words."""

    node: Node
    facts: list[tuple[str, str]]
    url: str = ""
    attributes: Any = None


def detail_of(node: Node) -> Detail:
    """What the rows behind this part say. No arguments, inputs or results: those stand on the record's own page."""
    facts, url, attributes = _READERS.get(node.part.kind, _of_span)(node.part.id)
    if not facts and attributes is None:
        facts, url, attributes = _of_span(node.part.id)
    return Detail(node, [(label, value) for label, value in facts if value], url, attributes)


Read = tuple[list[tuple[str, str]], str, Any]


def _of_execution(pk: UUID) -> Read:
    row = _runs().filter(pk=pk).first()
    if row is None:
        return [], "", None
    facts = [
        ("Asked by", row.requester_name),
        ("Release", f"{row.release.version} {row.release.digest}"),
        ("Execution hash", row.execution_hash),
        ("Business key", row.business_key),
        ("Why", row.why),
    ]
    return facts, row.get_absolute_url(), None


def _runs() -> QuerySet[Execution]:
    """With their releases, whose code nobody reads here."""
    rows: QuerySet[Execution] = Execution.objects.select_related("release").defer("input", "output", "release__bundle")
    return rows


def _of_attempt(pk: UUID) -> Read:
    row = Attempt.objects.select_related("step").filter(pk=pk).first()
    if row is None:
        return [], "", None
    facts = [
        ("Step", row.step.key),
        ("Attempt", str(row.number)),
        ("Agent or tool", str(row.step.spec.get("agent") or row.step.spec.get("tool") or row.step.kind)),
        ("Ended", row.status),
        ("Worker", row.worker),
        ("Failure", row.failure_class),
        ("Message", row.message),
    ]
    return facts, f"{reverse('execution', args=[row.execution_id])}?step={row.step.key}#step", None


def _of_action(pk: UUID) -> Read:
    row = Action.objects.filter(pk=pk).first()
    if row is None:
        return [], "", None
    facts = [
        ("Tool", f"{row.tool} {row.tool_version}"),
        ("Agent", row.agent),
        ("Asked by", row.requester_name),
        ("Digest", row.digest),
        ("Verdict", row.verdict),
        ("Why", "; ".join(row.reasons)),
        ("Policies", row.policy_version),
        ("Release", str(row.context.get("release") or "")),
        ("Effect", row.effect),
        ("Idempotency key", row.idempotency_key),
        ("Outcome", row.status),
        ("Message", row.message),
    ]
    return facts, row.get_absolute_url(), None


def _of_request(pk: UUID) -> Read:
    row = ApprovalRequest.objects.filter(pk=pk).first()
    if row is None:
        return [], "", None
    facts = [
        ("Asked", row.title),
        ("Needed", f"{row.required} to sign, tier {row.tier}"),
        ("Why", "; ".join(row.reasons)),
        ("Policies", row.policy_version),
        ("Digest", row.digest),
        ("Ended", "" if row.is_open else row.status),
    ]
    return facts, row.get_absolute_url(), None


def _of_decision(pk: UUID) -> Read:
    row = Decision.objects.select_related("request").filter(pk=pk, request__resolved_at__isnull=False).first()
    if row is None:
        return [], "", None
    facts = [
        ("By", row.person_name),
        ("For", row.for_person_name),
        ("Verdict", row.verdict),
        ("Reason", row.reason_code),
    ]
    return [*facts, ("Digest", row.digest)], row.request.get_absolute_url(), None


def _of_model_call(pk: UUID) -> Read:
    row = LedgerEntry.objects.filter(pk=pk).first()
    if row is None:
        return [], "", None
    call = row.call
    version = call.get("prompt_digest") or ("no file of the release" if call.get("prompt") else "")
    facts = [
        ("Model", f"{row.provider} {row.model}".strip()),
        *_under(row),
        ("Prompt", f"{call.get('prompt', '')} {version}".strip()),
        ("Settings", ", ".join(f"{name} {value}" for name, value in call.get("settings", {}).items())),
        ("Corpus", call.get("corpus", "")),
        ("Request's digest", call.get("request", "")),
        ("Outcome", call.get("outcome", "")),
        ("Agent", row.agent),
        ("Cost", f"{row.amount:f} {row.currency}, {row.basis}" if row.amount is not None else "unknown"),
        ("Priced by", row.priced_by),
        ("What is not known", row.why),
        ("Input tokens", f"{row.input_tokens:,}"),
        ("of them cached", "" if row.cached_input_tokens is None else f"{row.cached_input_tokens:,}"),
        ("Output tokens", f"{row.output_tokens:,}"),
        ("of them reasoning", "" if row.reasoning_tokens is None else f"{row.reasoning_tokens:,}"),
    ]
    return facts, "", None


def _under(row: LedgerEntry) -> list[tuple[str, str]]:
    """Who asked, under which release, and how the tool call was judged in which it was made."""
    run = _runs().filter(pk=row.execution_id).first() if row.execution_id else None
    action = Action.objects.filter(pk=row.action_id).first() if row.action_id else None
    asker = run or action
    return [
        ("Asked by", asker.requester_name if asker else ""),
        ("Release", f"{run.release.version} {run.release.digest}" if run else ""),
        ("Within the call", action.tool if action else ""),
        ("Arguments' digest", action.digest if action else ""),
        ("Verdict", action.verdict if action else ""),
        ("Policies", action.policy_version if action else ""),
    ]


def _of_span(pk: UUID) -> Read:
    row = Span.objects.filter(pk=pk).first()
    if row is None:
        return [], "", None
    facts = [
        ("Reported", row.kind),
        ("By", row.agent),
        ("Waits for its parent", row.parent_external_id if row.parent_id is None else ""),
        ("Left out", f"{row.dropped:,} attributes, events or links" if row.dropped else ""),
    ]
    more = {name: value for name, value in (("events", row.events), ("links", row.links)) if value}
    return facts, "", {**row.attributes, **more}


_READERS: dict[str, Callable[[UUID], Read]] = {
    "execution": _of_execution,
    "step": _of_attempt,
    "tool": _of_action,
    "approval": _of_request,
    "decision": _of_decision,
    "model": _of_model_call,
}
