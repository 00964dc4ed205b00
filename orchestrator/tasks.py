"""What django-q2 calls: a shell around the engine. Ids in, unknown arguments tolerated, safe to run twice."""

import logging
import time
from uuid import UUID

from django.db import Error, connection

from orchestrator.engine.execute import run_segment
from orchestrator.engine.handback import release_unstarted

logger = logging.getLogger(__name__)

ASK_AGAIN, PAUSE_SECONDS = 10, 0.3


def run_attempt(fence: str, worker: str, **_: object) -> None:
    """Run what the claim stands for. A lost database ends it: the lease, or a claim given back, decides what follows."""
    try:
        run_segment(UUID(fence), worker)
    except Error as error:
        # Whether the last write landed is unknown here; the lease decides: the sweep finds the attempt when it lapses.
        logger.warning("attempt %s lost the database (%s)", fence, type(error).__name__)
        _give_back_if_unstarted(UUID(fence))


def _give_back_if_unstarted(fence: UUID) -> None:
    """A connection that died while this worker was idle is found out by its next claim, which need not wait for its lease."""
    for _ in range(ASK_AGAIN):
        connection.close()
        try:
            release_unstarted(fence, why="the database went away before the work began")
        except Error:
            time.sleep(PAUSE_SECONDS)
        else:
            return
