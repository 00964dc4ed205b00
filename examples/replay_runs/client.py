"""Holdpoint's API as an agent of any kind would call it: the standard library, a token, and a key per request.

A request that got no answer is sent again with the same Idempotency-Key, which is what makes that safe.
"""

import json
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

TRIES = 5
LONG_POLL_SECONDS = 30


class Refused(Exception):
    """Holdpoint said no. `code` is for programs, the text for people."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}")
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
            try:
                with urlopen(request, timeout=LONG_POLL_SECONDS * 2) as answer:
                    return json.load(answer)
            except HTTPError as error:
                problem = json.loads(error.read() or b"{}")
                again = error.code == 503 or problem.get("code") == "still_running"
                if not again or tried == TRIES:
                    raise Refused(error.code, problem) from None
            except URLError:
                if tried == TRIES:
                    raise
            time.sleep(0.2 * 2**tried)
        raise AssertionError("the last try returns or raises")
