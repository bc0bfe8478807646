"""The hooks of torch.fx on nodes that are created, erased and replaced, in one place. Checked on torch 2.9 to 2.13."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

_LISTS = ("_create_node_hooks", "_erase_node_hooks", "_replace_hooks")


class NodeHooks(NamedTuple):
    """Three plain functions: a graph module is deep-copied with its hooks, and bound methods would drag their owner along."""

    created: Callable[[Any], None]
    erased: Callable[[Any], None]
    replaced: Callable[[Any, str, Any], None]

    @classmethod
    def telling(cls, note: Callable[..., None]) -> NodeHooks:
        """Make hooks that call `note(event, node, now)`."""

        def created(node: Any) -> None:
            note("created", node)

        def erased(node: Any) -> None:
            note("erased", node)

        def replaced(old: Any, new: str, user: Any) -> None:
            note("replaced", old, f"{new} in {user.name}")

        return cls(created, erased, replaced)

    def attach(self, module: Any) -> None:
        """Add each hook once; a torch without these lists has no events to tell."""
        for name, hook in zip(_LISTS, self, strict=True):
            hooks = getattr(module, name, None)
            if isinstance(hooks, list) and hook not in hooks:
                hooks.append(hook)

    def detach(self, module: Any) -> None:
        """Take the hooks away."""
        for name, hook in zip(_LISTS, self, strict=True):
            hooks = getattr(module, name, None)
            if isinstance(hooks, list) and hook in hooks:
                hooks.remove(hook)
