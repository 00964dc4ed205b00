"""The end of a reported span comes many times at the same instant: it is charged once, whoever sees to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from audit import actors
from audit.ids import new_id
from audit.models import Span
from budgets.models import LedgerEntry
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from orchestrator.operations import span_quota, spans
from orchestrator.telemetry.reading import Reported
from tests import make
from tests.races.racing import race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]
AT_ONCE = 8
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def reported(trace_id, ended):
    usage = Usage(model="gpt-4.1", input_tokens=900, cost=Decimal("0.1"), currency="USD")
    return Reported(
        trace_id=trace_id, external_id="a" * 16, parent="", kind="model", name="chat gpt-4.1", started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=1) if ended else None, status="ok", attributes={}, events=[], links=[],
        dropped=0, usage=usage,
    )  # fmt: skip


def send(unit, trace_id, *, ended):
    by = actors.agent("clerk", unit_ids=frozenset({unit.pk}), scopes=frozenset({"traces:write", "usage:write"}))
    spans.take(reported=[reported(trace_id, ended)], refused={}, size=1, by=by)


def ended_at_once(unit):
    trace_id = uuid4()
    send(unit, trace_id, ended=False)
    outcomes = race(*[lambda: send(unit, trace_id, ended=True)] * AT_ONCE)
    assert Span.objects.get(trace_id=trace_id).ended_at is not None
    return outcomes


class TestTheEndOfASpan:
    def test_is_charged_once_because_who_brings_spans_of_a_unit_comes_in_turn(self):
        assert ended_at_once(make.unit()) == [None] * AT_ONCE
        assert LedgerEntry.objects.count() == 1

    def test_is_charged_once_by_the_database_where_nobody_waits_for_their_turn(self, monkeypatch):
        """The planted defect. Without the constraint there were 22 lines of three spans."""
        monkeypatch.setattr(span_quota, "take", lambda *_, **__: None)
        outcomes = [outcome for _ in range(3) for outcome in ended_at_once(make.unit())]

        assert LedgerEntry.objects.count() == 3
        assert all(outcome is None or isinstance(outcome, IntegrityError) for outcome in outcomes)


class TestASpanThatWasPaidFor:
    def test_is_corrected_as_often_as_need_be_and_paid_for_no_second_time(self):
        unit = make.unit()
        place = Place(unit_id=unit.pk, span_id=new_id())
        usage = Usage(model="m", cost=Decimal(1), currency="USD")
        line = charge(usage, place)
        for amount in (2, 3):
            correct(line, to=Decimal(amount), why="the invoice", by=make.MAKER)

        with pytest.raises(IntegrityError, match="one_cost_line_of_a_kind_per_span"), transaction.atomic():
            charge(usage, place)
