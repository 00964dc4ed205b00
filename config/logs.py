"""What a line of the log holds: ids and names, never what was to be stored."""

import logging
from types import TracebackType

import psycopg
from django.db import Error

from audit.away import first_line

_Found = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Line(logging.Formatter):
    """As ever; of what the database said of a mistake the first line only. The others quote the row, its payload with it."""

    def formatException(self, ei: _Found) -> str:
        told, error = super().formatException(ei), ei[1]
        while error is not None:
            if isinstance(error, (Error, psycopg.Error)) and "\n" in str(error):
                told = told.replace(str(error), first_line(error))
            error = error.__cause__ or error.__context__
        return told
