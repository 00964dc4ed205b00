"""Holdpoint's API as an agent of any kind would call it: the standard library, a token, and a key per request.

A request that got no answer, or only half of one, is sent again with the same Idempotency-Key, which is what makes that
safe. So is one that was turned away for now: 429, 502, 503, 504, and what is still running.
"""

import json
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

TRIES = 5
LONG_POLL_SECONDS = 30
FOR_NOW = {429, 502, 503, 504}
# A budget's window may begin anew in a month: that is said at once, and not slept through.
LONGEST_PAUSE_SECONDS = 60


class Refused(Exception):
    """Holdpoint said no. `code` is for programs, the text for people."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', 'no code')}: {problem.get('detail', 'no reason was given')}")
        self.code = problem.get("code", "")


class Holdpoint:
    """One agent's door to the gate."""

    def __init__(self, url: str, token: str) -> None:
        self._base = f"{url.rstrip('/')}/api/v1/"
        self._token = token

    def get(self, path: str) -> Any:
        return self._send("GET", path)

    def post(self, path: str, body: dict[str, Any], *, key: str) -> Any:
        return self._send("POST", path, json.dumps(body).encode(), key)

    def every(self, path: str) -> list[Any]:
        """All rows of a list, page by page."""
        found: list[Any] = []
        address: str | None = path
        while address:
            page = self.get(address)
            found += page["results"]
            address = page["next"]
        return found

    def decided(self, action: dict[str, Any], patience: float) -> dict[str, Any]:
        """The action once people have decided, or as it is when our patience ends."""
        deadline = time.monotonic() + patience
        while action["status"] == "held" and time.monotonic() < deadline:
            asked = time.monotonic()
            wait = int(min(LONG_POLL_SECONDS, max(1, deadline - asked)))
            action = self.get(f"actions/{action['id']}/?wait={wait}")
            if action["status"] == "held" and time.monotonic() - asked < 1:
                time.sleep(1)  # all waiting places are taken: ask again, not at once
        return action

    def _send(self, method: str, path: str, body: bytes | None = None, key: str = "") -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        request = Request(urljoin(self._base, path), body, headers, method=method)
        for tried in range(1, TRIES + 1):
            pause = 0.2 * 2**tried
            try:
                with urlopen(request, timeout=LONG_POLL_SECONDS * 2) as answer:
                    return json.load(answer)
            except HTTPError as error:
                problem = _problem(error)
                pause = max(pause, _asked_to_wait(error))
                again = error.code in FOR_NOW or problem.get("code") == "still_running"
                if not again or tried == TRIES or pause > LONGEST_PAUSE_SECONDS:
                    raise Refused(error.code, problem) from None
            except (OSError, HTTPException, ValueError):  # no connection, no time left, half an answer, no JSON
                if tried == TRIES:
                    raise
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")


def _problem(error: HTTPError) -> dict[str, Any]:
    """What Holdpoint says of its no. A proxy before it says it in HTML, or hangs up half-way: then nothing is known."""
    try:
        problem = json.load(error)
    except (OSError, HTTPException, ValueError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _asked_to_wait(error: HTTPError) -> float:
    """Seconds, as Holdpoint writes it. A date, which a proxy may write, is left to our own pauses."""
    seconds = error.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 0.0
