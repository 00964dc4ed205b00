"""What django-q2 calls: a shell around the engine. Ids in, unknown arguments tolerated, safe to run twice."""

from uuid import UUID

from orchestrator.engine.execute import run_segment


def run_attempt(fence: str, worker: str, **_: object) -> None:
    run_segment(UUID(fence), worker)
