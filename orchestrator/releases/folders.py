"""Finding a workflow's folder by name, and registering what it brings: tools, agents, policies, then its release."""

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit.actors import Actor
from audit.refusals import Invalid
from orchestrator.models import Release
from orchestrator.operations import registry
from orchestrator.releases.bundle import publish
from orchestrator.releases.reading import read
from orchestrator.workflows.errors import WorkflowErrors
from orchestrator.workflows.parse import source_of


@dataclass(frozen=True, slots=True)
class Installed:
    """The release that is in production now, and what each file of definitions brought."""

    release: Release
    imported: dict[str, registry.Imported]


def folder_of(workflow: str) -> Path:
    """The folder called like the workflow in one of WORKFLOW_DIRS. Raises Invalid naming those that exist."""
    found = {path.parent.name: path.parent for home in settings.WORKFLOW_DIRS for path in home.glob("*/workflow.yaml")}
    if workflow not in found:
        raise Invalid(f"There is no workflow folder “{workflow}”.", remedy=f"Use one of: {', '.join(sorted(found))}.")
    return found[workflow]


@transaction.atomic
def install(folder: Path, *, by: Actor) -> Installed:
    """Import the folder's definitions (idempotent) and publish it: all of it, or nothing. Raises Invalid, WorkflowErrors."""
    if not os.path.isfile(folder / "workflow.yaml"):
        source_of(folder / "workflow.yaml")  # a wrong path is told by itself, before all that lies there is read
    found = read(folder)
    if found.errors:
        raise WorkflowErrors(found.errors)
    importers = {
        "tools.json": registry.import_tools,
        "agents.json": registry.import_agents,
        "policies.json": registry.import_policies,
    }
    imported = {
        name: importer(said.items, by=by, file=str(folder / name), places=said.places)
        for name, importer in importers.items()
        if (said := found.definitions[name]).items
    }
    return Installed(publish(folder, by=by), imported)
