"""Whether a runner can load what the steps need: told before production, not by the first execution. Nothing is run here.

A handler is given the standard library and its release's own files, nothing else, so the text of the files decides.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.workflows.catalogue import ANY_TOOL
from orchestrator.workflows.errors import WorkflowError
from orchestrator.workflows.spec import StepSpec, WorkflowSpec
from orchestrator.workflows.words import suggest

# Besides its own files: the standard library, and the package that the runner makes up for its own modules.
_GIVEN: Final = sys.stdlib_module_names | {"orchestrator"}
# With one of these a module may have names that are not seen in it.
_UNSEEN: Final = {"*", "__getattr__"}

Contracts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Need:
    """A function that a step needs: `handlers:pay`, and in words what it is for."""

    step: StepSpec
    what: str
    entry: str


def unloadable(
    folder: Path, files: Mapping[str, str], spec: WorkflowSpec | None, tools: Contracts, agents: Contracts
) -> list[WorkflowError]:
    """Everything that would keep a runner from loading what the steps need. Without a spec, files that are not Python."""
    code = _Code(folder, files)
    # What is missing is asked only of files that can be read: one slip is told once.
    if spec is not None and not code.errors:
        for need in _needs(spec, tools, agents):
            code.look_for(need)
    return code.errors


def _needs(spec: WorkflowSpec, tools: Contracts, agents: Contracts) -> Iterator[Need]:
    for step in spec.steps:
        if step.agent:
            yield Need(step, f"the entry of the agent `{step.agent}`", agents[step.agent]["entry"])
        if step.tool and not tools[step.tool]["entry"]:
            yield Need(step, f"the entry of the tool `{step.tool}`", "")
        for name in sorted(_reached(step, tools, agents)):
            for word in ("entry", "probe", "record"):
                if tools[name][word]:
                    yield Need(step, f"the {word} of the tool `{name}`", tools[name][word])


def _reached(step: StepSpec, tools: Contracts, agents: Contracts) -> set[str]:
    """The tools a step calls or lets its agent call by name, and those that take effects back."""
    named = {step.tool} if step.tool else set()
    if step.agent:
        named |= set(agents[step.agent]["allowed_tools"] if step.allowed_tools is None else step.allowed_tools)
    if ANY_TOOL in named:
        return set()  # all there are, of other workflows as well: that says nothing of this code
    undoing = {step.compensate_with, *(tools[name]["compensate_with"] for name in named if name in tools)}
    return {name for name in named | undoing if name in tools}


class _Code:
    """The Python files of a release as syntax trees, and what is wrong with them."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.errors: list[WorkflowError] = []
        self._folder, self._files = folder, files
        self._trees: dict[str, ast.Module] = {}
        self._names: dict[str, set[str]] = {}
        self._loaded: set[str] = set()
        for name, text in files.items():
            if name.endswith(".py"):
                self._parse(name, text)

    def look_for(self, need: Need) -> None:
        """Note what keeps a function from being found."""
        module, _, function = need.entry.partition(":")
        file = self._file_of(module)
        if not need.entry:
            self._refuse_step(need, "is missing", "Write one into the contract, such as handlers:work")
        elif file is None:
            said = f"is `{need.entry}`, and the folder has no module `{module}`"
            self._refuse_step(need, said, suggest(module, self._modules()))
        elif not self._has(file, function):
            said = f"is `{need.entry}`, and {file} defines no `{function}`"
            self._refuse_step(need, said, suggest(function, self._names[file]))
        else:
            self._load(file)

    def _parse(self, name: str, text: str) -> None:
        try:
            tree = ast.parse(text.encode())
            # Some mistakes, such as a `return` outside a function, show only here. Nothing is run.
            compile(tree, name, "exec", dont_inherit=True)
        except SyntaxError as error:
            self._refuse(name, error, f"This is not Python: {error.msg}", "Correct the syntax")
        except (ValueError, RecursionError, MemoryError):
            self._refuse(name, None, "Python cannot read this file", "Write it in shorter expressions")
        else:
            self._trees[name], self._names[name] = tree, set(_names_in(tree))

    def _load(self, file: str) -> None:
        """Note what keeps a file, or one that it imports, from being loaded."""
        if file in self._loaded:
            return
        self._loaded.add(file)
        # What stands in `try`, in `if` or in a function may be missing: somebody thought of that.
        for statement in self._trees[file].body:
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    self._import(file, statement, alias.name)
            elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                self._import(file, statement, statement.module)
                for alias in statement.names:
                    self._import_name(file, statement, statement.module, alias.name)

    def _import(self, file: str, statement: ast.stmt, module: str) -> None:
        found, top = self._file_of(module), module.partition(".")[0]
        if found is not None:
            self._load(found)
        elif top not in _GIVEN and not self._is_folder(module):
            remedy = "Besides the folder's own files it holds the standard library and nothing else"
            if (self._folder / top).is_symlink():
                remedy = f"`{top}` is a link, and links to folders are not followed: put a copy in its place"
            elif (self._folder / top).is_dir():
                remedy = f"The folder `{top}` is left out of it: give it another name"
            self._refuse(file, statement, f"A release has no module `{module}`", remedy)

    def _import_name(self, file: str, statement: ast.stmt, module: str, name: str) -> None:
        found, inner = self._file_of(module), self._file_of(f"{module}.{name}")
        if inner is not None:
            self._load(inner)
        elif found is not None and name != "*" and not self._has(found, name):
            self._refuse(file, statement, f"{found} defines no `{name}`", suggest(name, self._names[found]))

    def _file_of(self, module: str) -> str | None:
        path = module.replace(".", "/")
        return next((file for file in (f"{path}/__init__.py", f"{path}.py") if file in self._trees), None)

    def _is_folder(self, module: str) -> bool:
        return any(file.startswith(f"{module.replace('.', '/')}/") for file in self._files)

    def _has(self, file: str, name: str) -> bool:
        return name in self._names[file] or bool(_UNSEEN & self._names[file])

    def _modules(self) -> list[str]:
        return [file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in self._trees]

    def _refuse_step(self, need: Need, said: str, remedy: str) -> None:
        message = f"The step `{need.step.key}` cannot run: {need.what} {said}"
        self.errors.append(WorkflowError(str(self._folder / "workflow.yaml"), need.step.line, 1, "", message, remedy))

    def _refuse(self, file: str, where: ast.stmt | SyntaxError | None, said: str, remedy: str) -> None:
        line = (where.lineno if where else None) or 1
        # Of some mistakes, such as an unknown encoding, Python gives -1.
        column = where.col_offset + 1 if isinstance(where, ast.stmt) else max((where.offset if where else None) or 1, 1)
        self.errors.append(WorkflowError(str(self._folder / file), line, column, "", said, remedy))


def _names_in(tree: ast.Module) -> Iterator[str]:
    """What a module defines or imports at its top, also under a condition; what functions and classes hold is theirs."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        for inner in ast.iter_child_nodes(waiting.pop()):
            match inner:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.alias(name=name, asname=other):
                    yield other or name.partition(".")[0]
                case ast.Name(id=name, ctx=ast.Store()):
                    yield name
                case _:
                    waiting.append(inner)
