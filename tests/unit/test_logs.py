"""What stands in the log of a mistake: that it happened and where, not the row that was to be stored."""

import logging
import sys

import pytest
from django.conf import settings
from django.db import Error, IntegrityError, connection
from django.utils.module_loading import import_string

from budgets.models import BusinessUnit

pytestmark = pytest.mark.django_db


@pytest.fixture
def line():
    told = dict(settings.LOGGING["formatters"]["line"])
    return import_string(told.pop("()"))(**told)


def logged(line, error):
    try:
        raise error
    except Error:
        found = sys.exc_info()
    return line.format(logging.LogRecord("engine", logging.ERROR, "", 1, "a mistake of ours", (), found))


class TestAMistakeInTheDatabase:
    def test_is_told_without_the_row(self, line):
        account = " ".join(("NO93", "8601", "1117", "947"))
        with pytest.raises(IntegrityError) as refused:
            BusinessUnit.objects.create(name="finance", title=account, currency=None)

        told = logged(line, refused.value)

        assert account in str(refused.value)
        assert account not in told
        assert "violates not-null constraint" in told
        assert told.count("Traceback (most recent call last)") == 2

    def test_without_further_lines_is_told_as_it_is(self, line):
        assert logged(line, Error("gone")).endswith("django.db.utils.Error: gone")

    def test_is_told_with_nothing_left_out_of_other_lines(self, line):
        with pytest.raises(Error) as wrong, connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

        assert logged(line, wrong.value).endswith("django.db.utils.DataError: division by zero")
