"""The script the engine starts, by path, in an empty environment and without site-packages.

The package it makes up holds this folder and nothing else: the child can import its siblings, but neither
Django nor any other part of the project.
"""

import importlib
import json
import sys
import types
from pathlib import Path


def main() -> None:
    for name, path in (("orchestrator", []), ("orchestrator.runner", [str(Path(__file__).parent)])):
        package = types.ModuleType(name)
        package.__path__ = path
        sys.modules[name] = package
    importlib.import_module("orchestrator.runner.keeper").main(json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()
