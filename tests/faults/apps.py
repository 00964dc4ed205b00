"""Arms a process that a test started: a real worker, its supervisor, each of django-q2's processes.

The settings of the test package bring this app in; production's never do. What may happen comes as JSON in `FAULTS`.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from django.apps import AppConfig


class FaultsConfig(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        from tests.faults.active import Chance, install

        plan: dict[str, Any] = json.loads(os.environ.get("FAULTS", "{}"))
        if plan:
            log, calm = Path(plan["log"]), Path(plan["calm"])
            install(Chance(plan["seed"], plan["actions"], plan["odds"], calm, lambda line: _write(log, line)))


def _write(log: Path, line: str) -> None:
    """One line per fault, written before it fires: when, who, where, what."""
    with log.open("a") as file:
        file.write(f"{time.time():.3f} {os.getpid()} {_role()} {line}\n")


def _role() -> str:
    import multiprocessing

    name = multiprocessing.current_process().name
    return f"{'supervisor' if 'worker' in sys.argv else 'cluster'}/{name}".replace(" ", "_")
