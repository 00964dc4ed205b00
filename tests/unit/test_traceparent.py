"""The W3C header by its own rules: what is valid names a trace, anything else is ignored."""

from uuid import UUID

import pytest

from orchestrator.telemetry.traceparent import trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class TestTraceparent:
    @pytest.mark.parametrize("header", [f"00-{TRACE}-00f067aa0ba902b7-01", f" 00-{TRACE}-00f067aa0ba902b7-00 ",
                                        f"01-{TRACE}-00f067aa0ba902b7-01-what-comes-later"])  # fmt: skip
    def test_names_its_trace(self, header):
        assert trace_of(header) == UUID(TRACE)

    @pytest.mark.parametrize(
        "header",
        ["", "00", f"00-{TRACE}-00f067aa0ba902b7", f"00-{TRACE.upper()}-00f067aa0ba902b7-01", f"ff-{TRACE}-00f067aa0ba902b7-01",
         f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-00f067aa0ba902b7-01-more",
         f"00-{TRACE[1:]}-00f067aa0ba902b7-01", "x" * 5000],
    )  # fmt: skip
    def test_that_is_none_is_ignored(self, header):
        assert trace_of(header) is None
