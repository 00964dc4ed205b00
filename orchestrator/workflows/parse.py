"""A workflow file becomes a WorkflowSpec, or every mistake in it with its place. Nothing else is ever raised."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from orchestrator.workflows.arguments import check_arguments, check_texts, require_inputs
from orchestrator.workflows.catalogue import ANY_TOOL, AgentContract, Catalogue, catalogue_from_folder
from orchestrator.workflows.draft import Draft, StepDraft, read_draft
from orchestrator.workflows.errors import At, Position, Report, WorkflowError, WorkflowErrors
from orchestrator.workflows.graph import ancestors, ordered, with_fallbacks
from orchestrator.workflows.keys import fields_of
from orchestrator.workflows.links import link
from orchestrator.workflows.names import Names, Spot
from orchestrator.workflows.needed import needed_input
from orchestrator.workflows.schemas import Schema, declared, is_open, promised, required, takes
from orchestrator.workflows.scope import Scope, output_of, scope_over
from orchestrator.workflows.spec import StepSpec, WorkflowSpec
from orchestrator.workflows.tree import Items, Node, Text, read_tree, to_json
from orchestrator.workflows.words import suggest

__all__ = ["WorkflowError", "WorkflowErrors", "load", "parse"]

_KEY_TYPES = {"string", "int", "uint", "double", "dyn"}


def load(path: str | Path) -> WorkflowSpec:
    """Read a workflow file, or the workflow.yaml of a folder, with the contracts beside it. Raises WorkflowErrors."""
    path = Path(path)
    file = path / "workflow.yaml" if path.is_dir() else path
    return parse(source_of(file), file=str(file), catalogue=catalogue_from_folder(file.parent))


def source_of(file: Path) -> str:
    """The text of a workflow file. Raises WorkflowErrors."""
    report = Report(str(file))
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        report.fail(Position(), f"The file cannot be read: {error.strerror}", "Check the path")
    except UnicodeDecodeError as error:
        where = Position.after(error.object[: error.start].decode(errors="replace"))
        report.fail(where, "The file is not UTF-8", "Save it as UTF-8")


def parse(text: str, *, file: str, catalogue: Catalogue) -> WorkflowSpec:
    """The spec a text describes. Raises WorkflowErrors with everything that is wrong with it."""
    report = Report(file)
    at = At(report)
    draft = read_draft(read_tree(text, report), at, catalogue)
    spec = None
    if draft is not None and link(draft.steps, at):
        spec = _Reading(draft, catalogue).spec()
    report.stop_if_wrong()
    assert spec is not None
    return spec


class _Reading:
    """A linked draft, on its way to a spec."""

    def __init__(self, draft: Draft, catalogue: Catalogue) -> None:
        self.draft, self.catalogue = draft, catalogue
        self.steps: dict[str, StepDraft] = {step.key: step for step in draft.steps}
        self.input_schema = draft.said.get("input")
        self.names = Names(self.input_schema, self.steps)
        needs = {step.key: step.needs for step in draft.steps}
        order = ordered(with_fallbacks(needs, {step.key: step.fallback for step in draft.steps}))
        before = ancestors({key: self.steps[key].needs for key in order})
        self.scopes = {key: scope_over(before[key], self.steps, self.input_schema, key=key) for key in order}
        main_path = [key for key in order if self.steps[key].stands_in_for is None]
        self.final = scope_over(main_path, self.steps, self.input_schema)
        self.start = scope_over((), self.steps, self.input_schema)

    def spec(self) -> WorkflowSpec | None:
        """Check everything that involves more than one key; then build."""
        for step in self.draft.steps:
            require_inputs(step, self.names, self.scopes[step.key])
        for step in self.draft.steps:
            self._check_step(step, self.scopes[step.key])
        if "about" in self.draft.said:
            check_texts(self.draft.node("about"), self.draft.at.inside("about"), self.names, self.start)
        self._check_output()
        self._check_allowed_tools()
        return None if self.draft.at.report.errors else self._build()

    def _check_step(self, step: StepDraft, scope: Scope) -> None:
        for key in ("when", "human_if"):
            for text, at in _sources(step, key):
                self.names.condition(text.text, Spot(text, at), scope)
        for text, at in _sources(step, "idempotency_key"):
            found = self.names.expression(text.text, Spot(text, at), scope)
            if found is not None and found.gives not in _KEY_TYPES:
                at.refuse(
                    text, f"An idempotency key is a text, and this gives {found.gives}", "Name a text or a number"
                )
        if "ask" in step.said:
            check_texts(step.nodes["ask"], step.at.inside("ask"), self.names, scope)
        check_arguments(step, self.names, scope)
        _check_promises(step)

    def _check_output(self) -> None:
        said, at = self.draft.said, self.draft.at
        if "returns" in said:
            check_texts(self.draft.node("returns"), at.inside("returns"), self.names, self.final)
        missing = [name for name in required(said.get("output")) if not self._is_supplied(name)]
        for name in missing:
            known = said.get("returns", self.final.flat)
            at.inside("output").refuse(
                self.draft.node("output"), f"Nothing supplies the output `{name}`", suggest(name, known)
            )

    def _is_supplied(self, name: str) -> bool:
        if "returns" in self.draft.said:
            return name in self.draft.said["returns"]
        guessed = self.names.is_blind(self.final) or (self.final.untyped and self.input_schema is None)
        return bool(guessed) or name in self.final.flat or name in self.names.implied

    def _check_allowed_tools(self) -> None:
        allowed = self.draft.said.get("allowed_tools")
        if allowed is not None:
            self._refuse_unknown_tools(allowed, self.draft.node("allowed_tools"), self.draft.at.inside("allowed_tools"))
        for step in self.draft.steps:
            tool = step.said.get("tool")
            if allowed is not None and tool is not None and tool not in allowed:
                message = f"The workflow's `allowed_tools` does not hold `{tool}`"
                step.at.inside("tool").refuse(step.nodes["tool"], message, "Add it there")
            if "allowed_tools" in step.said:
                self._check_step_tools(step, allowed)

    def _check_step_tools(self, step: StepDraft, allowed: tuple[str, ...] | None) -> None:
        own, node, at = step.said["allowed_tools"], step.nodes["allowed_tools"], step.at.inside("allowed_tools")
        self._refuse_unknown_tools(own, node, at)
        contract = step.contract
        granted = contract.allowed_tools if isinstance(contract, AgentContract) else None
        for name in own:
            if allowed is not None and name not in allowed:
                at.refuse(node, f"The workflow's `allowed_tools` does not hold `{name}`", "Add it there")
            if granted is not None and ANY_TOOL not in granted and name not in granted and name in self.catalogue.tools:
                at.refuse(node, f"The agent `{step.said['agent']}` may not call `{name}`", suggest(name, granted))

    def _refuse_unknown_tools(self, names: tuple[str, ...], node: Node, at: At) -> None:
        for name in names:
            if name not in self.catalogue.tools:
                at.refuse(node, f"There is no tool `{name}`", suggest(name, self.catalogue.tools))

    def _build(self) -> WorkflowSpec:
        spec = WorkflowSpec(
            **fields_of(self.draft.said),
            steps=tuple(self._build_step(step) for step in self.draft.steps),
            implied_input=tuple(sorted(self.names.implied)),
            variables=self.final.variables(self.names.untyped),
        )
        contracts = {step.key: step.contract.input_schema for step in self.draft.steps if step.contract}
        return replace(spec, needed_input=needed_input(spec, self.scopes, self.final, contracts))

    def _build_step(self, step: StepDraft) -> StepSpec:
        given = output_of(step, self.steps)
        fields = fields_of(step.said) | {
            "needs": step.needs,
            "gives": tuple(declared(given)),
            "gives_more": is_open(given),
            "non_empty": tuple(dict.fromkeys([*step.said.get("non_empty", ()), *promised(step.output_schema)])),
        }
        return StepSpec(
            key=step.key,
            kind=step.kind,
            arguments={name: to_json(node, step.at.inside(name)) for name, (_, node) in step.arguments.items()},
            stands_in_for=step.stands_in_for,
            variables=self.scopes[step.key].variables(self.names.untyped),
            line=step.name.line,
            **fields,
        )


def _sources(step: StepDraft, key: str) -> Iterator[tuple[Text, At]]:
    """The expressions of a key that was read without complaint."""
    node = step.nodes.get(key) if step.said.get(key) else None
    for item in node.items if isinstance(node, Items) else (node,):
        if isinstance(item, Text) and item.text.strip():
            yield item, step.at.inside(key)


def _check_promises(step: StepDraft) -> None:
    """`min_score` needs a score, and `non_empty` names what the step gives."""
    if step.contract is None:
        return
    given, closed = declared(step.output_schema), not is_open(step.output_schema)
    if "min_score" in step.said:
        _check_score(step, given, closed=closed)
    for name in step.said.get("non_empty", ()):
        if closed and name not in given:
            at = step.at.inside("non_empty")
            at.refuse(step.nodes["non_empty"], f"The step gives no `{name}`", suggest(name, given))


def _check_score(step: StepDraft, given: dict[str, Schema], *, closed: bool) -> None:
    where, at, who = step.nodes["min_score"], step.at.inside("min_score"), f"`{step.said.get('agent')}`"
    if "score" not in given and closed:
        at.refuse(where, f"{who} gives no `score`", suggest("score", given))
    elif not takes(given.get("score", {}), "int"):
        at.refuse(where, f"The `score` that {who} gives is no number", "Correct the schema of its output")
