"""Background duties go on with the next row, and with the next duty, when one fails. Only a lost connection ends a round,
and a database that takes nothing in the duty.
"""

import pytest
from django.db import OperationalError, connection

from audit import rounds
from audit.lifecycle import run
from audit.refusals import Stale

pytestmark = pytest.mark.django_db(transaction=True)

FAILURES = {
    "a mistake of ours": lambda: 1 // 0,
    "somebody who was faster": lambda: (_ for _ in ()).throw(Stale("somebody was faster")).__next__(),
    "a value the database refuses": lambda: run("SELECT 1 / 0", []),
    "a lock that is waited for in vain": lambda: run("DO $$ BEGIN RAISE lock_not_available; END $$", []),
}


@pytest.fixture(params=FAILURES)
def fails(request):
    return FAILURES[request.param]


class TestOneRow:
    def test_that_fails_delays_no_other(self, fails):
        healed = []

        def heal(key):
            if key == 2:
                fails()
            healed.append(key)
            return True

        assert rounds.each([1, 2, 3], heal) == 2
        assert healed == [1, 3]


class TestOneDuty:
    def test_that_fails_delays_no_other(self, fails):
        assert sum(map(rounds.attend, [lambda: 2, fails, lambda: 3])) == 5

    def test_that_fails_is_named(self, caplog):
        def keep_the_books():
            return 1 // 0

        rounds.attend(keep_the_books)

        assert "keep_the_books failed" in caplog.text


@pytest.mark.parametrize("why", ["disk_full", "read_only_sql_transaction"])
class TestADatabaseThatTakesNothing:
    def test_ends_the_duty_with_one_line_and_the_next_one_has_its_turn(self, caplog, why):
        def heal(key):
            run(f"DO $$ BEGIN RAISE {why} USING MESSAGE = 'no room'; END $$", [])

        def post():
            return rounds.each([1, 2, 3], heal)

        assert sum(map(rounds.attend, [post, lambda: 2])) == 2
        assert [record.exc_info for record in caplog.records] == [None]
        assert "the database does not do it: no room" in caplog.text


class TestALostConnection:
    def test_ends_the_round(self):
        done = []

        def heal(key):
            if key == 2:
                run("SELECT pg_terminate_backend(pg_backend_pid())", [])
            done.append(key)
            return True

        with pytest.raises(OperationalError):
            rounds.each([1, 2, 3], heal)
        connection.close()

        assert done == [1]
