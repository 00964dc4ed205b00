"""Every page: accessible in both themes, silent in the console, no wider than the screen, and nothing on it jumps."""

import re
from decimal import Decimal

import pytest
from django.urls import reverse

from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.gate import limits
from orchestrator.models import Limit
from orchestrator.operations import bulk_letters
from orchestrator.queries import actions
from tests import make

# Cumulative layout shift, and elements. How long a page takes is measured in tests/load/test_browsing.py.
MOST_MOVED, MOST_NODES = 0.02, 5_000


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
    make._activated(Limit(name="payments", breaks_after=1, at_once=4, per_minute=30, why="one connection at a time"))
    limits.anything_is_limited.again()
    unknown = make.carried_out(make.Action.objects.get(pk=granted.subject_id), "unknown", message="no answer")
    paid = make.execution("succeeded", by=people)
    charge(Usage(model="house", cost=Decimal("0.12"), currency="USD"), Place(unit_id=unit.pk, execution_id=paid.pk))
    lists = [
        reverse(name)
        for name in (
            "work",
            "approvals",
            "executions",
            "actions",
            "limits",
            "failure_groups",
            "dead_letters",
            "traces",
            "alerts",
            "levels",
            "budgets",
            "costs",
            "cost_outcomes",
            "cost_changes",
            "audit",
            "health",
        )
    ]
    own = [reverse(name) for name in ("preferences", "password", "help", "gallery")]
    details = [row.get_absolute_url() for row in (failed, waiting, letter, request, unknown)]
    group = letter.group
    chosen = bulk_letters.preview(act="redrive", group_id=group.pk, by=make.actor(people))
    details += [group.get_absolute_url(), chosen.get_absolute_url(), reverse("dead_letter_patches", args=[letter.pk])]
    details += [f"{group.get_absolute_url()}?tab={tab}" for tab in ("executions", "values", "history")]
    trace = reverse("trace", args=[waiting.trace_id])
    details += [f"{trace}?span={waiting.pk}", f"{trace}?view=tools"]
    tabs = [f"{waiting.get_absolute_url()}?tab={tab}" for tab in ("events", "io", "evidence", "cost")]
    ends = [
        reverse("execution_cancellations", args=[waiting.pk]),
        "/go/?q=nothing",
        "/executions/?q=nothing",
        "/kpis/?by=agent",
        "/traces/?error=any",
        "/traces/?cost=100",
        "/approvals/?state=expired",
    ]
    return [*lists, *own, *details, *tabs, *ends]


# What is read of each time that is printed: its own text has no size there.
TIMES_ON_PAPER = """() => [...document.querySelectorAll('main time')].filter(one => one.checkVisibility()).map(one =>
    getComputedStyle(one).fontSize === '0px' ? getComputedStyle(one, '::after').content.slice(1, -1) : one.innerText)"""


# To the second: of a paper that tells microseconds nobody reads the minutes.
ON_PAPER = re.compile(r"2\d{3}-\d\d-\d\dT[\d:]{8}(Z|[+-]\d\d:\d\d)")


class TestEveryPage:
    @pytest.mark.slow
    @pytest.mark.timeout(300)
    def test_is_accessible_silent_still_and_small(self, addresses, opened):
        person = opened("max")
        faults, restless, large = {}, {}, {}

        for address in addresses:
            person.page.goto(address)
            if (moved := person.moved()) > MOST_MOVED:
                restless[address] = moved
            if (nodes := person.nodes()) > MOST_NODES:
                large[address] = nodes
            if found := person.axe():
                faults[address] = found

        assert (faults, restless, large) == ({}, {}, {})

    def test_shows_every_column_on_a_small_laptop_and_scrolls_with_the_page_alone(self, addresses, opened):
        page = opened("grace", viewport={"width": 1280, "height": 900}).page
        page.goto("/approvals/")
        faded = page.locator("main [data-js-edge]").count()
        page.click(".what a:has-text('4860.00')")
        page.wait_for_selector("#decision-form")
        inside = page.evaluate("(aside => aside.scrollHeight - aside.clientHeight)(document.querySelector('aside'))")
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")

        assert (faded, inside) == (0, 0)
        assert page.locator("#fold-edit summary").is_visible()
        assert page.evaluate("document.querySelector('aside').getBoundingClientRect().bottom <= innerHeight")

    @pytest.mark.slow
    @pytest.mark.timeout(300)
    def test_fits_every_screen(self, addresses, opened):
        person = opened("max", viewport={"width": 320, "height": 800})
        wide = {}

        for address in addresses:
            person.page.goto(address)
            for width in (320, 390, 768):
                person.page.set_viewport_size({"width": width, "height": 800})
                extra = person.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if extra > 0:
                    wide[address, width] = extra

        assert wide == {}


class TestALongName:
    def test_of_a_tool_never_makes_the_page_wider(self, people, opened):
        using = make.tool("payments.suppliers_abroad.send_irrevocably_at_the_end_of_day", probe="", record="")
        page = opened("grace", viewport={"width": 320, "height": 800}).page

        page.goto(make.request(using=using, by=make.actor(people)).get_absolute_url())

        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.slow
class TestOnPaper:
    def test_stand_the_data_in_the_folds_and_digests_in_full(self, unit, people, opened):
        make.policy()
        run = make.execution("waiting", by=people)
        page = opened("max").page
        page.emulate_media(media="print")

        page.goto(f"{run.get_absolute_url()}?tab=evidence")

        assert page.locator("#data details").first.evaluate("fold => !fold.open")
        assert page.locator("#data details .body").first.evaluate("data => data.checkVisibility()")
        shown = page.locator("#version .oid code").first.evaluate("code => getComputedStyle(code, '::after').content")
        assert shown == f'"{run.release.digest}"'
        head = page.locator(".page-head .oid code").first.evaluate("code => getComputedStyle(code, '::after').content")
        assert head == f'"{run.pk}"'
        times = page.evaluate(TIMES_ON_PAPER)
        assert len(times) > 3
        assert [time for time in times if not ON_PAPER.fullmatch(time)] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(make.request().get_absolute_url())
        assert page.locator("#decision-form").count() == 1
        acts = page.locator("main :is(form, button, .button, .tabs, #decision, #beside)")
        assert [act for act in acts.all() if act.is_visible()] == []

    def test_stands_every_column_of_a_wide_table(self, unit, people, opened):
        make.execution("succeeded", by=people)
        page = opened("max", viewport={"width": 718, "height": 1000}).page
        page.emulate_media(media="print")

        page.goto(reverse("levels"))

        # What is wider than one and a half pages is cut off: a browser shrinks what it prints by no more.
        assert page.locator("#figures th").count() > 10
        assert page.evaluate("document.documentElement.scrollWidth / innerWidth") < 1.5

    def test_stands_what_a_screen_cuts_short(self, unit, people, opened):
        letter = make.dead_letter(by=people)
        page = opened("max", viewport={"width": 1047, "height": 680}).page
        page.emulate_media(media="print")
        cut = "one => [getComputedStyle(one).overflowX, getComputedStyle(one).overflowY].some(way => way !== 'visible')"

        page.goto(reverse("dead_letters"))
        assert not page.locator("main .clip").first.evaluate(cut)
        page.goto(letter.get_absolute_url())
        assert not page.locator("aside").evaluate(cut)

    def test_stands_what_is_folded_beside_the_acts(self, unit, people, opened):
        make.policy()
        request = make.request("4860.00")
        page = opened("grace").page
        page.emulate_media(media="print")

        page.goto(request.get_absolute_url())

        steps = page.locator("details.fold:has-text('Reminders and escalation')")
        assert steps.evaluate("fold => !fold.open && fold.querySelector('.body').checkVisibility()")


@pytest.mark.slow
class TestAChosenTheme:
    def test_is_not_the_devices(self, unit, people, opened):
        person = opened("max")
        page = person.page
        page.goto("/preferences/")
        background = "getComputedStyle(document.documentElement).backgroundColor"
        as_the_device = {theme: page.evaluate(background) for theme in person.themes()}

        page.check("input[name=theme][value=dark]")
        page.click("form:has(input[name=theme]) button[type=submit]")
        page.wait_for_selector("html[data-theme=dark]")

        assert luminance(as_the_device["dark"]) < luminance(as_the_device["light"])
        assert page.evaluate(background) == as_the_device["dark"]
        assert person.axe() == []


@pytest.mark.slow
class TestWhatScrollsSideways:
    def test_shows_on_which_side_it_goes_on(self, unit, people, opened):
        make.execution("failed", by=people)
        page = opened("max", viewport={"width": 390, "height": 800}, has_touch=True).page
        page.goto("/executions/")
        rows = page.locator(".scroll").first

        assert rows.get_attribute("data-js-edge") == "right"
        rows.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
        page.wait_for_selector(".scroll[data-js-edge=left]")
        assert page.locator("#nav").get_attribute("data-js-edge") == "left right"

    @pytest.mark.parametrize("address", ["/executions/", "/kpis/"])
    def test_begins_where_one_is(self, unit, people, opened, address):
        page = opened("max", viewport={"width": 390, "height": 800}, has_touch=True).page
        page.goto(address)

        here = page.locator("#nav [aria-current]").bounding_box()
        assert here["x"] >= 0
        assert here["x"] + here["width"] <= 390

    def test_so_does_the_drawing_of_the_steps(self, unit, people, opened):
        page = opened("max").page
        page.goto("/gallery/")
        drawing = page.locator(".graph .scroll[role=region][tabindex='0']").first

        assert drawing.get_attribute("data-js-edge") == "right"
        drawing.focus()
        for _ in range(12):
            page.keyboard.press("ArrowRight")
        page.wait_for_selector(".graph .scroll[data-js-edge=left]")

    def test_the_name_in_a_json_value_stands_on_the_line_of_what_it_names(self, unit, people, opened):
        page = opened("max").page
        page.goto("/gallery/")
        assert {
            page.evaluate("one => getComputedStyle(one).display", key) for key in page.query_selector_all(".json .key")
        } == {"inline"}

    def test_hides_the_names_of_keys_from_fingers(self, unit, people, opened):
        page = opened("max", viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True).page
        page.goto(make.request(by=make.actor(people)).get_absolute_url())

        assert page.locator("kbd:visible").count() == 0

    def test_says_nothing_where_all_is_in_sight(self, unit, people, opened):
        make.execution("failed", by=people)
        page = opened("max", viewport={"width": 1800, "height": 800}).page
        page.goto("/executions/")

        assert page.locator("[data-js-edge]").count() == 0


def contrast(page, selector):
    """Of a control's text on its own fill, once its colours have settled. Axe leaves disabled controls out."""
    page.wait_for_timeout(300)
    style = f"getComputedStyle(document.querySelector('{selector}'))"
    colours = [page.evaluate(f"{style}.{name}") for name in ("color", "backgroundColor")]
    light, dark = sorted((luminance(colour) for colour in colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


class TestSignInPage:
    def test_is_accessible(self, live_server, opened):
        person = opened()
        person.page.goto("/")

        assert person.axe() == []
        assert person.page.title().startswith("Sign in")
        assert "You come back" not in person.page.inner_text("main")

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_is_readable_while_it_is_busy(self, live_server, opened, theme):
        person = opened(color_scheme=theme)
        person.page.goto("/login/?next=/approvals/")
        assert "You come back" in person.page.inner_text("main")

        person.page.evaluate("document.querySelector('.primary').setAttribute('aria-disabled', 'true')")
        person.page.hover(".primary")

        assert contrast(person.page, ".primary") >= 4.5


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
            "/admin/budgets/price/add/",
        ):
            person.page.goto(address)
            assert [fault for fault in person.axe() if not fault.startswith(("region", "landmark"))] == []


@pytest.mark.slow
class TestAListOfMoreCallsThanAreAddedUp:
    def test_says_what_to_do(self, unit, people, opened, monkeypatch):
        monkeypatch.setattr(actions, "ADDED_UP_TO", 1)
        make.policy()
        for _ in range(2):
            make.request("4860.00", by=make.actor(people))
        person = opened("max")

        for query, hint in (("", "see how they ended"), ("?status=held", "see what they cost")):
            person.page.goto(f"/actions/{query}")
            assert hint in person.page.inner_text("#totals")
            assert "1+" in person.page.inner_text("#list header")
            assert person.axe() == []


@pytest.mark.slow
class TestTheTrail:
    def test_has_the_same_columns_after_its_first_row_as_after_its_last(self, unit, people, opened):
        """Rows come in one after another: columns as wide as what stands in them would move with each."""
        make.policy()
        make.execution("waiting", by=people, business_key="OCT-2026")
        page = opened("max").page
        page.goto("/audit/")
        widths = "[...document.querySelectorAll('#events th')].map(head => head.getBoundingClientRect().width)"

        whole = page.evaluate(widths)
        page.evaluate("document.querySelectorAll('#event-rows tr:not(:first-child)').forEach(row => row.remove())")

        assert page.evaluate(widths) == whole
