"""A part that ended as an OpenTelemetry span with GenAI names. Pure.

Only a real failure is an error: a "no" of a policy or of people is a span of its own whose status is unset. No prompt, argument,
result or person's name leaves, unless a setting says so.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from orchestrator.telemetry import names
from orchestrator.telemetry.ended import Ended

# Where an attempt ends because somebody or something said no, nothing failed.
REFUSALS = {"policy", "budget"}
DECISIONS = {
    "approved": "approve", "rejected": "reject", "answered": "answer", "expired": "expire", "withdrawn": "withdraw",
    "void": "void",
}  # fmt: skip
OPENINFERENCE_KINDS = {
    "invoke_workflow": "CHAIN", "invoke_agent": "AGENT", "execute_tool": "TOOL", "chat": "LLM", "approval": "GUARDRAIL",
}  # fmt: skip
MOST_CONTENT = 4_096
SCOPE = InstrumentationScope("holdpoint")
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What else than ids, names, times and numbers may leave, and for whom it is written."""

    content: bool = False
    openinference: bool = False


@dataclass(slots=True)
class _Made:
    name: str
    operation: str
    attributes: dict[str, Any] = field(default_factory=dict)
    # The class of a real failure.
    error: str = ""
    link: UUID | None = None


def span_of(part: Ended, resource: Resource, wanted: Wanted) -> ReadableSpan | None:
    """None for a part whose row is not there any more."""
    facts = part.facts
    if not facts:
        return None
    made = _MAKERS[part.noun](part, facts, wanted)
    if wanted.openinference:
        made.attributes |= _openinference(made)
    attributes = {
        names.UNIT: str(facts["unit_id"]), names.OUTCOME: part.outcome, names.ERROR_TYPE: made.error or None, **made.attributes,
    }  # fmt: skip
    trace_id = facts["trace_id"]
    return ReadableSpan(
        name=made.name,
        context=context(trace_id, facts["id"]),
        parent=context(trace_id, facts["parent_id"]) if facts["parent_id"] else None,
        resource=resource,
        attributes={name: value for name, value in attributes.items() if value not in (None, "")},
        links=[Link(context(trace_id, made.link))] if made.link else [],
        kind=SpanKind.CLIENT if made.operation == "chat" else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR) if made.error else Status(StatusCode.UNSET),
        start_time=_nanoseconds(min(facts["started_at"], part.at)),
        end_time=_nanoseconds(part.at),
        instrumentation_scope=SCOPE,
    )


def context(trace_id: UUID, part: UUID) -> SpanContext:
    """The trace's id whole, and of the part's the last eight bytes: in a UUID of version 7 those are random."""
    return SpanContext(
        trace_id.int, part.int & (2**64 - 1), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def _execution(part: Ended, facts: Facts, _: Wanted) -> _Made:
    return _Made(
        f"invoke_workflow {facts['workflow']}",
        "invoke_workflow",
        {
            names.GEN_AI_OPERATION: "invoke_workflow",
            names.GEN_AI_WORKFLOW_NAME: facts["workflow"],
            names.GEN_AI_CONVERSATION: str(facts["id"]),
            names.RELEASE: facts["release"],
        },
        error=part.outcome if part.outcome in {"failed", "timed_out"} else "",
    )


def _attempt(part: Ended, facts: Facts, _: Wanted) -> _Made:
    failed = part.outcome in {"failed", "lost"} and facts["failure_class"] not in REFUSALS
    agent = facts["agent"]
    operation = "invoke_agent" if agent else "step"
    told = {names.GEN_AI_OPERATION: operation, names.GEN_AI_AGENT_NAME: agent} if agent else {}
    return _Made(
        f"invoke_agent {agent}" if agent else f"step {facts['key']}",
        operation,
        {**told, names.STEP: facts["key"], names.ATTEMPT: facts["number"]},
        error=(facts["failure_class"] or part.outcome) if failed else "",
    )


def _action(part: Ended, facts: Facts, wanted: Wanted) -> _Made:
    """What was denied was not carried out, so there is no span of carrying it out, and the refusal has one."""
    told = {
        names.GEN_AI_TOOL_NAME: facts["tool"],
        names.GEN_AI_AGENT_NAME: facts["agent"],
        names.ACTION_DIGEST: facts["digest"],
        names.POLICY_VERSION: facts["policy_version"],
    }
    if part.outcome == "denied":
        return _Made(f"policy {facts['tool']}", "approval", {**told, names.DECISION_OUTCOME: "deny"})
    told |= {
        names.GEN_AI_OPERATION: "execute_tool",
        names.GEN_AI_TOOL_CALL: str(facts["id"]),
        names.GEN_AI_TOOL_TYPE: "function",
    }
    if wanted.content:
        told[names.GEN_AI_TOOL_ARGUMENTS] = facts["arguments"][:MOST_CONTENT]
        told[names.GEN_AI_TOOL_RESULT] = (facts["result"] or "")[:MOST_CONTENT]
    failed = (facts["failure_class"] or "failed") if part.outcome == "failed" else ""
    return _Made(f"execute_tool {facts['tool']}", "execute_tool", told, error=failed)


def _approval(part: Ended, facts: Facts, _: Wanted) -> _Made:
    """From asking to the decision: people's time. Linked to the call it is about, which may never be carried out."""
    told = {
        names.GEN_AI_TOOL_NAME: facts["tool"],
        names.DECISION_OUTCOME: DECISIONS[part.outcome],
        names.ACTION_DIGEST: facts["digest"],
        names.POLICY_VERSION: facts["policy_version"],
        names.EVIDENCE_REF: f"urn:uuid:{facts['id']}",
    }
    return _Made(f"approval {facts['tool']}", "approval", told, link=facts["action_id"])


def _model(part: Ended, facts: Facts, wanted: Wanted) -> _Made:
    told = {
        names.GEN_AI_OPERATION: "chat",
        names.GEN_AI_PROVIDER: facts["provider"],
        names.GEN_AI_REQUEST_MODEL: facts["model"],
        names.GEN_AI_AGENT_NAME: facts["agent"],
        names.GEN_AI_INPUT_TOKENS: facts["input_tokens"],
        names.GEN_AI_OUTPUT_TOKENS: facts["output_tokens"],
        names.GEN_AI_CACHE_READ: facts["cached_input_tokens"],
        names.GEN_AI_CACHE_WRITE: facts["cache_write_tokens"],
        names.GEN_AI_REASONING: facts["reasoning_tokens"],
        names.RELEASE: facts["release"],
        names.ACTION_DIGEST: facts["digest"],
        names.POLICY_VERDICT: facts["verdict"],
        names.POLICY_VERSION: facts["policy_version"],
        **_called(facts["call"]),
    }
    if wanted.content:
        # It may name a person.
        told[names.REQUESTER] = facts["requester"]
    if wanted.openinference and facts["amount"] is not None and facts["currency"] == "USD":
        told[names.LLM_COST] = float(facts["amount"])
    return _Made(f"chat {facts['model']}".strip(), "chat", told, error="model" if part.outcome == "error" else "")


def _called(call: Facts | str) -> dict[str, Any]:
    """How the model was called, settings under the names that GenAI has for them."""
    said: Facts = json.loads(call) if isinstance(call, str) else call
    settings = {
        (names.GEN_AI_REQUEST if name in names.GEN_AI_SETTINGS else names.SETTING) + name: value
        for name, value in said.get("settings", {}).items()
    }
    return {
        names.GEN_AI_PROMPT_NAME: said.get("prompt"),
        names.PROMPT_DIGEST: said.get("prompt_digest"),
        names.REQUEST_DIGEST: said.get("request"),
        names.GEN_AI_DATA_SOURCE: said.get("corpus"),
        **settings,
    }


def _openinference(made: _Made) -> dict[str, Any]:
    """The same in OpenInference's names, beside OpenTelemetry's."""
    twins = {
        names.GEN_AI_TOOL_NAME: names.TOOL_NAME, names.GEN_AI_AGENT_NAME: names.AGENT_NAME,
        names.GEN_AI_REQUEST_MODEL: names.LLM_MODEL, names.GEN_AI_PROVIDER: names.LLM_PROVIDER,
        names.GEN_AI_INPUT_TOKENS: names.LLM_INPUT_TOKENS, names.GEN_AI_OUTPUT_TOKENS: names.LLM_OUTPUT_TOKENS,
        names.GEN_AI_CACHE_READ: names.LLM_CACHE_READ, names.GEN_AI_CACHE_WRITE: names.LLM_CACHE_WRITE,
        names.GEN_AI_REASONING: names.LLM_REASONING,
    }  # fmt: skip
    found = {twin: made.attributes[name] for name, twin in twins.items() if name in made.attributes}
    return {**found, names.OPENINFERENCE_KIND: OPENINFERENCE_KINDS.get(made.operation, "CHAIN")}


def _nanoseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000


_MAKERS: dict[str, Callable[[Ended, Facts, Wanted], _Made]] = {
    "execution": _execution,
    "attempt": _attempt,
    "action": _action,
    "approval_request": _approval,
    "model": _model,
}
