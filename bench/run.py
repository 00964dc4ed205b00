"""`make bench`: W3 and its relatives, ours beside dbos and LangGraph, in alternating rounds on one PostgreSQL.

A benchmark, not a test: the exit code is 0 whatever the figures are, and 1 when something is broken.

    python bench/run.py [--quick] [--rounds N] [--workflows N] [--parked N] [--only ours,dbos,langgraph]
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from systems import DBOS, HOME, LANGGRAPH, OURS, Broken, System, recreate_database, running_server
from tables import Figures, print_tables

from config.postgres import Server

# What is measured of whom, in the order of one round.
THROUGHPUT = [
    (OURS, "throughput"),
    (OURS, "unrecorded"),
    (DBOS, "throughput"),
    (LANGGRAPH, "throughput"),
    (DBOS, "direct"),
]
ONE_AT_A_TIME = [(system, verb) for verb in ("latency", "decision") for system in (OURS, LANGGRAPH, DBOS)]


def main() -> int:
    options = _options()
    systems = [system for system in (OURS, DBOS, LANGGRAPH) if system.name in options.only]
    try:
        with running_server() as server:
            for system in systems:
                system.install()
                recreate_database(server, system)
                system.measure(server, "setup")
            figures = _measure(server, systems, options)
    except Broken as broken:
        print(broken, file=sys.stderr)
        return 1
    print_tables(figures)
    _keep(figures, options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Compare with dbos and LangGraph, as ratios.")
    parser.add_argument("--quick", action="store_true", help="one short round: does it work, roughly how fast?")
    parser.add_argument("--rounds", type=int, help="default 3, with --quick 1")
    parser.add_argument("--workflows", type=int, help="W3 per throughput measurement; default 2000, with --quick 300")
    parser.add_argument("--parked", type=int, default=0, help="park that many approvals as well (10000)")
    parser.add_argument("--only", default="ours,dbos,langgraph", help="which systems")
    options = parser.parse_args()
    options.only = options.only.split(",")
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.workflows = options.workflows or (300 if options.quick else 2000)
    options.single = 50 if options.quick else 200
    return options


def _measure(server: Server, systems: list[System], options: argparse.Namespace) -> Figures:
    figures: Figures = {}
    plan = [(*what, options.workflows) for what in THROUGHPUT] + [(*what, options.single) for what in ONE_AT_A_TIME]
    for _ in range(options.rounds):
        for system, verb, count in plan:
            if system in systems:
                _measure_one(figures, system, verb, count, server=server)
    if options.parked and OURS in systems:
        _measure_one(figures, OURS, "parked", options.parked, server=server)
    return figures


def _measure_one(figures: Figures, system: System, verb: str, count: int, *, server: Server) -> None:
    found = system.measure(server, verb, count)
    rounds = figures.setdefault(f"{system.name} {verb}", [])
    rounds.append(found)
    said = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    print(f"round {len(rounds)}: {system.name} {verb} x {count}: {said}", flush=True)


def _keep(figures: dict[str, Any], options: argparse.Namespace) -> None:
    kept = {"at": datetime.now(UTC).isoformat(), "cores": os.cpu_count(), "options": vars(options), "figures": figures}
    path = HOME / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(kept, indent=1))
    print(f"\nEvery figure of every round: {path.relative_to(HOME.parent.parent)}")


if __name__ == "__main__":
    sys.exit(main())
