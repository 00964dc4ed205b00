"""Rules that keep the browser side small, safe and consistent."""

import gzip
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STYLES = [path for path in sorted((ROOT / "static").glob("*.css")) if path.name != "tokens.css"]
SCRIPTS = sorted((ROOT / "static").glob("*.js"))
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b(?=[^{]*;)|\b(?:rgb|hsl|hwb|lab|lch|oklch)a?\(")
FORBIDDEN = {
    "an inline style": re.compile(r"\sstyle\s*="),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)"),
    "an event attribute": re.compile(r"\son[a-z]+\s*="),
    "hx-on": re.compile(r"hx-on"),
    "an evaluated value": re.compile(r"(?:js|javascript):"),
    "a trigger filter": re.compile(r'hx-trigger="[^"]*\['),
    "unescaped data": re.compile(r"\|safe\b|autoescape off"),
}


def vendor_tool():
    spec = importlib.util.spec_from_file_location("vendor_assets", ROOT / "tools/vendor_assets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def compressed(*paths: Path) -> int:
    return len(gzip.compress(b"".join(path.read_bytes() for path in paths), 9))


class TestTemplates:
    @pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
    def test_hold_nothing_the_content_policy_would_block(self, path):
        assert [what for what, pattern in FORBIDDEN.items() if pattern.search(read(path))] == []

    @pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
    def test_name_only_icons_the_sprite_has(self, path):
        sprite = set(re.findall(r'<symbol id="([a-z-]+)"', read(ROOT / "static/icons.svg")))

        assert set(re.findall(r'{% icon "([^"]+)"', read(path))) <= sprite


class TestStyles:
    @pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
    def test_take_every_colour_from_the_token_layer(self, path):
        assert COLOUR.findall(re.sub(r"/\*.*?\*/", "", read(path), flags=re.DOTALL)) == []

    def test_use_only_tokens_that_exist(self):
        defined = set(re.findall(r"(--[\w-]+)\s*:", read(ROOT / "static/tokens.css")))
        used = {name for path in STYLES for name in re.findall(r"var\((--[\w-]+)", read(path))}

        assert used <= defined

    def test_fit_the_budget(self):
        assert compressed(ROOT / "static/tokens.css", ROOT / "static/app.css") < 15_000


class TestScripts:
    def test_fit_the_budget_with_htmx(self):
        assert compressed(ROOT / "static/vendor/htmx.min.js", *SCRIPTS) < 30_000

    @pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
    def test_evaluate_nothing_and_write_no_markup(self, path):
        assert (
            re.search(r"\beval\(|new Function|innerHTML\s*=|insertAdjacentHTML|document\.write\(", read(path)) is None
        )


class TestVendoredAssets:
    def test_are_the_files_the_manifest_names_and_the_page_loads(self):
        assert vendor_tool().problems(ROOT) == []

    def test_are_refused_when_one_byte_differs(self, tmp_path):
        for name in (
            "static/vendor/manifest.json",
            "static/vendor/htmx.min.js",
            "tests/vendor/axe.min.js",
            "templates/base.html",
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        with (tmp_path / "static/vendor/htmx.min.js").open("ab") as file:
            file.write(b" ")
        (tmp_path / "static/vendor/stray.js").write_text("")

        found = vendor_tool().problems(tmp_path)

        assert len(found) == 2
        assert "htmx.min.js is not the file of htmx.org 4.0.1" in found[0]
        assert found[1] == "static/vendor/stray.js is not in the manifest"

    def test_come_from_a_lock_that_names_no_registry(self):
        assert "://" not in re.sub(r'"url": "[^"]*"', "", read(ROOT / "package-lock.json"))
