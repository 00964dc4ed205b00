"""Chromium on a live server: every page that is opened is watched for console errors, page errors and refused loads."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests import make
from tests.authenticator import given_to

# Playwright's own event loop runs in this thread; Django would take it for an async view and refuse the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
AXE = (Path(__file__).parent.parent / "vendor" / "axe.min.js").read_text()


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
        self.context = chromium.new_context(
            base_url=live_server.url, **{"viewport": {"width": 1280, "height": 800}, **options}
        )
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.problems = []
        self.sent = []
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.sent.append(request.method))

    def sign_in(self, username):
        self.page.goto("/login/")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", make.PASSWORD)
        self.page.click("button[type=submit]")
        self.page.wait_for_url("**/")
        return self

    def axe(self):
        """Violations of WCAG 2.2 AA on the page as it stands."""
        self.page.evaluate(AXE)
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        # Preloading style sheets writes them into the page, which its own content policy forbids.
        run = "tags => axe.run({preload: false, runOnly: {type: 'tag', values: tags}})"
        found = self.page.evaluate(run, rules)
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


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
