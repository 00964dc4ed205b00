"""What the documents say exists, exists: every file and symbol of every "Where is ...?" table, and every setting."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| [^|]+ \| (?P<files>[^|]*`[^|]+) \| (?P<symbols>[^|]+) \|$", re.MULTILINE)


TABLE = "## Where is ...?"


def _rows():
    for readme in [ROOT / "README.md", *ROOT.glob("*/README.md")]:
        for row in ROW.finditer(readme.read_text()):
            yield readme.parent, row["files"], row["symbols"]
    for page in ROOT.glob("docs/*.md"):
        for row in ROW.finditer(page.read_text().partition(TABLE)[2]):
            yield ROOT, row["files"], row["symbols"]


@pytest.mark.parametrize(("home", "files", "symbols"), list(_rows()))
class TestWhereIs:
    def test_names_files_that_exist_and_symbols_defined_in_them(self, home, files, symbols):
        paths = [home / name for name in re.findall(r"`([\w/.]+\.(?:py|html)|[\w/]+/)`", files)]
        assert paths
        assert all(path.exists() for path in paths), files
        text = "".join(path.read_text() for path in _files(paths))
        for symbol in re.findall(r"`([A-Za-z_][\w.]*)`", symbols):
            assert _is_defined(symbol.rpartition(".")[2], text), f"{symbol} is not defined in {files}"


def _is_defined(name, text):
    """As a function of Python or SQL, a class, or what a name is given."""
    return re.search(rf"\b(?:def|class|FUNCTION) {name}\b|^ *{name}(?:: [^=\n]+)? = ", text, re.MULTILINE)


class TestSettings:
    def test_stand_in_the_table_of_production_every_one_that_the_code_reads(self):
        table = (ROOT / "docs/production.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
        read = {name for path in ROOT.glob("config/*.py") for name in _variables(path)}
        assert len(read) > 40
        assert sorted(name for name in read if f"`{name}`" not in table) == []


def _variables(path):
    """Names in `env.text("NAME", ...)` and its like; what `make run` has noted is written small, and is no setting."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="env")), args=[ast.Constant(value=str(name)), *_]):
                if name.isupper():
                    yield name


def _files(paths):
    for path in paths:
        yield from path.rglob("*.py") if path.is_dir() else [path]
