"""A workflow as read, key by key, before anything is compared with anything else."""

from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.workflows.catalogue import AgentContract, Catalogue, ToolContract, idle_undo
from orchestrator.workflows.errors import At
from orchestrator.workflows.fields import KEY, mapping
from orchestrator.workflows.keys import ONLY_FOR, STEP_KEYS, WORKFLOW_KEYS
from orchestrator.workflows.schemas import Schema
from orchestrator.workflows.spec import FAIL, ROUTE_TO_HUMAN, StepKind
from orchestrator.workflows.tree import Entries, Items, Node, Text, describe
from orchestrator.workflows.words import suggest

MOST_STEPS: Final = 200
_TAKEN: Final = (FAIL, ROUTE_TO_HUMAN)
_CAN_BE: Final = {"agent": "an agent step", "tool": "a tool step", "approval": "a step people approve"}


@dataclass(slots=True)
class StepDraft:
    """One step as read. `said` holds values by the file's keys, `nodes` where they stand."""

    name: Text
    at: At
    kind: StepKind
    said: dict[str, Any]
    nodes: dict[str, Node]
    arguments: dict[str, tuple[Text, Node]]
    explicit: frozenset[str] = frozenset()
    contract: ToolContract | AgentContract | None = None
    needs: tuple[str, ...] = ()
    stands_in_for: str | None = None

    @property
    def key(self) -> str:
        """The step's key."""
        return self.name.text

    @property
    def fallback(self) -> str | None:
        """The step named in `on_error`."""
        named = self.said.get("on_error", FAIL)
        return None if named in _TAKEN else named

    @property
    def output_schema(self) -> Schema:
        """What the step promises to give: its own words, else its contract's."""
        own: Schema | None = self.said.get("output")
        return own if own is not None else (self.contract.output_schema if self.contract else {})


@dataclass(slots=True)
class Draft:
    """The whole file as read."""

    root: Entries
    at: At
    said: dict[str, Any]
    steps: list[StepDraft] = field(default_factory=list)

    def node(self, key: str) -> Node:
        """Where the value of a key stands."""
        return self.root.entries[key][1]


def read_draft(root: Node, at: At, catalogue: Catalogue) -> Draft | None:
    """Every key of the file, or None when it is no mapping."""
    if not isinstance(root, Entries):
        at.refuse(root, f"A workflow is a mapping, not {describe(root)}", "Start with `workflow: name`")
        return None
    draft = Draft(root, at, mapping(root, at, WORKFLOW_KEYS))
    for key in ("workflow", "version", "steps"):
        if key not in root.entries:
            at.refuse(root, f"The key `{key}` is missing", f"Add `{key}:`")
    if "steps" in draft.said:
        draft.steps = _read_steps(draft.said["steps"], at.inside("steps"), catalogue)
    return draft


def _read_steps(node: Node, at: At, catalogue: Catalogue) -> list[StepDraft]:
    if not isinstance(node, Items) or not node.items:
        said = "`steps` is empty" if isinstance(node, Items) else f"`steps` must be a list, not {describe(node)}"
        at.refuse(node, said, "Write `- key: {agent: name}`, one per step")
        return []
    if len(node.items) > MOST_STEPS:
        at.refuse(node, f"{len(node.items)} steps are too many; the limit is {MOST_STEPS}", "Split the workflow")
        return []
    found: dict[str, StepDraft] = {}
    for item in node.items:
        step = _read_item(item, at, catalogue)
        if step is not None and step.key in found:
            message = f"The step `{step.key}` stands here again; it is already on line {found[step.key].name.line}"
            step.at.refuse(step.name, message, "Give each step a key of its own")
        elif step is not None:
            found[step.key] = step
    return list(found.values())


def _read_item(item: Node, at: At, catalogue: Catalogue) -> StepDraft | None:
    if not isinstance(item, Entries) or not item.entries:
        said = "A step without a key" if isinstance(item, Entries) else f"A step is a mapping, not {describe(item)}"
        at.refuse(item, said, "Write `- key: {agent: name}`")
        return None
    (name, value), *more = item.entries.values()
    if more:
        key = more[0][0]
        message = f"`{key.text}` stands beside the step `{name.text}`, not inside it"
        at.refuse(key, message, f"Indent it below `{name.text}:`")
        return None
    if not KEY.fullmatch(name.text):
        at.refuse(name, f"A step cannot be called {describe(name)}", "Letters, digits and _, as in draft_reply")
        return None
    if name.text in _TAKEN:
        at.refuse(name, f"A step cannot be called `{name.text}`, a word of `on_error`", "Choose another key")
        return None
    return _read_step(name, value, at.inside(name.text), catalogue)


def _read_step(name: Text, value: Node, at: At, catalogue: Catalogue) -> StepDraft | None:
    empty = isinstance(value, Text) and value.plain and value.value is None
    if not isinstance(value, Entries) and not empty:
        at.refuse(value, f"The step `{name.text}` is a mapping, not {describe(value)}", "Write {agent: name}")
        return None
    entries = value.entries if isinstance(value, Entries) else {}
    said = {key: STEP_KEYS[key](node, at.inside(key)) for key, (_, node) in entries.items() if key in STEP_KEYS}
    said = {key: read for key, read in said.items() if read is not None}
    step = StepDraft(
        name=name,
        at=at,
        kind="agent" if "agent" in entries else "tool" if "tool" in entries else "approval",
        said=said,
        nodes={key: node for key, (_, node) in entries.items()},
        arguments={key: entry for key, entry in entries.items() if key not in STEP_KEYS},
    )
    _refuse_wrong_kind(step, entries)
    _take_with(step)
    _find_contract(step, catalogue)
    return step


def _refuse_wrong_kind(step: StepDraft, entries: dict[str, tuple[Text, Node]]) -> None:
    if "agent" in entries and "tool" in entries:
        step.at.refuse(entries["tool"][0], f"The step `{step.key}` names an agent and a tool", "Make two steps of it")
        return
    if step.kind == "approval":
        for key, (where, _) in step.arguments.items():
            step.at.inside(key).refuse(where, f"Unknown key `{key}`", suggest(key, STEP_KEYS))
        if not entries.keys() & {"human_if", "required"} and not step.arguments:
            message = f"The step `{step.key}` does nothing"
            step.at.refuse(step.name, message, "Give it an `agent`, a `tool`, or `human_if` for people to approve")
        step.arguments = {}
    for key, (where, _) in entries.items():
        if step.kind not in ONLY_FOR.get(key, (step.kind,)):
            meant = " or ".join(_CAN_BE[kind] for kind in ONLY_FOR[key])
            remedy = "Give the approval a step of its own" if ONLY_FOR[key] == ("approval",) else "Remove it"
            step.at.inside(key).refuse(
                where, f"`{key}` belongs to {meant}; `{step.key}` is {_CAN_BE[step.kind]}", remedy
            )


def _take_with(step: StepDraft) -> None:
    explicit = step.nodes.get("with")
    if not isinstance(explicit, Entries):
        return
    for name, (where, value) in explicit.entries.items():
        if name in step.arguments:
            step.at.inside("with").refuse(where, f"The argument `{name}` is given twice", "Keep one of the two")
        step.arguments[name] = (where, value)
    step.explicit = frozenset(explicit.entries)


def _find_contract(step: StepDraft, catalogue: Catalogue) -> None:
    if step.kind == "approval" or step.kind not in step.said:
        return
    known = catalogue.tools if step.kind == "tool" else catalogue.agents
    step.contract = known.get(step.said[step.kind])
    _refuse_unknown(step, step.kind, known)
    if "compensate_with" in step.said:
        _refuse_unknown(step, "compensate_with", catalogue.tools)
        _refuse_idle_undo(step, catalogue)


def _refuse_idle_undo(step: StepDraft, catalogue: Catalogue) -> None:
    name = step.said["compensate_with"]
    effect = catalogue.tools[name].effect if name in catalogue.tools else None
    if found := idle_undo(name, of=step.said.get("tool"), effect=effect):
        step.at.inside("compensate_with").refuse(step.nodes["compensate_with"], *found)


def _refuse_unknown(step: StepDraft, key: str, known: Any) -> None:
    name = step.said[key]
    if name not in known:
        what = "agent" if key == "agent" else "tool"
        remedy = suggest(name, known) or f"The catalogue has no {what}s: is {what}s.json beside the workflow?"
        step.at.inside(key).refuse(step.nodes[key], f"There is no {what} `{name}`", remedy)
