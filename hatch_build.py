"""Build the front end into `graphlens/static` before a wheel or sdist is packed.

Skipped when the bundle is already there (an sdist carries it, so installing from one never needs Node), for editable
installs, and when GRAPHLENS_SKIP_JS=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndHook(BuildHookInterface):
    """Run `npm ci && npm run build` in `js/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build unless there is nothing to build."""
        root = Path(self.root)
        built = root / "graphlens" / "static" / "graphlens.js"
        if version == "editable" or os.environ.get("GRAPHLENS_SKIP_JS") == "1" or self._fresh(root, built):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise FileNotFoundError(
                "graphlens: the front end is not built and npm is not installed; install Node 20 or use a wheel"
            )
        subprocess.run([npm, "ci", "--no-fund", "--no-audit"], cwd=root / "js", check=True)
        subprocess.run([npm, "run", "build"], cwd=root / "js", check=True)
        if not built.exists():
            raise FileNotFoundError(f"graphlens: `npm run build` in js/ did not write {built}")

    @staticmethod
    def _fresh(root: Path, built: Path) -> bool:
        if not built.exists():
            return False
        sources = [path for path in (root / "js").rglob("*") if path.is_file() and "node_modules" not in path.parts]
        return all(path.stat().st_mtime <= built.stat().st_mtime for path in sources)
