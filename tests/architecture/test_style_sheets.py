"""The dark theme is other colours and nothing else, so that a browser test judges the layout in one theme only."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = [*(ROOT / "static").glob("*.*"), *(ROOT / "templates").rglob("*.html")]
BY_CHOICE = {
    ':root[data-theme="light"] { color-scheme: light; }',
    ':root[data-theme="dark"] { color-scheme: dark; }',
}


def lines_with(*words):
    return [
        line.strip() for path in OURS for line in path.read_text().splitlines() if all(word in line for word in words)
    ]


def test_nothing_asks_for_the_theme_of_the_device():
    assert len(OURS) > 50
    assert lines_with("light-dark("), "the colours know both themes"
    assert lines_with("prefers-color-scheme") == []


def test_a_chosen_theme_changes_the_colour_scheme_alone():
    # What begins with html is admin.css: it gives our colours to Django's admin by the names that the admin has for them.
    assert {line for line in lines_with("[data-theme=", "{") if not line.startswith("html")} == BY_CHOICE


def test_every_class_that_is_styled_is_given_to_something():
    code = [path for app in ("audit", "budgets", "approvals", "orchestrator") for path in (ROOT / app).rglob("*.py")]
    given = "".join(path.read_text() for path in [*OURS, *code] if path.suffix != ".css")
    styled = set(re.findall(r"\.([a-z][\w-]*)", (ROOT / "static/app.css").read_text()))
    assert len(styled) > 100
    # The first comes from htmx while it asks, the others from a template that knows their number only.
    known = {"htmx-request", *(f"series-{number}" for number in range(1, 9))}
    assert {name for name in styled - known if not re.search(rf"(?<![\w-]){name}(?![\w-])", given)} == set()


def test_no_attribute_holds_markup_of_a_text_that_is_spelled_out():
    """`visible` and `exact` answer markup: inside of an attribute it would end the attribute. There `striptags` follows."""
    inside = re.compile(r'="[^"<>]*\{\{[^}]*\|(?:visible|exact)(?!\|striptags)[^}]*\}\}[^"<>]*"')
    found = [
        f"{path.name}: {match[0]}"
        for path in (ROOT / "templates").rglob("*.html")
        for match in inside.finditer(path.read_text())
    ]
    assert found == []
