"""Plays a drawn history and tells what did not hold of it; makes one that fails as small as it can be."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import override_settings

from approvals.models import ApprovalRequest, Stop
from audit.definitions import activate, draft
from budgets.models import BusinessUnit
from budgets.permissions import grant
from budgets.reserving import anything_is_budgeted
from orchestrator.engine.runners.workshop import close_pool
from orchestrator.gate import limits
from orchestrator.models import Action, Agent, DeadLetter, Limit
from orchestrator.workflows.errors import WorkflowErrors
from tests import trail
from tests import worlds as make
from tests.conftest import empty_tables
from tests.engine import provider as providers
from tests.histories import books, invariants, reckoning
from tests.histories.acts import Site
from tests.histories.drawing import History, smaller

MOST_ROUNDS = 60
MOST_STARTED = 4
REVIEWERS = range(3)


class Complaints(logging.Handler):
    """What the engine caught and only logged: an error of ours, whatever it did about it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self.heard.append(f"{record.name}: {record.getMessage()} {cause!r}"[:600])


def play(history: History) -> tuple[list[str], list[str]]:
    """What did not hold, and what happened. A workflow that nobody may publish is no history."""
    empty_tables(None)  # type: ignore[arg-type]
    for glance in (limits.anything_is_limited, anything_is_budgeted):
        glance.again()
    trail.install()
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    with providers.running(books.Books) as provider, tempfile.TemporaryDirectory() as folder:
        site = Site(_world(), provider, _publisher(history, Path(folder)))  # type: ignore[arg-type]
        site.envelope = history.envelope
        try:
            with override_settings(HANDLER_ENV={"ERP_URL": provider.url}):
                site.publish()
                found = next(_problems(site, history, complaints), [])
        except WorkflowErrors:
            found = []
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"[:600], *_where(error)]
        finally:
            logging.getLogger().removeHandler(complaints)
            close_pool()
            if connection.in_atomic_block or connection.needs_rollback:
                connection.close()
    return found, site.told


def _where(error: BaseException) -> list[str]:
    trace, lines = error.__traceback__, []
    while trace is not None:
        lines.append(
            f"  {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno} {trace.tb_frame.f_code.co_name}"
        )
        trace = trace.tb_next
    return lines[-8:]


def _world() -> make.World:
    world = make.world()
    people = get_user_model().objects
    grant(people.get(username="olga"), "operate", world.unit)
    people.get(username="linus").user_permissions.add(Permission.objects.get(codename="add_ledgerentry"))
    below = BusinessUnit(name="below", title="Below", parent=world.unit)
    draft(below, by=make.SETUP)
    activate(below, by=make.SETUP)
    return world


def _publisher(history: History, folder: Path) -> Callable[..., None]:
    def publish(version: str = "1.0.0") -> None:
        text = history.workflow.replace("version: 1.0.0", f"version: {version}")
        make.publish(
            folder / "workflow", text, books.HANDLERS, tools=books.TOOLS, agents=books.AGENTS, release=providers.RELEASE
        )

    return publish


def _problems(site: Site, history: History, complaints: Complaints) -> Iterator[list[str]]:
    """The first thing that does not hold, as soon as it does not."""
    site.do("start", 0)
    site.acts = acts = iter(history.acts)
    for name, number in acts:
        # Where there was nothing to act on, the work goes on; where there is none, there will be.
        site.do(name, number) or site.do("work", number) or site.do("timers", 0) or _another(site)
        yield from _some(chain(invariants.always(site), complaints.heard))
    site.calm = True
    _trouble_ends(site)
    _drive(site)
    yield from _some(chain(invariants.always(site), invariants.at_rest(site), complaints.heard))
    _people_do_all(site)
    yield from _some(
        chain(invariants.always(site), invariants.at_rest(site), invariants.in_the_end(site), complaints.heard)
    )
    yield from _some(chain(reckoning.sums(), complaints.heard))
    if history.is_shown:
        yield from _some(chain(invariants.pages(site), reckoning.proofs(), complaints.heard))


def _another(site: Site) -> bool:
    return len(site.started) < MOST_STARTED and site.do("start", 0)


def _some(found: Iterable[str]) -> Iterator[list[str]]:
    if problems := list(found):
        yield problems


def _trouble_ends(site: Site) -> None:
    """The other systems answer, every lease of the dead is over, and nothing is stopped or limited any more."""
    site.provider.planned.clear()
    site.provider.sights.clear()
    site.claims.clear()
    for one in REVIEWERS:
        site.do("return", one)
    site.do("lapse", 0)
    if not Agent.objects.filter(name="clerk", status="active").exists():
        site.do("no_agent", 0)
    for _ in Stop.objects.engaged():
        site.do("lift", 0)
    for _ in Limit.objects.filter(status="active"):
        site.do("no_limit", 0)
    while site.do("room", 0):
        pass


def _drive(site: Site) -> None:
    for _ in range(MOST_ROUNDS):
        while site.do("work", 0):
            pass
        if not site.do("timers", 0):
            return
    raise AssertionError(f"it never comes to rest: {site.told[-12:]}")


def _people_do_all(site: Site) -> None:
    """Everybody does what waits for them, until nothing does."""
    for _ in range(MOST_ROUNDS):
        done = [
            _decide(site, request) for request in ApprovalRequest.objects.filter(status__in=("pending", "sent_back"))
        ]
        done += [site.do("say", at) for at in range(2 * Action.objects.unknown().count())]
        done += [site.do("silence", 0)] if Action.objects.filter(status="redeemed").exists() else []
        for letter in DeadLetter.objects.open():
            done.append((letter.redrives < 2 and site.do("redrive", 0)) or site.do("discard", 0))
        _drive(site)
        if not any(done):
            return
    raise AssertionError(f"people never come to an end: {site.told[-12:]}")


def _decide(site: Site, request: Any) -> bool:
    if request.status == "sent_back":
        return site.do("reply", 0)
    if request.is_by_hand:
        return any(site.do("hand_in", one) for one in REVIEWERS)
    waiting = list(ApprovalRequest.objects.filter(status="pending").order_by("pk").values_list("pk", flat=True))
    if request.pk not in waiting:
        return True
    at = 3 * waiting.index(request.pk)
    signed = [site.do("approve", at + one) for one in REVIEWERS]
    if ApprovalRequest.objects.filter(pk=request.pk, status="pending").exists():
        return any(site.do("reject", at + one) for one in REVIEWERS)
    return any(signed)


def shrunk(history: History, *, within: float) -> History:
    """The smallest history found that fails in the same way."""
    ends = time.monotonic() + within
    wanted = _kind(play(history)[0])
    while True:
        for one in smaller(history):
            if time.monotonic() > ends:
                return history
            found = play(one)[0]
            if found and _kind(found) == wanted:
                history = one
                break
        else:
            return history


def _kind(found: list[str]) -> str:
    return found[0][:24] if found else ""
