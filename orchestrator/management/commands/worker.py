"""`manage.py worker`: one host's worth of muscle. Starts the django-q2 cluster, sweeps, and restarts a cluster that froze."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from orchestrator.engine.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run steps: supervises the django-q2 cluster in its own process group and sweeps. Stop it with Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        supervisor = Supervisor()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: supervisor.stop())
        supervisor.run()
