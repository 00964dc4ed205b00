"""Runs trials: forks a process that plays a scenario with faults armed, buries it, lets time pass, plays on without faults.

Forked from a warm parent, so a death costs milliseconds. Every trial can be repeated by its name alone:

    scenario/point:hit:action[+point:hit:action]

Faults at `*` are a relay: each comes n places after the one before or, where that killed the process, after its successor began.
"""

import gc
import json
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.urls import get_resolver

from audit.definitions import activate, draft, retire
from budgets.models import Budget
from budgets.reserving import anything_is_budgeted
from config.postgres import Server
from orchestrator.engine import execute, sweep
from orchestrator.engine.released import released
from orchestrator.engine.runners import workshop
from orchestrator.engine.together import close_line
from orchestrator.models import Release
from orchestrator.operations import tokens
from tests import worlds as make
from tests.faults import active, defects, history, scenarios
from tests.faults.active import Fault
from tests.faults.drawing import name_of
from tests.faults.outside import Ledger
from tests.faults.player import Player, Trial, ask
from tests.faults.scenarios import SCENARIOS

REPEAT = '.venv/bin/python -m pytest tests/chaos/test_failpoints.py -m chaos --durable -k test_repeat --trial "{}"'
STOPPED_FOR, CHILD_WITHIN = 5.0, 60.0
NUMBERS = count(1)


@dataclass
class Outcome:
    """What became of a trial."""

    name: str
    fired: list[str]
    violations: list[str]
    # Where, and of which kind of process: one of each for every `kill -9`.
    deaths: list[tuple[str, str]]
    places: set[str]
    seconds: float

    def __str__(self) -> str:
        return f"{self.name}: {'; '.join(self.violations)}\n  repeat: {REPEAT.format(self.name)}"


@dataclass
class World:
    """What all trials of one session share."""

    world: make.World
    token: str
    ledger: Ledger
    folder: Path
    server: Server


@contextmanager
def world(folder: Path, server: Server) -> Iterator[World]:
    """A unit with its people, every scenario published, and the system outside as a process of its own."""
    settings.VAR_DIR, settings.WEBHOOK_PRIVATE_TARGETS = folder, True
    ledger = Ledger(folder / "books.jsonl")
    settings.HANDLER_ENV = {"ERP_URL": ledger.url}
    made = make.world()
    scenarios.publish_all(folder / "workflows")
    scenarios.listen(ledger.url)
    token = tokens.issue("clerk", "finance", tuple(tokens.SCOPES), 1)[0]
    on = World(made, token, ledger, folder, server)
    _warm(on)
    try:
        yield on
    finally:
        ledger.kill()


@contextmanager
def _budget(trial: Trial) -> Iterator[None]:
    """Room for all its trials: what is watched is that it is reserved, used up and given back.

    Only while its scenario plays: as soon as there is any budget, every step leaves the short way.
    """
    if not trial.scenario.budgeted:
        yield
        return
    name = trial.scenario.name
    version = Budget.objects.filter(name=name).count() + 1
    room = {"measure": "money", "currency": "EUR", "limit": 1_000_000, "window": "always", "assumed": Decimal("0.05")}
    budget = Budget(name=name, version=version, workflow=name, **room)
    draft(budget, by=make.SETUP)
    activate(budget, by=make.SETUP)
    anything_is_budgeted.again()
    try:
        yield
    finally:
        retire(budget, by=make.SETUP)
        anything_is_budgeted.again()


def _warm(on: World) -> None:
    """What every child would load, parse and compile anew: releases, the API's addresses and serializers, queries, rules."""
    for key in Release.objects.values_list("pk", flat=True):
        released(key)
    get_resolver()._populate()
    for scenario in ("signed", "class_b"):
        Player(_new_trial(on, scenario), lambda _: None).play()
        workshop.close_pool()
        close_line()
    # Rounds that need not be made in every sweep are made in the first of each process, so that no trial depends on the time.
    for duty in (sweep.look_at_alerts, sweep.look_at_levels, sweep.forget_sign_ins):
        duty.again()


def record(on: World, scenario: str) -> list[tuple[str, int]]:
    """Play it undisturbed: every point it passes, in order, with the number of the passing."""
    trial, log = _new_trial(on, scenario), on.folder / "trial.log"
    log.write_text("")
    with _budget(trial):
        _play(on, trial, [], log, recording=True)
    found = _read(log, trial)
    assert not found["violation"], found["violation"]
    return found["passed"]


def run(on: World, scenario: str, faults: list[Fault]) -> Outcome:
    """One trial: faults on, time passes, faults off, and what came of it is judged."""
    began = time.monotonic()
    trial = _new_trial(on, scenario)
    history.begin()
    log = on.folder / "trial.log"
    log.write_text("")
    with _budget(trial):
        _with_faults(on, trial, faults, log)
        while _others:
            os.waitpid(_others.pop(), 0)
        _time_passes()
        _read(log, trial)
        problem = _play(on, trial, [], log)
    told = _read(log, trial)
    violations = [problem] if problem else []
    violations += told["violation"] + history.judge(trial)
    if violations:
        _clear_away(on, trial, log)
    name, places = name_of(scenario, faults), {place for place, _ in told["at"]}
    return Outcome(name, told["fired"], violations, _deaths(told), places, time.monotonic() - began)


def _deaths(told: dict[str, list[Any]]) -> list[tuple[str, str]]:
    """Every `kill -9`: where, and what kind of process it was that died."""
    kinds = {"kill_runner": "runner", "kill_tool": "tool server"}
    actions = [fault.rpartition(":")[2] for fault in told["fired"]]
    return [
        (place, kinds.get(action, duty))
        for (place, duty), action in zip(told["at"], actions, strict=True)
        if action in active.DEATHS
    ]


def _clear_away(on: World, trial: Trial, log: Path) -> None:
    """What a trial that went wrong left over must not spoil the next one."""
    defect, _ = defects.planted(), defects.plant(None)
    _time_passes()
    _play(on, trial, [], log)
    defects.plant(defect)


def _new_trial(on: World, scenario: str) -> Trial:
    trial = Trial(SCENARIOS[scenario], f"{os.getpid()}-{next(NUMBERS)}", on.world, on.token, on.ledger.url)
    for ref in trial.refs:
        if trial.scenario.deeds:
            ask(on.ledger.url, "/plan", {"ref": ref, "deeds": list(trial.scenario.deeds)})
    return trial


def _with_faults(on: World, trial: Trial, faults: list[Fault], log: Path) -> None:
    """Processes follow each other until every fault had its chance: one that died is followed by the next with what is left."""
    left, known = list(faults), 0
    while left:
        _play(on, trial, left, log)
        fired = _read(log, trial)["fired"]
        if len(fired) == known:
            break
        for fault in map(Fault.read, fired[known:]):
            left.remove(fault)
        known = len(fired)
        if left:
            _time_passes()


def _time_passes() -> None:
    """Leases of the dead are over. It is the database's clock that says so."""
    with connection.cursor() as cursor:
        cursor.execute(active.PAST_EVERY_LEASE)
        cursor.execute(
            "UPDATE approvals_delivery SET due_at = clock_timestamp() WHERE sent_at IS NULL AND dropped_at IS NULL"
        )


def _play(on: World, trial: Trial, faults: list[Fault], log: Path, *, recording: bool = False) -> str:
    """One process plays. Returns what it has to complain of, or ""."""
    pid = _fork(trial, faults, log, recording)
    deadline = time.monotonic() + CHILD_WITHIN
    while True:
        found, status = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
        if not found:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return f"liveness: it did not come to rest within {CHILD_WITHIN:.0f} s"
            time.sleep(0.002)
        elif os.WIFSTOPPED(status):
            _while_it_stands_still(on, trial, log)
            os.kill(pid, signal.SIGCONT)
        else:
            return ""


def _while_it_stands_still(on: World, trial: Trial, log: Path) -> None:
    """PostgreSQL crashes, or leases run out and another process takes over while this one still believes it holds them."""
    action = log.read_text().rpartition(":")[2].strip()
    if action == "restart":
        connection.close()
        on.server.restart_immediate()
    if action == "kill_tool":
        on.ledger.kill_and_start_again()
    if action in {"restart", "kill_tool"}:
        return
    _try_to_let_time_pass()
    other = _fork(trial, [], log, False)
    end = time.monotonic() + STOPPED_FOR
    while time.monotonic() < end:
        if os.waitpid(other, os.WNOHANG)[0]:
            return
        time.sleep(0.005)
    _others.append(other)


_others: list[int] = []


def _try_to_let_time_pass() -> None:
    """What the stopped process has locked cannot be touched: that is the point of locks."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
        try:
            cursor.execute(active.PAST_EVERY_LEASE)
        except Exception:
            connection.close()
            return
        cursor.execute("RESET lock_timeout")


def _fork(trial: Trial, faults: list[Fault], log: Path, recording: bool) -> int:
    """A process of its own, with connections of its own."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    _kept.append(connection.connection)
    connection.connection = None
    try:
        gc.freeze()
        _child(trial, faults, log, recording)
    finally:
        os._exit(0)


_kept: list[Any] = []


def _child(trial: Trial, faults: list[Fault], log: Path, recording: bool) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND)

    def tell(line: str) -> None:
        if recording or not line.startswith("passed"):
            os.write(file, f"{line}\n".encode())

    if recording or faults:
        active.install(active.Passing(faults, tell))
    else:
        active.uninstall()
    defects.switch_on()
    logging.getLogger().addHandler(_Bugs(tell))
    execute.settle_success = _telling(execute.settle_success, "", "settled", tell)
    execute._next = _telling(execute._next, "settled", "", tell)
    execute._run_step = _telling(execute._run_step, "began", "", tell)
    try:
        Player(trial, tell).play()
    except BaseException as error:
        tell(f"violation the process broke: {type(error).__name__}: {str(error)[:200]} {_where(error)}")


class _Bugs(logging.Handler):
    """A traceback in the log is a bug of ours, whatever became of the trial."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._say = tell

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info[1] if record.exc_info else None
        if record.name.startswith(active.OURS) and raised is not None:
            self._say(f"violation a bug was logged by {record.name}: {type(raised).__name__}: {str(raised)[:160]!r}")


def _telling(
    does: Callable[..., Any],
    before: str,
    after: str,
    tell: Callable[[str], None],
) -> Callable[..., Any]:
    """What a worker began, and what it was told of its result: the history keeps its own list."""

    def do_and_tell(one: Any, *rest: Any, **more: Any) -> Any:
        if before:
            tell(f"{before} {one.fence}")
        done = does(one, *rest, **more)
        if after:
            tell(f"{after} {one.fence}")
        return done

    return do_and_tell


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:]))


def _read(log: Path, trial: Trial) -> dict[str, list[Any]]:
    """What the processes wrote down. What clients, people and workers were told goes into lists of their own."""
    found: dict[str, list[Any]] = {kind: [] for kind in ("fired", "at", "passed", "violation")}
    violations, duty = found["violation"], ""
    for line in log.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        match kind:
            case "told":
                violations += _told(trial, *rest.split(" ", 1))
            case "signs" | "began" | "settled":
                getattr(trial, kind).add(rest)
            case "duty":
                duty = rest
            case "at":
                found["at"].append((rest, duty))
            case "passed":
                point, hit = rest.split()
                found["passed"].append((point, int(hit)))
            case _:
                found[kind].append(rest)
    return found


def _told(trial: Trial, key: str, text: str) -> list[str]:
    same = json.loads(trial.answers.setdefault(key, text)) == json.loads(text)
    return [] if same else [f"I8: {key} was answered in two ways"]
