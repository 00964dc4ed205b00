"""A system outside that takes webhooks: a real HTTP server on a port of its own. It can be down, slow, redirect, or drip.

And one that takes mail.
"""

import socket
import socketserver
import threading
import time
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """What arrived, and what it answers next."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/hooks"
        self.arrived = []
        self.answers = []


@contextmanager
def running(*, seconds=0.0, chokes=False):
    """`seconds`: how long it takes over each. `chokes`: on the first message that ever came, whenever it comes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.arrived.append((dict(self.headers), body))
            time.sleep(seconds)
            status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
            if chokes and body == receiver.arrived[0][1]:
                status = 500
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args):
            """Quiet."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        receiver = Receiver(port)
        yield receiver


@contextmanager
def served(server):
    """At the port it answers."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
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


class MailServer:
    """What it took. `hangs_up_on`: an address at which it ends the conversation. `dies`: once it took a message."""

    def __init__(self, port):
        self.port, self.arrived = port, []
        self.hangs_up_on, self.dies = "", False


@contextmanager
def mail_server():
    """Speaks as much SMTP as a client needs to be believed."""

    class Talk(socketserver.StreamRequestHandler):
        def handle(self):
            self.say("220 here")
            for line in self.rfile:
                said = line.decode().strip()
                verb = said[:4].upper()
                if verb == "RCPT" and server.hangs_up_on and server.hangs_up_on in said:
                    return
                if verb == "DATA":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    server.arrived.append(message_from_bytes(text, policy=policy.default))
                    if server.dies:
                        return
                self.say("221 bye" if verb == "QUIT" else "250 fine")

        def say(self, line):
            with suppress(OSError):
                self.wfile.write(line.encode() + b"\r\n")

    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)) as port:
        server = MailServer(port)
        yield server
