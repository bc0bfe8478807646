"""Weights that one program has under several names: it may read any of them, for they are one tensor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property

from graphlens.diff.check.live import Facts
from graphlens.diff.check.storage import Sources
from graphlens.program.parts import InputSpec, StoredTensor
from graphlens.program.program import ROOT, Program

OTHER_NAME = "tied weight read under its other name"
UNREAD = "stored tensor that nothing reads"
_STORED = {"parameter", "buffer", "constant_tensor"}
_PLAIN = {None, "Tensor", "Parameter"}
_Names = Mapping[str, frozenset[str]]


class Tied:
    """Which inputs of the root stand for one tensor: of one name in the state, or one part of one storage.

    It takes one side to know: where two inputs of `a` are one tensor, and one of them is what `b` reads, then both
    programs read the same, whatever `b` says of its own. What nobody says to be one tensor is not, equal or not.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def same(self, x: str, y: str) -> bool:
        """Whether an input of `a` and one of `b` are one tensor by way of another name for it."""
        ours, theirs = self._groups
        if x not in ours and y not in theirs:
            return False
        mate = self._sources.mate
        images = {mate[name] for name in ours.get(x, (x,)) if name in mate}
        return not images.isdisjoint(theirs.get(y, (y,)))

    def spare(self, name: str, *, side: str) -> str:
        """Name the rule by which a stored tensor that only one program takes needs no partner, ``""`` if there is none.

        The other program does not have its name. It is a tensor that the program has under a name with a partner too, so that whoever reads it reads what the other
        program reads; or nothing reads it, and no result of the signature is stored in it.
        """
        at = side == "b"
        spec = self._specs[at].get(name)
        if self._sources.paths[at] != ROOT or spec is None or spec.kind not in _STORED:
            return ""
        if spec.target in self._named[at]:
            return ""  # its partner was left out, or it is written to
        if not self._paired[at].isdisjoint(self._groups[at].get(name, ())):
            return OTHER_NAME
        return "" if name in self._read[at] else UNREAD

    @cached_property
    def _specs(self) -> tuple[Mapping[str, InputSpec], Mapping[str, InputSpec]]:
        first, second = ({spec.argument: spec for spec in reversed(p.inputs)} for p in self._sources.programs)
        return first, second

    @cached_property
    def _named(self) -> tuple[AbstractSet[str | None], AbstractSet[str | None]]:
        """For either side, what the other side takes by name, and what it writes to itself."""
        a, b = self._sources.programs
        first, second = (
            {spec.target for spec in there.inputs} | {spec.target for spec in here.outputs}
            for here, there in ((a, b), (b, a))
        )
        return first, second

    @cached_property
    def _paired(self) -> tuple[AbstractSet[str], AbstractSet[str]]:
        return self._sources.mate.keys(), frozenset(self._sources.mate.values())

    @cached_property
    def _read(self) -> tuple[AbstractSet[str], AbstractSet[str]]:
        """What live nodes of either side have as operands."""
        first, second = (
            {name for node in facts.graph.nodes if node.name in facts.live for name in node.inputs}
            for facts in self._sources.facts
        )
        return first, second

    @cached_property
    def _groups(self) -> tuple[_Names, _Names]:
        sides = zip(self._sources.programs, self._sources.paths, self._sources.facts, strict=True)
        first, second = (_groups(*side) for side in sides)
        return first, second


def _groups(program: Program, path: str, facts: Facts) -> _Names:
    if path != ROOT:
        return {}
    stored = {tensor.fqn: tensor for tensor in program.stored}
    held: dict[Hashable, list[str]] = {}
    for spec in program.inputs:
        if spec.kind in _STORED and spec.target is not None and spec.argument in facts.nodes:
            held.setdefault(tensor_key(stored.get(spec.target), spec.target), []).append(spec.argument)
    return {name: frozenset(names) for names in held.values() if len(names) > 1 for name in names}


def tensor_key(stored: StoredTensor | None, target: str) -> Hashable:
    """Tell one tensor from another: by its part of a storage, and by its name where that is not recorded."""
    if stored is None or stored.storage is None or stored.type not in _PLAIN or None in (stored.shape, stored.stride):
        return target
    place = stored.storage, stored.storage_offset, stored.shape, stored.stride, stored.dtype
    return place, stored.conj, stored.neg, stored.layout, stored.device
