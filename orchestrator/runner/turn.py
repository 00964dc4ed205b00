"""One run of one handler: hand it its input and context, and turn whatever it does into one message."""

from __future__ import annotations

from orchestrator.runner import wire
from orchestrator.runner.context import Context, Declared, Refused, Stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestrator.runner.egress import Watch

    Handler = Callable[[dict[str, Any], Context], object]

_MESSAGE_CHARACTERS = 2_000
_TRACEBACK_CHARACTERS = 6_000


def take(
    handler: Handler, header: dict[str, Any], body: bytes, channel: wire.Channel, reach: Watch
) -> tuple[dict[str, Any], str]:
    """Run it. Returns the header and body of the answer."""
    answer, text = _take(handler, Context(header, channel, reach.report), header, body)
    return answer | reach.report(), text


def _take(handler: Handler, context: Context, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], str]:
    try:
        result = handler(wire.decode(body), context)
        if context.stopped:
            # It caught the stop and went on; what it returns is nobody's result.
            return {"type": "stopped", "swallowed": True}, ""
        return {"type": "done"}, _result(result, header["max_result_bytes"])
    except wire.Closed:
        raise
    except BaseException as error:
        return failure(error), ""


def failure(error: BaseException) -> dict[str, Any]:
    """What an exception says about the attempt."""
    if isinstance(error, Stopped):
        return {"type": "stopped", "swallowed": False}
    detail: dict[str, Any] = {"exception": type(error).__name__}
    if isinstance(error, Declared):
        if isinstance(error.__cause__, TimeoutError):
            detail["timed_out"] = True
        if isinstance(error, Refused):
            detail["refused"] = error.kind
        return _failed(error.failure_class, _text(error), detail)
    if isinstance(error, _Unusable):
        return _failed(error.failure_class, _text(error), detail)
    return _failed("bug", f"{type(error).__name__}: {_text(error)}", detail | {"traceback": _traceback(error)})


class _Unusable(Exception):
    """The handler returned, but not something the engine can keep."""

    def __init__(self, failure_class: str, why: str) -> None:
        super().__init__(f"The result cannot be kept: {why}.")
        self.failure_class = failure_class


def _result(value: object, max_bytes: int) -> str:
    try:
        return wire.canonical_object(value, max_bytes=max_bytes)
    except wire.NotJson as error:
        raise _Unusable("bug", str(error)) from None
    except wire.TooLarge as error:
        raise _Unusable("too_large", str(error)) from None


def _failed(failure_class: str, message: str, detail: dict[str, Any]) -> dict[str, Any]:
    message = wire.clean(message, _MESSAGE_CHARACTERS)
    return {"type": "failed", "failure_class": failure_class, "message": message, "detail": detail}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "(an exception that cannot say what it is)"


def _traceback(error: BaseException) -> str:
    """The author's frames; ours say nothing about their mistake."""
    import traceback  # noqa: PLC0415 - 5 ms of every cold start, for a failure that may never come

    try:
        text = "".join(traceback.format_exception(error))
    except BaseException:
        return ""
    return wire.clean(text, _TRACEBACK_CHARACTERS)
