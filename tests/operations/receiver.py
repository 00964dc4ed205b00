"""A system outside that takes webhooks: a real HTTP server on a port of its own. It can be down, slow, redirect, or drip."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """What arrived, and what it answers next."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/hooks"
        self.arrived = []
        self.answers = []


@contextmanager
def running(*, seconds=0.0):
    """`seconds`: how long it takes over each."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.arrived.append((dict(self.headers), body))
            time.sleep(seconds)
            status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def dripping(beginning, *, every, greets=False):
    """A receiver that begins its answer and goes on with a byte at a time, each sooner than a time-out, for ever.

    One that greets, as a mail server does, begins before it was asked anything.
    """
    over = threading.Event()

    def serve(peer):
        with peer, suppress(OSError):
            if not greets:
                peer.recv(65_536)
            receiver.arrived.append(beginning)
            peer.sendall(beginning)
            while not over.wait(every):
                peer.sendall(b"x")

    def listen():
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[door.accept()[0]], daemon=True).start()

    door = socket.create_server(("127.0.0.1", 0))
    receiver = Receiver(door.getsockname()[1])
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        over.set()
        door.shutdown(socket.SHUT_RDWR)
        thread.join()
        door.close()
