"""Holds the system outside (ledger.py), a process of its own."""

import subprocess
import sys
from pathlib import Path


class Ledger:
    """The system outside. Killed, it is started again at the same address, with the books it had."""

    def __init__(self, books: Path) -> None:
        self._command = [sys.executable, str(Path(__file__).with_name("ledger.py")), str(books)]
        self._start()
        self._command.append(str(self.port))

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def kill_and_start_again(self) -> None:
        self.kill()
        self._start()
