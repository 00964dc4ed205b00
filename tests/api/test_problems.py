"""Hostile and broken requests: always a problem document, never a page, never a 5xx, never a long wait.

"Long" is compared with an honest body of the same size, in processor time, client included: how busy or slow the machine
is must not matter. On a quiet one the honest megabyte takes half a second, the worst of the others twice as long.
"""

import gc
import json
import time
from http.client import HTTPConnection

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection
from django.test import RequestFactory

from config.wsgi import application
from orchestrator.models import Action
from tests.api.conftest import Caller, signed_in

MEGABYTE = 1_048_576
PROPOSAL = b'{"tool": "orders.get", "arguments": %s}'

BODIES = {
    "nothing but a brace": b"{",
    "two documents": b"{}{}",
    "a comment": b"{/* */}",
    "a trailing comma": b'{"tool": "x",}',
    "single quotes": b"{'tool': 'x'}",
    "a byte order mark": b'\xef\xbb\xbf{"tool": "x"}',
    "UTF-16": '{"tool": "x"}'.encode("utf-16"),
    "latin-1": '{"tool": "é"}'.encode("latin-1"),
    "overlong UTF-8": b'{"tool": "\xc0\xaf"}',
    "a raw control character": b'{"tool": "a\x01b"}',
    "a raw NUL": b'{"tool": "a\x00b"}',
    "an escaped NUL": PROPOSAL % b'{"a": "\\u0000"}',
    "an escaped NUL in a key": PROPOSAL % b'{"\\u0000": 1}',
    "a lone surrogate": PROPOSAL % b'{"a": "\\ud800"}',
    "a swapped surrogate pair": PROPOSAL % b'{"a": "\\udc00\\ud800"}',
    "duplicate keys": b'{"tool": "a", "tool": "b", "arguments": {}}',
    "duplicate keys inside": PROPOSAL % b'{"a": 1, "a": 2}',
    "the last of many keys twice": b"{" + b",".join(b'"%d":0' % n for n in range(80_000)) + b',"79999":1}',
    "NaN": PROPOSAL % b'{"a": NaN}',
    "Infinity": PROPOSAL % b'{"a": -Infinity}',
    "a float beyond infinity": PROPOSAL % b'{"a": 1e999}',
    "an integer beyond 2^53": PROPOSAL % b'{"a": 9007199254740993}',
    "a number that is stored as one beyond 2^53": PROPOSAL % b'{"a": 1e22}',
    "an integer of 5,000 digits": PROPOSAL % (b'{"a": ' + b"9" * 5_000 + b"}"),
    "an array of depth 41": PROPOSAL % (b'{"a": ' + b"[" * 41 + b"]" * 41 + b"}"),
    "an array of depth 990": b"[" * 990 + b"]" * 990,
    "an array of depth 500,000": b"[" * 500_000,
    "objects of depth 100,000": b'{"a":' * 100_000,
    "500,000 zeros": b"[" + b"0," * 500_000 + b"0]",
    "340,000 empty arrays": PROPOSAL % (b'{"a": [' + b"[]," * 340_000 + b"[]]}"),
    "a string that never ends": b'"' + b'\\"' * 500_000,
    "a string that ends in a backslash": b'"' + b'\\"' * 400_000 + b"\\",
    "a megabyte of backslashes": b'"' + b"\\" * 1_000_000,
    "a megabyte of quotes": b'"' * 1_000_000,
    "more than a megabyte": b'"' + b"a" * (MEGABYTE + 1) + b'"',
    "a bare string": b'"tool"',
    "a bare number": b"7",
    "null": b"null",
    "a list": b'[{"tool": "x"}]',
    "an object for the tool": b'{"tool": {"$ne": null}, "arguments": {}}',
    "a number for the tool": b'{"tool": 7, "arguments": {}}',
    "a list of arguments": b'{"tool": "x", "arguments": []}',
    "a tool's name of 100,000 letters": b'{"tool": "' + b"a" * 100_000 + b'", "arguments": {}}',
    "an execution that is no id": b'{"tool": "x", "arguments": {}, "execution": 7}',
    "60 pieces of evidence": b'{"tool": "x", "arguments": {}, "context": {"evidence": [' + b"1," * 59 + b"1]}}",
    "an unknown field called __proto__": b'{"tool": "x", "arguments": {}, "__proto__": {}}',
    "10,000 unknown fields": b"{" + b",".join(b'"f%d": 0' % n for n in range(10_000)) + b"}",
    "HTML": b"<html></html>",
    "YAML aliases": b"a: &a [x, x]\nb: [*a, *a]",
    "a form": b"tool=x&arguments=y",
    "a gzip": b"\x1f\x8b\x08\x00",
}

# A megabyte as honest callers send it, and how many times its processor time another body may take.
HONEST = PROPOSAL % (
    b'{"rows": [' + b",".join(b'{"id": %d, "text": "%s"}' % (n, b"a" * 30) for n in range(18_000)) + b"]}"
)
TIMES = 5

# Legal, and meant to hurt.
HEAVY = {
    "99,000 empty arrays": PROPOSAL % (b'{"a": [' + b"[]," * 99_000 + b"[]]}"),
    "a fraction of a million digits": PROPOSAL % (b'{"a": 0.' + b"1" * 1_000_000 + b"}"),
    "80,000 keys": PROPOSAL % (b"{" + b",".join(b'"%d":0' % n for n in range(80_000)) + b"}"),
    "a megabyte of text": PROPOSAL % (b'{"a": "' + b"a" * 1_000_000 + b'"}'),
}


def is_problem(status, body, headers):
    return (
        400 <= status < 500
        and headers["Content-Type"] == "application/problem+json"
        and {"type", "title", "status", "detail", "instance"} <= set(body)
        and body["status"] == status
        and body["type"].startswith("urn:holdpoint:problem:")
    )


def sent(http, body):
    """The answer, and the processor time it took."""
    began = time.process_time()
    answer = http.send("POST", "actions/", body)
    return answer, time.process_time() - began


@pytest.fixture
def limit(http):
    """In seconds of processor time. What thousands of tests left on the heap is no server's: the collector does not walk
    it while this counts. The first body pays for what is loaded once."""
    gc.collect()
    gc.freeze()
    try:
        taken = [sent(http, HONEST) for _ in range(2)]
        assert [status for (status, _, _), _ in taken] == [201, 201]
        yield TIMES * min(cost for _, cost in taken)
    finally:
        gc.unfreeze()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_hostile_body_gets_a_problem_and_takes_no_longer_than_a_few_honest_ones(http, limit):
    before = Action.objects.count()
    for name, body in BODIES.items():
        answer, cost = sent(http, body)

        assert is_problem(*answer), (name, answer)
        assert cost < limit, name
    assert Action.objects.count() == before


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_heavy_bodies_are_taken_in_no_more_time_than_a_few_honest_ones(http, limit):
    for name, body in HEAVY.items():
        (status, _, _), cost = sent(http, body)

        assert status == 201, name
        assert cost < limit, name


@pytest.mark.django_db(transaction=True)
def test_a_body_beyond_the_limit_is_413_whatever_the_header_says(http, live_server):
    connection = HTTPConnection(http.address, timeout=10)
    connection.putrequest("POST", "/api/v1/actions/")
    for name, value in {**http.headers, "Content-Type": "application/json", "Content-Length": "9" * 12}.items():
        connection.putheader(name, value)
    connection.endheaders(b'{"tool"' + b" " * (MEGABYTE + 1))

    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")


@pytest.mark.django_db
class TestProblems:
    def test_a_body_in_chunks_is_told_apart_from_an_empty_one(self, api):
        answer = api.client.generic("POST", "/api/v1/actions/", headers={**api.headers, "Transfer-Encoding": "chunked"})

        assert (answer.status_code, answer["Content-Type"]) == (411, "application/problem+json")

    @pytest.mark.parametrize("body", ["{", "[]", "null", '{"fence": 1}', '{"fence": "x", "outcome": []}'])
    @pytest.mark.parametrize("verb", ["redemptions", "outcomes", "withdrawals", "undo"])
    def test_of_the_other_commands_are_problems_too(self, api, verb, body):
        answer = api.post(f"actions/01890000-0000-7000-8000-000000000000/{verb}/", body.encode())

        assert is_problem(*answer)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
    def test_other_media_types_are_415(self, api, kind):
        answer = api.send("POST", "actions/", b"tool=x", content_type=kind)

        assert is_problem(*answer)
        assert answer[0] == 415

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    def test_other_methods_are_405_and_name_those_there_are(self, api, method):
        answer = api.send(method, "actions/", None)

        assert is_problem(*answer)
        assert (answer[0], answer[2]["Allow"]) == (405, "GET, POST, HEAD")

    @pytest.mark.parametrize(
        "path", ["", "nothing/", "actions", "actions/7/", "actions/%00/", "../admin/", "actions/x/redemptions/", "%ff/"]
    )
    def test_unknown_addresses_are_404_without_asking_who_asks(self, db, path):
        answer = Caller().get(path)

        assert is_problem(*answer)
        assert answer[0] == 404

    def test_whatever_the_client_accepts_it_gets_json(self, api):
        assert api.get("actions/", Accept="text/html")[0] == 200
        assert is_problem(*api.get("nothing/", Accept="text/html"))

    def test_a_host_nobody_expects_is_a_problem(self, api):
        answer = api.get("actions/", Host="evil.example")

        assert is_problem(*answer)

    @pytest.mark.parametrize(
        ("error", "status"),
        [(DataError("x"), 422), (IntegrityError("x"), 409), (OperationalError("x"), 503), (KeyError("secret"), 500)],
    )
    def test_of_our_own_are_problems_that_tell_no_secrets(self, api, monkeypatch, error, status):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr("orchestrator.api.actions.propose", fail)
        answer = api.post("actions/", {"tool": "orders.get", "arguments": {}})

        assert (answer[0], answer[2]["Content-Type"]) == (status, "application/problem+json")
        assert "secret" not in json.dumps(answer[1])

    @pytest.mark.parametrize(("error", "status", "code"), [(OperationalError, 503, "busy"), (KeyError, 500, "bug")])
    def test_of_what_a_view_never_saw_tell_a_database_that_is_away_from_a_mistake(
        self, grace, monkeypatch, error, status, code
    ):
        def fail(*_, **__):
            raise error

        client = signed_in(grace)
        monkeypatch.setattr("audit.web.SignInMiddleware.process_view", fail)
        found, problem, headers = client.get("executions/")

        assert (found, problem["code"], headers.get("Retry-After")) == (status, code, "1" if status == 503 else None)

    def test_of_a_database_that_takes_nothing_in_any_more_ask_to_send_it_again(self, api, monkeypatch):
        def write(*_, **__):
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL transaction_read_only = on; DELETE FROM orchestrator_servicetoken")

        monkeypatch.setattr("orchestrator.api.actions.propose", write)
        status, problem, headers = api.post("actions/", {"tool": "orders.get", "arguments": {}})

        assert (status, problem["code"], headers["Retry-After"]) == (503, "busy", "1")

    def test_a_person_whose_form_is_a_form_gets_a_problem(self, grace):
        answer = signed_in(grace).send("POST", "executions/", b"a=b", content_type="application/x-www-form-urlencoded")

        assert is_problem(*answer)


# Python counts these among its codecs, and none of them reads every text.
@pytest.mark.parametrize("parameter", [
    "charset=base64", "charset=hex", "charset=undefined", "charset=idna", "charset=punycode", "x*=base64''a%41",
])  # fmt: skip
def test_a_charset_that_decodes_no_text_gets_the_answer_of_utf_8(parameter):
    said = []
    kind = f"application/json; {parameter}"
    environ = RequestFactory().get("/api/v1/nothing/?tool=a%ff").environ | {"CONTENT_TYPE": kind}
    application(environ, lambda status, headers: said.append((status, dict(headers)["Content-Type"])))

    assert said == [("404 Not Found", "application/problem+json")]


@pytest.mark.parametrize("address", ["/api/v1/nothing/", "/nothing/", "/healthz"])
def test_head_answers_as_get_does_without_a_body(address):
    """gunicorn drops a body that is given to it, and logs a warning for each."""
    said = []

    def start(status, headers):
        said.append((status, dict(headers).get("Content-Length")))

    get, head = (
        b"".join(application(RequestFactory().generic(verb, address).environ, start)) for verb in ("GET", "HEAD")
    )

    assert get
    assert head == b""
    assert said[0] == said[1]
