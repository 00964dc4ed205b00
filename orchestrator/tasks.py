"""What django-q2 calls: a shell around the engine. Ids in, unknown arguments tolerated, safe to run twice."""

import logging
from uuid import UUID

from django.db import Error, connection

from orchestrator.engine.execute import run_segment

logger = logging.getLogger(__name__)


def run_attempt(fence: str, worker: str, **_: object) -> None:
    try:
        run_segment(UUID(fence), worker)
    except Error as error:
        # Whether the last write landed is unknown here; the lease decides: the sweep finds the attempt when it lapses.
        logger.warning("attempt %s lost the database (%s)", fence, type(error).__name__)
        connection.close()
