"""What may be done about a send that nobody answered for: decided by the class of the tool it was sent to, and of the one
in force now. Pure: rows in, an answer out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from approvals.rules.policies import TIERS
from audit.definitions import DefinitionStatus
from orchestrator.models import Action, Tool
from orchestrator.models.definition import IdempotencyClass

A, B, C = IdempotencyClass.HONOURS_KEY, IdempotencyClass.CAN_BE_LOOKED_UP, IdempotencyClass.NEITHER
PEOPLE_FOR_A_DUAL_TIER = TIERS["financial"]

# How often the outside world's books are asked before a person is, and how long between: 30 s, 2 min, 8 min, 32 min.
LOOKS = 5
FIRST_PAUSE_SECONDS, PAUSE_GROWS, LONGEST_PAUSE_SECONDS = 30, 4, 3600
# Whoever has to say what happened is reminded as often as this, unless they said when themselves.
REMIND_AFTER_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Doubt:
    """The class an unanswered send is treated by, and why in words."""

    letter: str
    why: str

    @property
    def honours_key(self) -> bool:
        return self.letter == A


def doubt_of(action: Action, versions: Iterable[Tool]) -> Doubt:
    """`versions` are all versions of the action's tool. The stricter class wins: what is not known to hold, does not."""
    versions = [tool for tool in versions if tool.name == action.tool]
    sent = next((tool for tool in versions if tool.version == action.tool_version), None)
    now = next((tool for tool in versions if tool.status == DefinitionStatus.ACTIVE), None)
    if sent is None:
        return Doubt(C, f"{action.tool} {action.tool_version} is not registered any more, so nothing is known of it")
    if now is not None and now.version == sent.version:
        return Doubt(sent.idempotency_class, f"{action.tool} {sent.version} is class {sent.idempotency_class}")
    replaced = f"replaced by {now.version} (class {now.idempotency_class})" if now else "no longer active"
    letter = max(B, sent.idempotency_class, now.idempotency_class if now else B)
    return Doubt(
        letter,
        f"it was sent to {action.tool} {sent.version} (class {sent.idempotency_class}), which is {replaced} since: "
        "the stricter rule holds, and nobody relies on the key any more",
    )


def pause_seconds(looks: int) -> int:
    """How long to wait after this many looks that found nothing."""
    return int(min(FIRST_PAUSE_SECONDS * PAUSE_GROWS ** (looks - 1), LONGEST_PAUSE_SECONDS))


def needs_two(action: Action, versions: Iterable[Tool]) -> bool:
    """Whether saying “it did not happen” takes two people: what two had to sign once, one does not send again."""
    tiers = [
        TIERS[tool.tier] for tool in versions if tool.name == action.tool and tool.status == DefinitionStatus.ACTIVE
    ]
    return max([action.required, TIERS.get(action.tier, 0), *tiers]) >= PEOPLE_FOR_A_DUAL_TIER


def versions_of(names: Iterable[str]) -> list[Tool]:
    """Every version of these tools; one query."""
    return list(Tool.objects.filter(name__in=set(names)))
