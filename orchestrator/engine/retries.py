"""Where a retry is decided: the only place. Pure; the dice are an argument, and time is added by the database."""

from dataclasses import dataclass, field
from typing import Any

from orchestrator.workflows.retry_fields import RETRIABLE
from orchestrator.workflows.spec import RetrySpec


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as a value. `failure_class` decides; the rest is evidence for people."""

    failure_class: str
    message: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def is_business(self) -> bool:
        return self.failure_class in {"business", "policy"}


@dataclass(frozen=True, slots=True)
class RetryAfter:
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    why: str


def decide(*, policy: RetrySpec, tries: int, failure: Failure, jitter: float) -> RetryAfter | GiveUp:
    """`tries` counts claims so far, crashes included, because a claim is counted when it is made. `jitter` is 0..1."""
    if failure.failure_class not in RETRIABLE:
        return GiveUp(f"{failure.failure_class.replace('_', ' ')} failures are not retried")
    rule = policy.for_class(failure.failure_class)
    if tries >= rule.max_attempts:
        return GiveUp(
            "its only attempt is used" if rule.max_attempts == 1 else f"all {rule.max_attempts} attempts used"
        )
    delay = min(rule.base_seconds * rule.factor ** (tries - 1), rule.ceiling_seconds)
    return RetryAfter(delay * (1 + 0.25 * jitter), f"attempt {tries} of {rule.max_attempts} failed")
