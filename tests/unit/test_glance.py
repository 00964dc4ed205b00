"""A glance spares the database a question, and never an answer that somebody has just changed."""

import threading
from concurrent.futures import ThreadPoolExecutor

from audit.glance import Glance


class Answer:
    """What is asked; each question waits to be let through."""

    def __init__(self) -> None:
        self.value, self.asked = False, 0
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    def __call__(self) -> bool:
        self.asked += 1
        found = self.value
        self.is_asked.set()
        assert self.may_answer.wait(5)
        return found


def test_many_who_ask_at_once_are_one_question():
    answer = Answer()
    glance = Glance(answer, every_seconds=60)
    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(glance) for _ in range(8)]
        assert answer.is_asked.wait(5)
        answer.may_answer.set()
    assert [one.result() for one in asking] == 8 * [False]
    assert answer.asked == 1


def test_a_change_during_a_question_is_not_forgotten_by_its_answer():
    answer = Answer()
    glance = Glance(answer, every_seconds=60)
    with ThreadPoolExecutor(1) as threads:
        before = threads.submit(glance)
        assert answer.is_asked.wait(5)
        answer.value = True
        glance.again()
        answer.may_answer.set()
        assert before.result() is False
    assert glance() is True


def test_a_change_waits_for_no_question():
    """Whoever engages a stop holds the gate, and the database may not answer the other thread."""
    answer = Answer()
    glance = Glance(answer, every_seconds=60)
    with ThreadPoolExecutor(2) as threads:
        threads.submit(glance)
        assert answer.is_asked.wait(5)
        told = threads.submit(glance.again)
        try:
            told.result(timeout=2)
        finally:
            answer.may_answer.set()


def test_an_answer_is_as_old_as_its_question(monkeypatch):
    clock = iter([100.0, 100.4, 100.6, 101.0])
    monkeypatch.setattr("audit.glance.time.monotonic", lambda: next(clock))
    asked = []

    def slow() -> bool:
        asked.append(next(clock))
        return True

    glance = Glance(slow, every_seconds=0.5)
    assert glance()
    assert glance()
    assert asked == [100.4, 101.0]


def test_a_question_that_hangs_is_asked_again_by_whoever_waits():
    hung, first = threading.Event(), iter([True])

    def ask() -> bool:
        if next(first, False):
            assert hung.wait(5)
            return False
        return True

    glance = Glance(ask, every_seconds=0.1)
    with ThreadPoolExecutor(2) as threads:
        hanging = threads.submit(glance)
        try:
            assert threads.submit(glance).result(timeout=2) is True
        finally:
            hung.set()
        assert hanging.result() is False
    assert glance() is True
