"""What a node does besides computing its result: order it keeps, storage it writes, storage its result may share.

Everything unknown is taken at its worst: it keeps its place among all effects, writes all it is given, and its result
may share storage with all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Final

from msgspec import Struct

from graphlens.diff.dialect import operators_of, speaks_python
from graphlens.diff.dialect.indexing import ValueOf
from graphlens.diff.dialect.items import writes_and_shares
from graphlens.diff.dialect.spelling import GETITEM, SETITEM
from graphlens.diff.effect_names import (
    ASSERTS,
    CALLING_FUNCTIONS,
    CALLING_HOPS,
    COLLECTIVE_NAMESPACES,
    FUNCTIONALIZED,
    LOGGED,
    PURE_BUILTINS,
    PURE_FUNCTIONS,
    PURE_HOPS,
    PURE_NAMESPACES,
    RNG_HOPS,
    SHARING,
    STATE_WORDS,
    WRITING,
    WRITING_FUNCTIONS,
    WRITING_NAMESPACES,
)
from graphlens.diff.effect_schema import argument, draws_nothing, may_draw, running_statistics
from graphlens.diff.opinfo import OpInfo, find, lookup
from graphlens.program.argument import Const, refs
from graphlens.program.graph import Node
from graphlens.program.value import TensorValue

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
_SAYING: Final = PURE_NAMESPACES | {"_c10d_functional", "_c10d_functional_autograd", "_dtensor"}
"""Namespaces whose schemas say which results share storage with operands, but for those named in `SHARING` and `WRITING`."""


@cache
def trivial(target: str) -> bool:
    """Whether every `call_function` of this target only computes a fresh result: no effect, no write, no sharing."""
    info = lookup(target)
    if info is None:
        return False
    plain = not info.flags.strip("d") and not info.aliased and not info.written and "running_mean" not in info.index
    shares = target.rpartition(".")[0] in SHARING
    return plain and not shares and not may_draw(info) and target.partition(".")[0] in PURE_NAMESPACES


@cache
def hands_on_first(target: str) -> bool:
    """Whether a `call_function` of this target does nothing but that its result may share storage with its first operand."""
    info = lookup(target)
    if info is None or info.aliased != (0,) or info.written or info.flags.strip("d") or "running_mean" in info.index:
        return False
    named = target.rpartition(".")[0] in SHARING or target.rpartition(".")[2].startswith(ASSERTS)
    return not named and not may_draw(info) and target.partition(".")[0] in PURE_NAMESPACES


@cache
def sole_effect(target: str) -> Behaviour | None:
    """What every `call_function` of this target does, where it keeps an order and its operands do not matter; else `None`."""
    info = lookup(target)
    if info is None or info.aliased or info.written or "m" in info.flags or "running_mean" in info.index:
        return None
    namespace, _, rest = target.partition(".")
    packet = f"{namespace}.{rest.partition('.')[0]}"
    if not info.builtin or packet in SHARING or packet in WRITING or may_draw(info):
        return None
    return Behaviour((ASSERT,)) if namespace in PURE_NAMESPACES and rest.startswith(ASSERTS) else None


@cache
def always_pure(target: str) -> bool:
    """Whether every `call_function` of this target may be dropped when nothing uses its result."""
    info = lookup(target)
    if info is None:
        return target.startswith("_operator.getitem")
    plain = not info.flags.strip("d") and not info.written and "running_mean" not in info.index
    return plain and not may_draw(info) and target.partition(".")[0] in PURE_NAMESPACES


def behaviour(
    node: Node, schemas: Mapping[str, str], bodies: Behaviour | None = None, value_of: ValueOf | None = None
) -> Behaviour:
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
    value_of
        The recorded value of a node by name; with it, functions and methods of Python's torch are known by their operators.
    """
    if node.op in ("placeholder", "get_attr", "output"):
        return PURE
    if bodies is not None:
        return _holder(node, bodies)
    if value_of is not None and speaks_python(node.op, node.target):
        found = _spoken(node, value_of)
        if found is not None:
            return found
    return _function(node, schemas) if node.op == "call_function" else _worst(node)


def _spoken(node: Node, value_of: ValueOf) -> Behaviour | None:
    """What a Python function or method does whose operators are known: the worst of what any of them does."""
    if node.target in (GETITEM, SETITEM):
        touched = writes_and_shares(node, value_of)
        return None if touched is None else Behaviour((), *touched)
    calls = operators_of(node, value_of)
    found = [_operator(call, info) for call, info in calls]
    if not found:
        return PURE if node.target == LOGGED else None
    effects, writes, shares = (
        dict.fromkeys(chain(*map(attrgetter(part), found))) for part in ("effects", "writes", "shares")
    )
    return Behaviour(tuple(effects), tuple(writes), tuple(shares))


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
        tensor = isinstance(node.value, TensorValue)  # a list takes in what it is given, a tensor copies it
        return Behaviour((), written, written if tensor else tuple(dict.fromkeys(node.inputs)))
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
    if name in FUNCTIONALIZED:
        return Behaviour(_wrapped(node), (), names)
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


def _wrapped(node: Node) -> tuple[str, ...]:
    """Say which effects, besides writes, the operator has that a node calls without its writes."""
    wrapped = node.args[0] if node.args else None
    info = lookup(wrapped.text.partition(" ")[0]) if isinstance(wrapped, Const) else None
    if info is None or wrapped.text.partition(".")[0] not in PURE_NAMESPACES:  # type: ignore[union-attr]
        return (UNKNOWN,)
    return (RNG,) if may_draw(info) else ()


def _operator(node: Node, info: OpInfo) -> Behaviour:
    namespace, _, rest = node.target.partition(".")
    packet = f"{namespace}.{rest.partition('.')[0]}"
    kinds: list[str] = []
    if not info.builtin or namespace not in PURE_NAMESPACES:
        kinds.append(COLLECTIVE if namespace in COLLECTIVE_NAMESPACES else UNKNOWN)
    if may_draw(info) and not draws_nothing(node, info, packet):
        kinds.append(RNG)
    if rest.startswith(ASSERTS):
        kinds.append(ASSERT)
    elif "e" in info.flags and not kinds:
        kinds.append(UNKNOWN)
    at_worst = namespace in WRITING_NAMESPACES or packet in WRITING
    written = range(len(info.parameters)) if at_worst else info.written
    writes = [name for i in written for name in refs(argument(node, info, i))]
    writes += running_statistics(node, info, packet)
    unsaid = at_worst or "m" in info.flags or not info.builtin or packet in SHARING or namespace not in _SAYING
    shared = range(len(info.parameters)) if unsaid else (*info.aliased, *info.written)
    shares = [name for i in shared for name in refs(argument(node, info, i))]
    if not kinds and not writes and not shares:
        return PURE
    return Behaviour(tuple(kinds), tuple(dict.fromkeys(writes)), tuple(dict.fromkeys(shares)))
