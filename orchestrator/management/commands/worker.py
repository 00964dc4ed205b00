"""`manage.py worker`: one host's worth of muscle. Starts the django-q2 cluster, sweeps, and restarts a cluster that froze."""

import os
import signal
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from approvals.notifying.loop import Notifier
from orchestrator.engine.supervisor import Supervisor


class Command(BaseCommand):
    help = (
        "Run steps: supervises the django-q2 cluster in its own process group, sweeps, and notifies. Ctrl-C stops it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        supervisor, notifier = Supervisor(), Notifier()
        notifier.start()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: supervisor.stop())
        self._say(f"worker {socket.gethostname()}, pid {os.getpid()}: {settings.WORKERS} workers started")
        supervisor.run()
        notifier.stop()
        self._say(f"worker {socket.gethostname()}, pid {os.getpid()}: stopped, nothing is left running")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
