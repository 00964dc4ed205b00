"""What every race needs: two at the same instant, the usual acts, and the question how many outcomes there are."""

import os
import threading
from itertools import count, takewhile

from django.db import connection

from approvals import operations as approvals
from audit.models import AuditEvent
from audit.refusals import Refusal
from orchestrator.models import Action
from tests.passkey import confirmed
from tests.signing import voice

# The default suite runs a share of the races, with which every planted mistake is still noticed; `make races` runs all.
SHARE = float(os.environ.get("SHARE_OF_RACES", "0.15"))
AT_LEAST = 10
ENDINGS = {"approved", "rejected", "expired", "withdrawn", "void"}


def races(full, *, at_least=AT_LEAST, until=lambda: True):
    """The numbers of the races to run: this run's share of `full`, and then on until something was seen, or all of them."""
    share = min(full, max(at_least, round(full * SHARE)))
    return takewhile(lambda number: number < share or (number < full and not until()), count())


def race(*acts):
    """Run the acts at the same instant, each on a connection of its own. Returns what each raised, or None."""
    barrier, outcomes = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number, act):
        try:
            barrier.wait()
            act()
        except Refusal as refusal:
            outcomes[number] = refusal
        except Exception as error:
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def unexpected(outcomes):
    """What was neither done nor refused."""
    return [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, Refusal)]


def approve(request, who):
    factor = confirmed(request, who)
    return lambda: approvals.approve(
        request_id=request.pk, by=who, voice=voice(request, confirmation=factor and factor.pk)
    )


def reject(request, who):
    factor = confirmed(request, who)
    said = {"reason_code": "wrong_amount", "confirmation": factor and factor.pk}
    return lambda: approvals.reject(request_id=request.pk, by=who, voice=voice(request, **said))


def assert_one_outcome(request, outcomes):
    assert unexpected(outcomes) == []
    assert len(endings_of(request)) == 1
    action = Action.objects.get(pk=request.subject_id)
    request.refresh_from_db()
    becomes = {"approved": "granted", "rejected": "rejected", "expired": "expired", "withdrawn": "withdrawn"}
    assert action.status == becomes[request.status]


def endings_of(request):
    """The terminal decisions in the audit trail: there must be exactly one."""
    events = AuditEvent.objects.filter(object_id=request.pk, event__startswith="approval_request.")
    return [event.after for event in events if event.after in ENDINGS]
