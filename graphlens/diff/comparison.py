"""Two programs in, a `Diff` out: align, check, compare field by field, judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphlens.diff.alignment import Alignment, bodies_of_ambiguous
from graphlens.diff.blame import blame
from graphlens.diff.cause import Causes
from graphlens.diff.diff import Diff
from graphlens.diff.fields import NodeComparer
from graphlens.diff.fields_lone import nodes_of_lone_graphs
from graphlens.diff.fields_program import compare_programs
from graphlens.diff.held_otherwise import as_they_are_used
from graphlens.diff.left_out import keep
from graphlens.diff.matching import Matching
from graphlens.diff.placed import Placed
from graphlens.diff.profile import pytorch_findings
from graphlens.diff.proof import Proof
from graphlens.diff.refusals import with_refusals
from graphlens.diff.retold import follow_modules
from graphlens.diff.rows import PROGRAM, Finding, Kind, Mismatch
from graphlens.diff.selectors import check_selectors
from graphlens.diff.settings import EXACT, Settings, StackTraces, make_settings
from graphlens.diff.severity import Judge, Selector, make_judge, selects
from graphlens.diff.weights import Equal, remembered, stored_equal
from graphlens.errors import DiffError
from graphlens.program.collector import without_collector
from graphlens.program.frames import source_text
from graphlens.program.graph import Node
from graphlens.program.program import ROOT, Program
from graphlens.progress import phases


def compare(
    a: Program,
    b: Program,
    *,
    profile: str = "all",
    pins: Iterable[tuple[str, str]] = (),
    severities: Mapping[Selector, Any] | None = None,
    ignore: Iterable[Selector] | str = (),
    stack_trace: StackTraces | Mapping[str, Any] | str = EXACT,
    weights: str = "digest",
) -> Diff:
    """Compare two programs: which node became which, what differs, how bad that is.

    Parameters
    ----------
    a, b
        The programs.
    profile
        ``"all"``: every field. ``"pytorch"``: the contract of ``_check_graph_nodes`` of PyTorch's own serialization test
        (test/export/test_serialize.py): there are rows exactly where that test fails.
    pins
        Pairs of node names (``"graph path:name"`` for nested graphs) that are each other; they come before all evidence.
    severities
        Entries before the built-in table (`graphlens.diff.severity.TABLE`): ``{"stack_trace": "breaks_pass"}``,
        ``{("val.stride", "changed"): "cosmetic"}``, ``{"val.*": "debug_info"}``.
    ignore
        Fields, patterns or pairs of field and kind that are left out of the rows; the verdict says how many were.
    stack_trace
        ``"exact"``, ``"no lines"``, ``"user"`` (frames of torch itself do not count) or `StackTraces`: how far lines may
        move, which path prefixes are the same.
    weights
        ``"digest"`` trusts sizes and CRC-32 of archives, and digests; ``"exact"`` compares the bytes; ``"ignore"``
        compares structure only, and the proof says so.

    Returns
    -------
    Diff

    Raises
    ------
    DiffError
        An option that does not exist, pins that contradict each other or name unknown nodes, or a program without a root
        graph or with two nodes of one name in a graph.
    """
    settings = make_settings(
        profile=profile, pins=pins, severities=severities, ignore=ignore, stack_trace=stack_trace, weights=weights
    )
    check_selectors((*settings.ignore, *settings.severities), (a, b))
    for side, program in (("a", a), ("b", b)):
        _check_program(side, program)
    return _compare(a, b, settings)


def _compare(a: Program, b: Program, settings: Settings) -> Diff:
    from graphlens.diff.align import align
    from graphlens.diff.settled import settle
    from graphlens.diff.verify import check

    nodes = sum(map(len, a.graphs.values()))
    steps = phases(("aligning", "checking", "comparing"), nodes)
    with without_collector(), steps as done, remembered(a, b) as equal:
        alignment = align(a, b, pins=settings.pins)
        done()
        alignment, checked = settle(
            a, b, alignment, lambda each: check(a, b, each, weights=settings.weights, equal=equal)
        )
        done()
        return _judge(Matching.of(a, b, alignment, checked), checked.proof, settings, equal)


def _check_program(side: str, program: Program) -> None:
    if ROOT not in program.graphs:
        raise DiffError(f"{side} has no root graph, only {list(program.graphs)[:5]}: there is nothing to compare")
    for path, graph in program.graphs.items():
        if len(graph.index) != len(graph.nodes):
            name = next(node.name for i, node in enumerate(graph.nodes) if graph.index[node.name] != i)
            raise DiffError(
                f"{side} has two nodes of the name {name!r} in graph {path!r}: nobody can tell which is meant"
            )


def judge_alignment(
    a: Program, b: Program, alignment: Alignment, proof: Proof, settings: Settings, equal: Equal = stored_equal
) -> Diff:
    """Turn an alignment and its proof into rows."""
    return _judge(Matching.of(a, b, alignment), proof, settings, equal)


def _judge(matching: Matching, proof: Proof, settings: Settings, equal: Equal) -> Diff:
    judge = make_judge(settings.severities)
    if settings.profile == "pytorch":
        placed = list(pytorch_findings(matching, settings.stack_trace))
    else:
        placed = _everything(matching, settings, equal)
        placed = with_refusals(matching, placed, proof)
    rows = tuple(map(_Rows(judge).of, placed))
    kept = keep(rows, lambda row: not _ignored(row, settings)) if settings.ignore else rows
    return Diff(
        a=matching.a,
        b=matching.b,
        alignment=matching.alignment,
        proof=proof,
        rows=kept,
        settings=settings,
        ignored=len(rows) - len(kept),
    )


def _ignored(row: Mismatch, settings: Settings) -> bool:
    return any(selects(selector, row.field, row.kind) for selector in settings.ignore)


def _everything(matching: Matching, settings: Settings, equal: Equal) -> list[Placed]:
    comparer = NodeComparer(matching, settings)
    placed = [item for match in matching.graphs for item in comparer.compare(match)]
    alignment = matching.alignment
    unclear_a, unclear_b = bodies_of_ambiguous(alignment)
    placed += nodes_of_lone_graphs(matching.a, alignment.only_a, "only_a", unclear_a)
    placed += nodes_of_lone_graphs(matching.b, alignment.only_b, "only_b", unclear_b)
    program_level = list(compare_programs(matching, comparer.module_names, settings.weights, equal))
    program_level = list(as_they_are_used(matching, program_level))
    placed = list(_inputs_follow_signature(placed, program_level))
    placed = list(_inputs_follow_weights(matching.a, placed, program_level))
    placed, program_level = follow_modules(placed, program_level, comparer.module_names)
    placed = list(Causes(matching, placed).resolve(placed))
    placed, program_level = blame(placed, program_level, {"only_a": matching.a.inputs, "only_b": matching.b.inputs})
    return placed + [Placed(PROGRAM, PROGRAM, None, None, finding) for finding in program_level]


def _inputs_follow_signature(placed: list[Placed], program_level: list[Finding]) -> Iterator[Placed]:
    """Mark placeholders without a partner as following from the signature's own row, so that one input is one root."""
    arguments: dict[tuple[Kind, str], str] = {}
    for finding in program_level:
        if finding.field.startswith("signature.inputs[") and finding.kind in ("lost", "added"):
            lost = finding.kind == "lost"
            spec = finding.value_a if lost else finding.value_b
            arguments["only_a" if lost else "only_b", spec.argument] = finding.field
    if not arguments:
        yield from placed
        return
    for item in placed:
        node = item.a or item.b
        key = (item.finding.kind, node.name if node is not None else "")
        at_root = item.graph == "" and node is not None and node.op == "placeholder"
        yield item.inherited(arguments[key]) if at_root and key in arguments else item


def _inputs_follow_weights(a: Program, placed: list[Placed], program_level: list[Finding]) -> Iterator[Placed]:
    """Mark what a placeholder holds as following from its weight, where the weight itself differs in that."""
    changed = {
        (f.field, f"val.{f.where}") for f in program_level if f.field.startswith("weights[") and f.kind == "changed"
    }
    if not changed:
        yield from placed
        return
    fields = {spec.argument: f"weights[{spec.target}]" for spec in a.inputs if spec.target is not None}
    for item in placed:
        weight = fields.get(item.a.name, "") if item.graph == "" and item.a is not None else ""
        yield item.inherited(weight) if (weight, item.finding.field) in changed else item


class _Rows:
    """Makes rows; what several rows of one node say of it is one object."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.places: dict[tuple[int, int], tuple[str, str]] = {}
        self.modules: dict[int, str] = {}

    def of(self, item: Placed) -> Mismatch:
        """Judge one finding in its place."""
        a, b, finding = item.a, item.b, item.finding
        node = a if a is not None else b
        key = id(a), id(b)
        known = self.places.get(key)
        if known is None:
            known = self.places[key] = self._place(a, b)
        module, source = known
        return Mismatch(
            graph=item.graph,
            node_a=a.name if a is not None else None,
            node_b=b.name if b is not None else None,
            target=node.target if node is not None else "",
            module=module,
            source=source,
            field=finding.field,
            kind=finding.kind,
            severity=self.judge(finding.field, finding.kind, finding.aspect),
            cause="inherited" if finding.inherited_from else "root",
            a=finding.a,
            b=finding.b,
            graph_b=item.graph_b,
            aspect=finding.aspect,
            where=finding.where,
            inherited_from=finding.inherited_from,
            value_a=finding.value_a,
            value_b=finding.value_b,
        )

    def _place(self, a: Node | None, b: Node | None) -> tuple[str, str]:
        """Return module and user's line of the first of both nodes that has them."""
        module, source = self._own(a)
        if not module or not source:
            module_b, source_b = self._own(b)
            return module or module_b, source or source_b
        return module, source

    def _own(self, node: Node | None) -> tuple[str, str]:
        if node is None:
            return "", ""
        stack = id(node.meta.get("nn_module_stack"))
        module = self.modules.get(stack)
        if module is None:
            module = self.modules[stack] = node.module
        return module, source_text(node.stack_trace)
