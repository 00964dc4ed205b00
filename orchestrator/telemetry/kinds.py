"""What kind of part a foreign span is, and what a model call used, by the names of either convention. Pure."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from budgets.pricing import Usage
from orchestrator.telemetry import names

MODEL, TOOL, AGENT, RETRIEVAL, OTHER = "model", "tool", "agent", "retrieval", "span"
BY_OPERATION = {
    **dict.fromkeys(("chat", "text_completion", "generate_content", "embeddings"), MODEL),
    **dict.fromkeys(("invoke_agent", "create_agent"), AGENT),
    "execute_tool": TOOL,
    "invoke_workflow": "workflow",
    "retrieval": RETRIEVAL,
}
BY_OPENINFERENCE = {
    **dict.fromkeys(("LLM", "EMBEDDING"), MODEL),
    **dict.fromkeys(("RETRIEVER", "RERANKER"), RETRIEVAL),
    "TOOL": TOOL,
    "AGENT": AGENT,
    "CHAIN": "chain",
    "GUARDRAIL": "guardrail",
    "EVALUATOR": "evaluation",
}
# The price catalogue's own names of providers, where the convention has another.
PROVIDERS = {
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}
MOST_TOKENS = 10**12
MOST_COST = Decimal(10**6)


def kind_of(attributes: Mapping[str, Any]) -> str:
    """GenAI names first, then OpenInference; who says neither, but names a model, called one."""
    found = BY_OPERATION.get(_text(attributes, names.GEN_AI_OPERATION))
    found = found or BY_OPENINFERENCE.get(_text(attributes, names.OPENINFERENCE_KIND).upper())
    if found is None and _text(attributes, names.GEN_AI_TOOL_NAME):
        found = TOOL
    if found is None and _text(attributes, names.GEN_AI_REQUEST_MODEL):
        found = MODEL
    return found or OTHER


def usage_of(attributes: Mapping[str, Any]) -> Usage:
    """What one model call used. Parts that are more than their whole were counted otherwise: they are unknown."""
    given = _count(attributes, names.GEN_AI_INPUT_TOKENS, names.GEN_AI_PROMPT_TOKENS, names.LLM_INPUT_TOKENS) or 0
    made = _count(attributes, names.GEN_AI_OUTPUT_TOKENS, names.GEN_AI_COMPLETION_TOKENS, names.LLM_OUTPUT_TOKENS) or 0
    read = _count(attributes, names.GEN_AI_CACHE_READ, names.LLM_CACHE_READ)
    written = _count(attributes, names.GEN_AI_CACHE_WRITE, names.LLM_CACHE_WRITE)
    thought = _count(attributes, names.GEN_AI_REASONING, names.LLM_REASONING)
    if (read or 0) + (written or 0) > given:
        read = written = None
    cost = _cost(attributes.get(names.LLM_COST))
    provider = _text(attributes, names.GEN_AI_PROVIDER, names.GEN_AI_SYSTEM, names.LLM_PROVIDER)
    return Usage(
        cost=cost,
        currency="USD" if cost is not None else "",  # OpenInference counts costs in nothing else
        input_tokens=given,
        output_tokens=made,
        cached_input_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=thought if thought is None or thought <= made else None,
        model=_text(attributes, names.GEN_AI_RESPONSE_MODEL, names.GEN_AI_REQUEST_MODEL, names.LLM_MODEL),
        provider=PROVIDERS.get(provider, provider),
    )


def _text(attributes: Mapping[str, Any], *wanted: str) -> str:
    found = (attributes.get(name) for name in wanted)
    return next((value[:200] for value in found if isinstance(value, str) and value), "")


def _count(attributes: Mapping[str, Any], *wanted: str) -> int | None:
    for value in map(attributes.get, wanted):
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
            return int(value)
    return None


def _cost(value: Any) -> Decimal | None:
    try:
        cost = Decimal(str(value))
    except InvalidOperation:
        return None
    return cost if cost.is_finite() and 0 <= cost <= MOST_COST else None
