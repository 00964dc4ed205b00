"""Chromium on a live server: every page that is opened is watched for console errors, page errors and refused loads."""

import os
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import expect, sync_playwright

from tests import make
from tests.authenticator import given_to

# Playwright's own event loop runs in this thread; Django would take it for an async view and refuse the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
# Longer than the longest pause (data-live-max) after which a part of a page asks whether anything has changed.
PATIENCE = 40_000
expect.set_options(timeout=PATIENCE)
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
AXE = (Path(__file__).parent.parent / "vendor" / "axe.min.js").read_text()
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# The other theme is other colours and nothing else: tests/architecture/test_style_sheets.py sees to it.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# A colour on its way to the next one is neither; and preloading style sheets writes them into the page, which its own
# content policy forbids.
RUN_AXE = """async rules => {
    document.getAnimations().filter(one => one instanceof CSSTransition).forEach(one => one.finish());
    const found = await axe.run({preload: false, resultTypes: ["violations"], runOnly: rules});
    return found.violations.map(one => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`);
}"""

# What a person caused by clicking or typing does not count.
SHIFTS = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(seen => {
        for (const one of seen.getEntries()) if (!one.hadRecentInput) sum += one.value;
    }).observe({type: "layout-shift", buffered: true});
    requestAnimationFrame(() => setTimeout(() => done(sum)));
})"""


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Person:
    """Somebody at a browser. `problems` fills with whatever the console or the page complains about."""

    def __init__(self, chromium, live_server, **options):
        self.home = live_server.url
        self.context = chromium.new_context(
            base_url=self.home, **{"viewport": {"width": 1280, "height": 800}, **options}
        )
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.problems = []
        self.sent = []
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.sent.append(request.method))

    def sign_in(self, username):
        """By a session of their own: no page is open yet. The form is filled in by the tests of a sign-in that ran out."""
        client = Client()
        client.force_login(get_user_model().objects.get(username=username))
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": self.home}])
        return self

    def themes(self):
        """The page in light, then in dark, then as it was. Once only where the person has chosen one for themselves."""
        if self.page.evaluate("getComputedStyle(document.documentElement).colorScheme") != "light dark":
            yield "chosen"
            return
        yield "light"
        self.page.emulate_media(color_scheme="dark")
        yield "dark"
        self.page.emulate_media(color_scheme="light")

    def axe(self):
        """Violations of WCAG 2.2 AA on the page as it stands, in both themes."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        return [
            f"in {theme}, {fault}"
            for theme in self.themes()
            for fault in self.page.evaluate(RUN_AXE, COLOURS if theme == "dark" else WCAG)
        ]

    def moved(self):
        """By how much things have jumped about since the page began: its cumulative layout shift."""
        return self.page.evaluate(SHIFTS)

    def nodes(self):
        return self.page.evaluate("document.getElementsByTagName('*').length")

    def pictures(self, path, **options):
        """Of both themes, for somebody who wants to look."""
        for theme in self.themes():
            self.page.screenshot(path=f"{path}-{theme}.png", **options)


@pytest.fixture
def opened(chromium, live_server):
    """Open a browser; all are closed at the end, and none may have complained."""
    people = []

    def open_one(username=None, **options):
        person = Person(chromium, live_server, **options)
        people.append(person)
        return person.sign_in(username) if username else person

    yield open_one
    for person in people:
        person.context.close()
    assert [problem for person in people for problem in person.problems] == []


@pytest.fixture
def unit(live_server):
    return make.unit("finance", "Finance")


@pytest.fixture
def people(unit):
    """grace and linus review and have an authenticator app, ada operates and asks, max may do everything."""
    given_to(make.person("grace", "view", "review", of=unit))
    given_to(make.person("linus", "view", "review", of=unit))
    make.person("max", "view", "review", "operate", "audit", of=unit, site=True, staff=True)
    return make.person("ada", "view", "operate", of=unit)
