"""What django-q2 calls: a shell around the engine. Ids in, unknown arguments tolerated, safe to run twice."""

from uuid import UUID

from orchestrator.engine.workers.crew import crew


def run_attempts(fences: list[str], **_: object) -> None:
    """Put these claims into the hands of this worker process. Returns when all have begun, not when they have ended."""
    crew().take([UUID(fence) for fence in fences])
