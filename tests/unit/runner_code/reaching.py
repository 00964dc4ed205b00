"""Handlers that reach for hosts, with and without the library they were given."""

from __future__ import annotations

import multiprocessing.util
import os
import socket
import subprocess
import urllib.request
from typing import Any

Fields = dict[str, Any]


def open_url(given: Fields, context: Any) -> Fields:
    with urllib.request.urlopen(given["url"], timeout=5) as answer:
        return {"status": answer.status}


def connect(given: Fields, context: Any) -> Fields:
    with socket.socket() as sock:
        sock.connect((given["host"], given["port"]))
    return {"connected": True}


def send_a_packet(given: Fields, context: Any) -> Fields:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"secret", (given["host"], given["port"]))
    return {"sent": True}


def look_up(given: Fields, context: Any) -> Fields:
    return {"found": socket.getaddrinfo(given["host"], 443)[0][4][0]}


def connect_by_name(given: Fields, context: Any) -> Fields:
    """Without asking for addresses first: the name would be looked up by the call itself."""
    try:
        with socket.socket() as sock:
            sock.connect((given["host"], given["port"]))
    except OSError:
        return {"found": False}
    return {"found": True}


def bind_to_a_name(given: Fields, context: Any) -> Fields:
    try:
        with socket.socket() as sock:
            sock.bind((given["host"], 0))
    except OSError:
        return {"bound": False}
    return {"bound": True}


def connect_where_a_name_leads(given: Fields, context: Any) -> Fields:
    return connect(given | {"host": socket.gethostbyname(given["host"])}, context)


def spawn_quietly(given: Fields, context: Any) -> Fields:
    """As concurrent.futures does: no event tells of it."""
    try:
        pid = multiprocessing.util.spawnv_passfds(b"/bin/true", [b"true"], [])
    except PermissionError:
        return {"started": False}
    return {"started": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0}


def run_a_program(given: Fields, context: Any) -> Fields:
    return {"code": subprocess.run(["true"], check=False).returncode}


def call_and_say_nothing(given: Fields, context: Any) -> Fields:
    """Gets nowhere, and goes on to propose a call."""
    keep_quiet(given, context)
    return {"answer": context.call("pay", {})}


_kept: list[socket.socket] = []


def post_on_the_open_line(given: Fields, context: Any) -> Fields:
    """The first run connects; later ones send on the connection it left open, and then reach for a stranger."""
    if not _kept:
        _kept.append(socket.create_connection((given["host"], given["port"])))
        return {"connected": True}
    _kept[0].sendall(b"POST / HTTP/1.1\r\nHost: erp\r\nContent-Length: 0\r\n\r\n")
    return connect(given | {"host": "127.0.0.2"}, context)


def both(given: Fields, context: Any) -> Fields:
    for url in given["urls"]:
        context.http_json("POST", url)
    return {"posted": len(given["urls"])}


def keep_quiet(given: Fields, context: Any) -> Fields:
    """Gets nowhere, and says that all is well."""
    try:
        return open_url(given, context)
    except BaseException:
        return {"status": 200}
