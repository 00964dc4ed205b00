"""`manage.py worker`: one host's worth of muscle. Starts the django-q2 cluster, sweeps, and restarts a cluster that froze."""

import os
import signal
import socket
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand

from approvals.notifying.loop import Notifier
from orchestrator.engine.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from orchestrator.engine.exporting import TraceLoop


class Command(BaseCommand):
    help = (
        "Run steps: supervises the django-q2 cluster in its own process group, sweeps, and notifies. Ctrl-C stops it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        supervisor, notifier = Supervisor(), Notifier()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: supervisor.stop())
        if supervisor.wait_for_the_database():
            self._work(supervisor, notifier)
        self._say(f"worker {socket.gethostname()}, pid {os.getpid()}: stopped, nothing is left running")

    def _work(self, supervisor: Supervisor, notifier: Notifier) -> None:
        notifier.start()
        traces = self._traces()
        self._say(f"worker {socket.gethostname()}, pid {os.getpid()}: {settings.WORKERS} workers started")
        supervisor.run()
        notifier.stop()
        if traces is not None:
            traces.stop()

    def _traces(self) -> "TraceLoop | None":
        """What sends our traces, where a sink is configured. Imported only there: most workers need not pay for it."""
        if not settings.TRACE_EXPORT:
            return None
        from orchestrator.engine.exporting import TraceLoop  # noqa: PLC0415

        loop = TraceLoop()
        loop.start()
        return loop

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
