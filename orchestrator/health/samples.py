"""The last day of every figure, one row each 15 seconds: written by whichever worker's supervisor is first, read by the page."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from audit.ids import new_id
from audit.lifecycle import run
from orchestrator.health.judging import combined, values_of
from orchestrator.health.readings import read

EVERY_SECONDS = 15
KEEP_HOURS = 24
POINTS = 40  # ten minutes
# A little less than the pause, so that two hosts in turn do not make it longer.
_IS_DUE = """
SELECT NOT EXISTS (SELECT 1 FROM orchestrator_healthsample WHERE at > clock_timestamp() - make_interval(secs => %s))
"""
_TAKE = "SELECT pg_try_advisory_xact_lock(7004001)"
_KEEP = "INSERT INTO orchestrator_healthsample (id, figures) VALUES (%s, %s)"
_FORGET = "DELETE FROM orchestrator_healthsample WHERE at < clock_timestamp() - make_interval(hours => %s)"
# A worker that has been silent for a day is history, not a worker.
_FORGET_HOSTS = """
DELETE FROM orchestrator_workerhost WHERE beat_at < clock_timestamp() - make_interval(hours => %s)
"""
_LATELY = """
SELECT floor(EXTRACT(EPOCH FROM clock_timestamp() - at) / %(every)s)::int, figures FROM orchestrator_healthsample
WHERE at > clock_timestamp() - make_interval(secs => %(every)s * %(points)s) ORDER BY at
"""

Sample = Mapping[str, Any]


def keep() -> bool:
    """Write the sample of this moment, if nobody else has."""
    if not run(_IS_DUE, [EVERY_SECONDS - 0.5])[0][0]:
        return False
    figures = values_of(read(), settings.HEALTH_LIMITS)
    with transaction.atomic():
        if not run(_TAKE, [])[0][0] or not run(_IS_DUE, [EVERY_SECONDS - 0.5])[0][0]:
            return False
        run(_KEEP, [new_id(), Jsonb(figures)])
        run(_FORGET, [KEEP_HOURS])
        run(_FORGET_HOSTS, [KEEP_HOURS])
    return True


def lately() -> list[Sample | None]:
    """The samples of the last ten minutes, the oldest first; None where nobody measured."""
    found: list[Sample | None] = [None] * POINTS
    for place, figures in run(_LATELY, {"every": EVERY_SECONDS, "points": POINTS}):
        found[POINTS - 1 - min(max(place, 0), POINTS - 1)] = json.loads(figures)
    return found


def line(samples: list[Sample | None], key: str, units: frozenset[UUID] | None) -> list[float | None]:
    """One figure of these samples for the units that are asked for, and a gap where it was not read."""
    return [None if sample is None or key not in sample else combined(key, sample[key], units) for sample in samples]
