#!/usr/bin/env bash
# Installs another torch (2.9.1, where NativeRT works) into a venv of its own and runs tools/compat.py there.
set -euo pipefail
cd "$(dirname "$0")/.."

version="${GRAPHLENS_COMPAT_TORCH:-2.9.1}"
venv="${GRAPHLENS_COMPAT_VENV:-.venv-compat}"
python="${PYTHON:-python3}"
started=$SECONDS

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
if [ "$("$venv/bin/python" -c 'import torch; print(torch.__version__.split("+")[0])' 2>/dev/null)" != "$version" ]; then
  if ! "$venv/bin/python" -m pip install --quiet "torch==$version+cpu" 2>/dev/null; then
    echo "no CPU wheel of torch $version in the registries that pip knows: taking the one with CUDA libraries (about 3.5 GB)"
    "$venv/bin/python" -m pip install --quiet "torch==$version"
  fi
fi
GRAPHLENS_SKIP_JS=1 "$venv/bin/python" -m pip install --quiet --editable .
echo "installed in $((SECONDS - started)) s"

checked=$SECONDS
"$venv/bin/python" tools/compat.py
echo "checked in $((SECONDS - checked)) s, $((SECONDS - started)) s in all"
