"""The web server: `gunicorn --config python:config.gunicorn config.wsgi`, here and in production."""

import gc
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import env

# Threads, because clients that wait for a decision (?wait=30) hold a request open and do nothing meanwhile.
worker_class = "gthread"
try:
    bind = f"{env.text('HOST', '127.0.0.1')}:{env.port('PORT', 8000)}"
    workers = env.integer("WEB_WORKERS", 2, at_least=1)
    threads = env.integer("WEB_THREADS", 16, at_least=1)
    # The site's own settings: here a bad one is a sentence, in a worker a traceback. Not as `import config.settings`,
    # because gunicorn would read a name `config` in this file as one of its own.
    from config import settings as _settings  # noqa: F401
except ImproperlyConfigured as problem:
    sys.exit(str(problem))
keepalive = 5
timeout = 60
graceful_timeout = 5

# The heartbeat file must not wait for a disk; and nobody administers this server through a socket at home.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
control_socket_disable = True

accesslog = None
loglevel = "warning"


def post_fork(server: object, worker: object) -> None:
    """Nothing that is being loaded is garbage: see `config/starting.py`."""
    gc.disable()


def post_worker_init(worker: Any) -> None:
    """What is loaded by now is never garbage: left out of collections, they stay short (200 ms of pause are a slow page)."""
    from audit.fitting import migrations_of_this_code  # noqa: PLC0415
    from orchestrator.api.waiting import places  # noqa: PLC0415

    places.are_closing = lambda: not worker.alive
    # The first question of a load balancer is answered as quickly as the others.
    migrations_of_this_code()
    gc.collect()
    gc.freeze()
    gc.enable()
