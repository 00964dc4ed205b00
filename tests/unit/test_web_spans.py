"""What a span of a web request tells a sink."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from config.web_spans import bare


@pytest.fixture
def span():
    """Of a request that failed, as the instrumentation of Django writes it."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    address = "https://holdpoint.example/executions/?requester=ada&q=NO93"
    attributes = {
        "http.method": "GET",
        "http.url": address,
        "url.query": "requester=ada&q=NO93",
        "http.status_code": 500,
    }
    with (
        pytest.raises(ValueError, match="NO93"),
        provider.get_tracer("django").start_as_current_span("GET executions/", attributes=attributes),
    ):
        raise ValueError("Failing row contains (NO93)")
    return kept.get_finished_spans()[0]


class TestASpan:
    def test_says_where_and_with_what_outcome_and_nothing_that_somebody_typed(self, span):
        told = bare(span)

        assert "NO93" in span.to_json()
        assert "NO93" not in told.to_json()
        assert dict(told.attributes or {}) == {
            "http.method": "GET", "http.url": "https://holdpoint.example/executions/", "http.status_code": 500,
        }  # fmt: skip

    def test_is_the_same_span(self, span):
        told = bare(span)

        same = ("name", "context", "parent", "kind", "start_time", "end_time", "resource", "instrumentation_scope")
        assert [getattr(told, name) for name in same] == [getattr(span, name) for name in same]
        assert told.status.status_code is span.status.status_code
