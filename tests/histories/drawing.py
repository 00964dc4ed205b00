"""Which history a seed stands for: a small workflow, and what people and the world do between the engine's duties."""

import random
from dataclasses import dataclass, replace

from tests.histories.acts import ACTS

# Tools by what they promise; the first letter of a reference says how the other side behaves: A honours keys, B and C do not.
FREE = [("send_a", "A"), ("send_b", "B"), ("send_c", "C"), ("back_a", "A"), ("fetch", "A")]
SIGNED = [("sign_a", "A"), ("sign_b", "B"), ("sign_c", "C"), ("unsafe", "A"), ("dual_b", "B")]


@dataclass(frozen=True)
class History:
    """`acts` are names with a number, which chooses among what there is to act on, and where a worker dies or is held up."""

    head: tuple[str, ...]
    steps: tuple[str, ...]
    acts: tuple[tuple[str, int], ...]
    envelope: tuple[tuple[str, int], ...] = ()
    # Whether every page about it is asked for in the end, which takes longer than all the rest.
    is_shown: bool = False

    @property
    def workflow(self) -> str:
        lines = ["workflow: drawn", "version: 1.0.0", *self.head, "steps:", *(f"  - {step}" for step in self.steps)]
        return "\n".join(lines) + "\n"


def history_of(seed: str) -> History:
    dice = random.Random(seed)
    steps: list[str] = []
    for number in range(dice.choice((1, 1, 2, 2, 3))):
        steps += _step(dice, f"s{number}", [f"s{n}" for n in range(number)])
    # Half of what can happen does not in this history, so that the rest of it happens often.
    names = ["work", *(name for name in ACTS if dice.random() < 0.5)]
    weights = [ACTS[name] for name in names]
    acts = [(dice.choices(names, weights)[0], dice.randrange(60)) for _ in range(dice.choice((15, 30, 45)))]
    return History(_head(dice), tuple(steps), tuple(acts), _envelope(dice), is_shown=dice.random() < 0.04)


def _head(dice: random.Random) -> tuple[str, ...]:
    lines = ["deadline: 1h", "max_cost: '0.60'", "max_tokens: 100", "max_steps: 3"]
    return tuple(line for line in lines if dice.random() < 0.12)


def _envelope(dice: random.Random) -> tuple[tuple[str, int], ...]:
    return (("tool_budget", dice.choice((0, 1, 2, 3))),) if dice.random() < 0.12 else ()


def _step(dice: random.Random, key: str, earlier: list[str]) -> list[str]:
    kind = dice.choices(("tool", "agent", "people"), (5, 5, 1))[0]
    needs = [one for one in earlier if dice.random() < 0.5] if dice.random() < 0.5 else None
    more = [] if needs is None else [f"needs: [{', '.join(needs)}]"]
    if dice.random() < 0.15:
        more.append("when: " + dice.choice(("flag", "'!flag'", "input.absent == 1")))
    if kind == "people":
        return [
            _line(
                key,
                [
                    f"human_if: ['{dice.choice(('flag', 'true', 'input.absent > 1'))}']",
                    f"required: {dice.choice((1, 2))}",
                    *more,
                ],
            )
        ]
    retry = f"retry: {{max_attempts: {dice.choice((1, 1, 2, 3))}, backoff: 1s}}"
    end = dice.choices(("fail", "route_to_human", "fallback"), (6, 3, 3))[0]
    stands_in: list[str] = []
    if end == "route_to_human":
        more.append("on_error: route_to_human")
    elif end == "fallback":
        more.append(f"on_error: {key}f")
        stands_in = [
            _line(f"{key}f", ["agent: standard", "offline: true"] if dice.random() < 0.4 else _tool(dice, f"{key}f"))
        ]
    body = _tool(dice, key) if kind == "tool" else _agent(dice, key)
    return [_line(key, [*body, retry, *more]), *stands_in]


def _tool(dice: random.Random, key: str) -> list[str]:
    tool, kind = dice.choice(FREE if dice.random() < 0.6 else SIGNED)
    parts = [f"tool: {tool}", f"ref: {kind}-{key}"]
    if dice.random() < 0.15:
        parts.append("reconcile_before_retry: false")
    if dice.random() < 0.15 and tool != "fetch":
        parts.append("idempotency_key: \"'K1'\"" if dice.random() < 0.5 else f"idempotency_key: \"'K-{key}'\"")
    if dice.random() < 0.1:
        parts.append("non_empty: [ref]")
    return parts


def _agent(dice: random.Random, key: str) -> list[str]:
    calls = []
    for number in range(dice.choice((0, 1, 2, 3))):
        tool, kind = dice.choice(FREE if dice.random() < 0.65 else SIGNED)
        calls.append(f"[{tool}, {kind}-{key}-{number}]")
    given = [f"calls: [{', '.join(calls)}]"]
    if dice.random() < 0.5:
        given.append("then: " + dice.choice(("falls", "falls_once", "says_no", "looks", "dies_once")))
    if dice.random() < 0.3:
        given.append("catches: true")
    if dice.random() < 0.4:
        given.append("costs: '0.25'")
    parts = ["agent: clerk", f"with: {{{', '.join(given)}}}"]
    if dice.random() < 0.1:
        parts.append("max_cost: '0.20'")
    return parts


def _line(key: str, parts: list[str]) -> str:
    return f"{key}: {{{', '.join(parts)}}}"


def smaller(history: History) -> list[History]:
    """Every history that is one thing shorter or simpler, the largest cuts first."""
    found, acts = [], history.acts
    size = len(acts) // 2
    while size:
        found += [replace(history, acts=acts[:at] + acts[at + size :]) for at in range(0, len(acts), size)]
        size //= 2
    for name in ("steps", "head", "envelope"):
        rows = getattr(history, name)
        found += [replace(history, **{name: rows[:at] + rows[at + 1 :]}) for at in range(len(rows))]
    found += [
        replace(history, acts=(*acts[:at], (name, 0), *acts[at + 1 :]))
        for at, (name, number) in enumerate(acts)
        if number
    ]
    return [one for one in found if one.steps]
