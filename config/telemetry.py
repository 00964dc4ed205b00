"""Spans of web requests out over OTLP/HTTP, where an endpoint is configured. Losing the sink changes nothing here.

Executions and their parts are sent by the workers, from stored rows: orchestrator/engine/exporting.py.
"""

from django.conf import settings


def start() -> None:
    """Instrument Django once per process. Exporting happens in the background; failures are logged by the SDK and dropped."""
    if not settings.OTEL_ENABLED:
        return
    # Imported only where telemetry is on: it costs a tenth of a second that most processes need not pay.
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.instrumentation.django import DjangoInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    from config.web_spans import Exporter  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": "holdpoint", "service.version": settings.VERSION})
    )
    provider.add_span_processor(BatchSpanProcessor(Exporter()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()
