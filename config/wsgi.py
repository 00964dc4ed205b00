"""The WSGI entry point."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

from config import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Before the handler reads MIDDLEWARE, which the instrumentation extends.
telemetry.start()
site = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site. Django decodes by the charset of a Content-Type before any middleware could answer for a failure."""
    content_type = environ.get("CONTENT_TYPE", "")
    if not can_be_decoded_by(content_type):
        environ["CONTENT_TYPE"] = content_type.partition(";")[0]
    answer = site(environ, start_response)
    return without_body(answer) if environ["REQUEST_METHOD"] == "HEAD" else answer


def without_body(answer: Iterable[bytes]) -> Iterable[bytes]:
    """Django leaves the body of a HEAD to the server, and gunicorn logs a warning each time: for every look of a monitor."""
    close = getattr(answer, "close", None)
    if close is not None:
        close()
    return ()


def can_be_decoded_by(content_type: str) -> bool:
    """Python counts among its codecs what decodes no text (base64, idna, undefined). Without a charset it is UTF-8."""
    try:
        _, parameters = parse_header_parameters(content_type)
        for errors in ("strict", "replace"):
            b"a=?&".decode(parameters.get("charset", "utf-8"), errors)
    except (LookupError, ValueError):
        return False
    return True
