"""What the READMEs say exists, exists: every file and every symbol of every "Where is ...?" table."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| [^|]+ \| (?P<files>[^|]*`[^|]+) \| (?P<symbols>[^|]+) \|$", re.MULTILINE)


def _rows():
    for readme in [ROOT / "README.md", *ROOT.glob("*/README.md")]:
        for row in ROW.finditer(readme.read_text()):
            yield readme.parent, row["files"], row["symbols"]


@pytest.mark.parametrize(("home", "files", "symbols"), list(_rows()))
class TestWhereIs:
    def test_names_files_that_exist_and_symbols_in_them(self, home, files, symbols):
        paths = [home / name for name in re.findall(r"`([\w/.]+\.(?:py|html)|[\w/]+/)`", files)]
        assert paths
        assert all(path.exists() for path in paths), files
        text = "".join(path.read_text() for path in _files(paths))
        for symbol in re.findall(r"`([A-Za-z_][\w.]*)`", symbols):
            assert symbol.rpartition(".")[2] in text, f"{symbol} is not in {files}"


def _files(paths):
    for path in paths:
        yield from path.rglob("*.py") if path.is_dir() else [path]
