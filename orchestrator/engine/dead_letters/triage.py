"""What time and new letters make of a failure group: it escalates, calms down, wakes up, or turns out not to be fixed.

Runs in the sweep, on the database's clock. It never closes a group: only people say that a cause is fixed.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Now

from audit import rounds
from audit.lifecycle import move
from orchestrator.engine.claims import ENGINE
from orchestrator.models import DeadLetter, FailureGroup
from orchestrator.statuses import DeadLetterStatus, GroupStatus

# As often as this a process looks; a host more or less changes nothing but that.
LOOK_EVERY_SECONDS = 5
# Escalating: at least so many in the last hour, and so many times the mean of the day before. It is over at half of that:
# of a cause that fails about as often as this nobody is told every few minutes that it escalates, and that it does not.
SURGE_LETTERS, SURGE_TIMES = 20, 3
NEW_FOR = timedelta(hours=24)

# In order and never waiting: other hosts do the same, and people merge two groups at a time.
_SEEN = """
WITH latest AS (
  SELECT group_id, max(last_at) AS last_at FROM orchestrator_deadletter
  WHERE last_at > clock_timestamp() - interval '25 hours' AND group_id IS NOT NULL GROUP BY group_id
), picked AS (
  SELECT g.id, latest.last_at FROM orchestrator_failuregroup AS g JOIN latest ON latest.group_id = g.id
  WHERE g.seen_at < latest.last_at ORDER BY g.id FOR NO KEY UPDATE OF g SKIP LOCKED
)
UPDATE orchestrator_failuregroup AS g SET seen_at = picked.last_at FROM picked WHERE g.id = picked.id
"""
_SURGING = f"""
SELECT group_id, fresh >= enough FROM (
  SELECT group_id, count(*) FILTER (WHERE last_at > clock_timestamp() - interval '1 hour') AS fresh, GREATEST({SURGE_LETTERS},
    {SURGE_TIMES} * count(*) FILTER (WHERE last_at <= clock_timestamp() - interval '1 hour') / 24.0) AS enough
  FROM orchestrator_deadletter WHERE last_at > clock_timestamp() - interval '25 hours' AND group_id IS NOT NULL
  GROUP BY group_id
) AS counted WHERE fresh * 2 >= enough
"""


def judge_all() -> int:
    """Move every group whose time, growth or letters ask for it. Returns how many moved."""
    with connection.cursor() as cursor:
        cursor.execute(_SEEN)
        cursor.execute(_SURGING)
        found = dict(cursor.fetchall())
    surging = [group_id for group_id, is_enough in found.items() if is_enough]
    calm = [GroupStatus.NEW, GroupStatus.ONGOING, GroupStatus.REGRESSED]
    groups = FailureGroup.objects.all()
    return sum(
        (
            _all(_regressed(), GroupStatus.REGRESSED, "it came back where the fix should be"),
            _all(_woken(), GroupStatus.ONGOING, "the time or the growth it was parked for is here"),
            _all(
                groups.filter(pk__in=surging, status__in=calm),
                GroupStatus.ESCALATING,
                "several times as many as usual within an hour",
            ),
            _all(
                groups.filter(status=GroupStatus.ESCALATING).exclude(pk__in=list(found)),
                GroupStatus.ONGOING,
                "no longer several times as many as usual",
            ),
            _all(
                groups.filter(status=GroupStatus.NEW, first_at__lte=Now() - NEW_FOR),
                GroupStatus.ONGOING,
                "known for a day",
            ),
        )
    )


def _regressed() -> Any:
    """Open letters that failed after the fix, under a release that has it: made as late as the one named, or later."""
    has_it = Q(execution__release__created_at__gte=OuterRef("fixed_in__created_at")) | Q(
        execution__release_id=OuterRef("fixed_in_id")
    )
    after = DeadLetter.objects.filter(
        group=OuterRef("pk"), status=DeadLetterStatus.OPEN, last_at__gt=OuterRef("fixed_at")
    )
    fixed = FailureGroup.objects.filter(status=GroupStatus.FIXED)
    return fixed.filter(Q(fixed_in=None) & Exists(after) | Exists(after.filter(has_it)))


def _woken() -> Any:
    parked = FailureGroup.objects.filter(status=GroupStatus.PARKED).annotate(
        waiting=Count("letters", filter=Q(letters__status=DeadLetterStatus.OPEN))
    )
    return parked.filter(Q(parked_until__lte=Now()) | Q(waiting__gt=F("parked_above")))


def _all(groups: Any, to: str, why: str) -> int:
    found = list(groups.values_list("pk", "status")[:200])
    return rounds.each(found, lambda one: _one(one[0], one[1], to, why))


@transaction.atomic
def _one(group_id: UUID, seen: str, to: str, why: str) -> bool:
    """Whoever was faster wins: a person, or another host that saw the same."""
    group = FailureGroup.objects.select_for_update(skip_locked=True).filter(pk=group_id, status=seen).first()
    if group is None:
        return False
    leaves = {"parked_until": None, "parked_above": None} if seen == GroupStatus.PARKED else {}
    move(group, to=to, by=ENGINE, why=why, **leaves)
    return True
