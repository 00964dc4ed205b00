"""What every measured program shares, peers included: clocks, percentiles, CPU time. Standard library only."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
TEXT = "0123456789" * 4


def report(**figures: Any) -> None:
    """Hand the figures to bench/run.py: the last line of standard output."""
    print(json.dumps(figures), flush=True)


def spread(seconds: Iterable[float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    sorted_ms = sorted(value * 1000 for value in seconds)
    return {"p50": statistics.median(sorted_ms), "p95": sorted_ms[min(len(sorted_ms) - 1, int(len(sorted_ms) * 0.95))]}


def each(count: int, once: Callable[[], float]) -> dict[str, float]:
    """Run it `count` times after a warm-up of a tenth, with a pause in between: one at a time on an idle system."""
    for _ in range(max(5, count // 10)):
        once()
    found = []
    for _ in range(count):
        time.sleep(0.005)
        found.append(once())
    return spread(found)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Meter:
    """Wall time and CPU time of a stretch of work: of this program with all below it, and of PostgreSQL."""

    def __init__(self) -> None:
        self._postmaster = int(os.environ["BENCH_POSTMASTER"])
        self._began, self._python, self._postgres = time.perf_counter(), *self._cpu()

    def read(self, count: int) -> dict[str, float]:
        """Per second and per piece of work, now."""
        wall = time.perf_counter() - self._began
        python, postgres = self._cpu()
        return {
            "per_second": count / wall,
            "python_ms": (python - self._python) / count * 1000,
            "postgres_ms": (postgres - self._postgres) / count * 1000,
        }

    def _cpu(self) -> tuple[float, float]:
        return _tree_seconds(os.getpid()), _tree_seconds(self._postmaster)


def tree_kilobytes(root: int) -> int:
    """Memory of a process and everything below it: what is shared with others counts in part."""
    return sum(_proportional_kilobytes(pid) for pid in _family(root, _all()))


def _tree_seconds(root: int) -> float:
    """CPU of a process and everything below it, those that have ended included."""
    stats = _all()
    return sum(stats[pid][1] for pid in _family(root, stats) if pid in stats)


def _all() -> dict[int, tuple[int, float]]:
    """Every process: its parent and its CPU seconds."""
    return {int(path.name): found for path in Path("/proc").iterdir() if path.name.isdigit() if (found := _stat(path))}


def _family(root: int, stats: dict[int, tuple[int, float]]) -> set[int]:
    family: set[int] = set()
    more = {root}
    while more:
        family |= more
        more = {pid for pid, (parent, _) in stats.items() if parent in family} - family
    return family


def _stat(process: Path) -> tuple[int, float] | None:
    try:
        fields = (process / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:15])) / TICKS


def _proportional_kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
