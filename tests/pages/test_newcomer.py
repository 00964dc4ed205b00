"""What a reviewer who is new to it is told at the moment they need it, without having read a manual."""

import pytest
from django.utils.html import strip_tags

from tests import make
from tests.pages.asking import browser_of


def text(browser, request):
    """The page's main words, as a person reads them: without tags, blanks in one."""
    return " ".join(strip_tags(browser.get(request.get_absolute_url()).content.decode()).split())


@pytest.fixture
def two_groups(unit, grace, linus):
    """One from Finance, of which grace is, and one from Risk, of which linus is."""
    make.group("finance", grace)
    make.group("risk", linus)
    make.policy(needs=make.needs("1 from finance", "1 from risk"))
    return make.request("4860.00")


class TestWhatOneSignsFor:
    def test_is_said_before_deciding(self, two_groups, as_grace, as_linus):
        assert "You sign for: Finance" in text(as_grace, two_groups)
        assert "You sign for: Risk" in text(as_linus, two_groups)

    def test_is_the_group_that_is_still_needed_of_somebody_in_both(self, unit, grace, linus):
        make.group("finance", grace, linus)
        make.group("risk", linus)
        make.policy(needs=make.needs("1 from finance", "1 from risk"))
        request = make.approved(make.request("4860.00"), grace)

        assert "You sign for: Risk" in text(browser_of(linus), request)

    def test_is_the_unit_where_no_group_is_asked(self, unit, as_grace):
        assert "You sign for: any reviewer of Finance" in text(as_grace, make.request())

    def test_is_not_said_where_a_signature_would_not_count(self, two_groups, unit):
        ivan = make.person("ivan", "view", "review", of=unit)

        page = text(browser_of(ivan), two_groups)

        assert "You sign for" not in page
        assert "Your signature would not count here" in page
