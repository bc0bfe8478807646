"""Weights and constants: by role in the signature, by value, and by which of them share storage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import attrgetter
from typing import Literal as OneOf

from graphlens.diff.check.boundary import GENERATED_NAMES
from graphlens.diff.check.findings import Findings
from graphlens.diff.check.live import Facts
from graphlens.diff.weights import Equal
from graphlens.program.graph import Node
from graphlens.program.parts import StoredTensor
from graphlens.program.program import ROOT, Program
from graphlens.program.state import StateNames
from graphlens.program.value import Size

_PLACE = attrgetter("conj", "neg", "shape", "stride", "storage_offset")
Weights = OneOf["digest", "exact", "ignore"]
State = OneOf["equal", "different", "unknown"]
OTHER_NAMES = "attribute with another name"
NAMELESS = "stored tensors have other names, and their values are not known to be equal"
_STORED = {"parameter", "buffer", "constant_tensor", "custom_obj"}
_HOLDING = {"call_module", "get_attr"}
_COMPLETE = {"exported_program", "archive"}
"""Origins that list all that a program holds."""


class Constants:
    """The stored tensors of two programs, and which pairs of them the graphs rely on."""

    def __init__(self, a: Program, b: Program, weights: Weights, equal: Equal, findings: Findings) -> None:
        self.a = {stored.fqn: stored for stored in a.stored}
        self.b = {stored.fqn: stored for stored in b.stored}
        self.weights, self.equal = weights, equal
        self.names = StateNames(a), StateNames(b)
        self.complete = a.origin.kind in _COMPLETE and b.origin.kind in _COMPLETE
        self.findings = findings
        self.used: dict[tuple[str, str], State] = {}
        self.renamed: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.storages: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self.sharing = Counter(t.storage for t in a.stored), Counter(t.storage for t in b.stored)

    def root_inputs(self, a: Program, b: Program, mate: Mapping[str, str]) -> None:
        """Compare the weights behind the paired inputs of the root."""
        theirs = {spec.argument: spec for spec in b.inputs}
        for spec in a.inputs:
            other = theirs.get(mate.get(spec.argument, ""))
            if other is not None and spec.kind in _STORED and spec.target is not None and other.target is not None:
                state = self.compare(ROOT, (spec.argument, other.argument), (spec.target, other.target))
                if spec.target != other.target and state == "unknown":
                    self.findings.unknown[NAMELESS] += 1

    def attributes(self, path: tuple[str, str], a: Facts, b: Facts, mate: Mapping[str, str]) -> None:
        """Compare the tensors behind the paired get_attr nodes of a graph, and those of the modules that it calls."""
        for node in [node for node in a.graph.nodes if node.op in _HOLDING]:
            if node.op == "call_module" and not node.subgraphs and node.name in mate:
                self._module(path, node, b.nodes[mate[node.name]])
            if node.op != "get_attr" or node.name not in a.live or node.name not in mate:
                continue
            other = b.nodes[mate[node.name]]
            if other.op != "get_attr":
                continue  # refused as another op
            if node.name in a.bodies and other.name in b.bodies:
                continue
            if node.name in a.bodies or other.name in b.bodies:
                self.findings.refuse(path[0], node.name, other.name, "constants", "a nested graph on one side only")
            else:
                self._attribute(path, node, other)
                self._module(path, node, other)

    def _module(self, path: tuple[str, str], a: Node, b: Node) -> None:
        if a.op != b.op:
            return  # refused as another op
        ours, theirs = self.names[0].below(path[0], a.target), self.names[1].below(path[1], b.target)
        if ours != theirs:
            self.findings.refuse(path[0], a.name, b.name, "constants", f"state {list(ours)} and {list(theirs)}")
            return
        for inner in ours:
            keys = (
                self.names[0].name(path[0], f"{a.target}.{inner}"),
                self.names[1].name(path[1], f"{b.target}.{inner}"),
            )
            self.compare(path[0], (a.name, b.name), keys)

    def _attribute(self, path: tuple[str, str], a: Node, b: Node) -> None:
        keys = (self.names[0].name(path[0], a.target), self.names[1].name(path[1], b.target))
        state = self.compare(path[0], (a.name, b.name), keys)
        if a.target == b.target:
            return
        left, right = self.a.get(keys[0]), self.b.get(keys[1])
        if left is None or right is None:
            message = f"attribute {a.target} and {b.target}, whose values are not known"
            self.findings.refuse(path[0], a.name, b.name, "constants", message)
        elif left.kind == right.kind == "constant":
            self.findings.rules[GENERATED_NAMES] += 1
        elif self._taken(keys):
            message = f"attribute {a.target} and {b.target}, and the other side has both or one for two"
            self.findings.refuse(path[0], a.name, b.name, "constants", message)
        else:
            self.findings.rules[OTHER_NAMES] += 1
        if state == "unknown":
            self.findings.unknown[NAMELESS] += 1

    def _taken(self, keys: tuple[str, str]) -> bool:
        """Whether two attributes with other names are no renaming: one of the names means something else."""
        forward, backward = self.renamed
        fits = forward.setdefault(keys[0], keys[1]) == keys[1] and backward.setdefault(keys[1], keys[0]) == keys[0]
        return not fits or keys[0] in self.b or keys[1] in self.a

    def compare(self, path: str, nodes: tuple[str, str], keys: tuple[str, str]) -> State:
        """Compare one pair of stored tensors, once."""
        known = self.used.get(keys)
        if known is not None:
            if known == "different":
                self.findings.refuse(path, *nodes, "constants", f"values of {keys[0]} differ")
            return known
        state = self.used[keys] = self._compare(path, nodes, keys)
        return state

    def _compare(self, path: str, nodes: tuple[str, str], keys: tuple[str, str]) -> State:
        left, right = self.a.get(keys[0]), self.b.get(keys[1])
        if self.complete and (left is None) != (right is None):
            self.findings.refuse(path, *nodes, "constants", f"only one side has {keys[0] if left else keys[1]}")
            return "different"
        if left is None or right is None:
            side = "both sides have" if left is right else "one side has"
            self.findings.assumptions[f"{side} no values of some stored tensors"] += 1
            return "unknown"
        self._storage(path, nodes, left, right)
        self._placement(path, nodes, left, right)
        if self.weights == "ignore":
            self.findings.assumptions["values of stored tensors were not compared"] = 1
            return "equal" if keys[0] != keys[1] and self.equal(left, right, "digest").state == "equal" else "unknown"
        answer = self.equal(left, right, self.weights)
        if answer.state == "different":
            self.findings.refuse(path, *nodes, "constants", f"{keys[0]}: {answer.why}")
        elif answer.state == "unknown":
            self.findings.assumptions[f"equal where unknown: {answer.why}"] += 1
        elif answer.assumption:
            self.findings.assumptions[answer.assumption] = 1
        return answer.state

    def _storage(self, path: str, nodes: tuple[str, str], a: StoredTensor, b: StoredTensor) -> None:
        if a.storage is None or b.storage is None:
            if a.storage is not b.storage:
                self.findings.assumptions["one side does not record which stored tensors share storage"] = 1
            return
        forward, backward = self.storages
        if (
            forward.setdefault(a.storage, b.storage) != b.storage
            or backward.setdefault(b.storage, a.storage) != a.storage
        ):
            self.findings.refuse(path, *nodes, "storage", f"{a.fqn} shares storage with other tensors than {b.fqn}")

    def _placement(self, path: str, nodes: tuple[str, str], a: StoredTensor, b: StoredTensor) -> None:
        """Refuse tensors that lie otherwise in their storages: views of them are other tensors, and see other writes."""
        if _PLACE(a) == _PLACE(b):
            return
        for facet in ("conj", "neg"):
            ours, theirs = getattr(a, facet), getattr(b, facet)
            if None not in (ours, theirs) and ours != theirs:
                self.findings.refuse(path, *nodes, "constants", f"{a.fqn}.{facet}: {ours} and {theirs}")
        if a.stride is not None and b.stride is not None and _steps(a) != _steps(b):
            self.findings.refuse(path, *nodes, "constants", f"{a.fqn}.stride: {list(a.stride)} and {list(b.stride)}")
        shared = self.sharing[0][a.storage] > 1 or self.sharing[1][b.storage] > 1
        if shared and None not in (a.storage_offset, b.storage_offset) and a.storage_offset != b.storage_offset:
            message = (
                f"{a.fqn}.storage_offset: {a.storage_offset} and {b.storage_offset}, in a storage that others share"
            )
            self.findings.refuse(path, *nodes, "storage", message)


def _steps(tensor: StoredTensor) -> list[Size]:
    """Return the strides that are ever taken."""
    pairs = zip(tensor.stride or (), tensor.shape or (), strict=False)
    return [] if 0 in (tensor.shape or ()) else [stride for stride, size in pairs if size != 1]
