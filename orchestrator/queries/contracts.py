"""What the contracts in force say, for those who may not import the models."""

from orchestrator.models import Tool
from orchestrator.workflows import schemas


def argument_names(tool: str) -> frozenset[str] | None:
    """The arguments an active tool takes; None when any name may come: "*", an unknown tool, or an open schema."""
    row = Tool.objects.active().filter(name=tool).only("input_schema").first()
    return None if row is None else schemas.argument_names(row.input_schema)
