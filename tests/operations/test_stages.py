"""Where the time of a success went: every moment in one stage, and the stages add up to the time from end to end."""

from datetime import timedelta

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from audit.lifecycle import database_now
from audit.models import AuditEvent
from orchestrator.engine.settle import settle_success
from orchestrator.health import level_rows
from orchestrator.health.levels import Span, levels
from orchestrator.health.stages import STAGES
from orchestrator.models import Action, Execution
from orchestrator.operations import dead_letters
from orchestrator.operations.unknown_outcomes import Said, answer
from tests import make
from tests.operations.test_service_levels import attempts_take, shift

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


def told(unit, **more):
    now = database_now()
    span = Span(units=frozenset({unit.pk}), since=now - timedelta(days=1), until=now + timedelta(hours=1))
    return [line for line in levels(span, **more) if line.staged]


def medians(line):
    return {name: pytest.approx(line.stages[name].median, abs=0.01) for name in STAGES}


def at(table, execution, where="true", **columns):
    """Moments of rows of the execution, in seconds before its end."""
    sets = ", ".join(f"{name} = e.finished_at - make_interval(secs => {seconds})" for name, seconds in columns.items())
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} AS row SET {sets} FROM orchestrator_execution AS e "
            f"WHERE e.id = %s AND row.execution_id = e.id AND {where}",
            [execution.pk],
        )


def asked_of_people(seconds):
    """A success that waited for an approval, from and to so many seconds before its end."""
    run = make.execution("waiting")
    request = ApprovalRequest.objects.get(execution_id=run.pk)
    make.approved(request, make.person("grace", "view", "review"))
    settle_success(make.claimed(run), input={"rows": 3}, output={"posted": 3})
    run.refresh_from_db()
    at("approvals_approvalrequest", run, created_at=seconds[0], resolved_at=seconds[1])
    return run


class TestStages:
    def test_split_the_time_between_queue_handlers_and_the_rest(self, unit):
        done = make.execution("succeeded")
        shift(done, total=10)
        attempts_take(done, (9, 7), (4, 0))
        line = told(unit)[0]

        assert medians(line) == {"queued": 1.0, "running": 6.0, "people": 0.0, "reconciling": 0.0, "between": 3.0}
        assert line.stages["running"].percent == pytest.approx(60.0, abs=0.1)
        assert sum(part.percent for part in line.stages.values()) == pytest.approx(100.0)

    def test_keep_peoples_time_apart_and_count_what_a_handler_does_meanwhile_as_running(self, unit):
        done = asked_of_people((8, 2))
        shift(done, total=10)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE orchestrator_attempt AS a SET started_at = e.finished_at - interval '9 s', finished_at = e.finished_at "
                "- interval '7 s' FROM orchestrator_execution AS e WHERE e.id = a.execution_id"
            )

        assert medians(told(unit)[0]) == {
            "queued": 1.0,
            "running": 2.0,
            "people": 5.0,
            "reconciling": 0.0,
            "between": 2.0,
        }

    @pytest.mark.parametrize("exact_up_to", [20_000, -1])
    def test_know_nothing_of_the_time_between_steps_of_what_has_not_succeeded(self, unit, monkeypatch, exact_up_to):
        monkeypatch.setattr(level_rows, "EXACT_UP_TO", exact_up_to)
        done = make.execution("succeeded")
        shift(done, total=10)
        attempts_take(done, (9, 7), (4, 0))
        for status in ("failed", "running", "cancelled"):
            make.execution(status)
        line = told(unit)[0]

        assert line.staged == 1
        assert line.stages["between"].median == pytest.approx(3.0, rel=0.05)
        assert line.stages["between"].most == pytest.approx(3.0, rel=0.05)

    def test_leave_out_what_has_not_succeeded(self, unit):
        for status in ("failed", "running", "cancelled"):
            make.execution(status)

        assert told(unit) == []

    def test_count_a_pause_before_a_retry_as_between(self, unit):
        letter = make.dead_letter()
        dead_letters.requeue(letter_id=letter.pk, by=make.actor(make.person("operator", "view", "operate")))
        make.succeeded(letter)

        assert told(unit)[0].staged == 1

    def test_are_told_by_agent_of_every_execution_it_proposed_a_call_in(self, unit):
        make.execution("succeeded")
        asked_of_people((8, 2))
        lines = told(unit, by="agent")

        assert [(one.called, one.staged) for one in lines] == [("", 2), ("poster", 1)]


class TestReconciling:
    def test_is_from_sent_without_an_answer_to_known(self, unit):
        done = make.execution("succeeded")
        doubt = make.doubt(of=unit)
        said = Said(verdict="happened", code="in_their_books", note="seen", result={"posting": "P-1"})
        answer(action_id=doubt.pk, said=said, by=make.actor(make.person("ada", "view", "operate", of=unit)))
        Action.objects.filter(pk=doubt.pk).update(execution_id=done.pk)
        began = AuditEvent.objects.get(object_id=doubt.pk, event="action.unknown").at
        over = AuditEvent.objects.get(object_id=doubt.pk, before="unknown").at
        Execution.objects.filter(pk=done.pk).update(
            created_at=began - timedelta(seconds=2), finished_at=over + timedelta(seconds=1)
        )
        attempts_take(done, (0.5, 0.25), (0.25, 0))
        line = told(unit)[0]

        assert over > began
        assert line.stages["reconciling"].median == pytest.approx((over - began).total_seconds(), abs=0.0001)
        assert line.stages["queued"].median == pytest.approx(2.0, abs=0.0001)
