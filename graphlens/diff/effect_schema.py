"""What a call passes to an operator, and what follows from it: whether it draws, and which statistics it updates."""

from __future__ import annotations

from graphlens.diff.effect_names import NO_DRAW
from graphlens.diff.opinfo import MISSING, OpInfo
from graphlens.program.argument import Argument, Ref, refs
from graphlens.program.graph import Node


def argument(node: Node, info: OpInfo, index: int) -> Argument:
    """Return the argument bound to the schema's parameter number `index`; its default where it is not given."""
    parameter = info.parameters[index]
    if parameter.name in node.kwargs:
        return node.kwargs[parameter.name]
    if not parameter.keyword_only and index < len(node.args):
        return node.args[index]
    return None if parameter.default is MISSING else parameter.default  # type: ignore[return-value]


def may_draw(info: OpInfo) -> bool:
    """Whether some calls of an operator draw random numbers."""
    return "s" in info.flags or any(parameter.type.startswith("Generator") for parameter in info.parameters)


def draws_nothing(node: Node, info: OpInfo, packet: str) -> bool:
    """Whether this very call draws none."""
    index = info.index
    for name, quiet in NO_DRAW.get(packet, ()):
        if name in index:
            given = argument(node, info, index[name])
            if not isinstance(given, Ref) and given == quiet and isinstance(given, int | float):
                return True
    return False


def running_statistics(node: Node, info: OpInfo, packet: str) -> list[str]:
    """Batch and instance norms update these without saying so in their schema."""
    index = info.index
    if (
        "running_mean" not in index
        or packet.endswith(("_functional", "_backward", "_no_training"))
        or "backward" in packet
    ):
        return []
    flag = next((name for name in ("training", "train", "use_input_stats") if name in index), None)
    if flag is not None and argument(node, info, index[flag]) is False:
        return []
    return [
        name
        for key in ("running_mean", "running_var")
        if key in index
        for name in refs(argument(node, info, index[key]))
    ]
