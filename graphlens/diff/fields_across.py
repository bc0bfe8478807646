"""What differs between two calls of one function in two dialects, beside the dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphlens.diff.dialect import on_one_side, same_function, side_by_side, spell
from graphlens.diff.dialect.indexing import Step, ValueOf, step_of, steps_of
from graphlens.diff.dialect.spelling import GETITEM
from graphlens.diff.fields_args import ArgumentComparer, argument_finding
from graphlens.diff.fields_calls import CallComparer
from graphlens.diff.matching import GraphMatch
from graphlens.diff.rows import Finding, shorten
from graphlens.program.argument import Ref, Seq, same_argument
from graphlens.program.graph import Graph, Node
from graphlens.program.value import TensorValue

DIALECT = "dialect"


def in_two_dialects(arguments: ArgumentComparer, a: Node, b: Node) -> bool:
    """Whether two calls of different targets are one function in two dialects."""
    match = arguments.match
    return same_function(a, b, (_values(match.a), _values(match.b)), arguments.matching.schemas)


def told_otherwise(calls: CallComparer, a: Node, b: Node) -> Iterator[Finding]:
    """Yield one row for the dialect, and one for everything that is passed differently besides."""
    yield _changed("target", a.target, b.target)
    if a.op != b.op:
        yield _changed("op", a.op, b.op, source=a.name)
    match, schemas = calls.arguments.match, calls.arguments.matching.schemas
    ours, theirs = spell(a, schemas, _values(match.a)), spell(b, schemas, _values(match.b))
    if ours is None or theirs is None:
        yield from _operands(calls.arguments, a, b)
        return
    for name, x, y in side_by_side(ours, theirs):
        yield from calls.arguments.differences(("args", name), x, y, readers=(a.name, b.name))
    for mine, one, other in ((True, ours, theirs), (False, theirs, ours)):
        for name, value in on_one_side(one, other):
            yield calls.one_sided(("args", name), name, value, other.info, mine=mine)


def same_index(match: GraphMatch, ours: list[Node], theirs: list[Node], schemas: Mapping[str, str]) -> bool:
    """Whether one side indexes a tensor at once (``x[None, :, 0]``) and the other does the same step by step."""
    if len(ours) > 1 and len(theirs) > 1 and _same_source(match, ours, theirs, schemas):
        ours, theirs = ours[1:], theirs[1:]
    for one, several, graphs in ((ours, theirs, (match.a, match.b)), (theirs, ours, (match.b, match.a))):
        if len(one) == 1 and one[0].target == GETITEM and len(one[0].args) == 2:
            base = graphs[0][one[0].inputs[0]].value if one[0].inputs else None
            if not isinstance(base, TensorValue):
                return False
            wanted = steps_of(one[0].args[1], len(base.shape), _values(graphs[0]))
            return wanted is not None and wanted == _steps(several, graphs[1], schemas)
    return False


def _same_source(match: GraphMatch, ours: list[Node], theirs: list[Node], schemas: Mapping[str, str]) -> bool:
    """Whether what is indexed stands first on both sides, made of the same numbers and of nothing else."""
    a, b, values = ours[0], theirs[0], (_values(match.a), _values(match.b))
    chained = ours[1].inputs == (a.name,) and theirs[1].inputs == (b.name,)
    left, right = spell(a, schemas, values[0]), spell(b, schemas, values[1])
    if not chained or a.inputs or b.inputs or left is None or right is None or left.function != right.function:
        return False
    alone = (*on_one_side(left, right), *on_one_side(right, left))
    return not alone and all(same_argument(x, y) for _, x, y in side_by_side(left, right))


def _steps(chain: list[Node], graph: Graph, schemas: Mapping[str, str]) -> list[Step] | None:
    """Read a chain of operators as the steps of an index; `None` where one is none, or they are no chain."""
    found: list[Step] = []
    for before, node in zip([None, *chain], chain, strict=False):
        spelling = spell(node, schemas, _values(graph))
        base = graph[node.inputs[0]].value if node.inputs else None
        if spelling is None or not isinstance(base, TensorValue) or (before and node.inputs[0] != before.name):
            return None
        step = step_of(spelling.function, spelling.given, len(base.shape))
        if step is None:
            return None
        found += [step] if step[0] else []
    return found


def _operands(arguments: ArgumentComparer, a: Node, b: Node) -> Iterator[Finding]:
    """Compare the operands of calls whose other arguments cannot be read side by side."""
    if sorted(arguments.match.forward.get(name, "") for name in a.inputs) != sorted(b.inputs):
        x, y = (Seq("tuple", tuple(map(Ref, node.inputs))) for node in (a, b))
        yield argument_finding(("args", "args"), "changed", x, y, "rewired")


def _changed(field: str, a: str, b: str, *, source: str = "") -> Finding:
    return Finding(
        field=field,
        kind="changed",
        a=shorten(a),
        b=shorten(b),
        aspect=DIALECT,
        value_a=a,
        value_b=b,
        inherited_from=source,
    )


def _values(graph: Graph) -> ValueOf:
    return lambda name: graph[name].value if name in graph else None
