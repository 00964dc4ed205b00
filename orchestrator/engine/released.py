"""The pinned release an execution runs under: spec, contracts and code, as the database holds them."""

import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
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
    env: dict[str, str]
    created_by: str
    # Of an execution that undoes another: the action that each step takes back.
    undoes: dict[str, UUID] = field(default_factory=dict)

    @cached_property
    def steps_text(self) -> str:
        """The steps' specs as JSON, as every start of an execution inserts them."""
        return json.dumps([step.to_json() for step in self.spec.steps])

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
        env={name: settings.HANDLER_ENV[name] for name in bundle["env"] if settings.HANDLER_ENV.get(name)},
        created_by=row.created_by,
        undoes={key: UUID(action_id) for key, action_id in bundle.get("undoes", {}).items()},
    )
