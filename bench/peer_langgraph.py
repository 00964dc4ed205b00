"""The peer LangGraph with its PostgreSQL checkpointer, durability "sync": W3 in two processes, and in one.

python bench/peer_langgraph.py setup | throughput N | latency N | decision N | share N
"""

import os
import subprocess
import sys
import time
from itertools import pairwise
from typing import TypedDict
from uuid import uuid4

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from measuring import TEXT, Meter, each, report, timed

URL = os.environ["BENCH_DSN"]
PROCESSES = 2


class State(TypedDict):
    text: str
    note: str


def step(state: State) -> State:
    return {"text": state["text"], "note": "x" * 160}


def wait(state: State) -> State:
    interrupt("a person decides")
    return state


def _chain(saver, nodes):
    graph = StateGraph(State)
    names = [START, *nodes, END]
    for name, work in nodes.items():
        graph.add_node(name, work)
    for before, after in pairwise(names):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=saver)


def _w3(saver):
    return _chain(saver, {"first": step, "second": step, "third": step})


def _invoke(graph) -> dict[str, dict[str, str]]:
    config = {"configurable": {"thread_id": str(uuid4())}}
    graph.invoke({"text": TEXT, "note": ""}, config, durability="sync")
    return config


def setup(_: int) -> None:
    with PostgresSaver.from_conn_string(URL) as saver:
        saver.setup()
    report(ready=True)


def share(count: int) -> None:
    """One process' part of the throughput: says when it is warm, begins when it is told."""
    with PostgresSaver.from_conn_string(URL) as saver:
        graph = _w3(saver)
        for _ in range(25):
            _invoke(graph)
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(count):
            _invoke(graph)
        print("done", flush=True)
        sys.stdin.readline()


def throughput(count: int) -> None:
    command = [sys.executable, __file__, "share", str(count // PROCESSES)]
    shares = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    _hear(shares)
    meter = Meter()
    _say(shares)
    _hear(shares)
    report(**meter.read(count // PROCESSES * PROCESSES))
    _say(shares)
    for process in shares:
        process.wait()


def _hear(shares) -> None:
    for process in shares:
        process.stdout.readline()


def _say(shares) -> None:
    for process in shares:
        process.stdin.write("go on\n")
        process.stdin.flush()


def latency(count: int) -> None:
    with PostgresSaver.from_conn_string(URL) as saver:
        graph = _w3(saver)
        report(**each(count, lambda: timed(lambda: _invoke(graph))))


def decision(count: int) -> None:
    with PostgresSaver.from_conn_string(URL) as saver:
        graph = _chain(saver, {"before": step, "wait": wait, "after": step})

        def once() -> float:
            config = _invoke(graph)
            time.sleep(0.005)
            return timed(lambda: graph.invoke(Command(resume="yes"), config, durability="sync"))

        report(**each(count, once))


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 0)
