"""The digest of what a reviewer read covers the files that say it: whoever changes one changes every view's digest."""

import re
from pathlib import Path

from approvals.rules.showing import RENDERERS

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["approvals/_act.html", "approvals/_change.html", "approvals/_evidence.html", "approvals/_reasons.html"]
# What happened to the request so far is on the page, too, and is no part of the act.
BESIDE = {"parts/_timeline.html"}
TAG = re.compile(r'@register\.inclusion_tag\("([\w/.]+)"[^)]*\)\ndef (\w+)')
TEMPLATE_OF = {name: template for template, name in TAG.findall((ROOT / "audit/templatetags/kit.py").read_text())}


def reached(names):
    found, left = set(), list(names)
    while left:
        name = left.pop()
        if name not in found | BESIDE:
            found.add(name)
            text = (ROOT / "templates" / name).read_text()
            left += re.findall(r'{% include "([\w/.]+)"', text)
            # Without words of its own `empty` is the other branch of a loop.
            left += [TEMPLATE_OF[tag] for tag in re.findall(r"{% (\w+) (?!%})", text) if tag in TEMPLATE_OF]
    return found


def test_every_template_of_an_act_is_among_them():
    assert len(TEMPLATE_OF) > 10
    assert {f"templates/{name}" for name in reached(PARTS)} - set(RENDERERS) == set()
