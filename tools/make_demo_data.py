"""Write `js/demo-data/*.json`: payloads of small programs, for work on the front end without Python.

usage: python tools/make_demo_data.py
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import msgspec

from graphlens.api import diff, read
from graphlens.view.build import build_payload

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "js" / "demo-data"
ARCHIVES = ROOT / "tests" / "data" / "archives" / "torch-2.13.0"


def nested_program() -> Any:
    """Return the program of the view's own tests."""
    spec = importlib.util.spec_from_file_location("view_programs", ROOT / "tests" / "view" / "conftest.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("tests/view/conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.nested_program()


def main() -> None:
    """Write all documents."""
    static, dynamic = read(ARCHIVES / "decoder_static.pt2"), read(ARCHIVES / "decoder_dynamic.pt2")
    documents = {
        "nested": [nested_program()],
        "control_flow": [read(ARCHIVES / "nested_control_flow.pt2")],
        "decoder": [dynamic],
        "diff": [diff(static, dynamic)],
    }
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, objects in documents.items():
        (TARGET / f"{name}.json").write_bytes(msgspec.json.encode(build_payload(objects)))


if __name__ == "__main__":
    main()
