"""The peer dbos: W3 through its queue in two processes, and called directly in one.

python bench/peer_dbos.py setup | throughput N | direct N | latency N | decision N | worker
"""

import contextlib
import os
import subprocess
import sys
import time

import psycopg
from dbos import DBOS, DBOSClient, DBOSConfig
from measuring import TEXT, Meter, each, report, timed

URL = os.environ["BENCH_DSN"]
QUEUE, PROCESSES = "w3", 2
DONE = "SELECT count(*) FROM dbos.workflow_status WHERE created_at >= %s AND status = 'SUCCESS' AND name = 'w3'"


@DBOS.step()
def step(text: str) -> dict[str, str]:
    return {"text": text, "note": "x" * 160}


@DBOS.workflow()
def w3(text: str) -> dict[str, str]:
    return step(step(step(text)["text"])["text"])


@DBOS.workflow()
def signed(text: str) -> dict[str, str]:
    before = step(text)
    DBOS.recv("decision", timeout_seconds=600)
    return step(before["text"])


def launch() -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": URL,
        "application_version": "1",
        "log_level": "ERROR",
        "sys_db_pool_size": 20,
    }
    DBOS(config=config)
    DBOS.launch()


def setup(_: int) -> None:
    launch()
    DBOS.register_queue(QUEUE, worker_concurrency=8, polling_interval_sec=0.01, on_conflict="always_update")
    report(ready=True)


def worker(_: int) -> None:
    launch()
    print("ready", flush=True)
    while True:
        time.sleep(3600)


def throughput(count: int) -> None:
    """Enqueued by this process, worked off by two others; done when the database says so."""
    workers = [subprocess.Popen([sys.executable, __file__, "worker"], stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    try:
        for process in workers:
            assert process.stdout is not None
            process.stdout.readline()
        client = DBOSClient(system_database_url=URL)
        _work_off(client, 50)
        meter = Meter()
        _work_off(client, count)
        report(**meter.read(count))
    finally:
        for process in workers:
            process.kill()
            process.wait()


def _work_off(client: DBOSClient, count: int) -> None:
    with psycopg.connect(URL, autocommit=True) as connection:
        began = int(time.time() * 1000)
        for _ in range(count):
            client.enqueue({"workflow_name": "w3", "queue_name": QUEUE, "app_version": "1"}, TEXT)
        while connection.execute(DONE, [began]).fetchone()[0] < count:
            time.sleep(0.03)


def direct(count: int) -> None:
    launch()
    for _ in range(20):
        w3(TEXT)
    meter = Meter()
    for _ in range(count):
        w3(TEXT)
    report(**meter.read(count))


def latency(count: int) -> None:
    launch()
    report(**each(count, lambda: timed(lambda: w3(TEXT))))


def decision(count: int) -> None:
    launch()

    def once() -> float:
        handle = DBOS.start_workflow(signed, TEXT)
        time.sleep(0.03)  # until it waits
        began = time.perf_counter()
        DBOS.send(handle.workflow_id, "yes", "decision")
        handle.get_result(polling_interval_sec=0.001)
        return time.perf_counter() - began

    report(**each(count, once))


if __name__ == "__main__":
    verb, number = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with contextlib.suppress(KeyboardInterrupt):
        globals()[verb](number)
    sys.stdout.flush()
    os._exit(0)  # its threads would keep the interpreter
