"""What `make run` does with what a program says."""

import sys
from pathlib import Path

from config.programs import Program

TALKS = "for number in range(5_000): print('line', number, 'of many that nobody needs')"


def started(log: Path) -> Program:
    program = Program("talker", [sys.executable, "-c", TALKS], cwd=log.parent, log=log)
    program.start()
    return program


class TestALog:
    def test_that_cannot_be_written_keeps_no_program_waiting(self, capfd) -> None:
        program = started(Path("/dev/full"))

        assert program.process is not None
        assert program.process.wait(60) == 0
