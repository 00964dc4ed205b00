"""What a run told of its model calls, as lines that can be charged."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from budgets.pricing import Usage
from orchestrator.engine.released import Released
from orchestrator.runner.jobs import Used


def usages_of(told: Iterable[Used], released: Released) -> list[Usage]:
    """What the handler said it used, call by call. Which version of a prompt that was, the release says, not the handler."""
    return [
        Usage(
            cost=None if used.cost is None else Decimal(used.cost),
            currency=used.currency,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cached_input_tokens=used.cached_input_tokens,
            cache_write_tokens=used.cache_write_tokens,
            reasoning_tokens=used.reasoning_tokens,
            model=used.model,
            provider=used.provider,
            is_batch=used.is_batch,
            call=_with_version(used.call, released),
        )
        for used in told
    ]


def _with_version(call: Mapping[str, Any], released: Released) -> dict[str, Any]:
    version = released.digest_of(call["prompt"]) if call.get("prompt") else ""
    return {**call, "prompt_digest": version} if version else dict(call)
