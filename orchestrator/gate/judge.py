"""What the contracts, schemas and policies in force say of a call: let it pass, hold it for people, or deny it. Reads only."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from approvals.models import ApprovalPolicy, Bypass
from approvals.rules import bypasses
from approvals.rules.policies import TIERS, Requirement
from budgets.models import BusinessUnit
from budgets.units import lineage
from orchestrator.gate.contracts import problems_with
from orchestrator.gate.envelope import asked_for
from orchestrator.models import Action, Agent, Denial, Execution, Tool

STRICTEST_TIER = "financial"
# A tool step of a published workflow is proposed by the workflow itself: its release says which tools it calls.
WORKFLOW = "workflow:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdict before anything is stored."""

    tool: Tool | None
    agent: Agent | None
    requirement: Requirement
    denials: tuple[tuple[Denial, str], ...]
    bypass: Bypass | None = None

    @property
    def verdict(self) -> str:
        if self.denials or self.requirement.denied:
            return "deny"
        return "hold" if self.requirement.required else "allow"

    @property
    def denial(self) -> str:
        """What kind of no it is: the contracts' first one, before the policies'."""
        if self.denials:
            return self.denials[0][0]
        return Denial.POLICY if self.requirement.denied else ""

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.denials] or list(self.requirement.reasons)

    def known_tool(self) -> Tool:
        """The tool of a verdict other than deny: it is registered then."""
        if self.tool is None:
            raise LookupError("a denied action may have no tool to speak of")
        return self.tool

    @property
    def needs_record(self) -> bool:
        """Held, and the tool can re-read what it is about to change: the approval is bound to that, too."""
        return self.verdict == "hold" and bool(self.tool and self.tool.record)


def judge(
    *,
    tool: str,
    arguments: dict[str, Any],
    agent: str,
    unit_id: UUID,
    facts: dict[str, Any] | None = None,
    unit: dict[str, Any] | None = None,
) -> Judged:
    """The verdict now; `unit` are its facts, where they are known."""
    found_tool = Tool.objects.active().filter(name=tool).first()
    units = lineage(unit_id)
    # An agent of another unit is answered like one that does not exist.
    found_agent = Agent.objects.active().select_related("owner").filter(name=agent, unit_id__in=units).first()
    known = facts_about(found_tool, found_agent, arguments, unit or unit_facts(unit_id), facts or {})
    bypass = bypasses.for_call(tool=tool, agent=agent, unit_ids=units)
    requirement, bypass = bypasses.match(
        tier=found_tool.tier if found_tool else STRICTEST_TIER,
        facts=known,
        policies=ApprovalPolicy.objects.for_action(tool=tool, unit_ids=units),
        bypass=bypass,
    )
    denials = tuple(_denials((tool, agent), found_tool, found_agent, arguments))
    requirement = asked_for(requirement, known)
    return Judged(tool=found_tool, agent=found_agent, requirement=requirement, denials=denials, bypass=bypass)


def judge_again(action: Action, arguments: dict[str, Any]) -> Judged:
    """The same of a call that was proposed before, perhaps with other arguments by now."""
    facts = None
    if action.step_id and action.execution_id:
        facts = facts_of(Execution.objects.get(pk=action.execution_id), action.context.get("step", ""))
    return judge(tool=action.tool, arguments=arguments, agent=action.agent, unit_id=action.unit_id, facts=facts)


def facts_of(execution: Execution, step_key: str) -> dict[str, Any]:
    """What policies may ask about a call of one of our own steps."""
    about = {"workflow": execution.workflow, "business_key": execution.business_key, "step": step_key}
    return {"execution": about, "envelope": execution.envelope}


def unit_facts(unit_id: UUID) -> dict[str, Any]:
    unit: Any = BusinessUnit.objects.filter(pk=unit_id).values("name", "title", "currency").first()
    return unit or {}


def facts_about(
    tool: Tool | None, agent: Agent | None, arguments: dict[str, Any], unit: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    """Everything a policy's condition may name (approvals.vocabulary lists the same)."""
    return {
        "args": arguments,
        "tool": {"name": tool.name, "version": tool.version, "effect": tool.effect, "tier": tool.tier} if tool else {},
        "agent": {"name": agent.name, "version": agent.version, "owner": agent.owner.username} if agent else {},
        "unit": unit,
        "execution": {},
        "envelope": {},
        **more,
    }


def _denials(
    names: tuple[str, str], tool: Tool | None, agent: Agent | None, arguments: dict[str, Any]
) -> list[tuple[Denial, str]]:
    """Every reason the contracts give against the call; `names` are the tool and agent as the caller spelt them."""
    if tool is None:
        return [(Denial.TOOL, f"No active tool is registered as “{names[0]}”. An administrator can register it.")]
    if agent is None and not names[1].startswith(WORKFLOW):
        # Told in the same words whether it is nobody or somebody elsewhere.
        elsewhere = Agent.objects.active().filter(name=names[1]).exists()
        words = (
            f"No active agent of this business unit is registered as “{names[1]}”. An administrator can register it."
        )
        return [(Denial.BOUNDARY if elsewhere else Denial.TOOL, words)]
    denials = []
    if agent is not None and not agent.may_call(tool.name):
        denials.append((Denial.TOOL, f"The agent “{agent.name}” is not allowed to call “{tool.name}”."))
    for where, rule in problems_with(arguments, tool.input_schema):
        denials.append((Denial.ARGUMENTS, f"Arguments do not fit the tool's schema at {where}: {rule}"))
    return denials


def tier_of(required: int, floor: str) -> str:
    """A policy that asks for people raises the tool's own tier to that many; nothing lowers it."""
    wanted = min(max(required, TIERS[floor]), max(TIERS.values()))
    return next(tier for tier, people in TIERS.items() if people == wanted)
