"""What modules have besides parameters, buffers and children: hooks, and whether they heed their mode."""

from __future__ import annotations

import types
from typing import Any

from torch import nn

SETTINGS_OF_ALL = frozenset(vars(nn.Module())) | {"_is_full_backward_hook"}
"""Attributes that every module has."""
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def heeds_training(kind: type) -> bool:
    """Whether any method of a module's class names `training`; of most it changes nothing."""
    return any(
        "training" in function.__code__.co_names
        for base in kind.__mro__
        if base not in (nn.Module, object)
        for function in vars(base).values()
        if isinstance(function, types.FunctionType)
    )


def hooks_of(module: nn.Module) -> dict[str, list[Any]]:
    """What runs before and after a module's own code, by the kind of hook."""
    return {key: list(held.values()) for key in _HOOKS if (held := vars(module).get(key))}
