"""A trace is read from what was stored for other reasons: attempts, calls, verdicts, waits, model calls, children; with costs."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from audit.lifecycle import database_now
from audit.models import Span
from audit.refusals import NotVisible
from budgets import operations as budgets
from budgets.pricing import Usage
from orchestrator.models import Action
from orchestrator.queries import waterfall
from orchestrator.queries.traces import FIRST_PAGE, trace
from orchestrator.releases.undoing import undo_execution
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import approve, asked, drive

THOUSANDS = 10_000


def of(world, execution):
    return trace(world.ada, execution.trace_id, now=database_now())


def told(found):
    return [(node.depth, node.part.kind, node.part.name, node.part.state) for node in found.root.walk()]


@pytest.fixture
def signed(world, governed, provider):
    """One call that needed a signature, and got it."""
    governed("  - send: {tool: unsafe, with: {ref: R-1}}\n")
    execution = make.start(world, "outside")
    drive(execution)
    approve(asked(execution), world.grace)
    drive(execution)
    return execution


class TestATrace:
    def test_holds_every_part_under_what_began_it(self, world, signed):
        assert told(of(world, signed)) == [
            (0, "execution", "outside", "ok"),
            (1, "step", "send", "ok"),
            (2, "tool", "unsafe", "ok"),
            (3, "policy", "hold", "ok"),
            (3, "approval", "Call unsafe", "ok"),
            (4, "decision", "approve", "ok"),
            (1, "step", "send", "ok"),
        ]

    def test_tells_no_decision_while_others_still_decide(self, world, governed, provider):
        governed("  - send: {tool: unsafe, with: {ref: R-1}}\n")
        execution = make.start(world, "outside")
        drive(execution)

        assert "decision" not in {kind for _, kind, _, _ in told(of(world, execution))}

    def test_shows_each_attempt_apart_and_where_it_failed(self, world, governed, provider):
        governed("  - send: {tool: send_a, with: {ref: R-1}, retry: {max_attempts: 3, backoff: 1s}}\n")
        provider.plan("down")
        execution = make.start(world, "outside")
        drive(execution)

        found = of(world, execution)
        steps = [node.part for node in found.root.walk() if node.part.kind == "step"]
        assert [(part.state, part.note) for part in steps] == [("error", ""), ("ok", "attempt 2")]
        assert found.root.errors >= 1

    def test_holds_the_execution_that_undoes_it(self, world, governed, provider):
        tools = [providers.tool("A", compensate_with="send_b"), *providers.TOOLS[1:]]
        governed("  - send: {tool: send_a, with: {ref: R-1}}\n", tools=tools)
        execution = make.start(world, "outside")
        drive(execution)
        back = undo_execution(execution_id=execution.pk, by=world.ada, why="posted to the wrong month")
        drive(back)

        found = of(world, execution)
        assert found.nodes[back.pk].depth == 1
        assert [run.pk for run in found.executions] == [execution.pk, back.pk]

    def test_of_another_unit_is_not_there(self, world, signed):
        with pytest.raises(NotVisible):
            trace(world.eve, signed.trace_id, now=database_now())

    def test_begins_no_earlier_than_it_ends(self, world, signed):
        assert all(node.part.ended_at >= node.part.started_at for node in of(world, signed).nodes.values())


class TestCosts:
    def test_of_a_subtree_are_the_sum_of_its_parts(self, world, signed):
        action = Action.objects.get(execution_id=signed.pk)
        place = budgets.Place(unit_id=signed.unit_id, execution_id=signed.pk, action_id=action.pk)
        known = budgets.charge(Usage(model="gpt-4.1", cost=Decimal("0.25"), currency="EUR", input_tokens=900), place)
        budgets.charge(Usage(model="home-made", output_tokens=50), place)
        budgets.charge(
            Usage(model="gpt-4.1", cost=Decimal(2), currency="USD", input_tokens=7),
            budgets.Place(unit_id=signed.unit_id, execution_id=signed.pk),
        )
        budgets.correct(known, to=Decimal("0.20"), why="billed twice", by=world.ada)

        found = of(world, signed)
        call = found.nodes[action.pk]
        assert call.whole.amounts == (("EUR", Decimal("0.20")),)
        assert (call.whole.unknown, call.whole.tokens) == (1, 950)
        assert found.root.whole.amounts == (("EUR", Decimal("0.20")), ("USD", Decimal(2)))
        assert found.root.whole.tokens == sum(node.own.tokens for node in found.nodes.values()) == 957


class TestReportedSpans:
    def report(self, execution, parent, **more):
        now = database_now()
        given = {"kind": "llm", "name": "plan", "started_at": now, "ended_at": now, "unit_id": execution.unit_id}
        return Span.objects.create(trace_id=execution.trace_id, parent_id=parent, **{**given, **more})

    def test_hang_under_our_own_parts(self, world, signed):
        action = Action.objects.get(execution_id=signed.pk)
        span = self.report(signed, action.pk)

        assert of(world, signed).nodes[span.pk].depth == 3

    def test_without_a_known_parent_hang_from_the_root(self, world, signed):
        span = self.report(signed, uuid4())

        assert of(world, signed).nodes[span.pk].depth == 1

    def test_in_a_circle_are_cut_and_shown(self, world, signed):
        one, two = self.report(signed, None), self.report(signed, None)
        Span.objects.filter(pk=one.pk).update(parent_id=two.pk)
        Span.objects.filter(pk=two.pk).update(parent_id=one.pk)

        found = of(world, signed)
        assert {one.pk, two.pk} <= {node.part.id for node in found.root.walk()}
        assert found.root.size == len(found.nodes)

    def test_of_another_unit_are_no_part_of_it_and_not_even_counted(self, world, signed):
        self.report(signed, None, unit_id=uuid4(), name="secret")

        found = of(world, signed)
        assert found.withheld == 0
        assert "secret" not in [node.part.name for node in found.nodes.values()]


class TestTenThousandParts:
    @pytest.fixture
    def large(self, world, signed):
        """A hundred branches of a hundred; one leaf far down has failed."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO audit_span (id, trace_id, parent_id, unit_id, kind, name, started_at, ended_at, status, attributes) "
                "SELECT md5('part ' || n)::uuid, %s, CASE WHEN n < 100 THEN %s ELSE md5('part ' || (n %% 100))::uuid END, %s, "
                "'llm', 'part ' || n, now() + n * interval '1 ms', now() + (n + 5) * interval '1 ms', "
                "CASE WHEN n = 9876 THEN 'error' ELSE 'ok' END, '{}' FROM generate_series(0, %s) AS n",
                [signed.trace_id, signed.pk, signed.unit_id, THOUSANDS - 1],
            )
        return of(world, signed)

    def test_begin_with_two_hundred_rows_and_the_path_to_the_error(self, large):
        rows = waterfall.first_page(large)
        shown = [line for line in rows if isinstance(line, waterfall.Row)]

        assert len(shown) == FIRST_PAGE
        assert "part 9876" in {row.node.part.name for row in shown}

    def test_are_all_reached_by_opening_what_is_left_out(self, large):
        seen, rows = set(), waterfall.first_page(large)
        while rows:
            line = rows.pop()
            if isinstance(line, waterfall.Row):
                seen.add(line.node.part.id)
            else:
                rows += waterfall.children(large, line.node, after=line.after, depth=line.depth)

        assert seen == set(large.nodes)

    def test_show_nothing_but_what_failed_on_request(self, large):
        names = [row.node.part.name for row in waterfall.errors_only(large)]

        assert names == ["outside", "part 76", "part 9876"]


class TestTheHotPath:
    def test_goes_down_to_what_ended_last(self, world, signed):
        late = database_now() + timedelta(hours=1)
        span = Span.objects.create(
            trace_id=signed.trace_id, parent_id=signed.pk, unit_id=signed.unit_id, kind="llm", name="slow",
            started_at=database_now(), ended_at=late,
        )  # fmt: skip

        assert [row.node.part.id for row in waterfall.hot_path(of(world, signed))] == [signed.pk, span.pk]

    @staticmethod
    def span(execution, name, *, parent=None, began=0, ended=None):
        """Reported, with its times in minutes after the execution ended."""
        moment = execution.finished_at
        return Span.objects.create(
            trace_id=execution.trace_id, parent_id=(parent or execution).pk, unit_id=execution.unit_id, kind="llm", name=name,
            started_at=moment + timedelta(minutes=began), ended_at=ended and moment + timedelta(minutes=ended),
        )  # fmt: skip

    @pytest.fixture
    def over(self, signed):
        signed.refresh_from_db()
        return signed

    def test_passes_by_a_moment_however_late_it_was(self, world, over):
        slow = self.span(over, "slow", began=1, ended=2)
        self.span(over, "a moment", began=5, ended=5)
        found = of(world, over)

        assert [row.node.part.id for row in waterfall.hot_path(found)] == [over.pk, slow.pk]
        assert waterfall.beside(found) == 1

    def test_passes_by_what_nobody_reported_the_end_of_once_the_trace_is_over(self, world, over):
        slow = self.span(over, "slow", began=1, ended=2)
        left_open = self.span(over, "left open", began=-1)
        found = of(world, over)

        assert [row.node.part.id for row in waterfall.hot_path(found)] == [over.pk, slow.pk]
        assert waterfall.beside(found) == 1
        assert found.took < timedelta(minutes=3)
        open_row = next(row for row in waterfall.first_page(found) if row.node.part.id == left_open.pk)
        assert open_row.took is None

    def test_goes_through_a_moment_to_what_took_time_below_it(self, world, over):
        moment = self.span(over, "a moment", began=1, ended=1)
        below = self.span(over, "below", parent=moment, began=1, ended=3)

        assert [row.node.part.id for row in waterfall.hot_path(of(world, over))] == [over.pk, moment.pk, below.pk]

    def test_goes_into_what_still_runs_while_the_trace_does(self, world, governed, provider):
        governed("  - send: {tool: unsafe, with: {ref: R-1}}\n")
        execution = make.start(world, "outside")
        drive(execution)
        path = [row.node for row in waterfall.hot_path(of(world, execution))]

        assert [node.part.kind for node in path] == ["execution", "step", "tool", "approval"]
        assert path[-1].part.state == "waiting"
