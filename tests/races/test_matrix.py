"""Every two things that can happen to one request, at the same instant: one outcome, and nothing opens without its signatures.

The request needs two people, and linus has signed already. A verb that is new gets one line in VERBS.
"""

import json
import os
import sys
import time
from datetime import timedelta
from functools import partial
from itertools import combinations

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from approvals import operations as approvals
from approvals.models import ApprovalRequest, BreakGlass, Escalation, Notice, Stop, StopScope
from approvals.operations import emergencies, stops
from approvals.operations.escalation import escalate_due
from audit.actors import system
from audit.models import AuditEvent
from audit.refusals import Refusal
from orchestrator.gate.edit import edit
from orchestrator.gate.redeem import redeem
from orchestrator.gate.withdraw import withdraw
from orchestrator.models import Action
from orchestrator.operations import executions
from tests import worlds as make
from tests.races.racing import AT_LEAST, endings_of, race, unexpected
from tests.signing import voice

CLOCK = system("test")
WIRING = make.PAY_WORKFLOW.replace("paying", "wiring").replace("tool: pay", "tool: wire")
# What becomes of the action when its request ends like this.
BECOMES = {
    "pending": "held",
    "approved": "granted",
    "rejected": "rejected",
    "expired": "expired",
    "withdrawn": "withdrawn",
}


class Scene:
    """One request that both verbs are about."""

    def __init__(self, world, mary, *, number, of_an_execution):
        self.world, self.mary, self.number = world, mary, number
        self.execution = None
        if of_an_execution:
            self.execution = make.start(world, "wiring", amount=number)
            make.work()
            self.request = ApprovalRequest.objects.get(execution_id=self.execution.pk)
        else:
            self.request = make.request(world, tool="wire")
        approvals.approve(request_id=self.request.pk, by=world.linus, voice=voice(self.request, by=world.linus))

    def time_is_nearly_over(self):
        """Before, while and after the other verb decides, which takes some 20 to 60 ms."""
        soon = Now() + timedelta(milliseconds=self.number % 8 * 15)
        ApprovalRequest.objects.filter(pk=self.request.pk).update(decide_by=soon)

    def steps_are_due(self):
        """Both reminders: more than nine tenths of a month are over."""
        ApprovalRequest.objects.filter(pk=self.request.pk).update(created_at=Now() - timedelta(days=30))

    @property
    def amount(self):
        return json.loads(self.request.snapshot)["arguments"]["amount"]

    def revoke(self):
        """One statement is always faster than a decision, so it starts a little later, by 0 to 105 ms."""
        time.sleep(self.number % 8 * 0.015)
        get_user_model().objects.filter(username="linus").update(is_active=False)

    def restore(self):
        """Ready for the next race in the same world."""
        get_user_model().objects.filter(username="linus").update(is_active=True)
        for stop in Stop.objects.engaged():
            stops.lift(stop_id=stop.pk, by=self.world.ada, why="the race is over")
        approvals.withdraw(subject_id=self.request.subject_id, by=CLOCK, why="the race is over")


VERBS = {
    "approve": lambda s: approvals.approve(request_id=s.request.pk, by=s.world.grace, voice=voice(s.request, by=s.world.grace)),
    "deny": lambda s: approvals.reject(request_id=s.request.pk, by=s.mary, voice=voice(s.request, "wrong_amount", by=s.mary)),
    "expire": lambda s: approvals.expire_overdue(by=CLOCK),
    "cancel": lambda s: executions.cancel(execution_id=s.execution.pk, by=s.world.ada, why="race"),
    "withdraw": lambda s: withdraw(action_id=s.request.subject_id, by=CLOCK, why="race"),
    "revoke reviewer": lambda s: s.revoke(),
    "break glass": lambda s: emergencies.break_glass(
        request_id=s.request.pk, by=s.world.linus, voice=voice(s.request, by=s.world.linus), reason="nobody else answers in time"
    ),
    "stop": lambda s: stops.engage(
        target=stops.Target(scope=StopScope.UNIT, unit_id=s.world.unit.pk), by=s.world.ada, reason="race"
    ),
    "escalate": lambda s: escalate_due(by=CLOCK),
    "edit": lambda s: edit(
        request_id=s.request.pk, by=s.mary, digest=s.request.digest, revision=s.request.revision,
        arguments={"amount": s.amount + 1_000_000},
    ),
}  # fmt: skip
PREPARE = {"expire": Scene.time_is_nearly_over, "escalate": Scene.steps_are_due}
PAIRS = list(combinations(VERBS, 2))
# The eight that every two people could reach for at once, each against itself: a double click on two machines.
SAME = [(verb, verb) for verb in (
    "approve", "deny", "expire", "cancel", "edit", "escalate", "revoke reviewer", "break glass",
)]  # fmt: skip

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def world(tmp_path):
    made = make.world()
    made.mary = make._person("mary", ("view", "review"), made.unit)
    make.publish(tmp_path / "wiring", WIRING, make.HANDLERS)
    return made


# `RACES=50 make races` is a first look.
RACES = int(os.environ.get("RACES", "500"))


def run(world, pair, numbers):
    """All of them, each judged. How often each outcome was seen."""
    seen = {}
    for number in numbers:
        scene = Scene(world, world.mary, number=number, of_an_execution="cancel" in pair)
        for verb in pair:
            PREPARE.get(verb, lambda scene: None)(scene)
        outcomes = race(*(partial(VERBS[verb], scene) for verb in pair))
        assert unexpected(outcomes) == []
        judge(scene, pair)
        seen[scene.request.status] = seen.get(scene.request.status, 0) + 1
        scene.restore()
    return seen


def judge(scene, pair):
    """At most one ending, which action and request agree on; and it opens the gate only with signatures that count."""
    request = scene.request
    if "expire" in pair and "stop" not in pair:
        end_of_time(request)
    request.refresh_from_db()
    assert endings_of(request) in legal(request.status, pair)
    if "escalate" in pair:
        assert_steps_agree(request)
    action = Action.objects.get(pk=request.subject_id)
    assert action.status == BECOMES[request.status]
    if "cancel" in pair:
        scene.execution.refresh_from_db()
        assert (scene.execution.status, request.status in {"pending", "approved"}) == ("cancelled", False)
    else:
        assert_gate_agrees(request, action)


def assert_steps_agree(request):
    """Every step that was taken was recorded once and told once; none was taken without the other."""
    taken = Escalation.objects.filter(request=request).count()
    assert taken in {0, 2}
    assert AuditEvent.objects.filter(object_id=request.pk, event="approval_request.reminded").count() == taken
    assert Notice.objects.filter(request=request, kind="reminder").count() == taken


def legal(status, pair):
    """What may stand in the trail. Only what was approved and not used can still be taken back."""
    ways = [[] if status == "pending" else [status]]
    return [*ways, ["approved", "withdrawn"]] if status == "withdrawn" and {"cancel", "withdraw"} & set(pair) else ways


def end_of_time(request):
    """Whoever of the two was faster: once the time is over, the clock has nothing left to end."""
    for _ in range(20):
        request.refresh_from_db()
        if request.status != "pending":
            return
        time.sleep(0.01)
        approvals.expire_overdue(by=CLOCK)


def assert_gate_agrees(request, action):
    """Asked of the rows alone, not of the code that decides."""
    counting = request.decisions.filter(verdict="approve", person__is_active=True, revision=request.revision)
    signed = set(counting.values_list("person_id", flat=True))
    alone = BreakGlass.objects.filter(request=request, person_id__in=signed, revision=request.revision).exists()
    stopped = Stop.objects.engaged().exists()
    opens = request.status == "approved" and not stopped and (len(signed) >= 2 or alone)
    try:
        redeem(action_id=action.pk, by=CLOCK)
    except Refusal:
        assert not opens
    else:
        assert opens


class TestEveryPair:
    @pytest.mark.parametrize("pair", PAIRS, ids=" against ".join)
    def test_ends_one_way(self, world, pair):
        run(world, pair, range(AT_LEAST))

    @pytest.mark.load
    @pytest.mark.parametrize("pair", [*PAIRS, *SAME], ids=" against ".join)
    def test_ends_one_way_five_hundred_times(self, world, pair, capsys):
        seen = run(world, pair, range(RACES))

        with capsys.disabled():
            sys.stdout.write(f"\n{pair[0]} against {pair[1]}: {seen}\n")


class TestBothOutcomes:
    @pytest.mark.parametrize("against", ["deny", "expire"])
    def test_of_a_race_are_seen_so_that_it_is_one(self, world, against):
        """Were one side always faster, the matrix would prove nothing."""
        seen = set()
        wanted = {"approved", "rejected" if against == "deny" else "expired"}
        for number in range(400):
            seen.update(run(world, ("approve", against), [number]))
            if wanted <= seen:
                break
        assert wanted <= seen
