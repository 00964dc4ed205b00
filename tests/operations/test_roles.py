"""`manage.py roles`: the only way in where nobody holds a role yet. Each change is in the trail, by the database's triggers."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from audit.actors import person
from audit.models import AuditEvent
from budgets.permissions import unit_ids
from tests import make


def roles(*words):
    out = StringIO()
    call_command("roles", *words, stdout=out)
    return out.getvalue().splitlines()


def held_by(user, permission):
    return unit_ids(person(user.pk, user.username), permission)


@pytest.fixture
def finance(db):
    return make.unit("finance")


@pytest.fixture
def ada(finance):
    return make.person("ada", of=finance)


class TestRoles:
    def test_are_given_with_the_right_to_look(self, finance, ada):
        assert roles("--unit", "finance", "--person", "ada", "--give", "review") == [
            "finance: person ada: view, review"
        ]

        assert held_by(ada, "view") == held_by(ada, "review") == {finance.pk}
        assert held_by(ada, "operate") == set()

    def test_of_a_group_are_those_of_its_people(self, finance, ada):
        ada.groups.add(Group.objects.create(name="reviewers"))

        assert roles("--unit", "finance", "--group", "reviewers", "--give", "operate", "--give", "audit") == [
            "finance: group reviewers: view, operate, audit"
        ]

        assert held_by(ada, "audit") == {finance.pk}

    def test_are_taken_one_by_one_and_all_with_the_right_to_look(self, ada):
        roles("--unit", "finance", "--person", "ada", "--give", "review", "--give", "operate")

        assert roles("--unit", "finance", "--person", "ada", "--take", "operate") == [
            "finance: person ada: view, review"
        ]
        assert roles("--unit", "finance", "--person", "ada", "--take", "view") == ["Nobody holds a role there."]
        assert held_by(ada, "review") == set()

    def test_are_in_the_trail_with_who_gave_them(self, ada):
        roles("--unit", "finance", "--person", "ada", "--give", "review")

        told = AuditEvent.objects.filter(event="person.role_given")
        assert {(row.actor, json.loads(row.data)["role"]) for row in told} == {
            ("system:command line", "budgets.view_businessunit on finance"),
            ("system:command line", "budgets.review_businessunit on finance"),
        }

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--person", "ada", "--give", "review"], "Say in which --unit"),
            (["--unit", "finance", "--give", "review"], "Say in which --unit"),
            (["--unit", "nowhere", "--person", "ada", "--give", "review"], "There is no active business unit 'nowhere'"),
            (["--unit", "finance", "--person", "nobody", "--give", "review"], "There is no active person called 'nobody'"),
            (["--unit", "finance", "--group", "nobody", "--give", "review"], "There is no group 'nobody'"),
            (["--unit", "finance", "--person", "ada", "--give", "audit", "--take", "audit"], "not both"),
            (["--unit", "finance", "--person", "ada", "--give", "audit", "--take", "view"], "also views"),
        ],
    )  # fmt: skip
    def test_that_cannot_be_given_say_why(self, ada, words, said):
        with pytest.raises(CommandError, match=said):
            roles(*words)

        assert roles() == ["Nobody holds a role there."]
