"""The mail server, with one time-out for all that is said to it: a socket's own begins anew with every byte that arrives."""

import smtplib
import socket
from contextlib import ExitStack
from typing import Any

from django.core.mail.backends import smtp

from audit.wires import within

# Connecting, agreeing on TLS, signing in and one message, together.
TALK_SECONDS = 30.0


class Talk(smtplib.SMTP):
    """One conversation. Raises TimeoutError, whatever was going on when its time was over."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ending = ExitStack()
        super().__init__(*args, **kwargs)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        line: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._ending.enter_context(within(TALK_SECONDS, line))
        return line

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._ending.close()


class EmailBackend(smtp.EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return Talk


def is_silent(error: Exception) -> bool:
    """Whether the server is what fails, so that the next message would wait as long: it answered nothing about this one."""
    refused = isinstance(error, (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused))
    return isinstance(error, OSError) and not refused
