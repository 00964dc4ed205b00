"""Reading recorded customer-service runs: what the agent called, what came back, and what its model calls cost.

The format is that of tau2-bench: `<domain>_simulations.jsonl` with one run per line, `tools.json`, and our own
`<domain>_write_call_labels.jsonl` with the right answer for every call that writes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

DOMAINS = ("retail", "airline")
AGENT = "customer_service_gpt41"
MODEL = "gpt-4.1"


@dataclass(frozen=True)
class ModelCall:
    """One answer of the model, with what it used. `cost` is as recorded: cached tokens are already in it."""

    turn: int
    input_tokens: int
    output_tokens: int
    cost: Decimal


@dataclass(frozen=True)
class ToolCall:
    """One recorded tool call and the tool's recorded answer."""

    id: str
    turn: int
    tool: str
    arguments: dict[str, Any]
    answer: str
    failed: bool
    customer_said: str


@dataclass(frozen=True)
class Run:
    """One conversation. `moments` are its model and tool calls in the order they happened."""

    id: str
    domain: str
    moments: tuple[ModelCall | ToolCall, ...]


@dataclass(frozen=True)
class Label:
    """What is known of one call that writes: is it what the case called for, and did the shop's own system refuse it?"""

    correct: bool
    right_tool: bool
    refused_by_tool: bool

    @property
    def harmful(self) -> bool:
        """It went through and was wrong: exactly what a human gate is there to stop."""
        return not self.correct and not self.refused_by_tool


def runs(data: Path) -> list[Run]:
    """Every run of both domains."""
    return [_run(json.loads(line), domain) for domain in DOMAINS for line in _lines(data, domain, "simulations")]


def labels(data: Path) -> dict[tuple[str, str], Label]:
    """(run, call) -> the right answer."""
    found = {}
    for domain in DOMAINS:
        for line in _lines(data, domain, "write_call_labels"):
            row = json.loads(line)
            label = Label(
                correct=row["exact_match_gold"],
                right_tool=row["same_tool_in_gold"],
                refused_by_tool=row["tool_returned_error"],
            )
            found[row["simulation_id"], row["tool_call_id"]] = label
    return found


def tools(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(domain, the tool as its authors describe it)."""
    for domain, items in json.loads((data / "tools.json").read_text()).items():
        for item in items:
            yield domain, item


def _lines(data: Path, domain: str, what: str) -> list[str]:
    return [line for line in (data / f"{domain}_{what}.jsonl").read_text().splitlines() if line.strip()]


def _run(row: dict[str, Any], domain: str) -> Run:
    answers = {message["id"]: message for message in row["messages"] if message["role"] == "tool"}
    moments: list[ModelCall | ToolCall] = []
    said = ""
    for message in row["messages"]:
        if message["role"] == "user":
            said = message["content"] or said
        elif message["role"] == "assistant":
            moments += _model_call(message)
            moments += [_tool_call(call, message, answers, domain, said) for call in message["tool_calls"] or []]
    return Run(row["id"], domain, tuple(moments))


def _model_call(message: dict[str, Any]) -> list[ModelCall]:
    used = message["usage"]
    if not used:
        return []  # the greeting every run begins with is a constant, no model wrote it
    cost = Decimal(repr(message["cost"])).quantize(Decimal("1e-10"))
    return [ModelCall(message["turn_idx"], used["prompt_tokens"], used["completion_tokens"], cost)]


def _tool_call(
    call: dict[str, Any], message: dict[str, Any], answers: dict[str, dict[str, Any]], domain: str, said: str
) -> ToolCall:
    answer = answers[call["id"]]
    return ToolCall(
        id=call["id"],
        turn=message["turn_idx"],
        tool=f"{domain}.{call['name']}",
        arguments=call["arguments"],
        answer=answer["content"] or "",
        failed=answer["error"],
        customer_said=said,
    )
