"""What a node does besides computing its result: order it keeps, storage it writes, storage its result may share.

Everything unknown is taken at its worst: it keeps its place among all effects, writes all it is given, and its result
may share storage with all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from msgspec import Struct

from graphlens.diff.effect_names import (
    ASSERTS,
    CALLING_FUNCTIONS,
    CALLING_HOPS,
    COLLECTIVE_NAMESPACES,
    NO_DRAW,
    PURE_BUILTINS,
    PURE_FUNCTIONS,
    PURE_HOPS,
    PURE_NAMESPACES,
    RNG_HOPS,
    SHARING,
    STATE_WORDS,
    WRITING_FUNCTIONS,
)
from graphlens.diff.opinfo import MISSING, OpInfo, find, lookup
from graphlens.program.argument import Argument, Ref, refs
from graphlens.program.graph import Node

RNG: Final = "rng"
COLLECTIVE: Final = "collective"
IO: Final = "io"
ASSERT: Final = "assert"
STATE: Final = "state"
TOKEN: Final = "token"  # noqa: S105 - an effect token of a higher-order op
UNKNOWN: Final = "unknown"


class Behaviour(Struct, frozen=True, gc=False):
    """`effects` are kinds of effects in whose order the node stands; `writes` and `shares` name operand nodes."""

    effects: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()

    @property
    def pure(self) -> bool:
        """Whether the node may be dropped when nothing uses its result."""
        return not self.effects and not self.writes


PURE: Final = Behaviour()


@cache
def trivial(target: str) -> bool:
    """Whether every `call_function` of this target only computes a fresh result: no effect, no write, no sharing."""
    info = lookup(target)
    if info is None:
        return False
    plain = not info.flags.strip("d") and not info.aliased and not info.written and "running_mean" not in info.index
    shares = target.rpartition(".")[0] in SHARING
    return plain and not shares and not _may_draw(info) and target.partition(".")[0] in PURE_NAMESPACES


@cache
def hands_on_first(target: str) -> bool:
    """Whether a `call_function` of this target does nothing but that its result may share storage with its first operand."""
    info = lookup(target)
    if info is None or info.aliased != (0,) or info.written or info.flags.strip("d") or "running_mean" in info.index:
        return False
    named = target.rpartition(".")[0] in SHARING or target.rpartition(".")[2].startswith(ASSERTS)
    return not named and not _may_draw(info) and target.partition(".")[0] in PURE_NAMESPACES


@cache
def always_pure(target: str) -> bool:
    """Whether every `call_function` of this target may be dropped when nothing uses its result."""
    info = lookup(target)
    if info is None:
        return target.startswith("_operator.getitem")
    plain = not info.flags.strip("d") and not info.written and "running_mean" not in info.index
    return plain and not _may_draw(info) and target.partition(".")[0] in PURE_NAMESPACES


def behaviour(node: Node, schemas: Mapping[str, str], bodies: Behaviour | None = None) -> Behaviour:
    """Say what a node does.

    Parameters
    ----------
    node
        Any FX node.
    schemas
        `Program.schemas`, for operators that torch's table does not hold.
    bodies
        What the nested graphs do that the node holds (`body_behaviour`), `None` where it holds none. Its `writes`
        only tell whether there is any: which operand a body writes is not followed, so all are taken as written.
    """
    if node.op in ("placeholder", "get_attr", "output"):
        return PURE
    if bodies is not None:
        return _holder(node, bodies)
    if node.op == "call_function":
        return _function(node, schemas)
    return _worst(node)


def _worst(node: Node) -> Behaviour:
    names = tuple(dict.fromkeys(node.inputs))
    return Behaviour((UNKNOWN,), names, names)


def _holder(node: Node, bodies: Behaviour) -> Behaviour:
    names = tuple(dict.fromkeys(node.inputs))
    name = node.target.removeprefix("higher_order.")
    own: tuple[str, ...] = () if name in CALLING_HOPS else (UNKNOWN,)
    own += (TOKEN,) if name == "with_effects" else ()
    return Behaviour(
        tuple(dict.fromkeys((*bodies.effects, *own))), names if bodies.writes or UNKNOWN in own else (), names
    )


def _function(node: Node, schemas: Mapping[str, str]) -> Behaviour:
    target = node.target
    info = find(target, schemas)
    if info is not None:
        return _operator(node, info)
    if target.startswith("higher_order."):
        return _higher_order(node, target.removeprefix("higher_order."))
    if target in WRITING_FUNCTIONS or (
        target.startswith("_operator.i") and target != "_operator.index" and "inv" not in target
    ):
        written = tuple(refs(node.args[0])) if node.args else ()
        return Behaviour((), written, written)
    if target in PURE_BUILTINS or (target.startswith(PURE_FUNCTIONS) and target not in CALLING_FUNCTIONS):
        return Behaviour((), (), tuple(dict.fromkeys(node.inputs)))
    name = target.rpartition(".")[2]
    if target.startswith("torch.") and name.startswith(ASSERTS):
        return Behaviour((ASSERT,))
    if STATE_WORDS.search(name) if target.startswith("torch.") else not node.inputs:
        return Behaviour((STATE, UNKNOWN), node.inputs, node.inputs)
    return _worst(node)


def _higher_order(node: Node, name: str) -> Behaviour:
    names = tuple(dict.fromkeys(node.inputs))
    if name in PURE_HOPS:
        return Behaviour((), (), names)
    if name in RNG_HOPS:
        return Behaviour((RNG,), (), names)
    if name == "with_effects":
        return Behaviour((TOKEN,), names, names)
    if name == "triton_kernel_wrapper_mutation":
        return Behaviour((), names, ())
    if name == "print":
        return Behaviour((IO,))
    return _worst(node)


def _operator(node: Node, info: OpInfo) -> Behaviour:
    namespace, _, rest = node.target.partition(".")
    packet = f"{namespace}.{rest.partition('.')[0]}"
    kinds: list[str] = []
    if not info.builtin or namespace not in PURE_NAMESPACES:
        kinds.append(COLLECTIVE if namespace in COLLECTIVE_NAMESPACES else UNKNOWN)
    if _may_draw(info) and not _draws_nothing(node, info, packet):
        kinds.append(RNG)
    if rest.startswith(ASSERTS):
        kinds.append(ASSERT)
    elif "e" in info.flags and not kinds:
        kinds.append(UNKNOWN)
    writes = [name for i in info.written for name in refs(argument(node, info, i))]
    writes += _running_statistics(node, info, packet)
    unsaid = "m" in info.flags or not info.builtin or packet in SHARING
    shared = range(len(info.parameters)) if unsaid else (*info.aliased, *info.written)
    shares = [name for i in shared for name in refs(argument(node, info, i))]
    if not kinds and not writes and not shares:
        return PURE
    return Behaviour(tuple(kinds), tuple(dict.fromkeys(writes)), tuple(dict.fromkeys(shares)))


def argument(node: Node, info: OpInfo, index: int) -> Argument:
    """Return the argument bound to the schema's parameter number `index`; its default where it is not given."""
    parameter = info.parameters[index]
    if parameter.name in node.kwargs:
        return node.kwargs[parameter.name]
    if not parameter.keyword_only and index < len(node.args):
        return node.args[index]
    return None if parameter.default is MISSING else parameter.default  # type: ignore[return-value]


def _may_draw(info: OpInfo) -> bool:
    return "s" in info.flags or any(parameter.type.startswith("Generator") for parameter in info.parameters)


def _draws_nothing(node: Node, info: OpInfo, packet: str) -> bool:
    index = info.index
    for name, quiet in NO_DRAW.get(packet, ()):
        if name in index:
            given = argument(node, info, index[name])
            if not isinstance(given, Ref) and given == quiet and isinstance(given, int | float):
                return True
    return False


def _running_statistics(node: Node, info: OpInfo, packet: str) -> list[str]:
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


def body_behaviour(nodes: tuple[Node, ...], each: Mapping[str, Behaviour]) -> Behaviour:
    """Sum up what the nodes of a nested graph do: its kinds of effects, and whether it writes anything it was given.

    A write to a value that the body made itself stays inside it.
    """
    kinds: dict[str, None] = {}
    outside = {node.name for node in nodes if node.op in ("placeholder", "get_attr")}
    written: dict[str, None] = {}
    for node in nodes:
        does = each.get(node.name, PURE)
        if outside.intersection(does.shares):
            outside.add(node.name)
        kinds |= dict.fromkeys(does.effects)
        written |= dict.fromkeys(name for name in does.writes if name in outside)
    return Behaviour(tuple(kinds), tuple(written), ())
