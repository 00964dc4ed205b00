"""The pinned release an execution runs under: spec, contracts and code. Unpacked only where its code is to run."""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from posixpath import normpath
from typing import Any
from uuid import UUID

from django.conf import settings

from audit.canonical import digest_text
from orchestrator.models import Release
from orchestrator.workflows.spec import WorkflowSpec


@dataclass(frozen=True)
class Released:
    """`tools` and `agents` are the frozen contracts; `code` is exactly the files the digest was taken over."""

    id: UUID
    digest: str
    spec: WorkflowSpec
    tools: dict[str, dict[str, Any]]
    agents: dict[str, dict[str, Any]]
    code: dict[str, str]
    code_digest: str
    env: dict[str, str]
    created_by: str
    # Of an execution that undoes another: the action that each step takes back.
    undoes: dict[str, UUID] = field(default_factory=dict)

    @cached_property
    def steps_text(self) -> str:
        """The steps' specs as JSON, as every start of an execution inserts them."""
        return json.dumps([step.to_json() for step in self.spec.steps])

    @cached_property
    def code_dir(self) -> str:
        """Where the code lies on this host. Raises OSError where it cannot be written: who only reads needs no disk."""
        return str(unpack(self.code_digest, self.code))

    def digest_of(self, name: str) -> str:
        """The content digest of a file of this release; "" where it holds no file of this name."""
        text = self.code.get(normpath(name))
        return "" if text is None else digest_text(text)


@lru_cache(maxsize=64)
def released(release_id: UUID) -> Released:
    """Releases never change, so a process keeps what it has read."""
    row = Release.objects.get(pk=release_id)
    bundle = row.bundle
    # A release that undoes runs the code of the release whose effects it takes back; it is stored once.
    code_of = bundle.get("code_of", "")
    code = Release.objects.get(digest=code_of).bundle["code"] if code_of else bundle["code"]
    return Released(
        id=row.pk,
        digest=row.digest,
        spec=WorkflowSpec.from_json(bundle["spec"]),
        tools=bundle["tools"],
        agents=bundle["agents"],
        code=code,
        code_digest=code_of or row.digest,
        env={name: settings.HANDLER_ENV[name] for name in bundle["env"] if settings.HANDLER_ENV.get(name)},
        created_by=row.created_by,
        undoes={key: UUID(action_id) for key, action_id in bundle.get("undoes", {}).items()},
    )


def unpacked(release_id: UUID) -> Released:
    """The same, its code on this host. Raises OSError where it cannot be written."""
    one = released(release_id)
    _ = one.code_dir  # reading it unpacks
    return one


def unpack(digest: str, code: dict[str, str]) -> Path:
    """Write the release's files under their digest; a finished folder is never written again."""
    home = Path(settings.RELEASES_DIR)
    target = home / digest
    if target.is_dir():
        return target
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=home, prefix=".unpacking-"))
    try:
        _write(draft, code)
        os.rename(draft, target)
    except OSError:
        # Another worker finished first; its folder holds the same bytes.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _write(folder: Path, code: dict[str, str]) -> None:
    """The files, readable to the users that children run as."""
    for name, text in code.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    for inner in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        inner.chmod(0o755)
