"""Vendored browser files: copy them out of `node_modules`, or prove that nobody touched them since.

    npm ci && python tools/vendor_assets.py     take over what package-lock.json pins
    python tools/vendor_assets.py --check       compare the tree with the manifest; exit 1 when anything differs

The page itself refuses a changed script (`integrity` in templates/base.html); `--check` says so first.
"""

import base64
import hashlib
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = Path("static/vendor/manifest.json")
BASE_TEMPLATE = Path("templates/base.html")
# What is taken: file inside its package -> place in the tree. axe is for tests and lies outside static/.
WANTED = {
    "htmx.org/dist/htmx.min.js": "static/vendor/htmx.min.js",
    "axe-core/axe.min.js": "tests/vendor/axe.min.js",
}


@dataclass(frozen=True)
class Asset:
    """One vendored file as the manifest knows it."""

    path: str
    package: str
    version: str
    licence: str
    integrity: str


def integrity(content: bytes) -> str:
    """The Subresource Integrity value of a file's bytes."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def vendor(root: Path) -> list[Asset]:
    """Copy every wanted file from node_modules and write the manifest."""
    assets = [_take(root, source, target) for source, target in WANTED.items()]
    text = json.dumps([asdict(asset) for asset in assets], indent=2)
    (root / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return assets


def problems(root: Path) -> list[str]:
    """Everything that differs between the manifest, the files and the page that loads them. Empty is good."""
    assets = [Asset(**entry) for entry in json.loads((root / MANIFEST).read_text(encoding="utf-8"))]
    found = [line for asset in assets for line in _differences(root, asset)]
    listed = {asset.path for asset in assets}
    for path in sorted((root / MANIFEST).parent.iterdir()):
        name = path.relative_to(root).as_posix()
        if name != MANIFEST.as_posix() and name not in listed:
            found.append(f"{name} is not in the manifest")
    return found


def main(arguments: list[str]) -> int:
    """Command line: see the module's docstring."""
    if arguments == ["--check"]:
        found = problems(ROOT)
        _say(*(found or ["vendored assets match their manifest"]))
        return 1 if found else 0
    if arguments:
        _say(__doc__ or "")
        return 2
    _say(*(f"{asset.path}  {asset.package} {asset.version}  {asset.integrity}" for asset in vendor(ROOT)))
    return 0


def _take(root: Path, source: str, target: str) -> Asset:
    package = source.partition("/")[0]
    described = json.loads((root / "node_modules" / package / "package.json").read_text(encoding="utf-8"))
    destination = root / target
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root / "node_modules" / source, destination)
    digest = integrity(destination.read_bytes())
    return Asset(target, package, described["version"], described["license"], digest)


def _differences(root: Path, asset: Asset) -> list[str]:
    path = root / asset.path
    if not path.is_file():
        return [f"{asset.path} is missing"]
    found = []
    if integrity(path.read_bytes()) != asset.integrity:
        found.append(f"{asset.path} is not the file of {asset.package} {asset.version} the manifest names")
    served = asset.path.startswith("static/")
    if served and asset.integrity not in (root / BASE_TEMPLATE).read_text(encoding="utf-8"):
        found.append(f"{BASE_TEMPLATE} does not load {asset.path} with its integrity value")
    return found


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
