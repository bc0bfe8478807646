"""What a node calls, beyond its name: the code of a user's function, the settings of a module that is a leaf.

Two functions may have one name (every lambda has), and two leaf modules one path: ``Dropout(p=0.1)`` and
``Dropout(p=0.5)`` are both ``self.drop``. torch's own functions are known by their names.
"""

from __future__ import annotations

import functools
from typing import Any

from torch import nn

from graphlens.program.graph import NO_HOOKS
from graphlens.read.live_fingerprint import fingerprint
from graphlens.read.live_modules import heeds_training, hooks_of
from graphlens.read.live_names import known_by_name, shorten, target_text, type_name


def function_code(target: Any) -> str:
    """Describe a function whose name does not say what it does; ``""`` for torch's and Python's own."""
    if known_by_name(target):
        return ""
    if isinstance(target, functools.partial):
        inner = target_text(target.func)
        return shorten(f"partial[{fingerprint(target)}] of {inner}")
    return f"code[{fingerprint(target)}]"


def module_code(module: nn.Module) -> str:
    """Describe a leaf module by its class, its settings, and a digest of all that it holds but its state."""
    name = f"{type_name(type(module)).rpartition('.')[2]}[{fingerprint(module)}]"
    try:
        extra = module.extra_repr()
    except Exception:  # noqa: BLE001 - a method of the user's class may raise anything
        extra = ""
    mode = ("training" if module.training else "evaluating") if heeds_training(type(module)) else ""
    inside = ", ".join(part for part in (mode, extra if isinstance(extra, str) else "") if part)
    return shorten(f"{name}({inside})")


def hooks_code(module: nn.Module) -> str:
    """Describe the hooks of a module whose own code is a graph."""
    hooks = hooks_of(module)
    return f"hooks[{fingerprint(hooks)}]" if hooks else NO_HOOKS
