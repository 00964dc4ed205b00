"""From a workflow's folder to a content-addressed release: spec, contracts in force, policy versions, every line of code."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.db.models.functions import Now

from approvals.models import ApprovalPolicy
from audit import events
from audit.actors import Actor
from audit.canonical import digest
from audit.refusals import Invalid
from budgets import catalogue as price_list
from orchestrator.models import Agent, Channel, Execution, Release, Tool
from orchestrator.operations import registry
from orchestrator.releases.code import code_of
from orchestrator.releases.loading import unloadable
from orchestrator.releases.reading import env_of
from orchestrator.statuses import EXECUTION
from orchestrator.workflows.catalogue import AgentContract, Catalogue, ToolContract
from orchestrator.workflows.errors import WorkflowErrors
from orchestrator.workflows.parse import parse, source_of
from orchestrator.workflows.spec import WorkflowSpec
from orchestrator.workflows.words import suggest

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


@transaction.atomic
def publish(folder: Path, *, by: Actor) -> Release:
    """Build the folder's release and point the production channel at it. The same content is the same release.

    Raises WorkflowErrors (each with file, line, column) and Invalid.
    """
    registry.one_at_a_time()
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
    text = source_of(path)
    spec = parse(text, file=str(path), catalogue=catalogue())
    code, agents = code_of(folder), _agents(spec)
    tools = _tools(spec, agents)
    errors = unloadable(folder, code, spec, tools, agents)
    if errors:
        raise WorkflowErrors(errors)
    return {
        "workflow": spec.workflow,
        "version": spec.version,
        "text": text,
        "spec": spec.to_json(),
        "tools": tools,
        "agents": agents,
        "policies": sorted(str(policy) for policy in ApprovalPolicy.objects.active()),
        "code": code,
        "code_digest": digest(code),
        "env": env_of(folder),
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


def doubtful_env(release: Release) -> list[str]:
    """What is said of variables that handlers may not be given. Workers may name more than the machine that publishes."""
    known = settings.HANDLER_ENV
    return [
        f"env: HANDLER_ENV does not name `{name}` here: only workers that name it there give it to handlers. "
        f"{suggest(name, known)}".strip()
        for name in release.bundle["env"]
        if name not in known
    ]


def left_behind() -> list[str]:
    """What production and executions that may go on hold of tools in a version not in force: the gate refuses such calls."""
    in_force = dict(Tool.objects.active().values_list("name", "version"))

    def told(holder: str, called: list[tuple[str, str]], follows: str) -> list[str]:
        return [
            f"{holder} {name} {pinned}, and in force is {in_force.get(name, 'none')}: {follows}"
            for name, pinned in called
            if in_force.get(name) != pinned
        ]

    lines = [
        told(f"{workflow} in production holds", called, "its calls are refused until it is published again.")
        for workflow, _, called in _in_production()
    ]
    lines += [
        told(under_way, called, "those that still have to call it will fail.") for under_way, called in _under_way()
    ]
    return [line for several in lines for line in several]


def _under_way() -> list[tuple[str, list[tuple[str, str]]]]:
    """How many executions that go on, or can be redriven, each release has, and the tools it calls with their versions."""
    rows = Execution.objects.exclude(status__in=EXECUTION.final).order_by()
    counts = dict(rows.values_list("release_id").annotate(count=Count("pk")))
    releases = Release.objects.filter(pk__in=counts).order_by("workflow", "created_at")
    naming = [path.removeprefix("release__") for path in _NAMING]
    return [
        (_holding(counts[pk], f"{workflow} {version}"), _called(steps, agents, tools))
        for pk, workflow, version, steps, agents, tools in releases.values_list("pk", "workflow", "version", *naming)
    ]


def _holding(count: int, workflow: str) -> str:
    executions, hold = ("execution", "holds") if count == 1 else ("executions", "hold")
    return f"{count:,} {executions} of {workflow} that may go on {hold}"


def resting_on(*, agent: str = "", tool: str = "") -> list[str]:
    """The workflows and versions in production whose steps name this agent, or in which this tool is called."""
    return [
        workflow
        for workflow, agents, called in _in_production()
        if agent in agents or any(name == tool for name, _ in called)
    ]


def _in_production() -> list[tuple[str, set[str], list[tuple[str, str]]]]:
    """Each workflow with its version, the agents of its steps, and the tools it calls with theirs."""
    rows = Channel.objects.filter(name="production").order_by("workflow")
    return [
        (f"{workflow} {version}", set(agents), _called(steps, agents, tools))
        for workflow, version, steps, agents, tools in rows.values_list("workflow", "release__version", *_NAMING)
    ]


# All of a bundle but its code, which may be megabytes.
_NAMING = ("release__bundle__spec__steps", "release__bundle__agents", "release__bundle__tools")


def _called(steps: list[dict[str, Any]], agents: dict[str, Any], tools: dict[str, Any]) -> list[tuple[str, str]]:
    """The tools that its steps and agents name, with their versions. What `*` lets an agent call it may never call."""
    named = {step.get("tool") for step in steps} | {
        name for agent in agents.values() for name in agent["allowed_tools"]
    }
    return sorted((name, tool["version"]) for name, tool in tools.items() if name in named)


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
