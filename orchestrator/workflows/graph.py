"""The graph of needs: order, ancestors, cycles. Keys in, keys out; a graph is what each key waits for."""

from collections.abc import Mapping

Graph = Mapping[str, tuple[str, ...]]


def ordered(waits_for: Graph) -> tuple[str, ...]:
    """Each key after everything it waits for; among the free ones, the order given. What sits in a cycle is left out."""
    done: dict[str, None] = {}
    waiting = dict(waits_for)
    while free := [key for key, others in waiting.items() if all(other in done for other in others)][:1]:
        done[free[0]] = None
        del waiting[free[0]]
    return tuple(done)


def ancestors(needs_in_order: Graph) -> dict[str, tuple[str, ...]]:
    """Everything each key waits for, directly or not, in the order of the keys. The graph comes ordered."""
    found: dict[str, tuple[str, ...]] = {}
    rank = {key: index for index, key in enumerate(needs_in_order)}
    for key, needs in needs_in_order.items():
        before = {need for direct in needs for need in (*found[direct], direct)}
        found[key] = tuple(sorted(before, key=rank.__getitem__))
    return found


def with_fallbacks(needs: Graph, fallbacks: Mapping[str, str | None]) -> Graph:
    """The needs, and the waiting that fallbacks bring: theirs for the step they guard, everybody's for them.

    `fallbacks` maps a step to the one that stands in for it.
    """
    guards = {fallback: key for key, fallback in fallbacks.items() if fallback is not None}
    found: dict[str, tuple[str, ...]] = {}
    for key, direct in needs.items():
        others = [guards[key]] if key in guards else []
        for need in direct:
            following: str | None = need
            while following is not None:
                others.append(following)
                following = fallbacks.get(following)
        found[key] = tuple(others)
    return found


def cycle_in(waits_for: Graph) -> tuple[str, ...]:
    """One cycle, its first key again at the end; () when there is none. Unknown keys are no part of any."""
    done = set(ordered(_known_only(waits_for)))
    stuck = {key: others for key, others in waits_for.items() if key not in done}
    if not stuck:
        return ()
    walk = [next(iter(stuck))]
    while True:
        # Whatever is stuck waits for something stuck, so the walk must come back to where it was.
        following = next(other for other in stuck[walk[-1]] if other in stuck)
        if following in walk:
            return (*walk[walk.index(following) :], following)
        walk.append(following)


def _known_only(waits_for: Graph) -> Graph:
    return {key: tuple(other for other in others if other in waits_for) for key, others in waits_for.items()}
