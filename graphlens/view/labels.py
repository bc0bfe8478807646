"""Short texts for boxes: what a node is called at a glance."""

from __future__ import annotations

from graphlens.program.graph import Node
from graphlens.program.value import TensorValue, Value, value_text
from graphlens.view.escape import printable

_PLAIN = frozenset({"aten", "prims", "prim", "higher_order", "_operator", "builtins", "math", "torch"})
LONGEST = 80


def clip(text: str, length: int = LONGEST) -> str:
    """Shorten a text to at most `length` characters, with an ellipsis, on one line."""
    flat = printable(text[: 4 * length])
    return flat if len(flat) <= length else f"{flat[: length - 1]}…"


def op_label(node: Node) -> str:
    """Name the operator of a node in short: `linear`, `mylib.norm`, `getitem[0]`."""
    if node.op in ("placeholder", "output"):
        return clip(node.name if node.op == "placeholder" else "output")
    if node.op != "call_function":
        return clip(node.target)
    namespace, dot, rest = node.target.partition(".")
    if not dot:
        return clip(node.target)
    if namespace == "_operator":
        key = node.args[1] if rest == "getitem" and len(node.args) > 1 else None
        return clip(f"getitem[{key}]" if isinstance(key, int) else rest)
    name, overloaded, _ = rest.rpartition(".")
    name = name if overloaded else rest
    return clip(name if namespace in _PLAIN else f"{namespace}.{name}")


class ValueTexts:
    """Writes values in short, equal tensors once."""

    def __init__(self) -> None:
        self._known: dict[object, str] = {}

    def __call__(self, value: Value | None) -> str:
        """Return a value in the notation of FX, clipped."""
        if not isinstance(value, TensorValue):
            return clip(value_text(value))
        key = (value.dtype, value.shape)
        text = self._known.get(key)
        if text is None:
            text = self._known[key] = clip(value_text(value))
        return text
