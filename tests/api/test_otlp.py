"""`/v1/traces` as foreign agents use it: the SDK's exporters on a live server, and whatever else may be sent there."""

import gzip
import json
import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO
from uuid import UUID, uuid4

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from audit.actors import agent as agent_actor
from audit.lifecycle import database_now
from audit.models import AuditEvent, Span, SpanUse
from budgets.models import LedgerEntry
from orchestrator.gate.propose import propose
from orchestrator.models import Action
from orchestrator.operations import spans as verbs
from orchestrator.queries.traces import trace
from orchestrator.telemetry import wire
from orchestrator.telemetry.reading import read
from tests.api.conftest import make_person, make_token, signed_in
from tests.api.exporters import SECOND, START, JSONExporter, as_json, batch, post, sdk, span

TRACE = UUID(bytes=b"\x01" * 16)
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1", "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 500}  # fmt: skip


def agent_run(exporter, processor=SimpleSpanProcessor):
    """An agent that calls a model and a tool, and fails at the tool."""
    provider = TracerProvider()
    provider.add_span_processor(processor(exporter))
    tracer = provider.get_tracer("agent")
    with tracer.start_as_current_span(
        "invoke_agent clerk", attributes={"gen_ai.operation.name": "invoke_agent"}
    ) as root:
        with tracer.start_as_current_span("chat gpt-4.1", attributes=CHAT):
            pass
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay"}
        with tracer.start_as_current_span("execute_tool pay", attributes=tool) as inner:
            inner.add_event("retry", {"number": 1})
            inner.set_status(StatusCode.ERROR)
    provider.shutdown()
    return UUID(int=root.context.trace_id)


def shape(trace_id):
    rows = {row.pk: row for row in Span.objects.filter(trace_id=trace_id)}
    return {
        (row.name, row.kind, row.status, rows[row.parent_id].name if row.parent_id else "") for row in rows.values()
    }


AGENT_RUN = {
    ("invoke_agent clerk", "agent", "ok", ""),
    ("chat gpt-4.1", "model", "ok", "invoke_agent clerk"),
    ("execute_tool pay", "tool", "error", "invoke_agent clerk"),
}


class TestARealExporter:
    @pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
    def test_of_protobuf_is_understood(self, live_server, token, compression):
        found = agent_run(sdk(live_server, token, compression=compression))

        assert shape(found) == AGENT_RUN
        assert Span.objects.get(trace_id=found, kind="tool").events[0]["attributes"] == {"number": 1}

    def test_of_json_is_understood_and_answered_in_json(self, live_server, token):
        exporter = JSONExporter(live_server, token)
        found = agent_run(exporter)

        assert shape(found) == AGENT_RUN
        assert [(status, body) for status, body, _ in exporter.answers] == [(200, b"{}")] * 3

    @pytest.mark.slow
    def test_brings_ten_thousand_spans_in_batches(self, live_server, token):
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(sdk(live_server, token), max_queue_size=20_000))
        tracer = provider.get_tracer("agent")
        with tracer.start_as_current_span("root"):
            for _ in range(100):
                with tracer.start_as_current_span("turn"):
                    for _ in range(99):
                        tracer.start_span("call").end()
        provider.force_flush(60_000)
        provider.shutdown()

        assert Span.objects.count() == 10_001
        assert Span.objects.filter(parent_id=None).count() == 1


def in_chunks(api, body, **more):
    """As the server hands on a body that came without its length."""
    extra = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_TYPE": "application/x-protobuf", **more}
    headers = {**api.headers, "Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}
    return api.client.generic("POST", "/v1/traces", headers=headers, **extra)


class BrokenOff(BytesIO):
    """The caller hung up in the middle of a chunk; gunicorn's error for it is no OSError."""

    def read(self, size=-1):
        raise Exception("no chunk")


@pytest.fixture
def sent(world):
    """What one request would bring, without a socket. Returns the verb's answer."""

    def send(*spans, agent="triage", scopes=("traces:write",), unit=world):
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.extend(spans)
        reported, refused = read(request)
        by = agent_actor(agent, unit_ids=frozenset({unit.pk}), scopes=frozenset(scopes))
        return verbs.take(reported=reported, refused=refused, size=request.ByteSize(), by=by)

    return send


@pytest.fixture
def sent_as_json(world):
    """What a request of spans with these fields of their own would bring."""

    def send(*told):
        found = as_json(ExportTraceServiceRequest.FromString(batch(*map(span, range(1, len(told) + 1)))))
        for one, fields in zip(found["resourceSpans"][0]["scopeSpans"][0]["spans"], told, strict=True):
            one.update(fields)
        reported, refused = read(wire.decode(json.dumps(found).encode(), wire.JSON))
        by = agent_actor("triage", unit_ids=frozenset({world.pk}), scopes=frozenset())
        return verbs.take(reported=reported, refused=refused, size=1, by=by)

    return send


def parents():
    rows = {row.pk: row for row in Span.objects.all()}
    return {
        int(row.external_id, 16): int(rows[row.parent_id].external_id, 16) if row.parent_id else 0
        for row in rows.values()
    }


class TestASpan:
    def test_sent_again_changes_nothing(self, sent):
        sent(span(1), span(2, 1))
        before = list(Span.objects.order_by("pk").values())

        assert sent(span(1, name="another"), span(2, 1), span(2, 1)).accepted == 3
        assert list(Span.objects.order_by("pk").values()) == before

    def test_that_was_open_is_closed_by_a_later_version_and_by_no_third(self, sent):
        sent(span(1, took=None), span(2, 1))
        assert Span.objects.get(external_id=f"{1:016x}").status == "running"
        sent(span(1, took=SECOND, error=True))
        sent(span(1, took=9 * SECOND), span(1, took=None))

        row = Span.objects.get(external_id=f"{1:016x}")
        assert (row.status, (row.ended_at - row.started_at).total_seconds()) == ("error", 1.0)
        assert parents() == {1: 0, 2: 1}

    @pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
    def test_finds_its_parent_whichever_comes_first(self, sent, order):
        made = {1: span(1), 2: span(2, 1), 3: span(3, 2)}
        for number in order:
            sent(made[number])

        assert parents() == {1: 0, 2: 1, 3: 2}

    def test_whose_parent_never_comes_stays_and_hangs_from_the_root(self, sent):
        sent(span(1), span(2, 77))

        assert parents() == {1: 0, 2: 0}

    def test_may_be_the_child_of_another_agents_in_its_unit(self, sent):
        sent(span(1), agent="other")
        sent(span(2, 1))

        assert parents() == {1: 0, 2: 1}

    def test_of_another_agent_with_the_same_id_is_another_one(self, sent):
        sent(span(1))
        sent(span(1), span(2, 1), agent="other")

        assert (
            Span.objects.get(external_id=f"{2:016x}").parent_id
            == Span.objects.get(agent="other", external_id=f"{1:016x}").pk
        )

    def test_is_kept_small_and_says_what_was_left_out(self, sent):
        texts = {f"prompt.{n}": "x" * 10_000 for n in range(200)}
        sent(span(1, **texts, **CHAT))

        row = Span.objects.get()
        assert len(json.dumps(row.attributes)) < 20_000
        assert row.attributes["gen_ai.usage.input_tokens"] == 1000
        assert row.dropped == len(texts) + len(CHAT) - len(row.attributes)

    def test_with_text_that_no_database_keeps_is_kept_without_it(self, sent):
        sent(span(1, name="a\0b", **{"k\0": "v\0", "ratio": float("nan")}))

        row = Span.objects.get()
        assert (row.name, row.attributes) == ("ab", {"k": "v", "ratio": "nan"})

    def test_of_a_no_is_refused_and_no_error(self, sent):
        sent(span(1, error=True, **{"controlplane.decision.outcome": "deny"}))

        assert Span.objects.get().status == "refused"


class TestKinds:
    @pytest.mark.parametrize(
        ("attributes", "kind"),
        [({"openinference.span.kind": "LLM"}, "model"), ({"openinference.span.kind": "RETRIEVER"}, "retrieval"),
         ({"openinference.span.kind": "AGENT"}, "agent"), ({"openinference.span.kind": "TOOL"}, "tool"),
         ({"gen_ai.operation.name": "embeddings"}, "model"), ({"gen_ai.request.model": "gpt-4.1"}, "model"),
         ({"http.request.method": "GET"}, "span"), ({}, "span")],
    )  # fmt: skip
    def test_are_read_from_the_names_of_either_convention(self, sent, attributes, kind):
        sent(span(1, **attributes))

        assert Span.objects.get().kind == kind


class TestRefused:
    @pytest.mark.parametrize(
        ("bad", "reason"),
        [(span(1, took=-SECOND), "ends_before_it_starts"), (span(1, 1), "own_parent"), (span(1, start=0, took=0), "no_start"),
         (span(1, trace=b"\0" * 16), "bad_id"), (span(1, trace=b"\1" * 8), "bad_id"), (span(0), "bad_id")],
    )  # fmt: skip
    def test_spans_are_counted_and_the_others_kept(self, sent, bad, reason):
        taken = sent(bad, span(9))

        assert (taken.accepted, taken.refused) == (1, {reason: 1})
        assert parents() == {9: 0}
        assert json.loads(AuditEvent.objects.get(event="spans.refused").data) == {"count": 1, reason: 1}

    @pytest.mark.parametrize("field", ["traceId", "spanId", "parentSpanId"])
    @pytest.mark.parametrize("said", ["zz", "abc", "\u00e9", 7, ["a"], {}, True])
    def test_is_a_span_whose_id_is_no_hex_and_no_other_one(self, sent_as_json, field, said):
        taken = sent_as_json({field: said}, {})

        assert (taken.accepted, taken.refused) == (1, {"bad_id": 1})

    @pytest.mark.parametrize("requests", [[(1, 2), (2, 1)], [(1, 3), (2, 1), (3, 2)], [(3, 2), (1, 3), (2, 1)]])
    @pytest.mark.parametrize("together", [True, False])
    def test_is_the_span_that_would_close_a_circle(self, sent, requests, together):
        made = [span(number, parent) for number, parent in requests]
        taken = [sent(*made)] if together else [sent(one) for one in made]

        assert sum(one.refused.total() for one in taken) == 1
        assert len(parents()) == len(requests) - 1
        assert_a_tree()

    def test_is_said_as_otlp_says_it(self, live_server, token):
        status, body, _ = post(live_server, token, batch(span(1, took=-SECOND), span(2)))

        said = ExportTraceServiceResponse.FromString(body).partial_success
        assert (status, said.rejected_spans, said.error_message) == (200, 1, "Refused: 1 that end before they start.")


def assert_a_tree():
    """I33: no parent in another unit or trace, no circle, nothing ends before it starts."""
    rows = {row.pk: row for row in Span.objects.all()}
    for row in rows.values():
        above, seen = row, set()
        while above is not None:
            assert above.pk not in seen, "a circle"
            seen.add(above.pk)
            parent = rows.get(above.parent_id)
            assert parent is None or (parent.unit_id, parent.trace_id) == (above.unit_id, above.trace_id)
            above = parent
        assert row.ended_at is None or row.ended_at >= row.started_at


class TestAnyOrder:
    @pytest.mark.parametrize("seed", range(5))
    def test_of_duplicates_late_parents_and_strangers_ends_in_trees_of_one_unit(self, sent, other_unit, seed):
        dice = random.Random(seed)
        traces = [uuid4().bytes for _ in range(2)]
        made = [
            span(
                dice.randint(1, 40), dice.randint(0, 45), trace=dice.choice(traces), took=dice.choice([None, 0, SECOND])
            )
            for _ in range(300)
        ]
        units = [None, other_unit]
        while made:
            few, made = made[: (size := dice.randint(1, 30))], made[size:]
            where = dice.choice(units)
            sent(*few, agent=dice.choice(["triage", "other"]), **({"unit": where} if where else {}))

        assert_a_tree()
        # Nothing waits for a parent that is here.
        here = set(Span.objects.values_list("unit_id", "trace_id", "external_id"))
        waiting = Span.objects.filter(parent_id=None).exclude(parent_external_id="")
        assert not here & set(waiting.values_list("unit_id", "trace_id", "parent_external_id"))


@pytest.fixture
def action(world):
    by = agent_actor("triage", unit_ids=frozenset({world.pk}), scopes=frozenset())
    return propose(tool="orders.get", arguments={}, agent="triage", unit_id=world.pk, by=by)


class TestOurOwnParts:
    def test_may_be_the_parent_of_a_reported_span(self, sent, action):
        sent(span(1, action.pk.bytes[8:], trace=action.pk))

        assert Span.objects.get().parent_id == action.pk

    def test_of_another_unit_are_never_a_parent_and_nothing_there_changes(self, sent, action, other_unit, world):
        reader = make_person("reader", world, "view")
        stranger = make_person("stranger", other_unit, "view")
        taken = sent(span(1, action.pk.bytes[8:], trace=action.pk, name="planted"), unit=other_unit)

        assert (taken.accepted, taken.refused.total()) == (1, 0)
        assert Span.objects.get().parent_id is None
        ours = signed_in(reader).get(f"traces/{action.pk}/")[1]
        theirs = signed_in(stranger).get(f"traces/{action.pk}/")[1]
        assert "planted" not in json.dumps(ours)
        assert {part["name"] for part in theirs["results"]} == {"planted"}
        assert (ours["withheld"], theirs["withheld"]) == (0, 0)


class TestUsage:
    WITH = ("traces:write", "usage:write")

    def test_of_a_model_call_is_charged_once(self, sent):
        for _ in range(3):
            sent(span(1, **CHAT), span(2, 1), scopes=self.WITH)

        line = LedgerEntry.objects.get()
        row = Span.objects.get(kind="model")
        assert (line.span_id, line.agent, line.model, line.input_tokens, line.output_tokens) == (
            row.pk, "triage", "gpt-4.1", 1000, 500,
        )  # fmt: skip
        assert (line.amount, line.currency, line.basis) == (Decimal("0.006"), "USD", "estimated")

    def test_is_charged_when_the_span_ends_and_not_before(self, sent):
        sent(span(1, took=None, **CHAT), scopes=self.WITH)
        assert not LedgerEntry.objects.exists()
        sent(span(1, **CHAT), scopes=self.WITH)

        assert LedgerEntry.objects.count() == 1

    def test_is_not_charged_without_the_scope_for_it(self, sent):
        sent(span(1, **CHAT))
        sent(span(1, **CHAT), scopes=self.WITH)

        assert not LedgerEntry.objects.exists()

    def test_of_an_agent_span_is_not_counted_beside_that_of_its_calls(self, sent):
        sent(span(1, **{**CHAT, "gen_ai.operation.name": "invoke_agent"}), scopes=self.WITH)

        assert not LedgerEntry.objects.exists()

    def test_by_openinference_names_carries_its_own_cost(self, sent):
        told = {
            "openinference.span.kind": "LLM",
            "llm.model_name": "m",
            "llm.token_count.prompt": 7,
            "llm.cost.total": 0.25,
        }
        sent(span(1, **told), scopes=self.WITH)

        line = LedgerEntry.objects.get()
        assert (line.amount, line.basis, line.input_tokens) == (Decimal("0.25"), "reported", 7)

    @pytest.mark.parametrize("odd", [-1, 10**15, "many", True, 3.5e300])
    def test_that_is_no_number_of_tokens_costs_nobody_his_spans(self, sent, odd):
        told = {**CHAT, "gen_ai.usage.input_tokens": odd, "gen_ai.usage.cache_read.input_tokens": 10**6}
        sent(span(1, **told), span(2), scopes=self.WITH)

        line = LedgerEntry.objects.get()
        assert (line.input_tokens, line.cached_input_tokens, line.output_tokens) == (0, None, 500)

    def test_shows_at_its_span_in_the_trace(self, sent, action, world):
        sent(span(1, action.pk.bytes[8:], trace=action.pk, **CHAT), scopes=self.WITH)
        reader = agent_actor("triage", unit_ids=frozenset({world.pk}), scopes=frozenset())

        found = trace(reader, action.pk, now=database_now())
        assert found.nodes[Span.objects.get().pk].own.tokens == 1500
        assert found.root.whole.tokens == 1500


class TestQuota:
    def test_refuses_the_whole_request_and_says_what_was_over_and_when_to_ask_again(self, live_server, token, settings):
        settings.TRACE_SPANS_PER_MINUTE = 3
        assert post(live_server, token, batch(span(1), span(2)))[0] == 200
        status, body, headers = post(live_server, token, batch(span(3), span(4)))

        told = Status.FromString(body)
        assert (status, told.code) == (429, 8)
        assert told.message == "This business unit may send 3 spans a minute; 2 came already. Nothing was kept."
        assert 1 <= int(headers["Retry-After"]) <= 60
        assert Span.objects.count() == 2

    @pytest.mark.parametrize("name", ["TRACE_SPANS_PER_MINUTE", "TRACE_SPANS_PER_DAY", "TRACE_BYTES_PER_DAY"])
    def test_is_the_units_and_not_the_agents_and_leaves_other_units_alone(self, sent, other_unit, settings, name):
        setattr(settings, name, 1)
        used = {"TRACE_BYTES_PER_DAY": {"day_bytes": 1}}.get(name, {"minute_spans": 1, "day_spans": 1})
        settings.TRACE_BYTES_PER_DAY = settings.TRACE_BYTES_PER_DAY if "day_bytes" in used else 10**9
        with pytest.raises(verbs.span_quota.OverQuota):
            sent(span(1), span(2))
        assert not SpanUse.objects.exists()
        if "day_bytes" not in used:
            sent(span(1), unit=other_unit)
            sent(span(1))
            with pytest.raises(verbs.span_quota.OverQuota):
                sent(span(2), agent="other")

    def test_begins_anew_after_its_minute(self, sent, settings, world):
        settings.TRACE_SPANS_PER_MINUTE = 1
        sent(span(1))
        SpanUse.objects.update(minute_at=database_now().replace(year=2020))
        sent(span(2))

        assert SpanUse.objects.get().day_spans == 2

    def test_lets_a_burst_through_up_to_its_limit_and_no_further(self, live_server, token, settings):
        settings.TRACE_SPANS_PER_MINUTE = 50
        with ThreadPoolExecutor(8) as pool:
            found = list(
                pool.map(
                    lambda n: post(live_server, token, batch(*(span(n * 10 + k) for k in range(1, 11))))[0], range(1, 9)
                )
            )

        assert sorted(found) == [200] * 5 + [429] * 3
        assert Span.objects.count() == 50


class TestAtOnce:
    def test_the_same_request_eight_times_is_kept_and_charged_once(self, live_server, world):
        token = make_token(scopes=["traces:write", "usage:write"])
        body = batch(span(1), *(span(n, n - 1, **CHAT) for n in range(2, 12)))
        with ThreadPoolExecutor(8) as pool:
            found = [status for status, _, _ in pool.map(lambda _: post(live_server, token, body), range(8))]

        assert found == [200] * 8
        assert (Span.objects.count(), LedgerEntry.objects.count()) == (11, 10)

    def test_parents_and_children_find_each_other(self, live_server, token):
        bodies = [batch(span(n, n - 1)) for n in range(1, 25)]
        random.Random(3).shuffle(bodies)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda body: post(live_server, token, body), bodies))

        assert parents() == {n: n - 1 for n in range(1, 25)}


class TestTheDoor:
    @pytest.mark.parametrize("kind", ["application/x-protobuf", "application/json"])
    def test_answers_errors_in_the_encoding_of_the_request(self, live_server, token, kind):
        status, body, headers = post(live_server, token, b"\xff not a message", kind)

        assert (status, headers["Content-Type"]) == (400, kind)
        told = json.loads(body) if kind.endswith("json") else None
        message = told["message"] if told else Status.FromString(body).message
        assert message.startswith("The body is no ExportTraceServiceRequest")

    @pytest.mark.parametrize(
        ("token_of", "status"), [(lambda: "", 401), (lambda: "hp_000000000000_" + "a" * 43, 401),
                                 (lambda: make_token(scopes=["usage:write"]), 403)],
    )  # fmt: skip
    def test_is_for_tokens_with_the_scope(self, live_server, world, token_of, status):
        found, body, _ = post(live_server, token_of(), batch(span(1)))

        assert found == status
        assert Status.FromString(body).message
        assert not Span.objects.exists()

    def test_is_not_for_people(self, live_server, world):
        browser = signed_in(make_person("ada", world, "view", "operate"))
        answer = browser.client.post("/v1/traces", batch(span(1)), "application/x-protobuf", headers=browser.headers)

        assert answer.status_code == 401

    def test_takes_a_body_in_chunks_as_exporters_in_go_send_it(self, api):
        answer = in_chunks(api, BytesIO(gzip.compress(batch(span(1)))))

        assert answer.status_code == 200
        assert Span.objects.count() == 1

    def test_reads_no_more_of_its_chunks_than_a_body_may_have(self, api):
        body = BytesIO(b"\0" * 5 * 1_048_576)

        assert in_chunks(api, body).status_code == 413
        assert body.tell() == 4 * 1_048_576 + 1

    def test_says_so_when_chunks_break_off(self, api):
        assert in_chunks(api, BrokenOff()).status_code == 400

    def test_asks_for_the_length_where_the_server_does_not_say_when_chunks_end(self, api):
        assert in_chunks(api, BytesIO(), **{"wsgi.input_terminated": False}).status_code == 411

    def test_takes_no_other_encoding(self, live_server, token):
        assert post(live_server, token, b"<x/>", "text/xml")[0] == 415
        assert post(live_server, token, b"x", **{"Content-Encoding": "br"})[0] == 400

    def test_refuses_what_becomes_huge_when_it_is_unpacked(self, live_server, token):
        bomb = gzip.compress(b"\0" * 64 * 1_048_576)
        status, body, _ = post(live_server, token, bomb, **{"Content-Encoding": "gzip"})

        assert (status, len(bomb) < 100_000) == (413, True)
        assert "when it is unpacked" in Status.FromString(body).message

    @pytest.mark.parametrize("broken", [b"junk", gzip.compress(b"x" * 9999, mtime=0)[:-20], b"", gzip.compress(b"x") + b"y"],
                             ids=["junk", "cut", "empty", "more"])  # fmt: skip
    def test_refuses_broken_gzip(self, live_server, token, broken):
        assert post(live_server, token, broken, **{"Content-Encoding": "gzip"})[0] == 400

    def test_unpacks_every_member_of_a_gzip_and_not_thousands_of_them(self, live_server, token):
        members = [gzip.compress(batch(span(number))) for number in (1, 2)]
        gzipped = {"Content-Encoding": "gzip"}

        assert post(live_server, token, b"".join(members), **gzipped)[0] == 200
        assert Span.objects.count() == 2
        assert post(live_server, token, gzip.compress(b"") * 101, **gzipped)[0] == 400

    def test_ignores_fields_it_does_not_know(self, live_server, token):
        request = ExportTraceServiceRequest.FromString(batch(span(1)))
        body = {**as_json(request), "newInOtlp": {"x": 1}}

        assert post(live_server, token, json.dumps(body).encode(), "application/json")[0] == 200
        assert Span.objects.count() == 1

    @pytest.mark.parametrize("body", [b"[]", b"null", b'{"resourceSpans": 7}', b'{"resourceSpans":' + b"[" * 5000,
                                      b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}'])  # fmt: skip
    def test_never_breaks_on_odd_json(self, live_server, token, body):
        assert post(live_server, token, body, "application/json")[0] in {200, 400}

    def test_logs_nothing_of_what_was_sent(self, live_server, token, caplog):
        post(live_server, token, batch(span(1, name="s3cret", took=-5, **{"prompt": "s3cret"})))
        post(live_server, token, b"s3cret", "application/json")

        assert "s3cret" not in caplog.text
        assert not AuditEvent.objects.filter(data__contains="s3cret").exists()


def test_actions_are_untouched_by_spans_that_name_them(sent, action):
    before = Action.objects.values().get(pk=action.pk)
    sent(span(action.pk.bytes[8:], trace=action.pk, start=START))

    assert Action.objects.values().get(pk=action.pk) == before


class TestTraceparent:
    """A caller that is instrumented says in which trace it is."""

    HEADER = f"00-{TRACE.hex}-00f067aa0ba902b7-01"

    def test_of_a_proposal_puts_the_call_and_its_callers_spans_into_one_trace(self, sent, api, world):
        _, body, _ = api.post("actions/", {"tool": "orders.get", "arguments": {}}, traceparent=self.HEADER)
        sent(span(1), span(2, UUID(body["id"]).bytes[8:]))

        found = signed_in(make_person("reader", world, "view")).get(f"traces/{TRACE}/")[1]
        assert {part["name"] for part in found["results"]} == {"span 1", "span 2", "orders.get", "allow"}
        assert Span.objects.get(name="span 2").parent_id == UUID(body["id"])

    def test_counts_for_a_call_of_a_run_of_another_system_and_what_it_cost_is_told_there(self, sent, api, world):
        call = {"tool": "orders.get", "arguments": {}, "execution": str(uuid4())}
        _, body, _ = api.post("actions/", call, traceparent=self.HEADER)
        fence = api.post(f"actions/{body['id']}/redemptions/")[1]["fence"]
        told = {"outcome": "success", "fence": fence, "usage": {"cost": "0.25", "currency": "USD"}}
        assert api.post(f"actions/{body['id']}/outcomes/", told)[0] == 200
        sent(span(2, UUID(body["id"]).bytes[8:]))

        found = signed_in(make_person("reader", world, "view")).get(f"traces/{TRACE}/")[1]
        assert Span.objects.get(name="span 2").parent_id == UUID(body["id"])
        costs = {part["name"]: part["costs"] for part in found["results"]}["orders.get"]
        assert [(Decimal(one["cost"]), one["currency"]) for one in costs] == [(Decimal("0.25"), "USD")]

    def test_of_another_unit_is_no_part_of_the_trace_here(self, sent, other_unit, world):
        by = agent_actor("other", unit_ids=frozenset({other_unit.pk}), scopes=frozenset())
        propose(tool="orders.get", arguments={}, agent="other", unit_id=other_unit.pk, by=by, trace_id=TRACE)
        sent(span(1))

        found = signed_in(make_person("reader", world, "view")).get(f"traces/{TRACE}/")[1]
        assert ([part["name"] for part in found["results"]], found["withheld"]) == (["span 1"], 0)

    @pytest.mark.parametrize("header", ["", "00-junk", f"ff-{TRACE.hex}-00f067aa0ba902b7-01"])
    def test_that_is_none_leaves_the_call_in_a_trace_of_its_own(self, api, header):
        _, body, _ = api.post("actions/", {"tool": "orders.get", "arguments": {}}, traceparent=header)

        assert Action.objects.get(pk=body["id"]).trace_id is None
