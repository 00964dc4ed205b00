"""Why a workflow costs more or less than before, as parts that add up to the change exactly. Pure: no database, no words.

With `growth` as how many times as often it ran, each part is what would have been different, had only this changed:

    volume       it ran more often:                    (growth - 1) * all that it cost before
    tokens       an execution used more tokens:        (tokens - growth * tokens before) * price before
    mix          other models did the work:            the same tokens, by other models at the prices of before
    kinds        less came from a cache, more was out: a model's kinds of tokens of now, at its rates of before
    rates        a token of the same kind cost more:   cost - kinds of now at the rates of before
    price        both, where no rate is on record:     what is left of the models' change
    tools        an execution's tool calls cost more:  tools - growth * tools before
    review       people spent more on an execution:    review - growth * review before
    corrections  older lines were corrected:           corrections - corrections before
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from budgets.models import LineKind
from budgets.money import to_ledger

PARTS = ("volume", "tokens", "mix", "kinds", "rates", "price", "tools", "review", "corrections")
NOUGHT = Decimal(0)
# Enough for thirty digits times thirty digits: what rounding is needed comes once, at the end.
DIGITS = 80
# A line is rounded to its tenth place, so that much of it no rate explains.
ROUNDED = Decimal("5E-11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What lines of one kind, model and tool come to."""

    kind: str
    model: str = ""
    tool: str = ""
    amount: Decimal = NOUGHT
    lines: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    seconds: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def at(self, rates: "Rates") -> Decimal:
        """What its tokens cost at these rates, in millionths."""
        fresh = self.input_tokens - self.cached_input_tokens
        return fresh * rates.input + self.cached_input_tokens * rates.cached + self.output_tokens * rates.output


@dataclass(frozen=True, slots=True)
class Rates:
    """What a million tokens of each kind cost, as a line of the ledger keeps it."""

    input: Decimal
    cached: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class OnRecord:
    """A model's rates in the two times. None: no line says them."""

    before: Rates | None = None
    now: Rates | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two times that are compared: what was spent, and by how many executions that were begun in it."""

    executions: int = 0
    spent: tuple[Spent, ...] = ()

    @property
    def amount(self) -> Decimal:
        return sum((one.amount for one in self.spent), NOUGHT)

    @property
    def calls(self) -> int:
        return sum(one.lines for one in self.spent)

    def of(self, kind: str) -> list[Spent]:
        return [one for one in self.spent if one.kind == kind]

    def cost_of(self, kind: str) -> Decimal:
        return sum((one.amount for one in self.of(kind)), NOUGHT)

    def models(self) -> dict[str, Spent]:
        """Model calls by model."""
        return _summed(self.of(LineKind.MODEL), lambda one: one.model)

    def tools(self) -> dict[str, Spent]:
        return _summed(self.of(LineKind.TOOL), lambda one: one.tool)

    @property
    def tokens(self) -> int:
        return sum(one.tokens for one in self.of(LineKind.MODEL))

    @property
    def seconds(self) -> int:
        return sum(one.seconds for one in self.of(LineKind.REVIEW))


@dataclass(frozen=True, slots=True)
class Volume:
    """What is counted to say that something ran more often, and how often it did. Neither: it ran in one time only."""

    of: str = ""
    before: int = 0
    now: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One workflow of one unit in one currency, before and now. `parts` has every name of PARTS."""

    before: Side
    now: Side
    volume: Volume
    parts: dict[str, Decimal] = field(default_factory=dict)
    rates: Mapping[str, OnRecord] = field(default_factory=dict)

    @property
    def amount(self) -> Decimal:
        return self.now.amount - self.before.amount


def change(before: Side, now: Side, rates: Mapping[str, OnRecord] | None = None) -> Change:
    """What changed, and its parts. To the ledger's last digit they come to the change. `rates` are by model."""
    volume, on_record = _volume(before, now), rates or {}
    with localcontext(prec=DIGITS):
        found = _parts(before, now, volume, on_record)
        parts = {name: to_ledger(found.get(name, NOUGHT)) for name in PARTS}
        largest = max(PARTS, key=lambda name: abs(parts[name]))
        parts[largest] += now.amount - before.amount - sum(parts.values())
    return Change(before, now, volume, parts, on_record)


def _volume(before: Side, now: Side) -> Volume:
    """Executions; calls where one of the two times began none, as with agents that report without an execution."""
    if before.executions and now.executions:
        return Volume("execution", before.executions, now.executions)
    if before.calls and now.calls:
        return Volume("call", before.calls, now.calls)
    return Volume()


def _parts(before: Side, now: Side, volume: Volume, rates: Mapping[str, OnRecord]) -> dict[str, Decimal]:
    corrections = now.cost_of(LineKind.CORRECTION) - before.cost_of(LineKind.CORRECTION)
    if not volume.of:
        return {"volume": now.amount - before.amount - corrections, "corrections": corrections}
    growth = Decimal(volume.now) / volume.before
    kinds = {"tools": LineKind.TOOL, "review": LineKind.REVIEW}
    return {
        "volume": (growth - 1) * (before.amount - before.cost_of(LineKind.CORRECTION)),
        **_of_models(before, now, growth, rates),
        **{name: now.cost_of(kind) - growth * before.cost_of(kind) for name, kind in kinds.items()},
        "corrections": corrections,
    }


def _of_models(before: Side, now: Side, growth: Decimal, rates: Mapping[str, OnRecord]) -> dict[str, Decimal]:
    cost_before, cost = before.cost_of(LineKind.MODEL), now.cost_of(LineKind.MODEL)
    whole = cost - growth * cost_before
    if not before.tokens:
        # Without tokens there is no price to compare with: models are either new, or cost something else by the call.
        return {"price" if cost_before else "mix": whole}
    tokens = (now.tokens - growth * before.tokens) * cost_before / before.tokens
    mix = sum((value for _, value in mixed(before, now)), NOUGHT)
    told = split(before, now, rates).values()
    kinds, by_rates = (sum((one[place] for one in told), NOUGHT) for place in (0, 1))
    price = whole - tokens - mix - kinds - by_rates
    return {"tokens": tokens, "mix": mix, "kinds": kinds, "rates": by_rates, "price": price}


def split(before: Side, now: Side, rates: Mapping[str, OnRecord]) -> dict[str, tuple[Decimal, Decimal]]:
    """By model, why a token of it cost more than before: other kinds of tokens, and other rates. Both come to all of it.

    The rates of before are taken in proportion: so they explain what was paid before exactly, whatever else was in it.
    """
    old, new, found = before.models(), now.models(), {}
    for name in sorted({*old, *new} & rates.keys()):
        was, known = old.get(name), rates[name].before
        if known is None or not (was and was.tokens and was.at(known) and name in new and new[name].tokens):
            continue
        found[name] = _split(was, new[name], known)
    return found


def _split(was: Spent, now: Spent, known: Rates) -> tuple[Decimal, Decimal]:
    at_old_rates = now.at(known) * was.amount / was.at(known)
    kinds, by_rates = at_old_rates - now.tokens * was.amount / was.tokens, now.amount - at_old_rates
    if abs(by_rates) <= ROUNDED * (now.lines + was.lines * abs(now.at(known) / was.at(known))):
        return kinds + by_rates, NOUGHT
    return kinds, by_rates


def mixed(before: Side, now: Side) -> list[tuple[str, Decimal]]:
    """What each model's larger or smaller share of today's tokens costs, at its price of before (its own, where it is new)."""
    if not before.tokens or not now.tokens:
        return []
    old, new = before.models(), now.models()
    found = []
    for name in sorted({*old, *new}):
        price = price_of(new if price_of(old, name) is None else old, name) or NOUGHT
        found.append((name, now.tokens * (share(new, name, now) - share(old, name, before)) * price))
    return found


def share(models: dict[str, Spent], name: str, side: Side) -> Decimal:
    """Of all tokens."""
    return Decimal(models[name].tokens) / side.tokens if name in models and side.tokens else NOUGHT


def price_of(models: dict[str, Spent], name: str) -> Decimal | None:
    """Per token. None where no token is known; 0 is a price."""
    found = models.get(name)
    return found.amount / found.tokens if found and found.tokens else None


def _summed(rows: Iterable[Spent], key: Callable[[Spent], str]) -> dict[str, Spent]:
    found: dict[str, Spent] = {}
    for one in rows:
        name = key(one)
        found[name] = _plus(found[name], one) if name in found else one
    return found


def _plus(one: Spent, other: Spent) -> Spent:
    sums = ("amount", "lines", "input_tokens", "cached_input_tokens", "output_tokens", "seconds")
    return Spent(
        kind=one.kind,
        model=one.model,
        tool=one.tool,
        **{name: getattr(one, name) + getattr(other, name) for name in sums},
    )
