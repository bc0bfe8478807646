"""Weights and constants: by role in the signature, by value, and by which of them share storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal as OneOf

from graphlens.diff.check.findings import Findings
from graphlens.diff.check.live import Facts
from graphlens.diff.weights import Equal
from graphlens.program.graph import Node
from graphlens.program.parts import StoredTensor
from graphlens.program.program import ROOT, Program
from graphlens.program.state import StateNames

Weights = OneOf["digest", "exact", "ignore"]
_STORED = {"parameter", "buffer", "constant_tensor", "custom_obj"}
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
        self.used: dict[tuple[str, str], bool] = {}
        self.storages: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def root_inputs(self, a: Program, b: Program, mate: Mapping[str, str]) -> None:
        """Compare the weights behind the paired inputs of the root."""
        theirs = {spec.argument: spec for spec in b.inputs}
        for spec in a.inputs:
            other = theirs.get(mate.get(spec.argument, ""))
            if other is not None and spec.kind in _STORED and spec.target is not None and other.target is not None:
                self.compare(ROOT, (spec.argument, other.argument), (spec.target, other.target))

    def attributes(self, path: tuple[str, str], a: Facts, b: Facts, mate: Mapping[str, str]) -> None:
        """Compare the tensors behind the paired get_attr nodes of a graph, and those of the modules that it calls."""
        for x, y in mate.items():
            node_a, node_b = a.nodes[x], b.nodes[y]
            if node_a.op == node_b.op == "call_module" and not node_a.subgraphs:
                self._module(path, node_a, node_b)
            if node_a.op != "get_attr" or node_b.op != "get_attr" or x not in a.live:
                continue
            if x in a.bodies or y in b.bodies:
                if (x in a.bodies) != (y in b.bodies):
                    self.findings.refuse(path[0], x, y, "constants", "a nested graph on one side only")
                continue
            keys = (self.names[0].name(path[0], node_a.target), self.names[1].name(path[1], node_b.target))
            if keys[0] not in self.a and keys[1] not in self.b and node_a.target != node_b.target:
                message = f"attribute {node_a.target} and {node_b.target}, whose values are not known"
                self.findings.refuse(path[0], x, y, "constants", message)
            else:
                self.compare(path[0], (x, y), keys)

    def _module(self, path: tuple[str, str], a: Node, b: Node) -> None:
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

    def compare(self, path: str, nodes: tuple[str, str], keys: tuple[str, str]) -> None:
        """Compare one pair of stored tensors, once."""
        if keys in self.used:
            if not self.used[keys]:
                self.findings.refuse(path, *nodes, "constants", f"values of {keys[0]} differ")
            return
        self.used[keys] = True
        left, right = self.a.get(keys[0]), self.b.get(keys[1])
        if self.complete and (left is None) != (right is None):
            self.used[keys] = False
            self.findings.refuse(path, *nodes, "constants", f"only one side has {keys[0] if left else keys[1]}")
            return
        if left is None or right is None:
            self.findings.assumptions[
                f"{'both sides have' if left is right else 'one side has'} no values of some stored tensors"
            ] += 1
            return
        self._storage(path, nodes, left, right)
        if self.weights == "ignore":
            self.findings.assumptions["values of stored tensors were not compared"] = 1
            return
        answer = self.equal(left, right, self.weights)
        if answer.state == "different":
            self.used[keys] = False
            self.findings.refuse(path, *nodes, "constants", f"{keys[0]}: {answer.why}")
        elif answer.state == "unknown":
            self.findings.assumptions[f"equal where unknown: {answer.why}"] += 1
        elif answer.assumption:
            self.findings.assumptions[answer.assumption] = 1

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


def ties(program: Program) -> Iterator[tuple[str, ...]]:
    """Yield the names of placeholders of the root that hold one storage together."""
    by_fqn = {stored.fqn: stored.storage for stored in program.stored}
    shared: dict[str, list[str]] = {}
    for spec in program.inputs:
        storage = by_fqn.get(spec.target or "")
        if storage is not None:
            shared.setdefault(storage, []).append(spec.argument)
    for names in shared.values():
        if len(names) > 1:
            yield tuple(names)
