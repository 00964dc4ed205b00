"""Where handlers run: warm child processes, each lent to one job at a time.

A child is trusted with nothing. Whatever it does, `RunnerPool.run` returns one value; and unless the run
ended cleanly, no process of that child is alive when it does. How far a child is shut in, and what each way
of reuse means, stands in docs/runner.md.
"""

import atexit
import os
import threading
import weakref
from dataclasses import replace

from orchestrator.engine.runners.conversation import Conversation, OnCall, crash
from orchestrator.engine.runners.process import WALLS, RunnerProcess, StartFailed
from orchestrator.runner import wire
from orchestrator.runner.jobs import Answer, Call, Done, Failure, Job, Limits, Outcome, Parked

__all__ = ["Answer", "Call", "Done", "Failure", "Job", "Limits", "Outcome", "Parked", "Runner", "RunnerPool"]


class RunnerPool:
    """The children of one worker process. Safe for threads, and for runs inside another run's `on_call`."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        walls: tuple[str, ...] = WALLS,
        spares: int = 1,
        max_idle: int = 8,
    ) -> None:
        self._limits = limits or Limits()
        self._walls = walls
        self._wanted_spares, self._max_idle = spares, max_idle
        self._lock = threading.Lock()
        self._closed = False
        self._idle: list[Runner] = []  # the longest unused first
        self._spares: list[RunnerProcess] = []
        self._lent: set[Runner] = set()
        _POOLS.add(self)
        self._replenish()

    def run(self, job: Job, on_call: OnCall | None = None) -> Outcome:
        """Run one job to its outcome. What `on_call` raises is raised here, after the child was killed."""
        try:
            runner = self._take(job)
        except (StartFailed, OSError) as error:
            return Failure("system", f"No runner: {error}")
        try:
            return runner.run(job, on_call)
        finally:
            self._give_back(runner)
            self._replenish()

    def make_ready(self, job: Job) -> str:
        """Have a child wait for this job. Why none can be started here, or ""."""
        try:
            self._give_back(self._take(job))
        except (StartFailed, OSError) as error:
            return str(error)
        return ""

    def isolation(self) -> tuple[int, list[str]]:
        """The sandbox level on this system and its walls, found by binding a child. Raises StartFailed."""
        runner = self._take(Job({}, "no:handler", "tool", {}, trust_key="isolation", timeout_seconds=1))
        runner.clean = False  # nobody will ask for it again
        self._give_back(runner)
        return runner.process.level, runner.process.walls

    def close(self) -> None:
        """End all children that wait; one that is running a handler ends with its run."""
        with self._lock:
            self._closed = True
            processes = [*self._spares, *(runner.process for runner in self._idle)]
            self._spares, self._idle = [], []
        for process in processes:
            process.close()

    def _take(self, job: Job) -> "Runner":
        runner = self._take_idle(job.key) or self._bind_new(job)
        with self._lock:
            self._lent.add(runner)
        return runner

    def _take_idle(self, key: tuple[object, ...]) -> "Runner | None":
        """The most recently used idle child of that key; those found dead or talking on the way are ended."""
        while True:
            with self._lock:
                runner = next((one for one in reversed(self._idle) if one.key == key), None)
                if runner is None:
                    return None
                self._idle.remove(runner)
            if runner.process.is_silent():
                return runner
            runner.process.close()

    def _bind_new(self, job: Job) -> "Runner":
        """A spare if there is one; but a spare that died while it waited is no reason to fail a job."""
        with self._lock:
            spare = self._spares.pop() if self._spares else None
        if spare is not None:
            try:
                return Runner(spare, job)
            except StartFailed:
                pass
        return Runner(RunnerProcess(self._limits, self._walls), job)

    def _give_back(self, runner: "Runner") -> None:
        evicted: Runner | None = None
        with self._lock:
            self._lent.discard(runner)
            if runner.clean and runner.runs < self._limits.runs and not self._closed:
                self._idle.append(runner)
                evicted = self._idle.pop(0) if len(self._idle) > self._max_idle else None
            else:
                evicted = runner
        if evicted is not None:
            evicted.process.close()

    def _replenish(self) -> None:
        """Start spares for the next releases while nobody waits. A failure shows when one is needed."""
        while self._wants_spares():
            try:
                spare = RunnerProcess(self._limits, self._walls)
            except (StartFailed, OSError):
                return
            with self._lock:
                # Another thread may have started one meanwhile.
                kept = self._wants_spares()
                if kept:
                    self._spares.append(spare)
            if not kept:
                spare.close()

    def _wants_spares(self) -> bool:
        return not self._closed and len(self._spares) < self._wanted_spares

    def _abandon(self) -> None:
        """Run in a process forked from ours: the children stay the property of the parent."""
        runners = [*self._idle, *self._lent]
        for process in [*self._spares, *(runner.process for runner in runners)]:
            process.abandon()
        self._lock = threading.Lock()
        self._idle, self._spares, self._lent = [], [], set()


class Runner:
    """One child bound to one release's code, and whether it may be asked again."""

    def __init__(self, process: RunnerProcess, job: Job) -> None:
        """Raises StartFailed."""
        process.bind(job)
        self.process = process
        self.key = job.key
        self.runs = 0
        self.clean = True

    def run(self, job: Job, on_call: OnCall | None) -> Outcome:
        """Run one job. When the child is not `clean` afterwards, nothing of it is alive any more."""
        talk = Conversation(self.process.channel, job, on_call)
        self.runs += 1
        self.clean = False
        try:
            outcome = self._outcome(talk, job)
        finally:
            if not self.clean:
                self.process.end()
        return replace(outcome, logs=self.process.read_log(), seconds=talk.seconds, usage=talk.usage)

    def _outcome(self, talk: "Conversation", job: Job) -> Outcome:
        try:
            outcome = talk.hold()
            self.clean = talk.orderly and self.process.is_tidy()
        except wire.Closed:
            return crash(self.process.end())
        except wire.Overdue:
            return Failure("timeout", f"The handler took longer than {job.timeout_seconds:g} seconds.")
        except wire.Garbled as error:
            return Failure("protocol", f"The runner's answer cannot be read: {error}.")
        return outcome


_POOLS: "weakref.WeakSet[RunnerPool]" = weakref.WeakSet()


def _close_all() -> None:
    for pool in list(_POOLS):
        pool.close()


def _abandon_all() -> None:
    for pool in list(_POOLS):
        pool._abandon()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_abandon_all)
