"""Whole pages of approvals as frozen dataclasses, every row already fetched."""

from approvals.queries.asked_back import SentBack, SentBackList, sent_back_by
from approvals.queries.blind import history, own_voices, sealed, signed_by
from approvals.queries.queue import (
    ANY,
    DUE_FIRST,
    FOR_ME,
    NEWEST_FIRST,
    WAITING,
    QueueFilters,
    QueuePage,
    QueueRow,
    arrived_since,
    choices,
    effect_of,
    newest,
    next_waiting,
    queue_page,
    waiting_for,
)
from approvals.queries.reviewing import Review, difference_from, place, review
from approvals.queries.work import Waiting, work

__all__ = [
    "ANY",
    "DUE_FIRST",
    "FOR_ME",
    "NEWEST_FIRST",
    "WAITING",
    "QueueFilters",
    "QueuePage",
    "QueueRow",
    "Review",
    "SentBack",
    "SentBackList",
    "Waiting",
    "arrived_since",
    "choices",
    "difference_from",
    "effect_of",
    "history",
    "newest",
    "next_waiting",
    "own_voices",
    "place",
    "queue_page",
    "review",
    "sealed",
    "sent_back_by",
    "signed_by",
    "waiting_for",
    "work",
]
