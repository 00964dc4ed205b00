"""The child's own loop: greet, be bound to one release's code, then run one handler after the other."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys

from orchestrator.runner import egress, folders, kernel, sandbox, turn, wire
from orchestrator.runner.surroundings import Surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.runner.turn import Handler


def main(config: dict[str, Any], walls: list[str]) -> None:
    """Ends only with the process: by signal, or when the engine closes its end."""
    os.close(config["lifeline"])
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    kernel.become_subreaper()
    sock = socket.socket(fileno=config["socket"])
    sock.set_inheritable(False)
    Servant(wire.Channel(sock), config, walls).serve()


class Servant:
    """Answers the engine's three messages: bind, run, and nothing (end of stream)."""

    def __init__(self, channel: wire.Channel, config: dict[str, Any], walls: list[str]) -> None:
        self._channel = channel
        self._allowed = config["allowed"]
        self._confinement = sandbox.Confinement(config["directory"], config["keeper"], config["limits"])
        self._walls = walls + self._confinement.lose_privileges()
        self._work = self._confinement.work
        self._handlers: dict[str, Handler] = {}
        self._surroundings = Surroundings()
        # Line by line, so that what was printed before a crash is not lost; no text is an error.
        self._log = os.fdopen(1, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
        sys.stdout = sys.stderr = self._log

    def serve(self) -> None:
        # In the engine's process namespace, not ours: the engine looks us up under it.
        self._channel.send({"type": "hello", "pid": int(os.readlink("/proc/self"))})
        try:
            while True:
                header, body = self._channel.receive()
                {"bind": self._bind, "run": self._run}[header["type"]](header, body)
        except wire.Closed:
            os._exit(0)

    def _bind(self, header: dict[str, Any], _: bytes) -> None:
        self._reach = egress.Watch(header["egress"])
        self._walls += self._confinement.close_in(
            header["env"], header["ports"], self._allowed, programs=not header["egress"]
        )
        sys.dont_write_bytecode = True
        sys.path.insert(0, header["code"])
        self._channel.send({"type": "bound", "walls": self._walls, "level": sandbox.level(self._walls)})

    def _run(self, header: dict[str, Any], body: bytes) -> None:
        self._reach.begin()
        try:
            self._load(header["entry"])
        except BaseException as error:
            self._channel.send(turn.failure(error) | self._reach.report() | {"nonce": header["nonce"], "altered": True})
            return
        if header["isolation"] == "fork":
            self._run_in_fork(header, body)
        else:
            self._run_here(header, body)

    def _run_here(self, header: dict[str, Any], body: bytes) -> None:
        answer, text = turn.take(self._handlers[header["entry"]], header, body, self._channel, self._reach)
        altered = self._tidy() or self._surroundings.altered()
        self._channel.send(answer | {"nonce": header["nonce"], "altered": altered}, text)

    def _run_in_fork(self, header: dict[str, Any], body: bytes) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_the_fork(header, body)
        _, status = os.waitpid(pid, 0)
        report = {"type": "reaped", "nonce": header["nonce"], "code": os.waitstatus_to_exitcode(status)}
        self._channel.send(report | {"altered": self._tidy()})

    def _be_the_fork(self, header: dict[str, Any], body: bytes) -> None:
        try:
            kernel.die_with_parent(signal.SIGKILL)
            answer, text = turn.take(self._handlers[header["entry"]], header, body, self._channel, self._reach)
            self._flush()
            self._channel.send(answer | {"nonce": header["nonce"]}, text)
        finally:
            os._exit(0)

    def _load(self, entry: str) -> None:
        if entry not in self._handlers:
            module, _, function = entry.partition(":")
            self._handlers[entry] = getattr(importlib.import_module(module), function)
            self._surroundings = Surroundings()

    def _flush(self) -> bool:
        try:
            self._log.flush()
        except (OSError, ValueError):
            return False
        return True

    def _tidy(self) -> bool:
        """A complete log and an empty working folder, for the next run. True when that failed."""
        if not self._flush():
            return True
        try:
            os.umask(0o077)
            os.chdir(self._work)
            if os.listdir(self._work):
                folders.empty(self._work)
        except OSError:
            return True
        return False
