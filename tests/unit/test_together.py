"""What is written together is written one by one where that fails: nobody's outcome takes another's with it."""

import pytest
from django.db import DataError, InterfaceError, OperationalError

from audit.refusals import Stale
from orchestrator.engine.together import write_together


def written_unless(error, *, bad="bad"):
    """Writes all or nothing; raises on what is bad."""
    written = []

    def write(outcomes):
        if bad in outcomes:
            raise error
        written.extend(outcomes)

    return written, write


class TestWritingTogether:
    @pytest.mark.parametrize("error", [Stale("gone"), DataError("no date"), KeyError("a bug of ours")], ids=repr)
    def test_one_that_cannot_be_written_takes_nobody_with_it(self, error):
        written, write = written_unless(error)

        assert write_together(["a", "bad", "b"], write) == [None, error, None]
        assert written == ["a", "b"]

    @pytest.mark.parametrize("lost", [OperationalError("gone"), InterfaceError("gone")], ids=repr)
    def test_a_lost_database_is_raised(self, lost):
        _, write = written_unless(lost)

        with pytest.raises(type(lost)):
            write_together(["a", "bad"], write)

    @pytest.mark.parametrize("lost", [OperationalError("gone"), InterfaceError("gone")], ids=repr)
    def test_one_lost_between_two_leaves_what_was_written_before(self, lost):
        written, write = written_unless(lost)

        def one_by_one(outcomes):
            if len(outcomes) > 1:
                raise Stale("one of them is gone")
            write(outcomes)

        assert write_together(["a", "bad"], one_by_one) == [None, lost]
        assert written == ["a"]
