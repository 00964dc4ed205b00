"""What foreign agents reported goes after its days, trace by trace; what is part of ours stays, and nothing is charged twice."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from audit import actors
from audit.ids import earliest_id, new_id
from audit.lifecycle import database_now
from audit.models import AuditEvent, Span
from budgets.models import LedgerEntry
from budgets.pricing import Usage
from orchestrator.api.otlp import _said
from orchestrator.engine import retention
from orchestrator.engine.retention import Forgetting
from orchestrator.engine.sweep import sweep
from orchestrator.gate.propose import propose
from orchestrator.operations import executions, spans
from orchestrator.telemetry.reading import Reported
from tests import make
from tests.pages.asking import browser_of

DAYS = 30
LONG_AGO = timedelta(days=40)


@pytest.fixture
def unit(db):
    return make.unit("finance", "Finance")


@pytest.fixture(autouse=True)
def kept(settings):
    settings.TRACE_SPAN_DAYS = 0


@pytest.fixture
def report(monkeypatch, unit):
    """What agents send, as if it had come so long ago. Returns the verb's answer."""

    def send(trace_id, *names, ago=LONG_AGO, of=unit, usage=None, began=None):
        moment = database_now() - ago
        ids = iter([UUID(int=earliest_id(moment).int + new_id().int % 2**64) for _ in names])
        monkeypatch.setattr(spans, "new_id", lambda: next(ids))
        by = actors.agent("clerk", unit_ids=frozenset({of.pk}), scopes=frozenset({"traces:write", "usage:write"}))
        made = [one_span(trace_id, name, began or moment, usage) for name in names]
        return spans.take(reported=made, refused={}, size=1, by=by)

    return send


def one_span(trace_id, name, moment, usage=None):
    return Reported(
        trace_id=trace_id, external_id=name * 16, parent="", kind="model" if usage else "span", name=name, started_at=moment,
        ended_at=moment + timedelta(seconds=1), status="ok", attributes={}, events=[], links=[], dropped=0, usage=usage,
    )  # fmt: skip


def forget(settings, walk=None):
    settings.TRACE_SPAN_DAYS = DAYS
    return (walk or Forgetting())()


def left():
    return set(Span.objects.values_list("trace_id", "name"))


def removed():
    return [json.loads(event.data) for event in AuditEvent.objects.filter(event="spans.removed")]


class TestASpan:
    def test_stays_for_good_unless_somebody_says_how_long(self, report):
        report(uuid4(), "a", "b")

        assert Forgetting()() == 0
        assert len(left()) == 2

    def test_stays_where_so_many_days_reach_back_to_before_there_were_ids(self, report, settings):
        report(uuid4(), "a")
        settings.TRACE_SPAN_DAYS = 36_500

        assert Forgetting()() == 0
        assert Span.objects.count() == 1

    def test_goes_with_its_whole_trace_and_the_trail_says_how_much_went(self, report, settings, unit):
        old, young = uuid4(), uuid4()
        report(old, "a", "b")
        report(young, "a", ago=timedelta(days=DAYS - 1))

        assert forget(settings) == 2
        assert left() == {(young, "a")}
        event = AuditEvent.objects.get(event="spans.removed")
        assert (event.unit_id, event.actor, event.why) == (unit.pk, "system:engine", "received more than 30 days ago")
        assert {name: removed()[0][name] for name in ("traces", "spans")} == {"traces": 1, "spans": 2}

    def test_stays_as_long_as_anything_of_its_trace_is_young(self, report, settings):
        trace = uuid4()
        report(trace, "a")
        report(trace, "b", ago=timedelta(days=1))

        assert forget(settings) == 0
        assert left() == {(trace, "a"), (trace, "b")}
        assert removed() == []

    def test_is_as_old_as_it_is_here_whatever_it_says_of_itself(self, report, settings):
        trace = uuid4()
        report(trace, "a", ago=timedelta(0), began=database_now() - timedelta(days=9_000))

        assert forget(settings) == 0
        assert len(left()) == 1

    def test_leaves_its_cost_line_in_the_ledger(self, report, settings):
        report(uuid4(), "a", usage=Usage(cost=Decimal("0.1"), currency="USD", model="m"))

        assert forget(settings) == 1
        assert LedgerEntry.objects.get().amount == Decimal("0.1")

    def test_that_was_removed_is_said_to_be_so_by_its_cost_line(self, report, settings, unit):
        trace, browser = uuid4(), browser_of(make.person("vera", "view", of=unit))
        report(trace, "a", usage=Usage(cost=Decimal("0.1"), currency="USD", model="m"))
        address = f"/costs/lines/{LedgerEntry.objects.get().pk}/"
        assert f'href="/traces/{trace}/?focus={Span.objects.get().pk}' in browser.get(address).content.decode()
        forget(settings)
        shown = browser.get(address).content.decode()

        assert "A trace that has been removed" in shown
        assert 'href="/audit/?kind=spans"' in shown

    def test_that_was_removed_is_refused_when_it_is_sent_again_and_charged_once(self, report, settings):
        trace, usage = uuid4(), Usage(cost=Decimal("0.1"), currency="USD", model="m")
        sent_at = database_now() - LONG_AGO
        report(trace, "a", began=sent_at, usage=usage)
        forget(settings)
        taken = report(trace, "a", began=sent_at, ago=timedelta(0), usage=usage)

        assert (taken.accepted, dict(taken.refused)) == (0, {"too_old": 1})
        assert (
            _said(taken).partial_success.error_message == "Refused: 1 that ended longer ago than spans are kept here."
        )
        assert (Span.objects.count(), LedgerEntry.objects.count()) == (0, 1)

    @pytest.mark.parametrize("days", [0, 365])
    def test_that_was_removed_is_charged_once_also_where_the_setting_is_another_by_now(self, report, settings, days):
        """Or on the web host, which was not told: both is somebody else's setting to this process."""
        trace, usage = uuid4(), Usage(cost=Decimal("0.1"), currency="USD", model="m")
        sent_at = database_now() - LONG_AGO
        report(trace, "a", began=sent_at, usage=usage)
        forget(settings)
        settings.TRACE_SPAN_DAYS = days
        again = report(trace, "a", began=sent_at, ago=timedelta(0), usage=usage)
        other = report(trace, "b", began=sent_at, ago=timedelta(0), usage=usage, of=make.unit("elsewhere"))

        assert (again.accepted, dict(again.refused), other.accepted) == (0, {"too_old": 1}, 1)
        assert LedgerEntry.objects.count() == 2


class TestWhatIsPartOfOurs:
    def test_stays_under_the_execution_that_began_the_trace(self, report, settings):
        run = make.execution("succeeded")
        report(run.trace_id, "a")

        assert forget(settings) == 0
        assert left() == {(run.trace_id, "a")}

    def test_stays_where_an_execution_joined_a_trace_of_others(self, report, settings):
        trace = uuid4()
        make.published("closing")
        asker = make.actor(make.person("operator", "view", "operate"))
        given = {"workflow": "closing", "input": {"month": "2026-10"}, "unit": "finance", "by": asker}
        assert str(executions.start(**given, envelope={"trace_id": str(trace)}).trace_id) == str(trace)
        report(trace, "a")

        assert forget(settings) == 0

    @pytest.mark.parametrize("joined", [False, True])
    def test_stays_where_a_call_is_in_it(self, report, settings, unit, joined):
        trace = uuid4()
        make.agent()
        call = propose(
            tool=make.tool().name, arguments=make.arguments(), agent="poster", unit_id=unit.pk, by=make.MAKER,
            trace_id=trace if joined else None,
        )  # fmt: skip
        report(trace if joined else call.pk, "a")

        assert forget(settings) == 0
        assert len(left()) == 1

    def test_stays_where_it_was_told_with_the_outcome_of_a_call(self, report, settings, unit):
        trace, moment = uuid4(), database_now()
        report(trace, "a")
        Span.objects.create(
            trace_id=trace, unit_id=unit.pk, kind="tool", name="told", started_at=moment, ended_at=moment,
            id=earliest_id(moment - LONG_AGO),
        )  # fmt: skip

        assert forget(settings) == 0
        assert len(left()) == 2


class TestUnits:
    def test_are_apart_nobody_keeps_or_removes_what_another_one_sent(self, report, settings):
        trace, other = uuid4(), make.unit("elsewhere")
        report(trace, "a")
        report(trace, "b", of=other, ago=timedelta(days=1))

        assert forget(settings) == 1
        assert left() == {(trace, "b")}
        assert len(removed()) == 1


class TestTheWalk:
    def test_goes_on_behind_what_stays_and_begins_anew_at_the_end(self, report, settings, monkeypatch):
        monkeypatch.setattr(retention, "BATCH", 2)
        ours = make.execution("succeeded")
        report(ours.trace_id, "a", "b", ago=timedelta(days=60))
        traces = [uuid4() for _ in range(3)]
        for trace in traces:
            report(trace, "a", "b", "c")
        walk = Forgetting()
        went = [forget(settings, walk) for _ in range(5)]

        assert sum(went) == 9
        assert left() == {(ours.trace_id, "a"), (ours.trace_id, "b")}
        settings.TRACE_SPAN_DAYS = 0
        report(uuid4(), "d", ago=timedelta(days=70), of=make.unit("elsewhere"))
        assert forget(settings, walk) + forget(settings, walk) == 1

    def test_is_a_duty_of_the_sweep(self, report, settings):
        report(uuid4(), "a")
        settings.TRACE_SPAN_DAYS = DAYS
        retention.forget.again()
        sweep()

        assert left() == set()


@pytest.mark.django_db(transaction=True)
def test_a_span_that_comes_at_this_moment_keeps_its_trace_whole(report, settings):
    """The old half of a trace never goes while the new one is on its way."""
    trace, came, seen = uuid4(), threading.Event(), threading.Event()
    report(trace, "a")

    def bring():
        with transaction.atomic():
            report(trace, "b", ago=timedelta(0))
            came.set()
            seen.wait(10)
        connection.close()

    thread = threading.Thread(target=bring)
    thread.start()
    assert came.wait(10)
    went = forget(settings)
    seen.set()
    thread.join()

    assert went == 0
    assert left() == {(trace, "a"), (trace, "b")}
    assert forget(settings) == 0
