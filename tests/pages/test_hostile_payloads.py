"""500 hostile payloads, each through the door and onto the review page: shown to the last byte, locked, or refused."""

import json
from itertools import groupby

import pytest
from django.urls import reverse

from approvals import operations
from approvals.models import ApprovalRequest
from approvals.rules.showing import NotShown
from audit.canonical import BadJSON, digest_text, read_strict
from tests import make
from tests.payloads import Payload, payloads
from tests.reading_back import rows_in, snapshot_on

KINDS = {kind: list(found) for kind, found in groupby(payloads(), lambda payload: payload.kind)}
THREE, ALL = slice(None, None, 12), slice(None)


def through_the_door(payload: Payload) -> ApprovalRequest | None:
    """What the API would have stored; None where it refuses the body."""
    try:
        arguments = read_strict(json.dumps(payload.arguments).encode())
    except BadJSON:
        return None
    tool = make.tool("any.call", input_schema={}, record="", business_key="", title="Call it")
    make.agent()
    by = make.MAKER
    action = make.gate_propose.propose(
        tool=tool.name, arguments=arguments, agent="poster", unit_id=make.unit().pk, by=by
    )
    return ApprovalRequest.objects.get(pk=action.approval_id)


class TestPayloads:
    def test_are_500_of_20_kinds(self):
        assert [len(found) for found in KINDS.values()] == [25] * 20

    @pytest.mark.parametrize("share", [THREE, pytest.param(ALL, marks=pytest.mark.slow)], ids=["three", "all"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_are_shown_to_the_last_byte_or_cannot_be_approved(self, kind, share, unit, grace, as_grace):
        for payload in KINDS[kind][share]:
            request = through_the_door(payload)
            if request is None:
                assert payload.becomes == "refused", payload
                continue
            html = as_grace.get(request.get_absolute_url()).content.decode()
            locked = "Approving is locked" in html and 'value="approve" required disabled' in html
            assert payload.becomes == ("locked" if locked else "shown"), payload
            if locked:
                with pytest.raises(NotShown):
                    operations.approve(
                        request_id=request.pk, by=make.actor(grace), voice=make.voice(request, by=make.actor(grace))
                    )
            else:
                assert digest_text(snapshot_on(rows_in(html))) == request.digest, payload

    def test_that_are_locked_can_still_be_rejected(self, unit, grace):
        request = through_the_door(KINDS["one_megabyte"][0])

        assert make.rejected(request, grace).status == "rejected"


class TestReadingBack:
    def test_notices_a_value_that_the_page_does_not_show_truly(self, unit, as_grace):
        """The witness itself: one character less on the page and the digest is another one."""
        request = through_the_door(KINDS["bidi"][0])
        html = as_grace.get(request.get_absolute_url()).content.decode()

        assert digest_text(snapshot_on(rows_in(html.replace("4860.00</strong>", "4860.0</strong>")))) != request.digest


class TestTheTitleOfAPage:
    """What a tab, a bookmark and a screen reader say first."""

    def test_spells_out_what_cannot_be_seen(self, ada, as_ada, unit):
        made = make.execution(by=ada, business_key="ADJ\u202e1000")
        action = make.action(context={}, reference="ADJ\u202e1000", using=make.tool(title="Post {reference}"))
        pages = [
            reverse("execution", args=[made.pk]),
            reverse("execution_cancellations", args=[made.pk]),
            reverse("execution_undos", args=[made.pk]),
            reverse("action", args=[action.pk]),
        ]

        titles = [as_ada.get(page).content.decode().partition("</title>")[0] for page in pages]

        assert ["[U+202E RIGHT-TO-LEFT OVERRIDE]" in title for title in titles] == [True] * 4
        assert not any("\u202e" in title for title in titles)
