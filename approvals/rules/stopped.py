"""What is stopped now? Reads only; `operations/stops.py` engages and lifts. One rule of coverage: the view behind it."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from approvals.models import ApprovalRequest, Stop
from audit.glance import Glance
from audit.lifecycle import run
from audit.refusals import Refusal

# Two numbers that nothing else of ours locks; approvals/migrations/0015 holds them once more.
GATE_LOCK = (1398034000, 1)
# A worker looks this often whether anything is stopped at all. The gate itself always asks.
LOOK_EVERY_SECONDS = 0.5
# What a stop `s` of the view has to have in common with what it covers.
COVERS = (
    "(s.unit_id IS NULL OR s.unit_id = {row}.unit_id) AND s.agent IN ('', {row}.agent) AND s.tool IN ('', {row}.tool)"
)
_COVERING = """
SELECT DISTINCT s.stop_id FROM approvals_stop_reach AS s
WHERE (s.unit_id IS NULL OR s.unit_id = %s) AND (s.agent = '' OR s.agent = ANY(%s)) AND s.tool IN ('', %s)
"""


class Stopped(Refusal):
    """A person has stopped this. Nothing is lost: it waits, and goes on when the stop is lifted."""

    code = "stopped"

    def __init__(self, stops: list[Stop], did: str) -> None:
        super().__init__(
            f"{stops[0].sentence}. {did}",
            remedy="It goes on by itself, and its clocks stand still, until the stop is lifted.",
        )


def covering(*, unit_id: UUID, agents: Iterable[str] = (), tool: str = "") -> list[Stop]:
    """The stops that cover this, the oldest first."""
    ids = [row[0] for row in run(_COVERING, [unit_id, list(agents), tool])]
    return list(Stop.objects.filter(pk__in=ids).order_by("engaged_at", "id")) if ids else []


def covering_request(request: ApprovalRequest) -> list[Stop]:
    return covering(unit_id=request.unit_id, agents=[request.agent], tool=request.tool)


def at_the_gate(*, unit_id: UUID, agent: str, tool: str) -> list[Stop]:
    """The same, asked by whoever lets something out: no stop is engaged from here to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT approvals_stops_at_the_gate(%s, %s, %s)", [unit_id, agent, tool])
        ids = [row[0] for row in cursor.fetchall()]
    return list(Stop.objects.filter(pk__in=ids).order_by("engaged_at", "id")) if ids else []


def refuse_stopped(request: ApprovalRequest) -> None:
    """Nobody approves what is stopped: the signature would be given under circumstances that somebody doubts."""
    stops = covering_request(request)
    if stops:
        raise Stopped(stops, "Approving waits until it is lifted; rejecting is possible. Nothing was recorded.")


def _any_stop() -> bool:
    return bool(run("SELECT 1 FROM approvals_stop WHERE status = %s LIMIT 1", ["engaged"]))


# Whether there is any stop at all: asked before every step, so it costs next to nothing.
anything_is_stopped = Glance(_any_stop, every_seconds=LOOK_EVERY_SECONDS)
