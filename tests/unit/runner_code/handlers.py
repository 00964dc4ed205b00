"""Well-behaved handlers, as a release would bring them."""

from __future__ import annotations

import os
import random
import sys
import time
from typing import Any

Fields = dict[str, Any]
runs: list[int] = []


def echo(given: Fields, context: Any) -> Fields:
    return given


def key(given: Fields, context: Any) -> Fields:
    return {
        "key": context.idempotency_key,
        "attempt": context.attempt,
        "left": context.deadline - time.time(),
    }


def talk(given: Fields, context: Any) -> Fields:
    print("said to standard output")  # noqa: T201
    print("said to standard error", file=sys.stderr)  # noqa: T201
    context.log("said to the log")
    return {}


def count(given: Fields, context: Any) -> Fields:
    runs.append(1)
    return {"pid": os.getpid(), "parent": os.getppid(), "runs": len(runs), "files": os.listdir(".")}


def keep_a_file(given: Fields, context: Any) -> Fields:
    os.makedirs("deep/er", exist_ok=True)
    with open("deep/er/file", "w") as file:
        file.write("x")
    return count(given, context)


def business(given: Fields, context: Any) -> Fields:
    raise context.BusinessError("no such account")


def system(given: Fields, context: Any) -> Fields:
    raise context.SystemError("down for maintenance")


def unknown(given: Fields, context: Any) -> Fields:
    raise context.UnknownOutcome("sent, no answer")


def bug(given: Fields, context: Any) -> Fields:
    return {"never": given["missing"]}


def order_of_a_set(given: Fields, context: Any) -> Fields:
    return {"order": list({f"name-{number}" for number in range(50)})}


def post(given: Fields, context: Any) -> Fields:
    answers = [context.call("erp.post", {"number": number}) for number in range(given["times"])]
    return {"answers": answers}


def post_or_explain(given: Fields, context: Any) -> Fields:
    try:
        return {"answer": context.call("erp.post", {})}
    except context.Refused as no:
        return {"refused": no.kind, "why": str(no), "is_business": isinstance(no, context.BusinessError)}


def stubborn(given: Fields, context: Any) -> Fields:
    """Catches everything and does it again by itself."""
    while True:
        try:
            context.call("erp.post", {"again": True})
        except BaseException:
            time.sleep(0.001)


def swallowing(given: Fields, context: Any) -> Fields:
    try:
        context.call("erp.post", {})
    except BaseException:
        return {"posted": "as if"}
    return {}


def slow_cleanup(given: Fields, context: Any) -> Fields:
    try:
        return {"answer": context.call("erp.post", {})}
    finally:
        time.sleep(5)


def sleep(given: Fields, context: Any) -> Fields:
    time.sleep(given["seconds"])
    return {"slept": given["seconds"]}


def http(given: Fields, context: Any) -> Fields:
    given.setdefault("timeout", 2)
    return {"answer": context.http_json(**given)}


def seed(given: Fields, context: Any) -> Fields:
    random.seed(given["seed"])
    return {}
