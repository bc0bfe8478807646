"""Everything that differs between two matched graphs: pairs field by field, groups, and nodes without a partner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from msgspec import structs

from graphlens.diff.alignment import Pair
from graphlens.diff.copied import may_differ
from graphlens.diff.dead import settle_dead
from graphlens.diff.derived import decomposed, derived, lost_in_group, of_one_module
from graphlens.diff.effects import ASSERT, PURE
from graphlens.diff.elements import ELEMENTS, in_other_words, same_elements
from graphlens.diff.fed import inputs_told
from graphlens.diff.fields_across import DIALECT, in_two_dialects, same_index, told_otherwise
from graphlens.diff.fields_args import ArgumentComparer, argument_finding
from graphlens.diff.fields_calls import CallComparer
from graphlens.diff.fields_lone import LoneNodes
from graphlens.diff.fields_meta import MetaComparer, compare_seq_nr
from graphlens.diff.fields_unclear import bundle_row, unclear_nodes
from graphlens.diff.handed import HandedOn
from graphlens.diff.inlined import inlined
from graphlens.diff.matching import GraphMatch, Matching
from graphlens.diff.numbered import Numbered
from graphlens.diff.order import order_findings, storage_findings
from graphlens.diff.placed import Placed, place
from graphlens.diff.retold import ModuleNames, told_again
from graphlens.diff.rows import Finding, Kind, shorten
from graphlens.diff.settings import Settings
from graphlens.diff.values import compare_values, plainly_same_values
from graphlens.program.argument import Const, Seq
from graphlens.program.graph import Graph, Node
from graphlens.program.value import SymValue


@dataclass(frozen=True)
class NodeComparer:
    """Compares all matched graphs of two programs."""

    matching: Matching
    settings: Settings

    @cached_property
    def meta(self) -> MetaComparer:
        """What compares metadata."""
        return MetaComparer(self.matching.renaming, self.settings.stack_trace)

    @cached_property
    def module_names(self) -> ModuleNames:
        """Which module became which."""
        return ModuleNames(self.matching)

    @cached_property
    def _lone(self) -> LoneNodes:
        return LoneNodes(self.matching, self._handed)

    @cached_property
    def _handed(self) -> HandedOn:
        return HandedOn(self.matching)

    def compare(self, match: GraphMatch) -> Iterator[Placed]:
        """Yield the differences of one pair of graphs, in the order of `a`, then what only `b` has."""
        between = () if self._copied(match) else _between_nodes(match, signed=inputs_told(self.matching, match))
        found = [settle_dead(self.matching, item) for item in (*self._pairs(match), *self._bundles(match))]
        found += [*self._lone.compare(match), *between]
        if found:
            ranks, last = match.a.index, len(match.a)
            found.sort(key=lambda item: last if item.a is None else ranks[item.a.name])
        yield from found
        yield from self._graph_meta(match)

    def _pairs(self, match: GraphMatch) -> Iterator[Placed]:
        calls = CallComparer(ArgumentComparer(self.matching, match, self._handed))
        numbered = Numbered(match)
        counted: list[tuple[Node, Node]] = []
        renaming, meta, called_alike = self.matching.renaming, self.meta, self._called_alike(match, calls)
        for pair, a, b in self._looked_at(match):
            if pair.a != pair.b:
                yield place(match, a, b, _texts("name", "renamed", a.name, b.name))
            alike = called_alike(a, b)
            if not (alike and plainly_same_values(a.value, b.value, renaming) and meta.plainly_same(a.meta, b.meta)):
                for found in self._recorded(a, b) if alike else self._pair(match, calls, a, b):
                    finding = told_again(found, self.module_names)
                    if finding.field == "target" and finding.kind == "changed" and derived(pair, a, [b]):
                        finding = structs.replace(finding, aspect="decomposed")
                    yield Placed(match.path_a, match.path_b, a, b, numbered.judge(finding))
            if "seq_nr" in a.meta or "seq_nr" in b.meta:
                counted.append((a, b))
        for a, b, finding in compare_seq_nr(counted):
            yield Placed(match.path_a, match.path_b, a, b, finding)

    def _copied(self, match: GraphMatch) -> bool:
        return match.copied and self.matching.renaming.identity

    def _looked_at(self, match: GraphMatch) -> Iterable[tuple[Pair, Node, Node]]:
        """Return the pairs that may differ in more than their names."""
        if self._copied(match):
            return may_differ(match)
        return ((pair, a, b) for pair, (a, b) in zip(match.alignment.pairs, match.pairs, strict=True))

    def _called_alike(self, match: GraphMatch, calls: CallComparer) -> Callable[[Node, Node], bool]:
        """Return what tells that two nodes pass the same to the same function: most do, and this is the fast way to see it."""
        closer = None if match.checked is None else match.checked.closer

        def alike(a: Node, b: Node) -> bool:
            if closer is not None:
                return a.name not in closer and a.op != "output"
            called = (a.op, a.target, a.code) == (b.op, b.target, b.code)
            return called and a.op != "output" and calls.plainly_same(a, b)

        return alike

    def _pair(self, match: GraphMatch, calls: CallComparer, a: Node, b: Node) -> Iterator[Finding]:
        if a.target != b.target and in_two_dialects(calls.arguments, a, b):
            yield from told_otherwise(calls, a, b)
            yield from self._recorded(a, b)
            return
        alike = False
        if a.op != b.op:
            yield _texts("op", "changed", a.op, b.op)
        if a.target != b.target and (a.op != b.op or a.op not in ("placeholder", "output") or _starred(a, b)):
            found = _texts("target", "renamed" if a.op == b.op == "get_attr" else "changed", a.target, b.target)
            alike = same_elements(a, b, self.matching.renaming, self.matching.schemas)
            alike = alike and not self._handed.either_read_by_place(match, a, b)
            size = a.op != b.op and isinstance(a.value, SymValue) and isinstance(b.value, SymValue)
            yield structs.replace(found, aspect=ELEMENTS if alike else "size" if size else "")
        elif a.code != b.code and a.code and b.code:
            yield _texts("target", "changed", _called(a), _called(b))
        if a.op == b.op == "output" and match.path_a == match.path_b == "":
            yield from _outputs(self.matching, calls, a, b)
        else:
            reworded = alike and in_other_words(a, b)
            told = ELEMENTS if reworded else "assertion" if self._asserts(match, a, b) else ""
            for finding in calls.compare(a, b):
                if told and finding.aspect in ("literal", "length", "device"):
                    yield structs.replace(finding, aspect=told)
                else:
                    yield _result_container(finding) if a.op == b.op == "output" else finding
        yield from self._recorded(a, b)

    def _recorded(self, a: Node, b: Node) -> Iterator[Finding]:
        for finding in compare_values(a.value, b.value, self.matching.renaming):
            tied = a.op == b.op == "placeholder" and finding.aspect == "symbolic"
            yield structs.replace(finding, aspect="tied otherwise") if tied else finding
        for finding in self.meta.compare(a.meta, b.meta):
            of_input = finding.field == "nn_module_stack" and a.op == b.op == "placeholder"
            yield structs.replace(finding, aspect="input") if of_input else finding

    def _asserts(self, match: GraphMatch, a: Node, b: Node) -> bool:
        """Whether two nodes do nothing but refuse what is not as they say."""
        sides = zip(self.matching.facts, (match.path_a, match.path_b), (a, b), strict=True)
        return a.target == b.target and all(
            path in facts and facts[path].does.get(node.name, PURE).effects == (ASSERT,) for facts, path, node in sides
        )

    def _bundles(self, match: GraphMatch) -> Iterator[Placed]:
        by_name_a, by_name_b = match.nodes
        for group in match.alignment.groups:
            ours, theirs = [by_name_a[n] for n in group.a], [by_name_b[n] for n in group.b]
            indexed = same_index(match, ours, theirs, self.matching.schemas)
            aspect = DIALECT if indexed else "decomposed" if decomposed(group, ours, theirs) else "rewritten"
            aspect = "module" if of_one_module(match, ours, theirs) else aspect
            if aspect == "rewritten" and inlined(self.matching, match, ours, theirs):
                aspect = "inlined"
            last_a, last_b = _last(match.a, ours), _last(match.b, theirs)
            yield place(match, last_a, last_b, bundle_row(group, ours, theirs, "changed", aspect))
            for finding in compare_values(last_a.value, last_b.value, self.matching.renaming):
                yield place(match, last_a, last_b, finding)
            for one, other in product(ours, theirs) if 1 in (len(ours), len(theirs)) else ():
                for finding in lost_in_group(self.meta, one, other, turned=len(ours) > 1):
                    yield place(match, one, other, finding)
        yield from unclear_nodes(match, self._lone)

    def _graph_meta(self, match: GraphMatch) -> Iterator[Placed]:
        for finding in self.meta.compare(match.a.meta, match.b.meta):
            yield place(match, None, None, structs.replace(finding, field=f"meta[{finding.field}]"))


def _between_nodes(match: GraphMatch, *, signed: bool) -> Iterator[Placed]:
    nodes_a, nodes_b = match.nodes
    for a, b, finding in (*order_findings(match, signed=signed), *storage_findings(match)):
        yield place(match, nodes_a[a], nodes_b[b], finding)


def _starred(a: Node, b: Node) -> bool:
    """Whether one of two placeholders takes all that is left (``*args``) and the other does not, or not in the same way."""
    stars = [node.target[: len(node.target) - len(node.target.lstrip("*"))] for node in (a, b)]
    return stars[0] != stars[1]


def _called(node: Node) -> str:
    return f"{node.target}: {node.code}"


def _last(graph: Graph, nodes: list[Node]) -> Node:
    return max(nodes, key=lambda node: graph.index[node.name])


def _texts(field: str, kind: Kind, a: str, b: str) -> Finding:
    return Finding(field=field, kind=kind, a=shorten(a), b=shorten(b), value_a=a, value_b=b)


def _result_container(finding: Finding) -> Finding:
    return structs.replace(finding, aspect="result container") if finding.aspect == "container" else finding


def _outputs(matching: Matching, calls: CallComparer, a: Node, b: Node) -> Iterator[Finding]:
    """Compare the results of two root graphs, each with the result that has the same role in the signature."""
    from graphlens.diff.fields_signature import output_pairs, wrapped

    alone = wrapped(matching, a, b)
    if alone is not None:
        yield argument_finding(("args", "args[0]"), "changed", a.args[0], b.args[0], "result container")
        yield from calls.arguments.differences(("args", "args[0]"), *alone)
        return
    pairs = output_pairs(matching.a.outputs, matching.b.outputs)
    ours, theirs = _results(a), _results(b)
    fits = ours is not None and theirs is not None
    if not fits or (len(ours.items), len(theirs.items)) != (len(matching.a.outputs), len(matching.b.outputs)):  # type: ignore[union-attr]
        for finding in calls.compare(a, b):
            yield finding if _bare(matching) else _result_container(finding)
        return
    assert ours is not None
    assert theirs is not None
    if ours.kind != theirs.kind:
        yield Finding(
            field="args", kind="changed", a=ours.kind, b=theirs.kind, aspect="result container", where="args[0]"
        )
    for i, j in pairs:
        if i is not None and j is not None:
            yield from calls.arguments.differences(("args", f"args[0][{i}]"), ours.items[i], theirs.items[j])


def _bare(matching: Matching) -> bool:
    """Whether callers get the container itself, which no pytree describes."""
    return all(
        program.origin.kind == "graph_module" and program.out_spec is None for program in (matching.a, matching.b)
    )


def _results(node: Node) -> Seq | None:
    first = node.args[0] if len(node.args) == 1 else Const("sym", "")
    return first if isinstance(first, Seq) else None
