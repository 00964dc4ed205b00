"""Holdpoint itself, with full governance and isolated runners: what a user runs, driven from outside.

python bench/ours.py setup | throughput N | unrecorded N | latency N | decision N | parked N
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402
import psycopg  # noqa: E402

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from measuring import TEXT, Meter, each, report, spread, timed, tree_kilobytes  # noqa: E402

from approvals import operations as approvals  # noqa: E402
from approvals.models import ApprovalRequest  # noqa: E402
from approvals.operations import Voice  # noqa: E402
from audit.actors import person, system  # noqa: E402
from audit.definitions import activate, draft  # noqa: E402
from audit.lifecycle import run  # noqa: E402
from budgets.models import BusinessUnit  # noqa: E402
from budgets.permissions import grant  # noqa: E402
from orchestrator.models import Execution  # noqa: E402
from orchestrator.operations import executions  # noqa: E402
from orchestrator.releases.folders import install  # noqa: E402

BENCH = system("bench")
PATIENCE_SECONDS = 60
# Ids grow with time, so only what was started since is looked at.
_COUNT = "SELECT count(*) FROM orchestrator_execution WHERE id >= %s AND status = %s"
# Whoever waits for one execution is told of its end, as a user is: asking all the time would take a processor from what is
# measured. Only where one execution runs at a time.
_TELL = """
CREATE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_notify('bench', NEW.status || ' ' || NEW.id); RETURN NULL; END $$;
CREATE TRIGGER bench_tell AFTER UPDATE OF status ON orchestrator_execution FOR EACH ROW EXECUTE FUNCTION bench_tell();
"""
_TELL_NO_MORE = "DROP TRIGGER bench_tell ON orchestrator_execution; DROP FUNCTION bench_tell();"
_STEPS = """
SELECT EXTRACT(EPOCH FROM a.finished_at - a.claimed_at)::float8 FROM orchestrator_attempt a
JOIN orchestrator_execution e ON e.id = a.execution_id WHERE e.id = ANY(%s)
"""


def setup(_: int) -> None:
    call_command("migrate", verbosity=0)
    unit = BusinessUnit(name="bench", title="Benchmark")
    draft(unit, by=BENCH)
    activate(unit, by=BENCH)
    for name in ("bench_owner", "bench_reviewer"):
        user = get_user_model().objects.create(username=name)
        for permission in ("view", "review"):
            grant(user, permission, unit)
    for folder in ("w3", "signed"):
        install(HERE / folder, by=BENCH)
    report(ready=True)


@contextmanager
def _worker() -> Iterator[subprocess.Popen[bytes]]:
    """The real `manage.py worker`, warm: two django-q2 workers, each with its runner."""
    # Standard output is for the figures.
    process = subprocess.Popen([sys.executable, HERE.parent / "manage.py", "worker"], stdout=sys.stderr)
    try:
        _work_off("w3", "succeeded", 60)
        yield process
    finally:
        process.terminate()
        process.wait()


def _start(workflow: str) -> Execution:
    return executions.start(workflow=workflow, input={"text": TEXT}, unit="bench", by=BENCH)


def _work_off(workflow: str, ends: str, count: int) -> None:
    first = _start(workflow).pk
    for _ in range(count - 1):
        _start(workflow)
    seen, changed = 0, time.monotonic()
    while seen < count:
        time.sleep(0.03)
        now = run(_COUNT, [first, ends])[0][0]
        if now != seen:
            seen, changed = now, time.monotonic()
        if time.monotonic() - changed > PATIENCE_SECONDS:
            sys.exit(f"{count - seen} of {count} executions of {workflow} do not get on.")


@contextmanager
def _told() -> Iterator[Callable[[Execution, str], None]]:
    """What waits until an execution has a status."""
    with psycopg.connect(os.environ["BENCH_DSN"], autocommit=True) as line:
        line.execute(_TELL)
        line.execute("LISTEN bench")

        def until(execution: Execution, status: str) -> None:
            wanted = f"{status} {execution.pk}"
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline:
                if any(notice.payload == wanted for notice in line.notifies(timeout=1, stop_after=1)):
                    return
            sys.exit(f"Execution {execution.pk} does not get {status}.")

        try:
            yield until
        finally:
            line.execute(_TELL_NO_MORE)


def throughput(count: int) -> None:
    with _worker():
        meter = Meter()
        _work_off("w3", "succeeded", count)
        report(**meter.read(count))


# The same engine, but nothing reaches the trail or the spans. (W3 uses nothing that is charged, so there is no ledger entry.)
_UNRECORDED = """
ALTER FUNCTION audit_append(text, jsonb) RENAME TO audit_append_kept;
CREATE FUNCTION audit_append(_stream text, _events jsonb) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
CREATE FUNCTION bench_drop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER bench_drop BEFORE INSERT ON audit_span FOR EACH ROW EXECUTE FUNCTION bench_drop();
"""
_RECORDED = """
DROP TRIGGER bench_drop ON audit_span;
DROP FUNCTION bench_drop();
DROP FUNCTION audit_append(text, jsonb);
ALTER FUNCTION audit_append_kept(text, jsonb) RENAME TO audit_append;
"""


def unrecorded(count: int) -> None:
    """Throughput without the governance records: what they cost is the difference."""
    with connection.cursor() as cursor:
        cursor.execute(_UNRECORDED)
    try:
        throughput(count)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_RECORDED)


def latency(count: int) -> None:
    """Submit to finish; and of each step, what passes between its claim and its settling."""
    started = []

    def once() -> None:
        execution = _start("w3")
        started.append(execution.pk)
        until(execution, "succeeded")

    with _worker(), _told() as until:
        found = each(count, lambda: timed(once))
        steps = spread(row[0] for row in run(_STEPS, [started[-count:]]))
    report(**found, step_p50=steps["p50"], step_p95=steps["p95"])


def decision(count: int) -> None:
    """From the moment the reviewer's decision is committed (approve() returns) until the last step is done."""
    user = get_user_model().objects.get(username="bench_reviewer")
    reviewer = person(user.pk, user.username)
    clicked: list[float] = []

    def once() -> float:
        execution = _start("signed")
        until(execution, "waiting")
        request = ApprovalRequest.objects.get(execution_id=execution.pk)
        voice = Voice(digest=request.digest, revision=request.revision, reason_code="evidence_checked")
        time.sleep(0.01)
        click = time.perf_counter()
        approvals.approve(request_id=request.pk, by=reviewer, voice=voice)
        recorded = time.perf_counter()
        until(execution, "succeeded")
        clicked.append(time.perf_counter() - click)
        return time.perf_counter() - recorded

    with _worker(), _told() as until:
        found = each(count, once)
        click = spread(clicked[-count:])
    report(**found, click_p50=click["p50"], click_p95=click["p95"])


def parked(count: int) -> None:
    """Executions that run one step and then wait for a person: how fast they park, and what they hold meanwhile."""
    with _worker() as worker:
        # Every hand has had its share before anything is measured: what grows then grows with what is parked.
        _work_off("signed", "waiting", 1_000)
        before, meter = tree_kilobytes(worker.pid), Meter()
        _work_off("signed", "waiting", count)
        figures = meter.read(count)
        held = run("SELECT count(*) FROM orchestrator_attempt WHERE status = 'running'", [])[0][0]
        report(**figures, held=held, grown_mb=(tree_kilobytes(worker.pid) - before) / 1024)


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    connection.close()
