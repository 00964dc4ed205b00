"""`Idempotency-Key`: one act and one answer per key, however the caller repeats itself."""

import hashlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import OperationalError, connection
from rest_framework.renderers import JSONRenderer

from budgets.models import BusinessUnit
from orchestrator.models import Action, Agent, StoredReply
from tests.api.conftest import Caller, cancel_order, make_person, make_token, signed_in

LOOK = {"tool": "orders.get", "arguments": {"order": "A1"}}
KEY = {"Idempotency-Key": "case-7"}


def _raise(error):
    raise error


@pytest.mark.django_db
class TestKey:
    def test_repeats_the_answer_and_not_the_act(self, api):
        first = api.post("actions/", LOOK, **KEY)
        second = api.post("actions/", LOOK, **KEY)

        assert (second[0], second[1]) == (first[0], first[1])
        assert second[2]["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first[2]
        assert Action.objects.count() == 1

    @pytest.mark.parametrize("headers", [{}, KEY])
    def test_or_none_an_answer_that_could_not_be_made_leaves_no_act(self, api, monkeypatch, headers):
        """The database goes away between the act and its answer: whoever sends it again does it once."""
        render, lost = JSONRenderer.render, [OperationalError("server closed the connection unexpectedly")]
        monkeypatch.setattr(JSONRenderer, "render", lambda *a, **kw: _raise(lost.pop()) if lost else render(*a, **kw))

        status, problem, _ = api.post("actions/", cancel_order("A-17"), **headers)
        assert (status, problem["code"], Action.objects.count(), lost) == (503, "busy", 0, [])

        assert api.post("actions/", cancel_order("A-17"), **headers)[0] == 201
        assert Action.objects.count() == 1

    def test_ignores_how_the_body_is_spelt(self, api):
        api.post("actions/", b'{"tool": "orders.get", "arguments": {"order": "A1"}}', **KEY)

        status, _, headers = api.post("actions/", b'{"arguments":{"order":"\\u00411"},"tool":"orders.get"}', **KEY)

        assert (status, headers["Idempotency-Replayed"]) == (201, "true")

    def test_refuses_another_body(self, api):
        api.post("actions/", LOOK, **KEY)

        status, problem, _ = api.post("actions/", cancel_order(), **KEY)

        assert (status, problem["code"]) == (422, "idempotency_key_reused")

    def test_refuses_another_address(self, api):
        action = api.post("actions/", LOOK, **KEY)[1]

        assert api.post(f"actions/{action['id']}/redemptions/", {}, **KEY)[1]["code"] == "idempotency_key_reused"

    def test_belongs_to_its_caller(self, api):
        api.post("actions/", LOOK, **KEY)

        status, _, headers = Caller(make_token("other")).post("actions/", cancel_order(), **KEY)

        assert (status, headers.get("Idempotency-Replayed")) == (201, None)

    def test_hands_out_a_ticket_again_while_it_is_good(self, api):
        redemption = f"actions/{api.post('actions/', LOOK)[1]['id']}/redemptions/"
        first = api.post(redemption, {}, **KEY)

        again = api.post(redemption, {}, **KEY)

        assert (again[0], again[1], again[2]["Idempotency-Replayed"]) == (200, first[1], "true")

    def test_hands_out_no_ticket_of_a_send_that_is_over(self, api):
        """What is sent with it would be known to nobody: neither to a stop, nor to whoever redeems the second grant."""
        action = f"actions/{api.post('actions/', {'tool': 'orders.restore', 'arguments': {'order': 'A1'}})[1]['id']}"
        fence = api.post(f"{action}/redemptions/", {}, **KEY)[1]["fence"]
        api.post(f"{action}/outcomes/", {"fence": fence, "outcome": "unknown"})
        unknown = api.post(f"{action}/redemptions/", {}, **KEY)
        opal = signed_in(make_person("opal", BusinessUnit.objects.get(name="support"), "view", "operate"))
        opal.post(f"{action}/answers/", {"verdict": "did_not", "code": "not_in_their_books", "note": "Not there"})

        granted = api.post(f"{action}/redemptions/", {}, **KEY)

        assert [(one[0], one[1]["code"]) for one in (unknown, granted)] == [(409, "ticket_spent")] * 2
        assert "new key" in granted[1]["remedy"]
        assert api.post(f"{action}/redemptions/", {}, **{"Idempotency-Key": "another"})[0] == 200

    def test_outlives_the_token(self, api):
        first = api.post("actions/", LOOK, **KEY)[1]

        assert Caller(make_token()).post("actions/", LOOK, **KEY)[1]["id"] == first["id"]

    def test_a_refusal_is_not_the_last_word(self, api):
        action = api.post("actions/", cancel_order())[1]
        path = f"actions/{action['id']}/redemptions/"
        early = api.post(path, {}, **KEY)
        Action.objects.filter(pk=action["id"]).delete()

        late = api.post(path, {}, **KEY)

        assert (early[0], late[0]) == (409, 404)
        assert StoredReply.objects.count() == 0

    @pytest.mark.parametrize("key", ["", " ", "a b", "é", "a" * 256, "\t"])
    def test_is_visible_ascii(self, api, key):
        assert api.post("actions/", LOOK, **{"Idempotency-Key": key})[0] == 422

    def test_of_255_characters_is_fine(self, api):
        assert api.post("actions/", LOOK, **{"Idempotency-Key": "~" * 255})[0] == 201

    def test_is_forgotten_after_30_days(self, api):
        api.post("actions/", LOOK, **KEY)
        StoredReply.objects.update(created_at="2020-01-01T00:00:00Z")

        api.post("actions/", LOOK, **{"Idempotency-Key": "another"})

        assert list(StoredReply.objects.values_list("key", flat=True)) == ["another"]


@pytest.mark.django_db(transaction=True)
class TestDuplicatesAtTheSameMoment:
    def test_make_one_action(self, http):
        barrier = Barrier(20)

        def propose(_):
            barrier.wait()
            return http.post("actions/", LOOK, **KEY)

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(propose, range(20)))

        made = {body["id"] for status, body, _ in answers if status == 201}
        assert {status for status, _, _ in answers} <= {201, 409}
        assert {body["code"] for status, body, _ in answers if status == 409} <= {"still_running"}
        assert len(made) == Action.objects.count() == 1

    def test_a_cut_connection_and_a_retry_make_one_action(self, http):
        body = json.dumps(LOOK).encode()
        head = (
            f"POST /api/v1/actions/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: {http.headers['Authorization']}\r\nIdempotency-Key: {{}}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        host, port = http.address.split(":")
        # Cut before the body, in the middle of it, and at many moments of the act itself.
        cuts = [(0, 0.0), (10, 0.0), *[(len(body), moment / 200) for moment in range(12)]]
        for number, (sent, moment) in enumerate(cuts):
            with socket.create_connection((host, int(port))) as cut:
                cut.sendall(head.format(f"cut-{number}").encode() + body[:sent])
                time.sleep(moment)
        answers = [self.insist(http, f"cut-{number}") for number in range(len(cuts))]

        assert {status for status, _, _ in answers} == {201}
        assert len({action["id"] for _, action, _ in answers}) == Action.objects.count() == len(cuts)

    @staticmethod
    def insist(http, key):
        while (answer := http.post("actions/", LOOK, **{"Idempotency-Key": key}))[0] == 409:
            time.sleep(0.05)
        return answer

    def test_find_a_running_one_in_the_way(self, http):
        """A second connection holds the key as a running request would."""
        caller = f"agent:triage {Agent.objects.active().get(name='triage').unit_id}"
        held = hashlib.sha256(f"{caller}\n{KEY['Idempotency-Key']}".encode()).digest()
        number = int.from_bytes(held[:8], signed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [number])
            answer = http.post("actions/", LOOK, **KEY)
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])

        assert (answer[0], answer[1]["code"]) == (409, "still_running")
        assert http.post("actions/", LOOK, **KEY)[0] == 201

    def test_redeem_once_without_any_key(self, http):
        actions = [http.post("actions/", LOOK)[1]["id"] for _ in range(10)]

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda id: (id, http.post(f"actions/{id}/redemptions/")), actions * 8))

        won = [id for id, (status, _, _) in answers if status == 200]
        assert sorted(won) == sorted(actions)
        assert {status for _, (status, _, _) in answers} == {200, 409}

    def test_redeem_once_and_tell_everybody_the_same_fence_under_one_key(self, http):
        action = http.post("actions/", LOOK)[1]["id"]

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: http.post(f"actions/{action}/redemptions/", {}, **KEY), range(20)))

        assert len({body["fence"] for status, body, _ in answers if status == 200}) == 1
        assert {status for status, _, _ in answers} <= {200, 409}
