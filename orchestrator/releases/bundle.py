"""From a workflow's folder to a content-addressed release: spec, contracts in force, policy versions, every line of code."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from approvals.models import ApprovalPolicy
from audit import events
from audit.actors import Actor
from audit.canonical import digest
from audit.refusals import Invalid
from budgets import catalogue as price_list
from orchestrator.models import Agent, Channel, Release, Tool
from orchestrator.workflows.catalogue import AgentContract, Catalogue, ToolContract
from orchestrator.workflows.parse import parse
from orchestrator.workflows.spec import WorkflowSpec

TOOL_FIELDS = (
    "name",
    "version",
    "description",
    "title",
    "input_schema",
    "output_schema",
    "effect",
    "idempotency_class",
    "tier",
    "entry",
    "probe",
    "record",
    "business_key",
    "compensate_with",
    "owner",
    "runbook",
    "egress",
)
AGENT_FIELDS = (
    "name",
    "version",
    "description",
    "entry",
    "input_schema",
    "output_schema",
    "allowed_tools",
    "egress",
    "runbook",
)
CODE_SUFFIXES = {".py", ".json", ".txt", ".md", ".csv"}
# Not part of what handlers run: the example's own servers, sample inputs, and pages for people.
LEFT_OUT = {"servers", "data", "__pycache__", "tools.json", "agents.json", "policies.json", "release.json"}
MAX_CODE_BYTES = 4 * 1024 * 1024


@transaction.atomic
def publish(folder: Path, *, by: Actor) -> Release:
    """Build the folder's release and point the production channel at it. The same content is the same release.

    Raises WorkflowErrors (each with file, line, column) and Invalid.
    """
    bundle = build(folder)
    release = stored(bundle, by)
    channel, created = Channel.objects.get_or_create(workflow=release.workflow, defaults={"release": release})
    if created or channel.release_id != release.pk:
        before = "" if created else str(channel.release_id)
        Channel.objects.filter(pk=channel.pk).update(release=release, moved_at=Now())
        events.record(
            "release.promoted",
            by=by,
            stream=f"workflow:{release.workflow}",
            object_id=release.pk,
            why=f"production now runs {release}",
            data={"digest": release.digest, "before": before},
        )
    return release


def build(folder: Path) -> dict[str, Any]:
    """The bundle as plain JSON. Contracts come from what administrators have activated, not from the folder's files."""
    path = folder / "workflow.yaml"
    if not path.is_file():
        raise Invalid(f"{folder} holds no workflow.yaml.", remedy="Point to a folder with a workflow.yaml in it.")
    text = text_of(path)
    spec = parse(text, file=str(path), catalogue=catalogue())
    code = _code(folder)
    agents = _agents(spec)
    return {
        "workflow": spec.workflow,
        "version": spec.version,
        "text": text,
        "spec": spec.to_json(),
        "tools": _tools(spec, agents),
        "agents": agents,
        "policies": sorted(str(policy) for policy in ApprovalPolicy.objects.active()),
        "code": code,
        "code_digest": digest(code),
        "env": _env(folder),
        "prices": price_list.source(),
    }


def catalogue() -> Catalogue:
    """What a workflow may name: the active tools and agents."""
    tools = {tool.name: tool for tool in Tool.objects.active()}
    agents = {agent.name: agent for agent in Agent.objects.active()}
    return Catalogue(
        tools={
            name: ToolContract(
                name=name,
                version=tool.version,
                input_schema=tool.input_schema,
                output_schema=tool.output_schema,
                tier=tool.tier,
                effect=tool.effect,
                idempotency_class=tool.idempotency_class,
                compensate_with=tool.compensate_with or None,
            )
            for name, tool in tools.items()
        },
        agents={
            name: AgentContract(
                name=name,
                version=str(agent.version),
                input_schema=agent.input_schema,
                output_schema=agent.output_schema,
                allowed_tools=tuple(agent.allowed_tools),
            )
            for name, agent in agents.items()
        },
    )


def _agents(spec: WorkflowSpec) -> dict[str, Any]:
    named = [step.agent for step in spec.steps if step.agent]
    rows = Agent.objects.active().filter(name__in=named).select_related("owner")
    return {
        row.name: {**{field: getattr(row, field) for field in AGENT_FIELDS}, "owner": row.owner.username}
        for row in rows
    }


def _tools(spec: WorkflowSpec, agents: dict[str, Any]) -> dict[str, Any]:
    """The tools of the steps, of the agents' allowances, and the ones that undo them."""
    named = {step.tool for step in spec.steps if step.tool}
    named |= {tool for agent in agents.values() for tool in agent["allowed_tools"]}
    named |= {step.compensate_with for step in spec.steps if step.compensate_with}
    active = Tool.objects.active()
    # "*" pins every tool there is now: one registered later is not part of this release.
    rows = list(active.exclude(entry="") if "*" in named else active.filter(name__in=named))
    rows += Tool.objects.active().filter(name__in=[row.compensate_with for row in rows if row.compensate_with])
    return {row.name: {field: getattr(row, field) for field in TOOL_FIELDS} for row in rows}


def _code(folder: Path) -> dict[str, str]:
    files = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if (
            path.is_file()
            and path.suffix in CODE_SUFFIXES
            and not LEFT_OUT & set(inside.parts)
            and path.name != "README.md"
        ):
            files[inside.as_posix()] = text_of(path)
    size = sum(len(text) for text in files.values())
    if size > MAX_CODE_BYTES:
        raise Invalid(f"The handlers of {folder} are {size:,} bytes; the limit is {MAX_CODE_BYTES:,}.")
    return files


def _env(folder: Path) -> list[str]:
    path = folder / "release.json"
    if not path.is_file():
        return []
    try:
        said = json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise Invalid(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from None
    names = said.get("env", []) if isinstance(said, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid(f"{path}: env: This must be a list of names.", remedy='Write {"env": ["ERP_URL"]}.')
    return names


def text_of(path: Path) -> str:
    """Raises Invalid where it is no text in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        remedy = "Save it as UTF-8, or keep it out of the folder."
        raise Invalid(f"{path}: byte {error.start + 1} is no UTF-8.", remedy=remedy) from None


def stored(bundle: dict[str, Any], by: Actor) -> Release:
    content = digest(bundle)
    found = Release.objects.filter(digest=content).first()
    if found is not None:
        return found  # type: ignore[no-any-return]
    release = Release.objects.create(
        workflow=bundle["workflow"], version=bundle["version"], digest=content, bundle=bundle, created_by=by.key
    )
    events.record(
        "release.built",
        by=by,
        stream=f"workflow:{release.workflow}",
        object_id=release.pk,
        data={"digest": content, "code": bundle["code_digest"]},
    )
    return release  # type: ignore[no-any-return]
