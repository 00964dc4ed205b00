"""A change of costs in plain sentences. Every word follows from stored sums; what they do not say is not said."""

from collections.abc import Callable
from decimal import Decimal

from audit.templatetags._format import duration, money, percentage
from orchestrator.queries.cost_parts import NOUGHT, PARTS, Change, Rates, Spent, mixed, price_of, share, split

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
    """`+41.0 %`; `new` of nothing. Of what was below nought, too, a plus says that it is more."""
    if not before:
        return "new" if now else ""
    change = percentage(100 * (now - before) / abs(before))
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


def _kinds(change: Change, currency: str) -> str:
    name = _most(change, 0)
    new, old = change.now.models()[name], change.before.models()[name]
    shares = [(_percent(what(new)), _percent(what(old)), words) for what, words in _KINDS.items()]
    moved = [one for one in shares if one[0] != one[1]] or shares
    told = [f"{now} instead of {before} {words}" for now, before, words in moved]
    return f"{_named(name)} was used otherwise: {', '.join(told)}"


def _rates(change: Change, currency: str) -> str:
    name = _most(change, 1)
    new, old = change.rates[name].now, change.rates[name].before
    if old is None or new is None or new == old:
        return f"tokens of the same kinds cost something else with {_named(name)}{UNCHANGED if new else ''}"
    told = [words for kind in ("input", "cached", "output") if (words := _moved(kind, new, old))]
    return f"the rates of {_named(name)} changed: {', '.join(told)} per million tokens"


UNCHANGED = ", though its rates are the same: batches, writes to a cache, large calls, or amounts that were reported"


def _moved(kind: str, new: Rates, old: Rates) -> str:
    now, before = getattr(new, kind), getattr(old, kind)
    return f"{kind} {_rate(now)} instead of {_rate(before)}" if now != before else ""


def _most(change: Change, place: int) -> str:
    """The model that has most to do with it."""
    told = split(change.before, change.now, change.rates)
    return max(told, key=lambda name: abs(told[name][place]))


def _price(change: Change, currency: str) -> str:
    old, new = change.before.models(), change.now.models()
    known = split(change.before, change.now, change.rates)
    weights = {
        name: abs(new[name].amount - new[name].tokens * price)
        for name in new
        if name not in known and (price := price_of(old, name)) is not None and new[name].tokens
    }
    if not weights:
        return "the same models cost something else by the call"
    name = max(weights, key=weights.__getitem__)
    now, before = (_thousand(models[name]) for models in (new, old))
    why = [
        f"{_percent(what(new[name]))} instead of {_percent(what(old[name]))} {words}"
        for what, words in _KINDS.items()
        if abs(what(new[name]) - what(old[name])) >= MOVED
    ]
    told = f" ({', '.join(why)})" if why else ""
    return f"1,000 tokens of {_named(name)} cost {now} instead of {before}{told}"


_KINDS: dict[Callable[[Spent], Decimal], str] = {
    lambda one: _of(one.cached_input_tokens, one.input_tokens): "of the input came from a cache",
    lambda one: _of(one.output_tokens, one.tokens): "of the tokens were output",
}


def _percent(part: Decimal) -> str:
    return percentage(100 * part)


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
    "kinds": _kinds,
    "rates": _rates,
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


def _thousand(one: Spent) -> str:
    return _rate(round(1000 * one.amount / one.tokens, 5)) if one.tokens else "nothing"


def _rate(amount: Decimal) -> str:
    """Without the noughts at its end."""
    return f"{amount:f}".rstrip("0").rstrip(".") if "." in f"{amount:f}" else f"{amount:f}"
