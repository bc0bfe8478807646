"""Two arguments, leaf by leaf, references by what they were matched to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import structs

from graphlens.diff.handed import HandedOn
from graphlens.diff.matching import Agreement, GraphMatch, Matching
from graphlens.diff.rows import Finding, Kind, shorten, shorten_apart
from graphlens.program.argument import (
    Argument,
    Const,
    Map,
    Opaque,
    Ref,
    Seq,
    Slice,
    argument_text,
    children,
    leaves,
    same_literal,
)
from graphlens.program.frozen import EMPTY
from graphlens.program.graph import Graph
from graphlens.program.program import Program
from graphlens.program.value import SymValue

Place = tuple[str, str]
"""The field (``args`` or ``kwargs``) and the place inside it (``args[1][0]``)."""


class ArgumentComparer:
    """Compares arguments within one matched pair of graphs."""

    def __init__(self, matching: Matching, match: GraphMatch, handed: HandedOn | None = None) -> None:
        self.matching = matching
        self.match = match
        self.handed = handed or HandedOn(matching)

    def differences(
        self,
        place: Place,
        a: Argument,
        b: Argument,
        bodies: Mapping[str, bool] = EMPTY,
        readers: tuple[str, str] = ("", ""),
    ) -> Iterator[Finding]:
        """Yield what differs between two arguments of `readers`; `bodies` says of nested graphs by place whether they are each other."""
        stack: list[tuple[str, Argument, Argument]] = [(place[1], a, b)]
        while stack:
            where, left, right = stack.pop()
            here = (place[0], where)
            if where in bodies:
                if not bodies[where]:
                    yield self._rewired(here, left, right, "")
            elif type(left) is Ref and type(right) is Ref:
                agreement, source = self.match.refer(left.node, right.node)
                if agreement is not Agreement.SAME:
                    finding = self._rewired(here, left, right, source)
                    aspect = self._other_name(left.node, right.node, readers, lone=bool(source))
                    yield structs.replace(finding, aspect=aspect) if aspect else finding
            elif type(left) is not type(right):
                yield self._of_two_kinds(here, left, right)
            elif isinstance(left, Seq | Map | Slice):
                yield from self._containers(here, left, right, stack)
            elif not self.same_leaf(left, right):
                yield argument_finding(here, "changed", left, right, "device" if _devices(left, right) else "literal")

    def _other_name(self, a: str, b: str, readers: tuple[str, str], *, lone: bool) -> str:
        """Say in which way two references that are no pair are one value nevertheless, if they are."""
        merged = self.matching.merged(self.match)
        if (lone and merged.same(a, b)) or merged.exchanged(a, b):
            return "merged"
        if self.match is self.matching.root and self.matching.tied.same(a, b):
            return "tied"
        return "handed on" if self.handed.same(self.match, a, b, readers) else ""

    def _rewired(self, here: Place, a: Argument, b: Argument, source: str) -> Finding:
        """Report two references to different things; of equal names it is said what each is called on the other side."""
        finding = argument_finding(here, "changed", a, b, "rewired", source)
        if not isinstance(a, Ref) or not isinstance(b, Ref):
            return finding
        if self.matching.same_item(self.match, a.node, b.node):
            return structs.replace(finding, aspect="duplicate")
        if a.node != b.node:
            return finding
        ours = self._told_apart(a.node, self.matching.a, self.match.a, self.match.forward)
        theirs = self._told_apart(b.node, self.matching.b, self.match.b, self.match.backward)
        return structs.replace(finding, a=shorten(ours), b=shorten(theirs))

    def _told_apart(self, name: str, program: Program, graph: Graph, partners: Mapping[str, str]) -> str:
        """Write a name that means two things with what it stands for here, and its name on the other side."""
        there = f"there {partners[name]}" if name in partners else "not there"
        target = next((spec.target for spec in program.inputs if spec.argument == name), None)
        if target is not None and graph is program.graph:
            return f"{name} ({target}, {there})"
        inputs = ", ".join(graph[name].inputs) if name in graph else ""
        return f"{name} (of {inputs}, {there})" if inputs else f"{name} ({there})"

    def _containers(
        self, here: Place, a: Argument, b: Argument, stack: list[tuple[str, Argument, Argument]]
    ) -> Iterator[Finding]:
        """Compare two containers of one class: literals as a whole, anything else item by item (pushed on the stack)."""
        if isinstance(a, Seq) and isinstance(b, Seq):
            if a.kind != b.kind:
                yield argument_finding(here, "changed", a, b, "container")
            if len(a.items) != len(b.items):
                yield argument_finding(here, "changed", a, b, "length", self._gap(a, b))
            elif _flat(a) and _flat(b):
                if not all(self.same_leaf(x, y) for x, y in zip(a.items, b.items, strict=True)):
                    yield argument_finding(here, "changed", a, b, "literal")
            else:
                pairs = enumerate(zip(a.items, b.items, strict=True))
                stack.extend(reversed([(f"{here[1]}[{i}]", x, y) for i, (x, y) in pairs]))
        elif isinstance(a, Map) and isinstance(b, Map):
            ours = {argument_text(key): value for key, value in a.items}
            theirs = {argument_text(key): value for key, value in b.items}
            if ours.keys() != theirs.keys():
                yield argument_finding(here, "changed", a, b, "length", self._gap(a, b))
            else:
                if [*ours] != [*theirs]:
                    yield argument_finding(here, "changed", a, b, "item order")
                stack.extend(reversed([(f"{here[1]}[{key}]", ours[key], theirs[key]) for key in ours]))
        elif isinstance(a, Slice) and isinstance(b, Slice):
            parts = zip(("start", "stop", "step"), children(a), children(b), strict=True)
            stack.extend(reversed([(f"{here[1]}.{name}", x, y) for name, x, y in parts]))

    def _gap(self, a: Argument, b: Argument) -> str:
        """Name the node without a partner that alone makes two sequences of different length, if there is one."""
        ours, theirs = list(leaves(a)), list(leaves(b))
        lone = [x.node for x in ours if isinstance(x, Ref) and self.match.without_partner(x.node, side="a")]
        lone += [y.node for y in theirs if isinstance(y, Ref) and self.match.without_partner(y.node, side="b")]
        left = [x for x in ours if not (isinstance(x, Ref) and x.node in lone)]
        right = [y for y in theirs if not (isinstance(y, Ref) and y.node in lone)]
        if not lone or len(left) != len(right):
            return ""
        return lone[0] if all(self.same_leaf(x, y) for x, y in zip(left, right, strict=True)) else ""

    def same_leaf(self, a: Argument, b: Argument) -> bool:
        """Whether two leaves are the same: references by their match, symbolic sizes up to renaming."""
        if isinstance(a, Ref) and isinstance(b, Ref):
            return self.match.refer(a.node, b.node)[0] is Agreement.SAME
        if isinstance(a, Const) and isinstance(b, Const):
            if a.kind == b.kind == "sym":
                return self.matching.renaming.same(a.text, b.text)
            return a == b
        if isinstance(a, Opaque | Const | Ref) or isinstance(b, Opaque | Const | Ref):
            return a == b
        if isinstance(a, Seq | Map | Slice) or isinstance(b, Seq | Map | Slice):
            return type(a) is type(b) and not children(a) and not children(b)
        return same_literal(a, b)

    def _of_two_kinds(self, here: Place, a: Argument, b: Argument) -> Finding:
        """Compare arguments of two kinds: a symbolic size that became a number is told from any other change."""
        source = ""
        for value, side in ((a, "a"), (b, "b")):
            if isinstance(value, Ref) and self.match.without_partner(value.node, side=side):
                source = source or value.node
        if _symbolic(a, self.match.a) and type(b) is int:
            return argument_finding(here, "changed", a, b, "specialised", source)
        if type(a) is int and _symbolic(b, self.match.b):
            return argument_finding(here, "changed", a, b, "generalised", source)
        return argument_finding(
            here, "changed", a, b, "rewired" if isinstance(a, Ref) or isinstance(b, Ref) else "literal", source
        )


def _symbolic(argument: Argument, graph: Graph) -> bool:
    if isinstance(argument, Ref):
        return argument.node in graph and isinstance(graph[argument.node].value, SymValue)
    return isinstance(argument, Const) and argument.kind == "sym"


def _devices(a: Argument, b: Argument) -> bool:
    return isinstance(a, Const) and isinstance(b, Const) and a.kind == b.kind == "device"


def _flat(sequence: Seq) -> bool:
    return not any(isinstance(item, Ref | Seq | Map | Slice) for item in sequence.items)


def argument_finding(here: Place, kind: Kind, a: Argument, b: Argument, aspect: str, source: str = "") -> Finding:
    """Make a finding about two arguments; of long ones the place is told where they part."""
    texts = shorten_apart(argument_text(a), argument_text(b))
    return Finding(
        field=here[0],
        kind=kind,
        a=texts[0],
        b=texts[1],
        aspect=aspect,
        where=here[1],
        value_a=a,
        value_b=b,
        inherited_from=source,
    )
