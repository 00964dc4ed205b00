"""A small catalogue, and short ways to write workflows, for the tests of the parser."""

from typing import Any

import pytest

from orchestrator.workflows.catalogue import AgentContract, Catalogue, ToolContract
from orchestrator.workflows.parse import WorkflowErrors, parse
from orchestrator.workflows.spec import WorkflowSpec

TEXT, NUMBER, LIST = {"type": "string"}, {"type": "number"}, {"type": "array"}

# The text of the README, character by character.
SUPPORT_CASE = """\
workflow: support_case_resolution
version: 1.3.2
trigger: crm.case_created
steps:
  - triage: {agent: intake_classifier, on_error: route_to_human}
  - retrieve: {tool: kb_search, corpus: policy_corpus_2026_02, max_results: 5}
  - draft: {agent: response_writer, token_budget: 4000}
  - validate: {agent: policy_checker, min_score: 0.92}
  - approve:
      human_if: [refund_amount > 500, confidence < 0.85]
  - commit: {tool: crm.update_case, idempotency_key: case_id, reconcile_before_retry: true}
"""


def shape(*required: str, **properties: Any) -> dict[str, Any]:
    """A JSON Schema of an object."""
    return {"type": "object", "required": list(required), "properties": properties}


def closed(*required: str, **properties: Any) -> dict[str, Any]:
    return {**shape(*required, **properties), "additionalProperties": False}


TOOLS = (
    ToolContract(
        "kb_search",
        input_schema=closed(
            "query", "corpus", query=TEXT, corpus=TEXT, max_results={"type": "integer", "maximum": 20}, tags=LIST
        ),
        output_schema=shape("articles", articles={"type": "array", "minItems": 1}),
        effect="read",
    ),
    ToolContract(
        "crm.update_case",
        input_schema=shape("case_id", case_id=TEXT, refund_amount=NUMBER, timeout=NUMBER, note=TEXT),
        output_schema=shape("case_id", "update", case_id=TEXT, update=TEXT),
    ),
    ToolContract("crm.revert_case", input_schema=shape("case_id", case_id=TEXT)),
)
AGENTS = (
    AgentContract(
        "intake_classifier",
        input_schema=shape("case_id", case_id=TEXT, message=TEXT),
        output_schema=shape(
            "confidence",
            "query",
            confidence=NUMBER,
            query=TEXT,
            urgent={"type": "boolean"},
            customer=closed(tier=TEXT, country=TEXT),
        ),
    ),
    AgentContract(
        "response_writer",
        input_schema=shape(articles=LIST, tone=TEXT),
        output_schema=shape("reply", "refund_amount", reply=TEXT, refund_amount=NUMBER),
        allowed_tools=("kb_search",),
    ),
    AgentContract("policy_checker", output_schema=shape("score", score=NUMBER)),
    # Says neither what it takes nor what it gives.
    AgentContract("freelancer"),
)
CATALOGUE = Catalogue(tools={tool.name: tool for tool in TOOLS}, agents={agent.name: agent for agent in AGENTS})

HEAD = "workflow: w\nversion: 1.0\n"
INPUT = "input: {type: object, properties: {case_id: {type: string}, amount: {type: number}}}\n"


def read(text: str) -> WorkflowSpec:
    return parse(text, file="w.yaml", catalogue=CATALOGUE)


def steps(*lines: str, head: str = HEAD) -> str:
    """A file with these steps, one per line."""
    return head + "steps:\n" + "".join(f"  - {line}\n" for line in lines)


def workflow(*lines: str, head: str = HEAD) -> WorkflowSpec:
    return read(steps(*lines, head=head))


def errors(text: str) -> list[str]:
    """What is wrong with a text, as people read it."""
    with pytest.raises(WorkflowErrors) as caught:
        read(text)
    return [str(error) for error in caught.value.errors]
