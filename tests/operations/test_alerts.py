"""What needs somebody is one alert, opened and resolved by what is seen, told to its owner, answered by people."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from approvals.models import Notice
from approvals.models.notice import NoticeKind
from approvals.notifying.spread import concerned
from audit import events
from audit.actors import agent, system
from audit.ids import new_id
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.engine.alerts import rules as alert_rules
from orchestrator.engine.alerts.alerting import judge_all, owner_of
from orchestrator.models import Alert, FailureGroup
from orchestrator.operations import alerts
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


@pytest.fixture
def ada(unit):
    return make.actor(make.person("ada", "view", "operate", of=unit))


def fact(unit, name="alert.pager", *, about=None, **data):
    """An alert event as any part of the system writes one."""
    about, data = about or new_id(), {"severity": "critical", **data}
    events.record(name, by=system("night watch"), stream=f"pager:{about}", object_id=about, unit_id=unit.pk,
                  why="80 % of the disk is full", data=data)  # fmt: skip
    return about


def of_step(letter):
    """Another time-out of the letter's step."""
    step = letter.step
    events.record("alert.timeout", by=system("engine"), stream=step.stream, object_id=step.pk, unit_id=step.unit_id,
                  why="no answer within 30 s", data={"step": step.key})  # fmt: skip


def a_day_passes():
    """Rules look back from the database's clock; the trail itself cannot be changed, so the window is closed instead."""
    alert_rules.EVENT_HOURS = 0


@pytest.fixture(autouse=True)
def window(monkeypatch):
    monkeypatch.setattr(alert_rules, "EVENT_HOURS", 24)


@pytest.fixture
def raised(unit):
    fact(unit)
    judge_all()
    return Alert.objects.get()


def kinds():
    return list(Notice.objects.filter(kind__startswith="alert").order_by("id").values_list("kind", flat=True))


class TestAnEventOfTheTrail:
    def test_raises_one_alert_however_often_it_is_repeated(self, unit):
        about = fact(unit)
        judge_all()
        fact(unit, about=about)
        judge_all()

        alert = Alert.objects.get()
        assert (alert.status, alert.kind, alert.count, alert.severity) == ("open", "pager", 2, "critical")
        assert alert.detail == "80 % of the disk is full"
        assert alert.evidence == f"/audit/{AuditEvent.objects.filter(event='alert.pager').latest('seq').pk}/"
        assert kinds() == ["alert_urgent"]

    def test_of_any_kind_needs_no_code_here(self, unit):
        fact(unit, "alert.something_new", severity="warning")
        judge_all()

        alert = Alert.objects.get()
        assert (alert.kind, alert.severity, alert.title.partition(":")[0]) == (
            "something_new",
            "warning",
            "Something new",
        )

    def test_of_a_step_is_deduplicated_by_workflow_and_step(self, unit):
        one, two = make.letter(), make.letter()
        of_step(one)
        of_step(two)
        judge_all()

        alert = Alert.objects.get(kind="timeout")
        assert (alert.count, alert.subject) == (2, f"closing / {one.step.key}")
        assert alert.evidence == f"/executions/{two.execution_id}/?step={two.step.key}"
        assert (alert.owner_name, alert.runbook) == ("agent_owner", "Redrive it.")

    def test_in_another_unit_is_another_alert(self, unit):
        about = fact(unit)
        fact(make.unit("sales", "Sales"), about=about)
        judge_all()

        assert Alert.objects.count() == 2

    def test_that_is_not_repeated_for_a_day_is_over_and_comes_back_as_the_same_alert(self, unit, ada):
        about = fact(unit)
        judge_all()
        alert = Alert.objects.get()
        alerts.acknowledge(alert_id=alert.pk, by=ada, why="I look")
        a_day_passes()
        judge_all()
        alert.refresh_from_db()
        assert alert.status == "resolved"

        alert_rules.EVENT_HOURS = 24
        fact(unit, about=about)
        judge_all()

        alert.refresh_from_db()
        assert (alert.status, alert.acknowledged_name, alert.resolved_at) == ("open", "", None)
        assert kinds() == ["alert_urgent", "alert_over", "alert_urgent"]
        story = AuditEvent.objects.filter(object_id=alert.pk).order_by("seq").values_list("event", flat=True)
        assert list(story) == [
            "raised_alert.open", "raised_alert.acknowledged", "raised_alert.resolved", "raised_alert.open"
        ]  # fmt: skip

    def test_an_alert_writes_is_not_one_itself(self, unit, raised):
        judge_all()

        assert Alert.objects.count() == 1


class TestAGroupOfFailures:
    def test_that_regresses_is_an_alert_until_it_does_not(self, unit, ada):
        from orchestrator.engine.dead_letters import triage
        from orchestrator.operations import failure_groups as groups

        letter = make.letter()
        group = FailureGroup.objects.get(pk=letter.group_id)
        groups.mark_fixed(group_id=group.pk, by=ada, release_id=None, why="restarted")
        make.letter()
        triage.judge_all()
        judge_all()
        alert = Alert.objects.get(rule="failure_groups")
        assert (alert.kind, alert.evidence) == ("failures_regressed", group.get_absolute_url())
        assert (alert.owner_name, alert.runbook) == ("agent_owner", "Redrive it.")

        groups.park(group_id=group.pk, by=ada, until=database_now() + timedelta(hours=1), more=None, why="night")
        judge_all()

        alert.refresh_from_db()
        assert alert.status == "resolved"


class TestARule:
    @pytest.mark.parametrize("known", [True, False])
    def test_of_a_newer_version_is_nothing_to_stumble_over(self, unit, caplog, known):
        """While a rolling upgrade lasts, workers of two versions judge in turns: also what only the newer one has a rule for."""
        about = fact(unit)
        judge_all()
        Alert.objects.update(rule="newer", **({} if known else {"kind": "newer"}))
        before = kinds()

        for _ in range(2):
            judge_all()

        theirs = Alert.objects.get(kind="pager" if known else "newer")
        assert (theirs.status, theirs.subject) == ("open", str(about))
        assert kinds() == before + ([] if known else ["alert_urgent"])
        assert [record for record in caplog.records if record.levelname in {"ERROR", "WARNING"}] == []

    def test_that_fails_resolves_nothing_and_stops_no_other(self, unit, raised, monkeypatch):
        def broken():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

        monkeypatch.setitem(alert_rules.RULES, "events", broken)
        judge_all()

        raised.refresh_from_db()
        assert raised.status == "open"


class TestTheOwner:
    def test_is_the_person_or_group_that_is_registered(self, unit):
        olga = make.person("olga", "view", of=unit)
        desk = Group.objects.create(name="payments desk")

        assert owner_of("olga", unit.pk).person_id == olga.pk
        assert owner_of("payments desk", unit.pk).group_id == desk.pk

    def test_is_the_owner_of_the_unit_above_where_nobody_is_registered(self):
        boss = make.person("boss", "view")
        above = make.unit("group", "Group")
        type(above).objects.filter(pk=above.pk).update(owner=boss)

        assert owner_of("somebody who left", make.unit("below", parent=above).pk).person_id == boss.pk

    def test_is_told_alone_and_whoever_operates_where_there_is_none(self, unit, ada, raised):
        olga = make.person("olga", "view", of=unit)
        assert concerned(Notice.objects.get(kind=NoticeKind.ALERT_URGENT)) == {ada.user_id}

        alerts.hand_over(alert_id=raised.pk, by=ada, to=f"person:{olga.pk}", why="hers")

        assert concerned(Notice.objects.get(kind=NoticeKind.ALERT)) == {olga.pk}

    def test_who_may_not_look_into_the_unit_any_more_leaves_it_to_those_who_operate_it(self, unit, ada, raised):
        Alert.objects.filter(pk=raised.pk).update(owner_person_id=make.person("gone").pk)
        make.later("orchestrator_alert", "remind_at", raised.pk, 5 * 3600)
        judge_all()

        assert concerned(Notice.objects.get(kind=NoticeKind.ALERT_AGAIN)) == {ada.user_id}


class TestReminding:
    def test_goes_on_every_four_hours_until_somebody_acknowledges(self, unit, ada, raised):
        judge_all()
        assert kinds() == ["alert_urgent"]

        for _ in range(2):
            make.later("orchestrator_alert", "remind_at", raised.pk, 4 * 3600 + 1)
            judge_all()
            judge_all()
        assert kinds() == ["alert_urgent", "alert_again", "alert_again"]

        alerts.acknowledge(alert_id=raised.pk, by=ada, why="I look")
        assert Alert.objects.get().remind_at is None

    def test_waits_for_the_end_of_a_mute(self, unit, ada, raised):
        alerts.mute(alert_id=raised.pk, by=ada, until=database_now() + timedelta(hours=8), why="known outage")
        make.later("orchestrator_alert", "remind_at", raised.pk, 5 * 3600)
        judge_all()
        assert kinds() == ["alert_urgent"]

        for column in ("muted_until", "remind_at"):
            make.later("orchestrator_alert", column, raised.pk, 8 * 3600)
        judge_all()
        assert kinds() == ["alert_urgent", "alert_again"]

    def test_starts_again_when_the_mute_is_taken_back(self, unit, ada, raised):
        alerts.mute(alert_id=raised.pk, by=ada, until=database_now() + timedelta(hours=8), why="known outage")
        alerts.unmute(alert_id=raised.pk, by=ada)
        judge_all()

        assert kinds() == ["alert_urgent", "alert_again"]

    def test_says_nothing_of_what_ends_and_returns_while_it_is_muted(self, unit, ada, raised):
        alerts.mute(alert_id=raised.pk, by=ada, until=database_now() + timedelta(hours=8), why="known outage")
        a_day_passes()
        judge_all()
        alert_rules.EVENT_HOURS = 24
        judge_all()

        raised.refresh_from_db()
        assert (raised.status, kinds()) == ("open", ["alert_urgent"])


ACTS = {
    "acknowledge": lambda pk, by: alerts.acknowledge(alert_id=pk, by=by, why="I look"),
    "hand over": lambda pk, by: alerts.hand_over(alert_id=pk, by=by, to="person:1", why="theirs"),
    "mute": lambda pk, by: alerts.mute(alert_id=pk, by=by, until=database_now() + timedelta(hours=1), why="known"),
    "unmute": lambda pk, by: alerts.unmute(alert_id=pk, by=by),
}


@pytest.mark.parametrize("act", ACTS)
class TestEveryAct:
    def test_is_refused_to_whoever_may_only_look(self, unit, raised, act):
        with pytest.raises(Forbidden):
            ACTS[act](raised.pk, make.actor(make.person("vera", "view", of=unit)))

    def test_does_not_exist_for_a_stranger(self, raised, act):
        with pytest.raises(NotVisible):
            ACTS[act](raised.pk, make.actor(make.person("eve", "view", "operate", of=make.unit("elsewhere"))))

    def test_is_no_agents(self, unit, raised, act):
        with pytest.raises(Forbidden) as refused:
            ACTS[act](raised.pk, agent("clerk", unit_ids=frozenset({unit.pk}), scopes=frozenset()))
        assert refused.value.code == "people_only"


class TestAnAct:
    def test_needs_a_reason(self, ada, raised):
        soon = database_now() + timedelta(hours=1)
        for act in (
            lambda: alerts.acknowledge(alert_id=raised.pk, by=ada, why=" "),
            lambda: alerts.hand_over(alert_id=raised.pk, by=ada, to=f"person:{ada.user_id}", why=""),
            lambda: alerts.mute(alert_id=raised.pk, by=ada, until=soon, why=""),
        ):
            with pytest.raises(Invalid):
                act()

    def test_acknowledges_once(self, ada, raised):
        alerts.acknowledge(alert_id=raised.pk, by=ada, why="I look")
        with pytest.raises(Stale):
            alerts.acknowledge(alert_id=raised.pk, by=ada, why="I look again")

    def test_hands_over_only_to_those_who_may_look(self, ada, raised):
        stranger = make.person("eve", "view", of=make.unit("elsewhere"))
        with pytest.raises(Invalid):
            alerts.hand_over(alert_id=raised.pk, by=ada, to=f"person:{stranger.pk}", why="theirs")

    @pytest.mark.parametrize("hours", [-1, 24 * 7 + 1])
    def test_mutes_for_a_week_at_most(self, ada, raised, hours):
        with pytest.raises(Invalid):
            alerts.mute(alert_id=raised.pk, by=ada, until=database_now() + timedelta(hours=hours), why="x")

    def test_takes_back_only_a_mute_that_is(self, ada, raised):
        with pytest.raises(Stale):
            alerts.unmute(alert_id=raised.pk, by=ada)

    def test_is_not_for_what_is_over(self, ada, raised):
        a_day_passes()
        judge_all()
        for act in ("acknowledge", "hand over", "mute"):
            with pytest.raises(Stale):
                ACTS[act](raised.pk, ada)
