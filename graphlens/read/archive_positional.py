"""Which arguments were positional, for archives that do not say (before schema 8.5)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files


def positional_count(target: str, default: int) -> int:
    """Return how many leading arguments of an operator have no default, so that torch's loader takes them positionally.

    Parameters
    ----------
    target
        ``aten.layer_norm.default``.
    default
        What is returned for an operator that torch itself does not have.
    """
    return _counts().get(target, default)


@lru_cache(maxsize=1)
def _counts() -> Mapping[str, int]:
    """Read the table that ``tools/make_positional.py`` made from the operators of torch 2.13.0."""
    data = files("graphlens.read").joinpath("positional.json.gz").read_bytes()
    table: dict[str, str] = json.loads(gzip.decompress(data))
    return {name: int(count) for count, names in table.items() for name in names.split()}
