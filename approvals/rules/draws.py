"""Which decided requests are looked at a second time: drawn by a secret of the day, which anybody can check afterwards.

The rule: SHA-256 over "seed:request id:digest", its first eight bytes as a fraction of all they can be; below the share,
it is drawn. The seed's own SHA-256 stands in the audit trail before the first draw, and the day before where the
system was running then, so it cannot be chosen to fit. The seed itself is told when its day is over (`told`), and then
every draw of that day can be computed again (`manage.py check_second_looks`).
"""

import re
from datetime import date, timedelta
from hashlib import sha256
from secrets import token_hex
from uuid import UUID

from django.conf import settings
from django.db import connection

from approvals.models import ApprovalPolicy, DrawSeed
from audit import events, lifecycle
from audit.actors import Actor
from audit.refusals import Refusal

STREAM = "second_look_seeds"
_NAMED = re.compile(r"([\w-]+) v(\d+)")
_COMMIT = """INSERT INTO approvals_drawseed (day, seed, commitment) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"""


class NotOverYet(Refusal):
    """A seed that is known while it is used would tell what is drawn next."""

    code = "day_not_over"


def is_drawn(*, seed: str, request_id: UUID, digest: str, percent: int) -> bool:
    """The rule, and all of it. Pure."""
    drawn = sha256(f"{seed}:{request_id}:{digest}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") * 100 < percent * 2**64


def commitment_of(seed: str) -> str:
    return sha256(seed.encode()).hexdigest()


def named_in(policy_version: str) -> set[tuple[str, int]]:
    """The policies, each with its version, that a request was judged under. Pure."""
    return {(name, int(version)) for name, version in _NAMED.findall(policy_version)}


def percent_of(policy_version: str) -> int:
    """The greatest share that a policy it was judged under asks for. Versions never change, so it can be asked again later."""
    named = named_in(policy_version)
    rows = ApprovalPolicy.objects.filter(name__in=[name for name, _ in named]).values_list(
        "name", "version", "second_look_percent"
    )
    shares = [share for name, version, share in rows if (name, version) in named]
    default = settings.SECOND_LOOK_PERCENT
    return max((default if share is None else share for share in shares), default=default)


def seed_of(day: date, *, by: Actor) -> str:
    """The secret of a day, committed to in the trail by whoever needs it first."""
    seed = token_hex(32)
    with connection.cursor() as cursor:
        cursor.execute(_COMMIT, [day, seed, commitment_of(seed)])
        fresh = cursor.rowcount == 1
    if fresh:
        data = {"day": day.isoformat(), "commitment": commitment_of(seed)}
        events.record("second_look_seed.committed", by=by, stream=STREAM, data=data)
        return seed
    return DrawSeed.objects.get(day=day).seed


def commit_ahead(*, by: Actor) -> bool:
    """Commit to tomorrow's seed today, so that no decision of tomorrow can have a say in it."""
    tomorrow = lifecycle.database_now().date() + timedelta(days=1)
    if DrawSeed.objects.filter(day=tomorrow).exists():
        return False
    seed_of(tomorrow, by=by)
    return True


def told(day: date) -> DrawSeed | None:
    """The seed of a day that is over, by the database's clock. Raises NotOverYet."""
    if day >= lifecycle.database_now().date():
        raise NotOverYet(f"The draws of {day} go on: its seed is told when the day is over (UTC).")
    return DrawSeed.objects.filter(day=day).first()
