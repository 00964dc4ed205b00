"""Every event has a sentence: the ones the lifecycles can write, and the ones nobody foresaw."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.apps import apps

from audit.lifecycle import Governed
from audit.models import AuditEvent
from audit.presenters import LINES, tell
from orchestrator.queries.story import condensed

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STEP = UUID(int=1)
# Written by the engine in statements of its own, without an event: an attempt is born with its step's move.
SILENT = {"attempt.running"}
EVENTS = sorted(
    {
        f"{lifecycle.noun.replace(' ', '_')}.{status}"
        for lifecycle in [model.lifecycle for model in apps.get_models() if issubclass(model, Governed)]
        for status in [*lifecycle.initial, *(after for edges in lifecycle.edges.values() for after in edges)]
    }
    - SILENT
)


def event(name, *, before="", data="", why="", second=0, actor="user:1"):
    return AuditEvent(
        event=name, before=before, data=data, why=why, actor=actor, actor_name="ada", object_id=STEP,
        at=NOON + timedelta(seconds=second),
    )  # fmt: skip


def told(*events):
    return [tell(one, {STEP: "post"}) for one in events]


class TestTell:
    @pytest.mark.parametrize("name", EVENTS)
    def test_has_a_sentence_for_every_status_a_lifecycle_can_reach(self, name):
        assert name in LINES

    def test_depends_on_where_a_row_came_from(self):
        again, first = told(event("action.granted", before="unknown"), event("action.granted", before="proposed"))

        assert (again.title, first.title) == (
            "Cleared to be sent again under the same key: post",
            "Allowed by policy: post",
        )

    def test_fills_in_facts_and_survives_their_absence(self):
        full, empty = told(event("step.in_progress", data='{"number":2}'), event("step.in_progress", data="no json"))

        assert (full.title, empty.title) == ("Attempt 2 of post started", "Attempt ? of post started")

    def test_tells_an_event_nobody_foresaw_by_its_own_name(self):
        assert told(event("robot.went_{mad}"))[0].title == "Robot went mad"

    def test_names_people_and_agents_but_not_parts_of_the_system(self):
        person, engine = told(event("step.success"), event("step.success", actor="system:engine"))

        assert (person.actor, engine.actor) == ("ada", "")


class TestCondensed:
    def test_makes_one_sentence_of_what_belongs_together(self):
        story = condensed(
            told(
                event("step.in_progress", data='{"number":1}'),
                event("attempt.failed", why="503", second=1),
                event("step.system_error", why="503", second=2),
                event("step.scheduled", why="attempt 1 of 5 failed", second=3),
                event("step.pending", before="scheduled", second=4),
                event("step.in_progress", data='{"number":2}', second=5),
                event("attempt.succeeded", second=6),
                event("step.success", second=7),
            )
        )

        assert [one.title for one in story] == [
            "Attempt 1 of post started",
            "post failed: system error",
            "Retry of post scheduled, with the same idempotency key",
            "Attempt 2 of post started",
            "Step post succeeded",
        ]
        assert story[3].at == NOON + timedelta(seconds=4)

    def test_says_a_reason_once(self):
        story = condensed(told(event("action.unknown", why="timed out"), event("attempt.failed", why="timed out")))

        assert [one.detail for one in story] == ["timed out", ""]

    def test_of_nothing_is_nothing(self):
        assert condensed([]) == []
