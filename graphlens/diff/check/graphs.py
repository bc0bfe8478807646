"""Check the proposed pairs of one pair of graphs: every node, every argument, every operand edge."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from graphlens.diff.check.across import check_across, in_two_dialects
from graphlens.diff.check.arguments import TUPLE_LIST, compare_arguments
from graphlens.diff.check.bench import Bench
from graphlens.diff.check.copies import NAMED, unsettled
from graphlens.diff.check.foreign import foreign
from graphlens.diff.check.merged import DUPLICATES
from graphlens.diff.commute import COMMUTATIVE, commutes
from graphlens.diff.containers import takes_either
from graphlens.diff.identifiers import IDENTIFIERS, identifiers
from graphlens.diff.opinfo import OpInfo, find, table_version
from graphlens.program.argument import NOT_ALL_READ, Argument, Const, Ref, Seq
from graphlens.program.graph import NO_HOOKS, Node

DEAD = "dead pure code"
SAME_CODE = "Python functions and modules of the same code and settings are the same"
SAME_NAME = "functions and modules of the same name are the same"
UNREAD = "functions, modules and objects that are alike as far as they could be read"
UNUSED_GETITEM = "unused getitem"
RENAMED_BODY = "renamed nested graphs"


def check_totality(bench: Bench) -> None:
    """Refuse live nodes without a partner; count the dead ones that were left out."""
    if len(bench.mate) == len(bench.a.graph.nodes) == len(bench.b.graph.nodes):
        return
    taken = frozenset(bench.mate.values())
    for side, facts, partners in (("a", bench.a, bench.mate.keys()), ("b", bench.b, taken)):
        for node in facts.graph.nodes:
            if node.name in partners or f"{side}:{node.name}" in bench.open:
                continue
            names = (node.name, "") if side == "a" else ("", node.name)
            if node.name in facts.picks and facts.pure(node.name):
                unused = node.name not in facts.live
                bench.findings.rules[UNUSED_GETITEM] += unused
            elif node.name not in facts.live and facts.pure(node.name):
                bench.findings.rules[DEAD] += 1
            elif bench.merged.duplicate(node.name, side=side):
                bench.findings.rules[DUPLICATES] += 1
            elif node.op == "placeholder" and (rule := bench.tied.spare(node.name, side=side)):
                bench.findings.rules[rule] += 1
            else:
                bench.findings.refuse(bench.path, *names, "pairs", f"only in {side}: {node.target}")


def check_pairs(bench: Bench) -> None:
    """Check every pair: target, arguments, edges, value. A dead pair that disagrees is dropped as dead code."""
    findings = bench.findings
    nodes_a, nodes_b = bench.a.nodes, bench.b.nodes
    dead_a, dead_b = nodes_a.keys() - bench.a.live, nodes_b.keys() - bench.b.live
    findings.nodes += len(bench.mate)
    settled = bench.values.settled
    for x, y in unsettled(bench):
        a, b = nodes_a[x], nodes_b[y]
        if (x in dead_a) is (y in dead_b):
            plain = _named_alike(a, b) and _alike(bench, a, b)
            if plain and settled(a.value, b.value):
                continue
            why = _recorded(bench, a, b) if plain else _pair(bench, a, b)
            if why is None:
                continue
            if x not in dead_a or not (bench.a.pure(x) and bench.b.pure(y)):
                findings.refuse(bench.path, x, y, *why)
            else:
                findings.rules[DEAD] += 2
        elif x in bench.a.picks and y in bench.b.picks:
            findings.rules[UNUSED_GETITEM] += 1  # whoever uses the one looks at what it picks
        elif bench.superseded(x, y):
            findings.rules[DUPLICATES] += 1  # whoever uses the one reads another in its place, and is checked
        else:
            findings.refuse(bench.path, x, y, "pairs", f"nothing uses it in {'a' if x in dead_a else 'b'}")
        bench.closer.add(x)


def _pair(bench: Bench, a: Node, b: Node) -> tuple[str, str] | None:
    if (a.target, a.code) != (b.target, b.code):
        bench.closer.add(a.name)
    if a.target != b.target and in_two_dialects(bench, a, b):
        message = bench.values.mismatch(a.value, b.value)
        return check_across(bench, a, b) or (("value", message) if message else None)
    if a.op != b.op:
        return "target", f"op {a.op} and {b.op}"
    if a.target != b.target and (a.op not in ("placeholder", "get_attr") or _stars(a) != _stars(b)):
        return "target", f"target {a.target} and {b.target}"
    calls = a.op == "call_function"
    if calls or a.op == "call_module":
        why = _code(bench, a, b)
        if why is not None:
            return why
    if not _alike(bench, a, b):
        bench.closer.add(a.name)
        why = _arguments(bench, a, b)
        if why is not None:
            return why
    return _recorded(bench, a, b)


def _recorded(bench: Bench, a: Node, b: Node) -> tuple[str, str] | None:
    message = bench.values.mismatch(a.value, b.value, made=a.op == "call_function")
    return ("value", message) if message else None


def _named_alike(a: Node, b: Node) -> bool:
    """Whether two nodes are of one name that says all there is to know of what they call."""
    if a.target != b.target or a.op != b.op or a.code or b.code:
        return False
    return not foreign(a) if a.op == "call_function" else a.op != "call_module"


def _stars(node: Node) -> int:
    """Count the stars of ``*args`` and ``**kwargs``."""
    return len(node.target) - len(node.target.lstrip("*")) if node.op == "placeholder" else 0


def _code(bench: Bench, a: Node, b: Node) -> tuple[str, str] | None:
    """Compare what is called beyond its name; what only Python's own text could tell is assumed."""
    if a.code != b.code and a.code and b.code:
        return "target", f"{a.target}: {a.code} and {b.code}"
    if NOT_ALL_READ in a.code and NOT_ALL_READ in b.code:
        bench.findings.unknown[UNREAD] += 1
    elif (a.code or b.code) and not a.code == b.code == NO_HOOKS:
        bench.findings.assumptions[SAME_CODE if a.code == b.code else SAME_NAME] += 1
    elif not a.subgraphs and (a.op == "call_module" or (foreign(a) and a.target not in bench.schemas)):
        bench.findings.assumptions[SAME_NAME] += 1
    return None


_PLAIN = frozenset({int, str, bool, type(None)})


def _alike(bench: Bench, a: Node, b: Node) -> bool:
    """Decide the common case in one look: the same plain arguments in the same places, operands paired one by one."""
    if a.subgraphs or b.subgraphs:
        return False
    waiting: list[tuple[tuple[Argument, ...], tuple[Argument, ...]]] = [(a.args, b.args)]
    if a.kwargs or b.kwargs:
        if [*a.kwargs] != [*b.kwargs]:
            return False
        waiting.append((tuple(a.kwargs.values()), tuple(b.kwargs.values())))
    mate = bench.mate
    edges = 0
    for ours, theirs in waiting:
        if len(ours) != len(theirs):
            return False
        for x, y in zip(ours, theirs):  # noqa: B905 - as many
            kind = type(x)
            if kind is not type(y):
                return False
            if kind is Ref:
                if mate.get(x.node) != y.node:  # type: ignore[union-attr]
                    return False
                edges += 1
            elif kind in _PLAIN:
                if x != y:
                    return False
            elif kind is Seq:
                if x.kind != y.kind:  # type: ignore[union-attr]
                    return False
                waiting.append((x.items, y.items))  # type: ignore[union-attr,arg-type]
            elif kind is float:
                if x != y or not x:  # which zero it is takes a closer look
                    return False
            elif kind is not Const or x != y or x.kind not in NAMED:  # type: ignore[union-attr]
                return False
    bench.findings.edges += edges
    return True


def _arguments(bench: Bench, a: Node, b: Node) -> tuple[str, str] | None:
    info = _schema(a, bench.schemas)
    named = identifiers(a, b)
    if named is not None and bench.findings.renames(*named) and named[0] != named[1]:
        place = IDENTIFIERS[a.target]
        b = structs.replace(b, args=(*b.args[:place], named[0], *b.args[place + 1 :]))
        bench.findings.rules[RENAMED_BODY] += 1
    swap = a.target in COMMUTATIVE and _exchanged(bench, a, b)
    result = compare_arguments(a, b, bench.same_edge, bench.renaming, info, swap=swap, same_name=bench.same_name)
    findings = bench.findings
    findings.edges += result.edges
    if result.check:
        return result.check, result.message
    if TUPLE_LIST in result.rules and not takes_either(a, bench.schemas):
        return "arguments", "a tuple for a list, which this call tells apart"
    findings.rules.update({rule: count for rule, count in result.rules.items() if count})
    if "defaults filled" in result.rules and info is not None and info.builtin:
        findings.assumptions[f"schema defaults are those of torch {table_version()}"] = 1
    if result.unread:
        findings.unknown[UNREAD] += result.unread
    if result.opaque:
        findings.assumptions["opaque arguments with the same type and text are the same"] += result.opaque
    return None


def _schema(node: Node, schemas: Mapping[str, str]) -> OpInfo | None:
    return find(node.target, schemas) if node.op == "call_function" else None


def _exchanged(bench: Bench, a: Node, b: Node) -> bool:
    """Whether the first two operands agree only when they change places, and may."""
    if len(a.args) < 2 or len(b.args) < 2:
        return False
    (p, q), (r, s) = a.args[:2], b.args[:2]
    if (_same(bench, p, r) and _same(bench, q, s)) or not (_same(bench, p, s) and _same(bench, q, r)):
        return False
    return commutes(a, bench.a.value_of) and commutes(b, bench.b.value_of)


def _same(bench: Bench, x: Argument, y: Argument) -> bool:
    if isinstance(x, Ref) and isinstance(y, Ref):
        return bench.mate.get(x.node) == y.node
    return type(x) is int and type(y) is int and x == y
