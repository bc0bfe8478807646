"""JSON of schema 3 to 6 (torch 2.2 to 2.4) in the form of schema 7.

What changed, from the history of `torch/_export/serde/schema.py`: unions were ``{"$type": …, "$value": …}`` before 5
(pytorch#121263); a storage offset was a plain number, an optional tensor a plain name, a script object had no class and a
program one `dialect` instead of a list of verifiers.
"""

from __future__ import annotations

from typing import Any

OLDEST, NEWEST = 3, 6
"""Major versions that `upgrade` knows."""

_TAGGED = {"$type", "$value"}


def upgrade(tree: dict[str, Any]) -> None:
    """Bring a decoded program of an older schema into the form of schema 7, in place."""
    if "dialect" in tree and "verifiers" not in tree:
        tree["verifiers"] = [tree.pop("dialect")]
    stack: list[Any] = [tree]
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            _upgrade_object(top)
            stack.extend(top.values())
        elif isinstance(top, list):
            stack.extend(top)


def _upgrade_object(found: dict[str, Any]) -> None:
    if set(found) == _TAGGED and isinstance(found["$type"], str):
        member, value = found.pop("$type"), found.pop("$value")
        found[member] = value
    if isinstance(found.get("as_tensor"), str):
        found["as_tensor"] = {"name": found["as_tensor"]}
    if "sizes" in found and isinstance(found.get("storage_offset"), int):
        found["storage_offset"] = {"as_int": found["storage_offset"]}
    for holder in (found.get("as_custom_obj"), found.get("arg") if "custom_obj_name" in found else None):
        if isinstance(holder, dict):
            holder.setdefault("class_fqn", "")
