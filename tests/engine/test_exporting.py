"""Our own traces out: what leaves, how it is called, in which order it is never lost, and that a dead sink changes nothing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace.export import SpanExportResult

from audit.ids import new_id
from audit.lifecycle import run
from audit.models import AuditEvent
from budgets.pricing import Usage
from orchestrator.engine import exporting, unsent_traces
from orchestrator.engine.exporting import Exporter
from orchestrator.health.judging import FIGURES
from orchestrator.health.readings import read
from orchestrator.management.commands.worker import Command
from orchestrator.models import Action, Attempt, Execution, TraceExport, TraceSetAside
from orchestrator.queries.trace_parts import parts_of
from orchestrator.telemetry.outgoing import Wanted
from orchestrator.telemetry.sink import Sink
from tests import make, worlds
from tests.engine.driving import approve, asked, drive

pytestmark = pytest.mark.django_db(transaction=True)


class Collector:
    """A sink on a port of its own that keeps what it is sent, or answers whatever it is told to."""

    def __init__(self):
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = collector.first.pop(0) if collector.first else collector.answer
                if answer == 200:
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                    collector.bytes += body
                self.send_response(answer)
                for name, value in collector.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(collector.says)))
                self.end_headers()
                self.wfile.write(collector.says)

            def log_message(self, *_):
                pass

        # What it answers to the first requests, and then.
        self.first, self.answer, self.requests, self.bytes = [], 200, [], b""
        self.headers, self.says = {}, b""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    @property
    def spans(self):
        return [
            span
            for one in self.requests
            for group in one.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def named(self, name):
        return next(span for span in self.spans if span.name == name)


@pytest.fixture
def sink():
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.fixture
def exporter(sink):
    """Switched on before anything happens."""
    made = Exporter(OTLPSpanExporter(sink.url, timeout=2).export)
    drain(made)
    return made


def drain(exporter):
    while exporter.one_round():
        pass


def told(span):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def pause():
    """Seconds until the sink is asked again."""
    left = "SELECT EXTRACT(EPOCH FROM next_try_at - clock_timestamp())::float8 FROM orchestrator_traceexport"
    return run(left, [])[0][0]


def end_of(part):
    return part.bytes[8:]


class TestWhatLeaves:
    def test_is_a_tree_under_our_trace_id_with_genai_names(self, sink, exporter):
        execution = make.execution("succeeded")
        drain(exporter)

        root = sink.named("invoke_workflow closing")
        steps = [sink.named(f"invoke_agent {name}") for name in ("looker", "poster")]
        assert (root.trace_id, root.span_id, root.parent_span_id) == (
            execution.trace_id.bytes,
            end_of(execution.pk),
            b"",
        )
        assert [one.parent_span_id for one in steps] == [root.span_id] * 2
        assert {one.span_id for one in steps} == {end_of(pk) for pk in Attempt.objects.values_list("pk", flat=True)}
        assert {one.trace_id for one in sink.spans} == {root.trace_id}
        assert told(steps[0]) | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "looker"} == told(
            steps[0]
        )
        assert all(one.start_time_unix_nano <= one.end_time_unix_nano for one in sink.spans)
        assert len(sink.spans) == 3

    def test_has_the_parents_that_the_trace_page_shows(self, sink, exporter, world, governed, provider):
        governed("  - send: {tool: unsafe, with: {ref: R-1}}\n")
        execution = worlds.start(world, "outside")
        drive(execution)
        approve(asked(execution), world.grace)
        drive(execution)
        drain(exporter)

        page = {
            end_of(part.id): end_of(part.parent_id) if part.parent_id else b""
            for part in parts_of(execution.trace_id, [execution.pk])
            if part.kind in {"execution", "step", "tool"}
        }
        sent = {one.span_id: one.parent_span_id for one in sink.spans}
        tool, approval = sink.named("execute_tool unsafe"), sink.named("approval unsafe")
        assert {key: sent[key] for key in page} == page
        assert len(sent) == len(page) + 1
        assert (approval.parent_span_id, approval.links[0].span_id) == (tool.parent_span_id, tool.span_id)

    def test_of_a_model_call_says_its_tokens(self, sink, exporter):
        granted = make.action(using=make.tool("look.up", tier="informational", record="", probe=""))
        make.carried_out(granted, cost=Usage(model="gpt-4.1", provider="openai", input_tokens=900, output_tokens=30))
        drain(exporter)

        call = sink.named("chat gpt-4.1")
        assert call.parent_span_id == end_of(granted.pk) == sink.named("execute_tool look.up").span_id
        assert told(call)["gen_ai.usage.input_tokens"] == 900
        assert call.kind == call.SPAN_KIND_CLIENT

    @pytest.mark.parametrize(("status", "error"), [("failed", True), ("cancelled", False), ("succeeded", False)])
    def test_is_an_error_where_something_really_failed(self, sink, exporter, status, error):
        make.execution(status)
        drain(exporter)

        assert (sink.named("invoke_workflow closing").status.code == 2) == error

    def test_of_a_rejection_is_a_span_of_its_own_no_error_and_no_call(self, sink, exporter):
        make.rejected(make.request(), make.person("grace", "view", "review"))
        drain(exporter)

        (only,) = sink.spans
        assert (only.name, only.status.code, told(only)["controlplane.decision.outcome"]) == (
            "approval erp.post_adjustment",
            0,
            "reject",
        )

    def test_of_a_denial_is_a_span_of_its_own_no_error_and_no_call(self, sink, exporter):
        make.agent("narrow", allowed_tools=["nothing"])
        denied = make.action(named="narrow")
        drain(exporter)

        (only,) = sink.spans
        assert denied.status == "denied"
        assert (only.name, only.status.code, told(only)["controlplane.decision.outcome"]) == (
            "policy erp.post_adjustment",
            0,
            "deny",
        )

    def test_holds_no_argument_result_or_name_of_a_person(self, sink, exporter):
        granted = make.action(
            reference="S3CRET-77", using=make.tool("look.up", tier="informational", record="", probe="")
        )
        make.carried_out(granted)
        make.rejected(make.request(reference="S3CRET-78"), make.person("grace", "view", "review"), note="S3CRET-79")
        drain(exporter)

        assert len(sink.spans) == 2
        assert not [word for word in (b"S3CRET", b"grace", b"P-1") if word in sink.bytes]

    def test_holds_arguments_and_openinference_names_where_settings_say_so(self, sink):
        exporter = Exporter(OTLPSpanExporter(sink.url).export, Wanted(content=True, openinference=True))
        drain(exporter)
        granted = make.action(reference="ADJ-77", using=make.tool("look.up", tier="informational", record="", probe=""))
        make.carried_out(granted)
        drain(exporter)

        found = told(sink.named("execute_tool look.up"))
        assert "ADJ-77" in found["gen_ai.tool.call.arguments"]
        assert json.loads(found["gen_ai.tool.call.result"]) == Action.objects.get(pk=granted.pk).result
        assert (found["openinference.span.kind"], found["tool.name"]) == ("TOOL", "look.up")


class TestThePlace:
    def test_begins_with_what_ends_after_it_was_switched_on(self, sink):
        make.execution("succeeded")
        exporter = Exporter(OTLPSpanExporter(sink.url).export)
        drain(exporter)

        assert sink.spans == []

    def test_skips_nothing_that_commits_late(self, sink, exporter):
        """One writer holds its transaction open while others end theirs; its lines have smaller ids and earlier times."""
        late, wrote, go_on = threading.Event(), threading.Event(), threading.Event()

        def slow():
            from django.db import transaction

            with transaction.atomic():
                make.rejected(request, person)
                wrote.set()
                go_on.wait(20)
            late.set()
            connections.close_all()

        request, person = make.request(), make.person("grace", "view", "review")
        writer = threading.Thread(target=slow)
        writer.start()
        assert wrote.wait(20)
        execution = make.execution("succeeded")
        drain(exporter)
        go_on.set()
        writer.join()
        drain(exporter)

        names = sorted(span.name for span in sink.spans)
        assert names == [
            "approval erp.post_adjustment",
            "invoke_agent looker",
            "invoke_agent poster",
            "invoke_workflow closing",
        ]
        assert late.is_set()
        assert Execution.objects.get(pk=execution.pk).status == "succeeded"

    def test_moves_in_batches_through_one_large_transaction(self, sink, exporter, monkeypatch):
        monkeypatch.setattr(exporting, "BATCH", 2)
        from django.db import transaction

        with transaction.atomic():
            for _ in range(3):
                make.execution("succeeded")
        drain(exporter)

        assert len(sink.spans) == len({span.span_id for span in sink.spans}) == 9
        assert max(len(one.resource_spans[0].scope_spans[0].spans) for one in sink.requests) == 2

    def test_is_one_hosts_until_it_is_silent(self, sink, exporter):
        other = Exporter(OTLPSpanExporter(sink.url).export)
        make.execution("succeeded")
        assert not other.one_round()
        assert sink.spans == []
        make.later("orchestrator_traceexport", "held_until", 1, 3600)
        drain(other)

        assert len(sink.spans) == 3

    def test_stays_where_it_was_when_the_sender_dies_after_sending(self, sink, exporter):
        def dies(spans):
            OTLPSpanExporter(sink.url).export(spans)
            raise KeyboardInterrupt

        make.execution("succeeded")
        exporter._send = dies
        with pytest.raises(KeyboardInterrupt):
            exporter.one_round()
        make.later("orchestrator_traceexport", "held_until", 1, 3600)
        drain(Exporter(OTLPSpanExporter(sink.url).export))

        assert len(sink.spans) == 6
        assert len({span.span_id for span in sink.spans}) == 3


class TestADeadSink:
    @pytest.fixture
    def down(self, sink, exporter):
        """It has answered nothing but errors for ten minutes, while work went on."""
        sink.answer = 503
        exporter._send = lambda spans: SpanExportResult.FAILURE
        execution = make.execution("succeeded")
        for _ in range(8):
            exporter.one_round()
            make.later("orchestrator_traceexport", "next_try_at", 1, 3600)
        make.later("orchestrator_traceexport", "caught_up_at", 1, 601)
        return execution

    def test_changes_no_execution(self, down):
        assert Execution.objects.get(pk=down.pk).status == "succeeded"

    def test_is_seen_on_the_health_page(self, down):
        facts = read().found["trace_export"]

        assert facts["value"] > 600
        assert facts["failures"] == 8

    def test_is_asked_again_later_and_later(self, sink, exporter):
        exporter._send = lambda spans: SpanExportResult.FAILURE
        make.execution("succeeded")
        pauses = []
        for _ in range(8):
            exporter.one_round()
            assert not exporter.one_round(), "it is left alone until its time has come"
            pauses.append(round(pause()))
            make.later("orchestrator_traceexport", "next_try_at", 1, 3600)

        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_is_caught_up_with_when_it_is_back(self, sink, exporter, down):
        sink.answer = 200
        exporter._send = OTLPSpanExporter(sink.url).export
        drain(exporter)

        assert len(sink.spans) == 3
        row = TraceExport.objects.get()
        assert (row.failures, row.sent) == (0, 3)
        assert read().found["trace_export"]["value"] < 60


class TestABatchThatTheSinkRefusesForGood:
    @pytest.fixture
    def exporter(self, sink, monkeypatch):
        """Two spans in a request."""
        monkeypatch.setattr(exporting, "BATCH", 2)
        made = Exporter(Sink(sink.url, timeout=2).send)
        drain(made)
        return made

    @pytest.fixture
    def refused(self, sink, exporter):
        """The first of two batches."""
        sink.first = [400]
        make.execution("succeeded")
        drain(exporter)
        return TraceSetAside.objects.get()

    def test_is_set_aside_and_the_next_one_goes_out(self, sink, refused):
        assert len(sink.spans) == 1
        assert (refused.spans, refused.status) == (2, 400)
        row = TraceExport.objects.get()
        assert (row.sent, row.failures) == (1, 0)
        event = AuditEvent.objects.get(event="traces.set_aside")
        assert json.loads(event.data) == {"spans": 2, "status": 400}

    def test_is_counted_on_the_health_page(self, refused):
        facts = read().found["trace_export"]
        assert (facts["aside"], facts["refused"]) == (2, 400)
        figure = next(one for one in FIGURES if one.key == "trace_export")
        found = figure.rule(facts, {"trace_export": (60, 600)})
        assert (found.state, found.detail) == ("degraded", "1 spans sent, 2 set aside: the sink answered 400")

    def test_is_sent_again_by_a_person_and_is_then_set_aside_no_longer(self, sink, refused, monkeypatch, capsys):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url.removesuffix("/v1/traces"))
        sink.first = [400]
        with pytest.raises(CommandError, match="did not take all"):
            call_command("resend_traces")
        assert TraceSetAside.objects.count() == 1
        call_command("resend_traces")

        assert "2 spans were taken, 0 are still set aside." in capsys.readouterr().out
        assert len({span.span_id for span in sink.spans}) == len(sink.spans) == 3
        assert not TraceSetAside.objects.exists()
        assert AuditEvent.objects.filter(event="traces.resent").count() == 1

    @pytest.mark.parametrize("answer", [301, 302, 307, 401, 403, 404, 408, 500])
    def test_is_none_where_the_answer_is_not_about_it(self, sink, exporter, answer):
        sink.answer = answer
        make.execution("succeeded")
        drain(exporter)

        assert not TraceSetAside.objects.exists()
        assert TraceExport.objects.get().failures == 1
        sink.answer = 200
        make.later("orchestrator_traceexport", "next_try_at", 1, 3600)
        drain(exporter)
        assert len(sink.spans) == 3

    @pytest.mark.parametrize(("answer", "asked", "given"), [(429, 300, 300), (503, 300, 300), (429, 86_400, 600)])
    def test_is_asked_again_when_the_sink_said_so_and_not_much_later(self, sink, exporter, answer, asked, given):
        sink.answer, sink.headers = answer, {"Retry-After": f"{asked}"}
        make.execution("succeeded")
        drain(exporter)

        assert given - 10 < pause() <= given

    def test_is_asked_again_like_any_other_that_is_down_when_it_asks_for_no_number(self, sink, exporter):
        sink.answer, sink.headers = 429, {"Retry-After": "9" * 5_000}
        make.execution("succeeded")
        drain(exporter)

        assert TraceExport.objects.get().failures == 1
        assert 0 < pause() <= 60

    def test_that_it_takes_without_some_of_its_spans_is_not_sent_again_and_the_log_says_so(
        self, sink, exporter, caplog
    ):
        left_out = ExportTracePartialSuccess(rejected_spans=1, error_message="S3CRET")
        sink.says = ExportTraceServiceResponse(partial_success=left_out).SerializeToString()
        make.execution("succeeded")
        drain(exporter)

        assert len(sink.spans) == len({span.span_id for span in sink.spans}) == 3
        assert "without 1 of its spans" in caplog.text
        assert "S3CRET" not in caplog.text

    def test_is_kept_by_who_sends_and_by_nobody_who_was_too_late(self, sink, exporter):
        """Another host took over while the sink thought about it: that one sends the batch, so this one keeps nothing."""
        sink.first = [400]
        make.execution("succeeded")
        send = exporter._send

        def slowly(spans):
            run("UPDATE orchestrator_traceexport SET holder = %s", [new_id()])
            return send(spans)

        exporter._send = slowly
        exporter.one_round()

        assert not TraceSetAside.objects.exists()
        assert not AuditEvent.objects.filter(event="traces.set_aside").exists()


class TestTheWorker:
    def test_sends_in_a_thread_of_its_own_to_where_the_environment_says(self, sink, monkeypatch, settings):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url.removesuffix("/v1/traces"))
        monkeypatch.setattr(exporting, "IDLE_SECONDS", 0.05)
        settings.TRACE_EXPORT = True
        loop = Command()._traces()
        try:
            worlds.wait_until(TraceExport.objects.exists, seconds=60)
            make.execution("succeeded")
            worlds.wait_until(lambda: len(sink.spans) == 3, seconds=60)
        finally:
            loop.stop()
            loop.join(20)


class TestAWorkerWithoutASink:
    """Beside those that have one, or after it was switched off: the same to whoever looks at the settings of one host."""

    @pytest.fixture(autouse=True)
    def off(self, exporter, settings):
        settings.TRACE_EXPORT = False

    def test_leaves_the_place_of_the_others_alone(self, sink, exporter):
        make.execution("succeeded")
        assert Command()._traces() is None
        unsent_traces.forget()
        drain(exporter)

        assert len(sink.spans) == 3

    def test_also_where_the_others_have_been_down_overnight(self, sink, exporter):
        make.execution("succeeded")
        make.later("orchestrator_traceexport", "held_until", 1, 12 * 3600)
        unsent_traces.forget()
        drain(exporter)

        assert len(sink.spans) == 3

    def test_forgets_the_place_after_a_day_in_which_nobody_tried_and_says_so(self):
        make.later("orchestrator_traceexport", "held_until", 1, 25 * 3600)

        assert unsent_traces.forget() == 1
        assert read().found["trace_export"] == {}
        assert AuditEvent.objects.filter(event="traces.switched_off").count() == 1
        assert unsent_traces.forget() == 0

    def test_is_no_worker_with_one(self, settings):
        settings.TRACE_EXPORT = True
        make.later("orchestrator_traceexport", "held_until", 1, 25 * 3600)

        assert unsent_traces.forget() == 0


def test_the_index_finds_the_end_of_the_trail():
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'audit_event_written_in'")
        assert "brin" in cursor.fetchone()[0]
    assert UUID(int=0) == exporting.START
