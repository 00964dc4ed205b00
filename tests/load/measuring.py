"""How long a page takes: by the clock on the wall, and on a processor, which the neighbours do not lengthen."""

import gc
import time
from pathlib import Path
from statistics import quantiles

from django.db import connection

ROUNDS = 20
SESSION = []


def watch(monkeypatch):
    """From now on `measured` counts what a page costs, and not what watching it does."""
    # The test client keeps a copy of every template's context: that is its own cost, not the page's.
    monkeypatch.setattr("django.test.client.store_rendered_templates", lambda *_, **__: None)
    gc.collect()
    gc.freeze()  # as config/gunicorn.py does when a worker starts
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        SESSION[:] = cursor.fetchone()


def measured(browser, address, **headers):
    """Wall p50 and p95, and busy p95, in seconds of asking for this page; the first answer is not counted."""
    walls, busies = [], []
    for _ in range(ROUNDS + 1):
        begun, at_work = time.perf_counter(), busy()
        answer = browser.get(address, headers=headers)
        walls.append(time.perf_counter() - begun)
        busies.append(busy() - at_work)
        assert answer.status_code == 200
    wall = quantiles(walls[1:], n=20)
    return wall[9], wall[18], quantiles(busies[1:], n=20)[18]


def busy():
    """Seconds that this process and its database session have been on a processor."""
    return time.process_time() + int(Path(f"/proc/{SESSION[0]}/schedstat").read_text().split()[0]) / 1e9


def told(figures):
    for name, p50, p95, at_work in figures:
        print(f"{name:40} p50 {p50 * 1000:5.0f}   p95 {p95 * 1000:5.0f}   busy p95 {at_work * 1000:5.0f} ms")
