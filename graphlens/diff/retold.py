"""Rows that say again on every node and weight what changed once: the name of a module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from msgspec import structs

from graphlens.diff.matching import Matching
from graphlens.diff.module_names import Stack, in_step, renamed_modules, translated
from graphlens.diff.placed import Placed
from graphlens.diff.rows import Finding
from graphlens.program.graph import ModuleCall

RENAMED = "module"


class ModuleNames:
    """What the modules of `a` are called in `b`."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching

    @cached_property
    def forward(self) -> Mapping[str, str]:
        """The name in `b` of each module whose nodes went there and nowhere else for the most part."""
        return renamed_modules(self._matching)

    def only_renamed(self, a: Stack, b: Stack) -> tuple[str, str] | None:
        """Return the outermost module of another name, if two stacks differ in nothing but such names.

        A module may have moved out of others or into others; what is around it then is not compared.
        """
        pairs = in_step(a, b)
        if not pairs or not all(self._same(x, y) for x, y in pairs):
            return None
        return next(((x.path, y.path) for x, y in pairs if x.path != y.path), None)

    def _same(self, x: ModuleCall, y: ModuleCall) -> bool:
        calls = x.call.removeprefix(x.path), y.call.removeprefix(y.path)
        return x.type == y.type and calls[0] == calls[1] and self.forward.get(x.path) == y.path


def told_again(finding: Finding, names: ModuleNames) -> Finding:
    """Mark a module stack that differs in the name of a module and in nothing else."""
    if finding.field == "nn_module_stack" and finding.kind == "changed" and finding.aspect == "":
        outer = names.only_renamed(finding.value_a, finding.value_b)
        if outer is not None:
            return structs.replace(finding, aspect=RENAMED, a=outer[0], b=outer[1])
    return finding


def follow_modules(
    placed: Iterable[Placed], program_level: Iterable[Finding], names: ModuleNames
) -> tuple[list[Placed], list[Finding]]:
    """Let a renamed module be one root: the modules in it, its weights and its nodes follow from it."""
    findings = list(program_level)
    told = {finding.value_a: finding.field for finding in findings if _is_module(finding)}
    first: dict[str, str] = {}
    nodes: list[Placed] = []
    for item in placed:
        found = item.finding
        if found.field == "nn_module_stack" and found.aspect == RENAMED and item.a is not None:
            source = told.get(found.a) or first.setdefault(found.a, item.a.name)
            nodes.append(item if source == item.a.name else item.inherited(source))
        else:
            nodes.append(item)
    return nodes, [_follows(finding, told, names) for finding in findings]


def _is_module(finding: Finding) -> bool:
    return finding.kind == "renamed" and finding.field.startswith("module_call_graph[")


def _follows(finding: Finding, told: Mapping[str, str], names: ModuleNames) -> Finding:
    if finding.kind != "renamed" or not isinstance(finding.value_a, str):
        return finding
    parts = finding.value_a.split(".")
    outer = next((held for depth in range(1, len(parts)) if (held := ".".join(parts[:depth])) in told), "")
    if not outer or translated(finding.value_a, names.forward) != finding.value_b:
        return finding
    return structs.replace(finding, inherited_from=told[outer])
