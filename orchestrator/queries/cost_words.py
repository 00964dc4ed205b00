"""A change of costs in plain sentences. Every word follows from stored sums; what they do not say is not said."""

from collections.abc import Callable
from decimal import Decimal

from audit.templatetags._format import duration, money, percentage
from orchestrator.queries.cost_parts import NOUGHT, PARTS, Change, Spent, mixed, price_of, share

# A part below this share of all movement is not worth a clause; the table has it.
TELLING = Decimal("0.03")
# How much a share has to move before it is told as a reason.
MOVED = Decimal("0.1")


def plain(amount: Decimal, currency: str) -> str:
    """`88.10`, as the currency rounds."""
    return money(amount, currency).shown.removeprefix(currency).strip()


def signed(amount: Decimal, currency: str) -> str:
    """`+88.10`."""
    shown = plain(amount, currency)
    return f"+{shown}" if amount > 0 else shown


def relative(before: Decimal, now: Decimal) -> str:
    """`+41.0 %`; `new` of nothing."""
    if not before:
        return "new" if now else ""
    change = percentage(100 * (now - before) / before)
    return change if now < before else f"+{change}"


def sentence(change: Change, currency: str) -> str:
    """`USD 120.40 more: 88.10 because ...; 32.30 because ...; and 10.00 less because ...`"""
    if not change.amount:
        return "It cost the same."
    up = change.amount > 0
    moved = sum((abs(part) for part in change.parts.values()), NOUGHT)
    told = [name for name in _by_size(change) if abs(change.parts[name]) >= TELLING * moved]
    clauses = [_clause(name, change, currency) for name in told if (change.parts[name] > 0) is up]
    other = "less" if up else "more"
    clauses += [_clause(name, change, currency, f" {other}") for name in told if (change.parts[name] > 0) is not up]
    rest = change.amount - sum((change.parts[name] for name in told), NOUGHT)
    if rest:
        clauses.append(f"{signed(rest, currency)} in smaller parts")
    return f"{currency} {plain(abs(change.amount), currency)} {'more' if up else 'less'}: {'; '.join(clauses)}."


def _by_size(change: Change) -> list[str]:
    return sorted(PARTS, key=lambda name: -abs(change.parts[name]))


def _clause(name: str, change: Change, currency: str, direction: str = "") -> str:
    return f"{plain(abs(change.parts[name]), currency)}{direction} because {BECAUSE[name](change, currency)}"


def _volume(change: Change, currency: str) -> str:
    if not change.volume.of:
        return "it cost nothing before" if change.now.calls else "it did not run any more"
    what = "it ran" if change.volume.of == "execution" else "it made calls"
    return f"{what} {change.volume.now:,} times instead of {change.volume.before:,}"


def _tokens(change: Change, currency: str) -> str:
    now, before = (
        _each(side.tokens, runs) for side, runs in ((change.now, _now(change)), (change.before, _before(change)))
    )
    return f"each {change.volume.of} used {now} tokens instead of {before}"


def _mix(change: Change, currency: str) -> str:
    moves = {
        name: share(change.now.models(), name, change.now) - share(change.before.models(), name, change.before)
        for name, _ in mixed(change.before, change.now)
    }
    if not moves:
        models = change.now.models()
        return f"it called {_named(max(models, key=lambda name: models[name].amount))}, and no model before"
    gains, loses = max(moves, key=moves.__getitem__), min(moves, key=moves.__getitem__)
    before, now = (percentage(100 * share(side.models(), gains, side)) for side in (change.before, change.now))
    return f"{_named(gains)} took the place of {_named(loses)}: {now} of the tokens instead of {before}"


def _price(change: Change, currency: str) -> str:
    old, new = change.before.models(), change.now.models()
    weights = {
        name: abs(new[name].amount - new[name].tokens * price)
        for name in new
        if (price := price_of(old, name)) is not None and new[name].tokens
    }
    if not weights:
        return "the same models cost something else by the call"
    name = max(weights, key=weights.__getitem__)
    now, before = (_thousand(models[name], currency) for models in (new, old))
    why = [_moved(new[name], old[name], what, words) for what, words in _REASONS.items()]
    told = ", ".join(one for one in why if one)
    return f"1,000 tokens of {_named(name)} cost {now} instead of {before}{f' ({told})' if told else ''}"


_REASONS: dict[Callable[[Spent], Decimal], str] = {
    lambda one: _of(one.cached_input_tokens, one.input_tokens): "of the input came from a cache",
    lambda one: _of(one.output_tokens, one.tokens): "of the tokens were output, which costs more",
}


def _moved(now: Spent, before: Spent, what: Callable[[Spent], Decimal], words: str) -> str:
    if abs(what(now) - what(before)) < MOVED:
        return ""
    return f"{percentage(100 * what(now))} instead of {percentage(100 * what(before))} {words}"


def _tools(change: Change, currency: str) -> str:
    old, new = change.before.tools(), change.now.tools()
    growth = Decimal(_now(change)) / _before(change)
    weights = {
        name: abs(_amount(new, name) - growth * _amount(old, name)) for name in {*old, *new}
    }  # fmt: skip
    name = max(sorted(weights), key=weights.__getitem__)
    now, before = (
        plain(_amount(tools, name) / runs, currency) for tools, runs in ((new, _now(change)), (old, _before(change)))
    )
    return f"calls of {name or 'an unnamed tool'} came to {now} instead of {before} per {change.volume.of}"


def _review(change: Change, currency: str) -> str:
    now, before = (
        duration(side.seconds / runs) for side, runs in ((change.now, _now(change)), (change.before, _before(change)))
    )
    return f"reviewers spent {now} instead of {before} per {change.volume.of}, or their hour cost something else"


def _corrections(change: Change, currency: str) -> str:
    now, before = (plain(side.cost_of("correction"), currency) for side in (change.now, change.before))
    return f"corrections of older lines came to {now} instead of {before}"


BECAUSE: dict[str, Callable[[Change, str], str]] = {
    "volume": _volume,
    "tokens": _tokens,
    "mix": _mix,
    "price": _price,
    "tools": _tools,
    "review": _review,
    "corrections": _corrections,
}


def _now(change: Change) -> int:
    return change.volume.now


def _before(change: Change) -> int:
    return change.volume.before


def _amount(found: dict[str, Spent], name: str) -> Decimal:
    return found[name].amount if name in found else NOUGHT


def _named(model: str) -> str:
    return model or "an unnamed model"


def _each(number: int, of: int) -> str:
    return f"{round(number / of):,}"


def _of(part: int, whole: int) -> Decimal:
    return Decimal(part) / whole if whole else NOUGHT


def _thousand(one: Spent, currency: str) -> str:
    return f"{(1000 * one.amount / one.tokens):.5f}".rstrip("0").rstrip(".") if one.tokens else "nothing"
