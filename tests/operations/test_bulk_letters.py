"""One act on many letters: frozen, confirmed, then one, ten and the rest, and only while what comes back is a success."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from guardian.shortcuts import remove_perm

from approvals.models import StopScope
from approvals.operations import stops
from approvals.operations.stops import Target
from audit.ids import new_id
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.engine import drives
from orchestrator.engine.alerts import lasting_rules
from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.engine.sweep import sweep
from orchestrator.models import Alert, DeadLetter, FailureGroup, Operation
from orchestrator.operations import bulk_letters as bulk
from orchestrator.operations import dead_letters
from orchestrator.operations.bulk_letters import NothingChosen, Terms, WrongCount
from orchestrator.statuses import ItemStatus
from tests import make

pytestmark = pytest.mark.django_db
FAST = Terms(per_minute=600)


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


@pytest.fixture
def ada(unit):
    return make.actor(make.person("ada", "view", "operate", of=unit))


@pytest.fixture
def bob(unit):
    return make.actor(make.person("bob", "view", "operate", of=unit))


def some(number):
    letters = [make.letter() for _ in range(number)]
    return letters, FailureGroup.objects.get(pk=letters[0].group_id)


def begun(group, by, terms=FAST, act="redrive"):
    operation = bulk.preview(act=act, group_id=group.pk, by=by)
    return bulk.confirm(operation_id=operation.pk, by=by, terms=terms)


def round_of(operation, *, every_letter_at_once=True):
    """One round of the sweep; the speed limit is a test of its own."""
    if every_letter_at_once:
        Operation.objects.filter(pk=operation.pk).update(next_at=None)
        for _ in range(drives.BATCH):
            if not drives.one_round(operation.pk):
                break
            Operation.objects.filter(pk=operation.pk).update(next_at=None)
    else:
        drives.one_round(operation.pk)
    operation.refresh_from_db()
    assert_adds_up(operation)
    return counts(operation)


def counts(operation):
    found = [*operation.items.order_by("place").values_list("status", flat=True)]
    return {status: found.count(status) for status in ItemStatus.values if status in found}


def assert_adds_up(operation):
    counted = drives.tally(operation.pk)
    assert counted.of(*ItemStatus.values) == operation.items.count()
    assert counted.of(*ItemStatus.values) - counted.of(ItemStatus.LEFT_OUT) == operation.size


def under_way(operation):
    return [
        item.letter for item in operation.items.filter(status="under_way").select_related("letter").order_by("place")
    ]


class TestAPreview:
    def test_freezes_the_open_letters_and_nothing_is_done(self, unit, ada):
        letters, group = some(3)
        operation = bulk.preview(act="redrive", group_id=group.pk, by=ada)
        make.letter()

        assert (operation.size, operation.chosen, operation.status) == (3, "all", "previewed")
        assert [item.letter_id for item in operation.items.order_by("place")] == [letter.pk for letter in letters]
        assert set(operation.samples) == {str(letter.pk) for letter in letters}
        drives.drive()
        assert counts(operation) == {"waiting": 3}

    def test_leaves_out_what_is_tried_already_and_says_why(self, unit, ada):
        letters, group = some(2)
        dead_letters.requeue(letter_id=letters[0].pk, by=ada)

        operation = bulk.preview(act="redrive", group_id=group.pk, by=ada, letter_ids=[letter.pk for letter in letters])

        assert (operation.size, operation.chosen) == (1, "selected")
        out = operation.items.get(status="left_out")
        assert (out.letter_id, out.stage, out.why) == (letters[0].pk, 0, "It is being tried again already.")

    @pytest.mark.parametrize(
        "target", [(StopScope.UNIT, ""), (StopScope.AGENT, "poster"), (StopScope.AGENT, "workflow:closing")]
    )
    def test_leaves_out_what_a_person_has_stopped(self, unit, ada, target):
        _, group = some(1)
        scope, agent = target
        stops.engage(target=Target(scope=scope, agent=agent, unit_id=unit.pk), by=ada, reason="It pays twice")

        operation = bulk.preview(act="redrive", group_id=group.pk, by=ada)

        assert operation.size == 0
        assert "It pays twice" in operation.items.get().why
        with pytest.raises(NothingChosen):
            bulk.confirm(operation_id=operation.pk, by=ada, terms=FAST)

    def test_set_cannot_grow_afterwards(self, unit, ada):
        _, group = some(1)
        operation = begun(group, ada)
        more = make.letter()
        item = operation.items.get()
        item.pk, item.letter, item.place = new_id(), more, 2

        with pytest.raises(Exception, match="frozen"), transaction.atomic():
            item.save(force_insert=True)

    def test_of_no_letter_is_refused(self, unit, ada):
        _, group = some(1)
        with pytest.raises(NothingChosen):
            bulk.preview(act="redrive", group_id=group.pk, by=ada, letter_ids=[])
        with pytest.raises(Invalid):
            bulk.preview(act="approve", group_id=group.pk, by=ada)


class TestAStagedRedrive:
    def test_sends_one_then_ten_then_the_rest_each_after_what_it_saw(self, unit, ada):
        _, group = some(13)
        operation = begun(group, ada)

        assert round_of(operation) == {"waiting": 12, "under_way": 1}
        make.succeeded(under_way(operation)[0])
        assert round_of(operation) == {"waiting": 2, "under_way": 10, "fixed": 1}
        for letter in under_way(operation)[:9]:
            make.succeeded(letter)
        assert round_of(operation) == {"waiting": 2, "under_way": 1, "fixed": 10}
        make.succeeded(under_way(operation)[0])
        assert round_of(operation) == {"under_way": 2, "fixed": 11}
        for letter in under_way(operation):
            make.succeeded(letter)
        assert round_of(operation) == {"fixed": 13}

        assert operation.status == "done"
        assert set(DeadLetter.objects.values_list("status", flat=True)) == {"fixed"}

    def test_stops_itself_when_the_first_one_comes_back(self, unit, ada):
        _, group = some(3)
        operation = begun(group, ada, Terms(per_minute=600, stop_percent=25))
        round_of(operation)
        make.failed_again(under_way(operation)[0])

        assert round_of(operation) == {"waiting": 2, "failed": 1}

        item = operation.items.get(status="failed")
        assert (operation.status, item.same_cause) == ("halted", True)
        assert item.why == "the same failure came back: The ERP answered 503."

    def test_goes_on_when_a_person_has_looked(self, unit, ada, bob):
        _, group = some(3)
        operation = begun(group, ada)
        round_of(operation)
        make.failed_again(under_way(operation)[0], "The account is gone")
        round_of(operation)

        bulk.resume(operation_id=operation.pk, by=bob)

        assert round_of(operation) == {"under_way": 2, "failed": 1}
        assert operation.items.get(status="failed").same_cause is False

    def test_of_the_rest_allows_the_share_its_person_allowed(self, unit, ada):
        counted = drives.Tally(
            drives.Counter({(1, "fixed"): 1, (2, "fixed"): 10, (3, "fixed"): 38, (3, "failed"): 2, (3, "waiting"): 9})
        )
        assert drives.why_halt(Operation(stop_percent=5), counted) == ""
        assert drives.why_halt(Operation(stop_percent=0), counted) != ""
        counted.counts[(3, "failed")] = 3
        assert drives.why_halt(Operation(stop_percent=5), counted) == "3 of 41 failed, more than the 5 % allowed"
        assert drives.why_halt(Operation(stop_percent=5, accepted_failures=3), counted) == ""

    def test_of_the_last_stops_nothing_since_nothing_would_follow(self):
        counted = drives.Tally(drives.Counter({(1, "fixed"): 1, (2, "fixed"): 10, (3, "fixed"): 73, (3, "failed"): 5}))
        assert drives.why_halt(Operation(stop_percent=5), counted) == ""

    def test_waits_while_a_letter_waits_for_people(self, unit, ada):
        letters, group = some(2)
        operation = begun(group, ada)
        round_of(operation)
        segment = make.claimed(letters[0].execution)
        make.held_in(letters[0].execution)
        make.settle_parked(segment, to="awaiting_approval", why="waiting for people", input={"rows": 3})

        assert round_of(operation) == {"waiting": 1, "under_way": 1}
        assert operation.status == "running"

    def test_sends_no_faster_than_its_limit(self, unit, ada):
        _, group = some(6)
        operation = begun(group, ada, Terms(per_minute=10))
        round_of(operation, every_letter_at_once=False)
        make.succeeded(under_way(operation)[0])

        assert round_of(operation, every_letter_at_once=False) == {"waiting": 5, "fixed": 1}
        make.later("orchestrator_operation", "next_at", operation.pk, 7)
        assert round_of(operation, every_letter_at_once=False) == {"waiting": 4, "under_way": 1, "fixed": 1}

    def test_names_a_letter_that_somebody_was_faster_with(self, unit, ada):
        letters, group = some(2)
        operation = begun(group, ada)
        dead_letters.discard(letter_id=letters[0].pk, by=ada, code="duplicate")

        round_of(operation)

        item = operation.items.get(letter=letters[0])
        assert (item.status, item.why) == ("refused", "This dead letter is already discarded.")

    def test_sees_one_and_then_ten_come_back_however_many_before_them_were_refused(self, unit, ada):
        letters, group = some(15)
        operation = begun(group, ada)
        for letter in letters[:2]:
            dead_letters.discard(letter_id=letter.pk, by=ada, code="duplicate")

        assert round_of(operation) == {"waiting": 12, "under_way": 1, "refused": 2}
        make.succeeded(under_way(operation)[0])
        assert round_of(operation) == {"waiting": 2, "under_way": 10, "fixed": 1, "refused": 2}

    def test_tells_its_own_redrive_from_the_next_one(self, unit, ada):
        letters, group = some(1)
        operation = begun(group, ada)
        round_of(operation)
        make.failed_again(letters[0])
        dead_letters.requeue(letter_id=letters[0].pk, by=ada)
        make.succeeded(letters[0])

        round_of(operation)

        assert operation.items.get().status == "failed"

    def test_does_not_take_a_business_error_for_a_success(self, unit, ada):
        letters, group = some(1)
        operation = begun(group, ada)
        round_of(operation)
        make.failed(make.claimed(letters[0].execution), "The account is closed.", "business")
        sweep()

        round_of(operation)

        assert (operation.items.get().status, DeadLetter.objects.get().status) == ("failed", "ended")

    def test_ends_with_the_right_of_its_person(self, unit, ada):
        _, group = some(2)
        operation = begun(group, ada)
        remove_perm("budgets.operate_businessunit", get_user_model().objects.get(pk=ada.user_id), unit)

        assert round_of(operation) == {"waiting": 2}
        assert operation.status == "halted"
        judge_all()
        assert Alert.objects.get().kind == "operation_waits"
        assert operation.why == (
            "ada, in whose name it runs, is no longer an operator of Finance: cancel the rest, and choose it anew"
        )


class TestWaitingForSomebody:
    """Whoever began it has gone home by the time it stops, and nobody else looks at its page."""

    def alert(self):
        judge_all()
        return Alert.objects.get(kind="operation_waits")

    def test_is_an_alert_while_it_has_stopped_itself(self, unit, ada):
        _, group = some(3)
        operation = begun(group, ada)
        round_of(operation)
        make.failed_again(under_way(operation)[0])
        round_of(operation)

        assert (self.alert().status, self.alert().evidence) == ("open", operation.get_absolute_url())
        assert self.alert().detail == "It stopped itself: 1 came back as a failure: look before the others follow"
        bulk.cancel(operation_id=operation.pk, by=ada)
        assert self.alert().status == "resolved"

    def test_is_an_alert_when_it_was_paused_and_forgotten(self, unit, ada, monkeypatch):
        _, group = some(3)
        operation = begun(group, ada)
        bulk.pause(operation_id=operation.pk, by=ada)
        judge_all()
        assert not Alert.objects.exists()

        monkeypatch.setattr(lasting_rules, "PAUSED_FOR", timedelta(0))
        assert (self.alert().status, self.alert().severity, self.alert().owner_name) == ("open", "warning", "ada")
        assert self.alert().detail == "ada paused it, and nobody has gone on with it: let it go on, or cancel it"
        bulk.resume(operation_id=operation.pk, by=ada)
        assert self.alert().status == "resolved"

    def test_is_an_alert_while_a_second_person_has_to_agree(self, unit, ada, bob, settings):
        settings.DISCARD_ALONE_UP_TO = 1
        _, group = some(2)
        operation = begun(group, ada, Terms(reason_code="duplicate"), act="discard")

        assert self.alert().title == "Waits for somebody: Discard 2 letters"
        assert self.alert().detail == "ada asks a second operator to agree"
        bulk.second(operation_id=operation.pk, by=bob, count=None)
        assert self.alert().status == "resolved"


class TestPausingAndCancelling:
    def test_a_paused_operation_sends_nothing_and_still_sees(self, unit, ada):
        _, group = some(3)
        operation = begun(group, ada)
        round_of(operation)
        bulk.pause(operation_id=operation.pk, by=ada)
        make.succeeded(under_way(operation)[0])

        assert round_of(operation) == {"waiting": 2, "fixed": 1}
        bulk.resume(operation_id=operation.pk, by=ada)
        assert round_of(operation) == {"under_way": 2, "fixed": 1}

    def test_a_cancelled_one_tries_no_other_and_sees_what_is_under_way(self, unit, ada):
        _, group = some(3)
        operation = begun(group, ada)
        round_of(operation)
        bulk.cancel(operation_id=operation.pk, by=ada)

        assert round_of(operation) == {"under_way": 1, "not_tried": 2}
        make.succeeded(under_way(operation)[0])
        drives.drive()
        assert_adds_up(operation)
        assert counts(operation) == {"fixed": 1, "not_tried": 2}
        assert DeadLetter.objects.filter(status="open").count() == 2

    def test_what_is_over_is_neither_paused_nor_cancelled_nor_resumed(self, unit, ada):
        _, group = some(1)
        operation = begun(group, ada)
        bulk.cancel(operation_id=operation.pk, by=ada)
        for act in (bulk.pause, bulk.cancel, bulk.resume):
            with pytest.raises(Stale):
                act(operation_id=operation.pk, by=ada)


class TestConfirming:
    def test_is_done_by_whoever_read_the_preview(self, unit, ada, bob):
        _, group = some(1)
        operation = bulk.preview(act="redrive", group_id=group.pk, by=ada)
        with pytest.raises(Forbidden):
            bulk.confirm(operation_id=operation.pk, by=bob, terms=FAST)

    def test_twice_begins_once(self, unit, ada):
        _, group = some(1)
        operation = begun(group, ada)
        with pytest.raises(Stale):
            bulk.confirm(operation_id=operation.pk, by=ada, terms=FAST)

    def test_of_many_takes_the_count(self, unit, ada, monkeypatch):
        monkeypatch.setattr(bulk, "TYPED_ABOVE", 2)
        _, group = some(3)
        operation = bulk.preview(act="redrive", group_id=group.pk, by=ada)
        for wrong in (None, 2, 4):
            with pytest.raises(WrongCount):
                bulk.confirm(operation_id=operation.pk, by=ada, terms=Terms(count=wrong))
        assert bulk.confirm(operation_id=operation.pk, by=ada, terms=Terms(count=3)).status == "running"

    @pytest.mark.parametrize("terms", [Terms(per_minute=7), Terms(stop_percent=100)])
    def test_takes_terms_that_are_offered(self, unit, ada, terms):
        _, group = some(1)
        operation = bulk.preview(act="redrive", group_id=group.pk, by=ada)
        with pytest.raises(Invalid):
            bulk.confirm(operation_id=operation.pk, by=ada, terms=terms)


class TestDiscardingMany:
    WHY = Terms(per_minute=600, reason_code="duplicate")

    def test_gives_up_each_with_the_reason(self, unit, ada):
        _, group = some(3)
        operation = begun(group, ada, self.WHY, act="discard")

        assert round_of(operation) == {"discarded": 3}
        assert operation.status == "done"
        assert [*DeadLetter.objects.values_list("status", "discard_code").distinct()] == [("discarded", "duplicate")]

    @pytest.mark.parametrize("terms", [Terms(), Terms(reason_code="because"), Terms(reason_code="other")])
    def test_needs_a_coded_reason(self, unit, ada, terms):
        _, group = some(1)
        operation = bulk.preview(act="discard", group_id=group.pk, by=ada)
        with pytest.raises(Invalid):
            bulk.confirm(operation_id=operation.pk, by=ada, terms=terms)

    def test_above_the_limit_needs_a_second_person(self, unit, ada, bob, settings):
        settings.DISCARD_ALONE_UP_TO = 2
        _, group = some(3)
        operation = begun(group, ada, self.WHY, act="discard")
        assert operation.status == "second_person"
        assert round_of(operation) == {"waiting": 3}
        with pytest.raises(Forbidden):
            bulk.second(operation_id=operation.pk, by=ada, count=None)

        bulk.second(operation_id=operation.pk, by=bob, count=None)

        assert round_of(operation) == {"discarded": 3}
        assert operation.second_name == "bob"

    def test_under_another_account_of_the_same_person_is_not_a_second_person(self, unit, ada, settings):
        settings.DISCARD_ALONE_UP_TO = 0
        _, group = some(1)
        other = make.person("ada_admin", "view", "operate", of=unit)
        make.linked("ada", get_user_model().objects.get(pk=ada.user_id), other)
        operation = begun(group, ada, self.WHY, act="discard")

        with pytest.raises(Forbidden):
            bulk.second(operation_id=operation.pk, by=make.actor(other), count=None)


class TestWhoMayNot:
    @pytest.fixture
    def operation(self, unit, ada):
        _, group = some(1)
        return begun(group, ada)

    def test_a_stranger_is_told_there_is_no_such_operation(self, operation):
        eve = make.actor(make.person("eve", "view", "operate", of=make.unit("sales", "Sales")))
        with pytest.raises(NotVisible):
            bulk.cancel(operation_id=operation.pk, by=eve)
        with pytest.raises(NotVisible):
            bulk.preview(act="redrive", group_id=operation.group_id, by=eve)

    def test_a_viewer_may_look_only(self, unit, operation):
        vera = make.actor(make.person("vera", "view", of=unit))
        with pytest.raises(Forbidden):
            bulk.pause(operation_id=operation.pk, by=vera)
        with pytest.raises(Forbidden):
            bulk.preview(act="redrive", group_id=operation.group_id, by=vera)

    def test_an_agent_acts_on_no_group(self, unit, operation):
        robot = make.actors.agent("poster", unit_ids=frozenset({unit.pk}), scopes=frozenset({"dead_letters:retry"}))
        with pytest.raises(Forbidden):
            bulk.preview(act="discard", group_id=operation.group_id, by=robot)
        with pytest.raises(Forbidden):
            bulk.cancel(operation_id=operation.pk, by=robot)


class TestTheTrail:
    def test_holds_every_step_of_it(self, unit, ada):
        _, group = some(2)
        operation = begun(group, ada)
        round_of(operation)
        make.succeeded(under_way(operation)[0])
        round_of(operation)

        told = [*AuditEvent.objects.filter(stream=operation.stream).order_by("seq").values_list("event", flat=True)]
        assert told == ["operation.previewed", "operation.running", "operation_item.under_way", "operation_item.fixed",
                        "operation_item.under_way"]  # fmt: skip
