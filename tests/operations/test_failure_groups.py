"""Failures of one cause are one group of one unit: found when the letter is written, told apart, joined, parked, fixed."""

from datetime import timedelta

import pytest
from django.db import connection

from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.engine.dead_letters import triage
from orchestrator.engine.dead_letters.letters import unfiled
from orchestrator.engine.sweep import sweep
from orchestrator.models import DeadLetter, FailureGroup
from orchestrator.operations import dead_letters
from orchestrator.operations import failure_groups as groups
from orchestrator.operations.failure_groups import NotTogether
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


@pytest.fixture
def ada(unit):
    return make.actor(make.person("ada", "view", "operate", of=unit))


def group_of(letter):
    return FailureGroup.objects.get(pk=DeadLetter.objects.get(pk=letter.pk).group_id)


def status_of(group):
    return FailureGroup.objects.get(pk=group.pk).status


def hours_ago(letter, hours):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orchestrator_deadletter SET first_at = first_at - make_interval(hours => %s), "
            "last_at = last_at - make_interval(hours => %s) WHERE id = %s",
            [hours, hours, letter.pk],
        )


class TestALetter:
    def test_is_filed_with_those_of_the_same_cause(self, unit):
        one, two = make.letter("Order 17 was refused"), make.letter("Order 4711 was refused")

        group = group_of(one)
        assert group_of(two) == group
        assert (group.status, group.unit_id, group.pattern) == ("new", unit.pk, "order <number> was refused")
        assert (group.component, group.owner, group.runbook) == ("poster", "agent_owner", "Redrive it.")

    @pytest.mark.parametrize(
        "other", [{"message": "Another thing"}, {"failure_class": "bug"}, {"tool": "erp.post_adjustment"}]
    )
    def test_of_another_cause_is_in_another_group(self, unit, other):
        assert group_of(make.letter(**other)) != group_of(make.letter())

    def test_of_another_unit_is_in_a_group_of_that_unit(self, unit):
        elsewhere = make.unit("sales", "Sales")
        here, there = make.letter(), make.letter(of=elsewhere, by=make.person("sam", "view", "operate", of=elsewhere))

        assert (group_of(here).unit_id, group_of(there).unit_id) == (unit.pk, elsewhere.pk)

    def test_that_fails_in_another_way_after_a_redrive_changes_its_group(self, unit, ada):
        letter = make.letter()
        before = group_of(letter)
        dead_letters.requeue(letter_id=letter.pk, by=ada)

        make.failed_again(letter, "The account is gone")

        assert group_of(letter) != before
        assert DeadLetter.objects.filter(group=before).count() == 0

    def test_written_by_an_older_version_is_filed_by_the_sweep(self, unit):
        letter = make.letter("Order 17 was refused")
        group = group_of(letter)
        DeadLetter.objects.filter(pk=letter.pk).update(group=None, fingerprint="old")

        sweep()

        assert group_of(letter) == group
        assert not unfiled().exists()


class TestTaking:
    def test_says_who_looks_after_it(self, unit, ada):
        group = group_of(make.letter())

        groups.take(group_id=group.pk, by=ada)

        group.refresh_from_db()
        assert (group.status, group.taken_by_id, group.taken_by_name) == ("ongoing", ada.user_id, "ada")

    def test_takes_over_from_whoever_had_it(self, unit, ada):
        group = group_of(make.letter())
        groups.take(group_id=group.pk, by=make.actor(make.person("bob", "view", "operate", of=unit)))

        groups.take(group_id=group.pk, by=ada)

        assert FailureGroup.objects.get(pk=group.pk).taken_by_name == "ada"
        assert AuditEvent.objects.filter(object_id=group.pk, event="failure_group.taken", actor=ada.key).exists()


class TestParking:
    def test_ends_by_itself_when_the_time_has_come(self, unit, ada):
        group = group_of(make.letter())
        groups.park(group_id=group.pk, by=ada, until=database_now() + timedelta(hours=1), more=None, why="night")
        triage.judge_all()
        assert status_of(group) == "parked"

        make.later("orchestrator_failuregroup", "parked_until", group.pk, 3601)
        triage.judge_all()

        assert status_of(group) == "ongoing"

    def test_ends_by_itself_when_it_has_grown(self, unit, ada):
        group = group_of(make.letter())
        groups.park(group_id=group.pk, by=ada, until=None, more=2, why="known")
        make.letter()
        triage.judge_all()
        assert status_of(group) == "parked"

        make.letter()
        triage.judge_all()

        assert status_of(group) == "ongoing"

    def test_needs_a_reason_and_an_end(self, unit, ada):
        group = group_of(make.letter())
        soon = database_now() + timedelta(hours=1)
        for wrong in ({"until": None, "more": None, "why": "x"}, {"until": soon, "more": None, "why": " "},
                      {"until": soon - timedelta(hours=2), "more": None, "why": "x"}):  # fmt: skip
            with pytest.raises(Invalid):
                groups.park(group_id=group.pk, by=ada, **wrong)
        assert status_of(group) == "new"

    @pytest.mark.parametrize("rests", ["parked", "fixed"])
    def test_of_what_rests_already_is_refused(self, unit, ada, rests):
        group = group_of(make.letter())
        said = {"group_id": group.pk, "by": ada, "why": "known"}
        if rests == "parked":
            groups.park(**said, until=None, more=2)
        else:
            groups.mark_fixed(**said, release_id=None)

        with pytest.raises(Stale, match=f"is {rests} already"):
            groups.park(**said, until=None, more=2)


class TestATextThatIsNoLink:
    @pytest.mark.parametrize("link", ["http://[", "https://", "ftp://tickets.example/7", "ticket 7"])
    def test_is_no_ticket(self, unit, ada, link):
        with pytest.raises(Invalid):
            groups.link_ticket(group_id=group_of(make.letter()).pk, by=ada, ticket=link)


class TestAFix:
    def test_that_holds_is_left_alone(self, unit, ada):
        letter = make.letter()
        group = group_of(letter)
        groups.mark_fixed(group_id=group.pk, by=ada, release_id=letter.execution.release_id, why="the ERP is back")

        triage.judge_all()

        assert status_of(group) == "fixed"

    def test_that_does_not_hold_is_found_out_by_the_next_letter(self, unit, ada):
        letter = make.letter()
        group = group_of(letter)
        groups.mark_fixed(group_id=group.pk, by=ada, release_id=letter.execution.release_id, why="the ERP is back")

        make.letter()
        triage.judge_all()

        assert status_of(group) == "regressed"

    def test_is_not_judged_by_a_letter_of_a_release_before_it(self, unit, ada):
        make.letter()
        old = make.executions.start(workflow="closing", input={"month": "2026-10"}, unit="finance", by=ada)
        newer = newer_release("closing")
        group = FailureGroup.objects.get()
        groups.mark_fixed(group_id=group.pk, by=ada, release_id=newer.pk, why="fixed in 2.0.0")

        make.failed(make.at_second_step(old), "The ERP answered 503.")
        triage.judge_all()

        assert DeadLetter.objects.filter(group=group).count() == 2
        assert status_of(group) == "fixed"

    def test_outside_of_ours_names_no_release(self, unit, ada):
        group = group_of(make.letter())
        groups.mark_fixed(group_id=group.pk, by=ada, release_id=None, why="their certificate is renewed")

        make.letter()
        triage.judge_all()

        assert status_of(group) == "regressed"

    def test_names_a_release_of_its_own_workflows(self, unit, ada):
        group = group_of(make.letter())
        other = make.published("another")

        with pytest.raises(Invalid):
            groups.mark_fixed(group_id=group.pk, by=ada, release_id=other.pk, why="x")

    def test_can_be_taken_back(self, unit, ada):
        group = group_of(make.letter())
        groups.mark_fixed(group_id=group.pk, by=ada, release_id=None, why="x")

        groups.reopen(group_id=group.pk, by=ada, why="too early")

        assert status_of(group) == "ongoing"
        with pytest.raises(Stale):
            groups.reopen(group_id=group.pk, by=ada, why="again")


def newer_release(name):
    text = make.WORKFLOW.format(name=name, attempts=1).replace("1.0.0", "2.0.0")
    return make.publish(make.folder(make.new_place(name), text), by=make.MAKER)


class TestAGroup:
    def test_escalates_when_many_more_than_usual_come_and_calms_down(self, unit, monkeypatch):
        monkeypatch.setattr(triage, "_SURGING", triage._SURGING.replace("GREATEST(20", "GREATEST(3"))
        letters = [make.letter() for _ in range(3)]
        group = group_of(letters[0])

        triage.judge_all()
        assert status_of(group) == "escalating"

        for letter in letters:
            hours_ago(letter, 2)
        triage.judge_all()
        assert status_of(group) == "ongoing"

    def test_does_not_calm_down_and_escalate_again_with_every_letter(self, unit, monkeypatch):
        monkeypatch.setattr(triage, "_SURGING", triage._SURGING.replace("GREATEST(20", "GREATEST(4"))
        letters = [make.letter() for _ in range(4)]
        group = group_of(letters[0])
        triage.judge_all()

        seen = []
        for letter in letters[:3]:
            hours_ago(letter, 2)
            triage.judge_all()
            seen.append(status_of(group))

        assert seen == ["escalating", "escalating", "ongoing"]

    def test_is_new_for_a_day(self, unit):
        group = group_of(make.letter())
        triage.judge_all()
        assert status_of(group) == "new"

        make.later("orchestrator_failuregroup", "first_at", group.pk, 24 * 3600)
        triage.judge_all()
        assert status_of(group) == "ongoing"


def totals(unit):
    """Letters of every group, and of the unit: they have to be the same."""
    rows = FailureGroup.objects.filter(unit_id=unit.pk)
    return {group.pk: group.letters.count() for group in rows}, DeadLetter.objects.filter(unit_id=unit.pk).count()


class TestASplit:
    def test_keeps_the_totals_and_takes_the_letters_to_come_along(self, unit, ada):
        mine = [make.letter("Order 17 was refused"), make.letter("Order 18 was refused")]
        others = [make.letter("Order 19 was refused", name="other") for _ in range(3)]
        group = group_of(mine[0])

        part = groups.split(group_id=group.pk, by=ada, name="workflow", value="other")
        later = make.letter("Order 20 was refused", name="other")

        counts, total = totals(unit)
        assert counts == {group.pk: 2, part.pk: 4}
        assert sum(counts.values()) == total
        assert {group_of(letter) for letter in [*others, later]} == {part}

    @pytest.mark.parametrize("value", ["closing", "nothing like it"])
    def test_that_tells_nothing_apart_is_refused(self, unit, ada, value):
        group = group_of(make.letter())

        with pytest.raises(NotTogether):
            groups.split(group_id=group.pk, by=ada, name="workflow", value=value)

    def test_by_something_that_is_no_common_value_is_refused(self, unit, ada):
        with pytest.raises(Invalid):
            groups.split(group_id=group_of(make.letter()).pk, by=ada, name="id", value="1")


class TestAMerge:
    def test_keeps_the_totals_and_takes_the_letters_to_come_along(self, unit, ada):
        one, two = group_of(make.letter()), group_of(make.letter("Another thing"))

        groups.merge(group_id=one.pk, into_id=two.pk, by=ada, why="both are the same outage")
        make.letter()

        counts, total = totals(unit)
        assert counts == {one.pk: 0, two.pk: 3}
        assert sum(counts.values()) == total
        assert status_of(one) == "merged"

    def test_is_undone_by_a_split_by_cause(self, unit, ada):
        one, two = group_of(make.letter()), group_of(make.letter("Another thing"))
        groups.merge(group_id=one.pk, into_id=two.pk, by=ada, why="the same?")

        again = groups.split(group_id=two.pk, by=ada, name="cause", value=one.fingerprint)
        make.letter()

        assert (again.pk, status_of(one)) == (one.pk, "ongoing")
        assert totals(unit) == ({one.pk: 2, two.pk: 1}, 3)

    def test_of_a_part_back_into_its_whole_ends_the_split(self, unit, ada):
        whole = group_of(make.letter())
        make.letter(name="other")
        part = groups.split(group_id=whole.pk, by=ada, name="workflow", value="other")

        groups.merge(group_id=part.pk, into_id=whole.pk, by=ada, why="no difference after all")
        make.letter(name="other")

        assert totals(unit) == ({whole.pk: 3, part.pk: 0}, 3)

    def test_of_a_chain_leads_to_its_end(self, unit, ada):
        one, two, three = (group_of(make.letter(words)) for words in ("One thing", "Another thing", "A third thing"))
        groups.merge(group_id=one.pk, into_id=two.pk, by=ada, why="same")
        groups.merge(group_id=two.pk, into_id=three.pk, by=ada, why="same")

        assert group_of(make.letter("One thing")) == three
        assert totals(unit) == ({one.pk: 0, two.pk: 0, three.pk: 4}, 4)

    def test_across_units_is_refused(self, unit, ada):
        elsewhere = make.unit("sales", "Sales")
        sam = make.person("sam", "view", "operate", of=elsewhere)
        make.grant(sam, "view", unit)
        make.grant(sam, "operate", unit)
        here, there = group_of(make.letter()), group_of(make.letter(of=elsewhere, by=sam))

        with pytest.raises(NotTogether):
            groups.merge(group_id=here.pk, into_id=there.pk, by=make.actor(sam), why="same")

    def test_into_itself_or_of_what_is_merged_already_is_refused(self, unit, ada):
        one, two = group_of(make.letter()), group_of(make.letter("Another thing"))
        with pytest.raises(NotTogether):
            groups.merge(group_id=one.pk, into_id=one.pk, by=ada, why="same")
        groups.merge(group_id=one.pk, into_id=two.pk, by=ada, why="same")
        with pytest.raises(Stale):
            groups.merge(group_id=one.pk, into_id=two.pk, by=ada, why="same")


class TestATicket:
    def test_is_linked_and_taken_away(self, unit, ada):
        group = group_of(make.letter())
        assert groups.link_ticket(group_id=group.pk, by=ada, ticket=" https://tickets.example/17 ").ticket.endswith(
            "/17"
        )
        assert groups.link_ticket(group_id=group.pk, by=ada, ticket="").ticket == ""

    @pytest.mark.parametrize("ticket", ["javascript:alert(1)", "ticket 17", "https://", "https://x/" + "a" * 500])
    def test_is_a_link(self, unit, ada, ticket):
        with pytest.raises(Invalid):
            groups.link_ticket(group_id=group_of(make.letter()).pk, by=ada, ticket=ticket)


ACTS = {
    "take": {},
    "park": {"until": None, "more": 1, "why": "x"},
    "mark_fixed": {"release_id": None, "why": "x"},
    "reopen": {"why": "x"},
    "link_ticket": {"ticket": ""},
    "split": {"name": "workflow", "value": "closing"},
}


@pytest.mark.parametrize("act", ACTS)
class TestWhoMayNot:
    def test_a_stranger_is_told_there_is_no_such_group(self, unit, act):
        group = group_of(make.letter())
        eve = make.actor(make.person("eve", "view", "operate", of=make.unit("sales", "Sales")))
        with pytest.raises(NotVisible):
            getattr(groups, act)(group_id=group.pk, by=eve, **ACTS[act])

    def test_a_viewer_may_look_only(self, unit, act):
        group = group_of(make.letter())
        with pytest.raises(Forbidden):
            getattr(groups, act)(group_id=group.pk, by=make.actor(make.person("vera", "view", of=unit)), **ACTS[act])

    def test_an_agent_triages_nothing(self, unit, act):
        group = group_of(make.letter())
        robot = make.actors.agent("poster", unit_ids=frozenset({unit.pk}), scopes=frozenset({"dead_letters:retry"}))
        with pytest.raises(Forbidden):
            getattr(groups, act)(group_id=group.pk, by=robot, **ACTS[act])
