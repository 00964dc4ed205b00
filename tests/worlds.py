"""Worlds built by the system's own verbs: people, units, tools, agents, workflows published from text written in the test."""

import json
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from django.contrib.auth import get_user_model

from approvals.models import ApprovalRequest
from audit.actors import Actor, person, system
from audit.definitions import activate, draft
from budgets.models import BusinessUnit
from budgets.permissions import grant
from orchestrator.engine.claims import claim_due
from orchestrator.engine.workers.crew import begin_or_give_back, run_to_its_end
from orchestrator.gate.propose import propose
from orchestrator.models import Execution
from orchestrator.operations import executions
from orchestrator.operations.registry import import_agents, import_tools
from orchestrator.releases.folders import install
from tests import kept

SETUP = system("test")
NUMBERS = count(1)
AMOUNT = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer"}}}
TOOLS = [
    {"name": "pay", "version": "1", "effect": "write", "tier": "customer_facing", "input_schema": AMOUNT,
     "title": "Pay {amount}", "idempotency_class": "A", "entry": "handlers:pay"},
    {"name": "wire", "version": "1", "effect": "irreversible", "tier": "financial", "input_schema": AMOUNT,
     "title": "Wire {amount}", "idempotency_class": "C", "entry": "handlers:pay"},
    {"name": "look", "version": "1", "effect": "read", "tier": "informational", "entry": "handlers:look"},
]  # fmt: skip
AGENTS = [{"name": "clerk", "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": "handlers:work",
           "input_schema": AMOUNT}]  # fmt: skip
HANDLERS = """
def pay(arguments, context):
    return {"paid": arguments["amount"]}


def look(arguments, context):
    return {}
"""
PAY_WORKFLOW = """
workflow: paying
version: 1.0.0
input: {type: object, required: [amount], properties: {amount: {type: integer}}}
steps:
  - pay: {tool: pay}
"""


@dataclass
class World:
    """ada asks, grace and linus sign, olga owns the agent, eve has no role."""

    unit: BusinessUnit
    ada: Actor
    grace: Actor
    linus: Actor
    olga: Actor
    eve: Actor


def world() -> World:
    return kept.once("world", _world)


def _world() -> World:
    unit = BusinessUnit(name="finance", title="Finance")
    draft(unit, by=SETUP)
    activate(unit, by=SETUP)
    roles = {"ada": ("view", "operate"), "grace": ("view", "review"), "linus": ("view", "review"),
             "olga": ("view", "review"), "eve": ()}  # fmt: skip
    people = {name: _person(name, roles[name], unit) for name in roles}
    import_tools(TOOLS, by=SETUP, file="tools")
    import_agents(AGENTS, by=SETUP, file="agents")
    return World(unit=unit, **people)


def _person(name: str, permissions: tuple, unit: BusinessUnit) -> Actor:
    return kept.once(("actor", name, permissions, unit.pk), lambda: _by_verbs(name, permissions, unit))


def _by_verbs(name: str, permissions: tuple, unit: BusinessUnit) -> Actor:
    user = get_user_model().objects.create_user(name, password="a long enough password")
    for permission in permissions:
        grant(user, permission, unit)
    return person(user.pk, name)


def request(world: World, *, tool: str = "pay") -> ApprovalRequest:
    """A held action of a foreign agent, waiting for its signatures."""
    action = propose(tool=tool, arguments={"amount": next(NUMBERS)}, agent="clerk", unit_id=world.unit.pk, by=SETUP)
    return ApprovalRequest.objects.get(subject_id=action.pk)


def publish(folder: Path, workflow: str, handlers: str, **definitions: object) -> None:
    """Publish a workflow folder written on the spot."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "workflow.yaml").write_text(workflow)
    (folder / "handlers.py").write_text(handlers)
    for name, value in definitions.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    files = [(path.relative_to(folder), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]
    kept.once(("published", *files, kept.standing()), lambda: install(folder, by=SETUP) and None, anew=True)


def start(world: World, workflow: str, **input: object) -> Execution:
    return executions.start(workflow=workflow, input=input, unit=world.unit.name, by=world.ada)


def run(fence) -> None:
    """What a worker does with a claim, in this thread."""
    for segment in begin_or_give_back([fence]):
        run_to_its_end(segment)


def work(limit: int = 1000) -> int:
    """Run everything that is due, here and now, as a worker would."""
    for done in range(limit):
        claims = claim_due(limit=1, worker="test")
        if not claims:
            return done
        run(claims[0].fence)
    raise AssertionError(f"still busy after {limit} segments")


def held_execution(world: World) -> tuple[Execution, ApprovalRequest]:
    """An execution whose one step waits for a signature. `paying` must be published."""
    execution = start(world, "paying", amount=next(NUMBERS))
    work()
    return execution, ApprovalRequest.objects.get(execution_id=execution.pk)


def wait_until(condition, *, seconds: float = 5.0) -> None:
    """Wait for the outside to catch up; the condition is asked again and again, and what is waited for has the machine."""
    deadline = time.monotonic() + seconds
    asked = time.monotonic()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(min(max(0.005, 10 * (time.monotonic() - asked)), 0.25))
        asked = time.monotonic()
