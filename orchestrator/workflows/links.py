"""How steps depend on each other: `needs`, the default of one after the other, and fallbacks beside the main path."""

from orchestrator.workflows.draft import StepDraft
from orchestrator.workflows.errors import At
from orchestrator.workflows.graph import cycle_in
from orchestrator.workflows.tree import Items, Node
from orchestrator.workflows.words import suggest


def link(steps: list[StepDraft], at: At) -> bool:
    """Fill in `needs` and `stands_in_for`. False when the graph is wrong, so that nothing can be said of names."""
    before = len(at.report.errors)
    by_key = {step.key: step for step in steps}
    for step in steps:
        _link_fallback(step, by_key)
    _default_needs(steps)
    for step in steps:
        _check_needs(step, by_key)
    if len(at.report.errors) == before:
        _refuse_cycle(steps, by_key)
    if len(at.report.errors) == before:
        for step in steps:
            step.needs = _needs_of(step, by_key)
    return len(at.report.errors) == before


def _link_fallback(step: StepDraft, by_key: dict[str, StepDraft]) -> None:
    if step.fallback is None:
        return
    where, at = step.nodes["on_error"], step.at.inside("on_error")
    other = by_key.get(step.fallback)
    if other is None:
        at.refuse(
            where, f"There is no step `{step.fallback}`", suggest(step.fallback, {*by_key, "fail", "route_to_human"})
        )
    elif other is step:
        at.refuse(where, f"The step `{step.key}` cannot be its own fallback", "Name another step")
    elif other.stands_in_for is not None:
        message = f"`{other.key}` is already the fallback of `{other.stands_in_for}`"
        at.refuse(where, message, "A fallback stands in for one step; add a second one")
    else:
        other.stands_in_for = step.key


def _default_needs(steps: list[StepDraft]) -> None:
    previous: tuple[str, ...] = ()
    for step in steps:
        if step.stands_in_for is None:
            step.needs = step.said.get("needs", previous)
            previous = (step.key,)


def _check_needs(step: StepDraft, by_key: dict[str, StepDraft]) -> None:
    if step.stands_in_for is not None:
        for key in {"needs", "when"} & step.said.keys():
            message = f"`{step.key}` is the fallback of `{step.stands_in_for}` and starts when that fails"
            step.at.inside(key).refuse(step.nodes[key], message, f"Remove `{key}`")
    for need in step.said.get("needs", ()):
        at, where = step.at.inside("needs"), _place_of(step, need)
        if need not in by_key:
            at.refuse(where, f"There is no step `{need}`", suggest(need, by_key.keys() - {step.key}))
        elif by_key[need].stands_in_for is not None:
            guarded = by_key[need].stands_in_for
            message = f"`{need}` is a fallback, off the main path: it stands in for `{guarded}`"
            at.refuse(where, message, f"Write `needs: [{guarded}]`")


def _place_of(step: StepDraft, need: str) -> Node:
    node = step.nodes["needs"]
    items = node.items if isinstance(node, Items) else ()
    return next((item for item in items if getattr(item, "text", None) == need), node)


def _refuse_cycle(steps: list[StepDraft], by_key: dict[str, StepDraft]) -> None:
    """Needs first; then fallbacks that only ever stand in for each other."""
    cycle = cycle_in({step.key: step.needs for step in steps})
    if not cycle:
        cycle = cycle_in({step.key: (step.stands_in_for,) if step.stands_in_for else () for step in steps})
    if not cycle:
        return
    step = by_key[cycle[0]]
    where = step.nodes.get("needs") or step.nodes.get("on_error") or step.name
    step.at.refuse(where, f"The steps wait for each other: {' -> '.join(cycle)}", "Remove one of these arrows")


def _needs_of(step: StepDraft, by_key: dict[str, StepDraft]) -> tuple[str, ...]:
    """A fallback sees what the step it stands in for sees."""
    while step.stands_in_for is not None:
        step = by_key[step.stands_in_for]
    return step.needs
