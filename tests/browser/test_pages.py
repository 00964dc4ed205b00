"""Every page: accessible in both themes, silent in the console, and no wider than the screen."""

import pytest
from django.urls import reverse

from tests import make


@pytest.fixture
def addresses(unit, people):
    """Every page of the console with something on it."""
    make.policy()
    failed = make.execution("failed", by=people)
    waiting = make.execution("waiting", by=people, business_key="OCT-2026")
    letter = make.dead_letter(by=people)
    request = make.request("4860.00", by=make.actor(people), context={"evidence": ["bank row 17"]})
    make.request(memo="<b>x</b>\u202e p\u0430yment")
    pay = make.tool("pay", effect="irreversible", probe="", record="", idempotency_class="C")
    granted = make.approved(make.request(using=pay), make.person("grace"))
    unknown = make.carried_out(make.Action.objects.get(pk=granted.subject_id), "unknown", message="no answer")
    lists = [reverse(name) for name in ("work", "approvals", "executions", "actions", "dead_letters", "audit")]
    own = [reverse(name) for name in ("preferences", "help", "gallery")]
    details = [row.get_absolute_url() for row in (failed, waiting, letter, request, unknown)]
    tabs = [f"{waiting.get_absolute_url()}?tab={tab}" for tab in ("events", "io", "evidence", "cost")]
    ends = [
        reverse("execution_cancellations", args=[waiting.pk]),
        "/go/?q=nothing",
        "/executions/?q=nothing",
        "/approvals/?state=expired",
    ]
    return [*lists, *own, *details, *tabs, *ends]


class TestEveryPage:
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_is_accessible_and_silent(self, addresses, opened, theme):
        person = opened("max", color_scheme=theme)
        faults = {}

        for address in addresses:
            person.page.goto(address)
            if found := person.axe():
                faults[address] = found

        assert faults == {}

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("width", [320, 390, 768])
    def test_fits_the_screen(self, addresses, opened, width):
        person = opened("max", viewport={"width": width, "height": 800})
        wide = {}

        for address in addresses:
            person.page.goto(address)
            extra = person.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if extra > 0:
                wide[address] = extra

        assert wide == {}


class TestSignInPage:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_is_accessible(self, live_server, opened, theme):
        person = opened(color_scheme=theme)
        person.page.goto("/")

        assert person.axe() == []
        assert person.page.title().startswith("Sign in")


class TestAdmin:
    def test_is_accessible_where_definitions_are_drafted(self, unit, people, opened):
        from tests.pages.test_admin import administrator

        administrator("ann", unit)
        policy = make.policy()
        person = opened("ann")

        for address in (
            "/admin/",
            "/admin/approvals/approvalpolicy/",
            f"/admin/approvals/approvalpolicy/{policy.pk}/change/",
        ):
            person.page.goto(address)
            assert [fault for fault in person.axe() if not fault.startswith(("region", "landmark"))] == []
