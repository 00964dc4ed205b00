"""What runs while things break: small worlds in which every effect is known beforehand.

A scenario is played by one process in the way the site plays it, duty by duty: an API client repeats its commands, workers
claim and run, people sign, the sweep heals, notices go out. All of it may be interrupted anywhere and begun again.
"""

from dataclasses import dataclass
from pathlib import Path

from approvals.models import WebhookEndpoint
from approvals.notifying import webhooks
from tests import worlds as make
from tests.engine import provider

NAMED = {"type": "object", "properties": {"name": {"type": "string"}, "fails": {"type": "boolean"}}}
REFS = {"type": "object", "required": ["tool", "refs"], "properties": {
    "tool": {"type": "string"}, "refs": {"type": "array", "items": {"type": "string"}}}}  # fmt: skip
REF_INPUT = "input: {type: object, required: [ref], properties: {ref: {type: string}}}\n"
MOST_ATTEMPTS = 30
RETRY = f"retry: {{max_attempts: {MOST_ATTEMPTS}, backoff: 1s}}"
AGENTS = [
    {"name": "doer", "owner": "olga", "unit": "finance", "allowed_tools": [], "entry": "handlers:do", "input_schema": NAMED},
    {"name": "sender", "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": "handlers:work",
     "input_schema": REFS},
]  # fmt: skip
HANDLERS = (
    provider.HANDLERS
    + """

def do(input, context):
    import time
    if input["name"] == "slow":
        time.sleep(0.4)
    if input["name"] == "costly":
        context.usage(model="m-1", input_tokens=3, output_tokens=1, cost="0.01", currency="EUR")
    return {input["name"]: True}
"""
)


def _do(key: str, *more: str) -> str:
    return f"  - {key}: {{{', '.join(['agent: doer', f'with: {{name: {key}}}', RETRY, *more])}}}\n"


def _send(kind: str, *more: str) -> str:
    return f"  - send: {{{', '.join([f'tool: {kind}', RETRY, *more])}}}\n"


@dataclass(frozen=True)
class Scenario:
    """One workflow and what is done with it. `kind` is the first letter of its references: how the other side behaves."""

    name: str
    steps: str = ""
    head: str = REF_INPUT
    kind: str = "A"
    deeds: tuple[str, ...] = ()
    # How many different calls of tools one execution makes.
    sends: int = 1
    # Is there a budget for its workflow, which reserves before each step?
    budgeted: bool = False
    executions: int = 1
    then: tuple[str, ...] = ()
    ends: tuple[str, ...] = ("succeeded",)
    foreign: bool = False
    # A reviewer changes the arguments while another is reading them: the effect is of the changed ones.
    edited: bool = False
    lease_seconds: float = 15

    @property
    def workflow(self) -> str:
        return f"workflow: {self.name}\nversion: 1.0.0\n{self.head}steps:\n{self.steps}"


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("three_steps", _do("one") + _do("two") + _do("three"), sends=0),
        Scenario("costly", _do("costly") + _do("two"), sends=0),
        Scenario("budgeted", _do("costly") + _do("two") + _send("send_a"), budgeted=True),
        Scenario("class_a", _send("send_a") + _do("after")),
        Scenario("class_a_no_answer", _send("send_a"), deeds=("drop",)),
        Scenario("class_b", _send("send_b") + _do("after"), kind="B"),
        Scenario("class_b_no_answer", _send("send_b"), kind="B", deeds=("vanish",)),
        Scenario("class_b_late", _send("send_b"), kind="B", deeds=("late",)),
        Scenario("class_c", _send("send_c"), kind="C"),
        Scenario("class_c_no_answer", _send("send_c"), kind="C", deeds=("drop",)),
        Scenario("branches", _do("left") + _do("right", "needs: []") + _do("both", "needs: [left, right]"), sends=0),
        Scenario("retries", _do("before") + _send("send_a"), deeds=("down", "down")),
        Scenario("signed", _send("unsafe") + _do("after")),
        Scenario("signed_twice", _send("unsafe"), executions=2),
        Scenario("edited", _send("unsafe"), edited=True),
        Scenario("asked", _do("before") + "  - ask: {human_if: [\"true\"]}\n" + _send("send_a", "needs: [ask]")),
        Scenario(
            "calls",
            "  - work: {agent: sender, with: {tool: send_a, refs: [\"${ref}\", \"${ref}\"]}, " + RETRY + "}\n",
            sends=2,
        ),
        Scenario("cancelled", _send("unsafe"), then=("cancel",), ends=("cancelled", "succeeded")),
        Scenario("stopped", _send("send_a") + _do("after"), then=("stop", "work", "lift")),
        Scenario("handed_back", _do("one"), sends=0, executions=3, then=("hand_back",)),
        Scenario("crew", _do("slow") + _do("two"), sends=0, executions=3, then=("crew",), lease_seconds=0.6),
        Scenario("foreign", foreign=True),
    )
}  # fmt: skip


def publish_all(folder: Path) -> None:
    """Every scenario's workflow, published as anybody's would be."""
    for scenario in SCENARIOS.values():
        if scenario.steps:
            make.publish(
                folder / scenario.name, scenario.workflow, HANDLERS,
                tools=provider.TOOLS, agents=AGENTS, release=provider.RELEASE,
            )  # fmt: skip


def listen(url: str) -> None:
    """One receiver of webhooks, for every notice there is."""
    WebhookEndpoint.objects.create(name="ledger", url=f"{url}/hooks", salt=webhooks.new_salt())
