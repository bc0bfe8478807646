"""The arguments of two matched calls: bound by the schema, so that keywords and defaults are seen for what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import structs

from graphlens.diff.commute import commutes
from graphlens.diff.containers import takes_either
from graphlens.diff.fed import FED_ALIKE, OPERANDS, fed_alike
from graphlens.diff.fields_args import ArgumentComparer, Place, argument_finding
from graphlens.diff.identifiers import IDENTIFIERS, identifiers
from graphlens.diff.messages import are_messages, same_message
from graphlens.diff.opinfo import MISSING, OpInfo, find
from graphlens.diff.rows import Finding, shorten, shorten_apart
from graphlens.program.argument import Argument, Const, Ref, Seq, argument_text, refs, same_argument
from graphlens.program.graph import Graph, Node
from graphlens.program.value import Value


class CallComparer:
    """Compares the arguments of calls within one matched pair of graphs."""

    def __init__(self, arguments: ArgumentComparer) -> None:
        self.arguments = arguments

    def compare(self, a: Node, b: Node) -> Iterator[Finding]:
        """Yield what differs between the arguments of two matched nodes, with what a change of container means to them."""
        either = None
        for finding in self._arguments(a, b):
            elsewhere = a.subgraphs and finding.aspect in ("length", "rewired")
            if elsewhere and finding.where.startswith(OPERANDS.get(a.target, "\0")):
                alike = fed_alike(self.arguments.matching, self.arguments.match, a, b)
                yield structs.replace(finding, aspect=FED_ALIKE) if alike else finding
                continue
            if finding.aspect == "container":
                if either is None:
                    either = takes_either(a, self.arguments.matching.schemas)
                yield finding if either else structs.replace(finding, aspect="other container")
            else:
                yield finding

    def _arguments(self, a: Node, b: Node) -> Iterator[Finding]:
        """Yield what differs between the arguments of two matched nodes; schema defaults and keywords are seen through."""
        if self.plainly_same(a, b):
            return
        bodies = self._bodies(a, b)
        if self._commuted(a, b):
            x, y = a.args[:2], b.args[:2]
            yield argument_finding(("args", "args[:2]"), "changed", Seq("tuple", x), Seq("tuple", y), "commuted")
            start = 2
        else:
            start = 0
        common = min(len(a.args), len(b.args))
        for i in range(start, common):
            place = ("args", f"args[{i}]")
            for finding in self.arguments.differences(place, a.args[i], b.args[i], bodies, (a.name, b.name)):
                if i == IDENTIFIERS.get(a.target) and identifiers(a, b) is not None:
                    yield structs.replace(finding, aspect="identifier")
                elif finding.aspect == "literal" and a.target == b.target:
                    yield from self._literal(self._name(a, b, i), finding)
                else:
                    yield finding
        if len(a.args) == len(b.args) and not a.kwargs and not b.kwargs:
            return
        yield from self._beyond(a, b, common, bodies)

    def _literal(self, name: str, finding: Finding) -> Iterator[Finding]:
        """Judge another literal by the name of its parameter: some choose a kernel, some are only read by people."""
        a, b = finding.value_a, finding.value_b
        if finding.aspect == "literal" and name in _KERNEL_CHOICES:
            yield structs.replace(finding, aspect="kernel")
        elif finding.aspect == "literal" and are_messages(a, b, name):
            if not same_message(a, b, self._same_name):
                yield structs.replace(finding, aspect="message")
        else:
            yield finding

    def _same_name(self, x: str, y: str) -> bool:
        return y in (self.arguments.match.forward.get(x), self.arguments.matching.renaming.forward.get(x))

    def plainly_same(self, a: Node, b: Node) -> bool:
        """Whether two calls pass the same operands and simple literals: most do, and this is the fast way to see it."""
        if a.subgraphs or len(a.args) != len(b.args):
            return False
        forward = self.arguments.match.forward
        if a.kwargs or b.kwargs:
            if a.kwargs.keys() != b.kwargs.keys():
                return False
            if not all(_plain(value, b.kwargs[name], forward) for name, value in a.kwargs.items()):
                return False
        return all(_plain(x, y, forward) for x, y in zip(a.args, b.args, strict=True))

    def _beyond(self, a: Node, b: Node, common: int, bodies: Mapping[str, bool]) -> Iterator[Finding]:
        """Compare what one side passes by position and the other by keyword, or not at all."""
        ours = {self._name(a, b, i): (i, a.args[i]) for i in range(common, len(a.args))}
        theirs = {self._name(b, a, i): (i, b.args[i]) for i in range(common, len(b.args))}
        info_a, info_b = self._info(a), self._info(b)
        for name, (i, value) in ours.items():
            place = ("args", f"args[{i}]")
            yield from self._spelled(place, name, value, b.kwargs, info_b, bodies, mine=True)
        for name, (i, value) in theirs.items():
            place = ("args", f"args[{i}]")
            yield from self._spelled(place, name, value, a.kwargs, info_a, bodies, mine=False)
        for name in {**a.kwargs, **b.kwargs}:
            place = ("kwargs", f"kwargs[{name!r}]")
            if name in a.kwargs and name in b.kwargs:
                for finding in self.arguments.differences(place, a.kwargs[name], b.kwargs[name], bodies):
                    yield from self._literal(name, finding)
            elif name in a.kwargs and name not in theirs:
                yield self.one_sided(place, name, a.kwargs[name], info_b, mine=True)
            elif name in b.kwargs and name not in ours:
                yield self.one_sided(place, name, b.kwargs[name], info_a, mine=False)

    def _spelled(
        self,
        place: Place,
        name: str,
        value: Argument,
        keywords: Mapping[str, Argument],
        info: OpInfo | None,
        bodies: Mapping[str, bool],
        *,
        mine: bool,
    ) -> Iterator[Finding]:
        """Compare an argument given by position on one side with the keyword of the other."""
        if name not in keywords:
            yield self.one_sided(place, name, value, info, mine=mine)
            return
        one, two = (value, keywords[name]) if mine else (keywords[name], value)
        differing = list(self.arguments.differences(place, one, two, bodies))
        found = [kept for finding in differing for kept in self._literal(name, finding)]
        yield from found or [_respelled(place, name, one, two, mine=mine)]

    def one_sided(self, place: Place, name: str, value: Argument, info: OpInfo | None, *, mine: bool) -> Finding:
        """Make a finding about an argument that one side passes and the other does not."""
        index = info.index.get(name) if info else None
        default = info.parameters[index].default if info and index is not None else MISSING
        unwritten = default is not MISSING and same_argument(_as_list(value), _as_list(default))  # type: ignore[arg-type]
        source = next(
            (name for name in refs(value) if self.arguments.match.without_partner(name, side="a" if mine else "b")), ""
        )
        return Finding(
            field=place[0],
            kind="lost" if mine else "added",
            a=shorten(argument_text(value)) if mine else "",
            b="" if mine else shorten(argument_text(value)),
            aspect="default" if unwritten else "kernel" if name in _KERNEL_CHOICES else "length",
            where=place[1],
            value_a=value if mine else None,
            value_b=None if mine else value,
            inherited_from=source,
        )

    def _name(self, node: Node, other: Node, index: int) -> str:
        """Return the schema's name of a positional argument, else a name that no keyword has."""
        for names in (node.arg_names, other.arg_names if node.target == other.target else ()):
            if index < len(names):
                return names[index]
        info = find(node.target, self.arguments.matching.schemas)
        if info is not None and index < len(info.parameters):
            return info.parameters[index].name
        return f"\0{index}"

    def _info(self, node: Node) -> OpInfo | None:
        if node.op != "call_function":
            return None
        return find(node.target, self.arguments.matching.schemas)

    def _bodies(self, a: Node, b: Node) -> Mapping[str, bool]:
        """Say of each place that holds a nested graph on both sides whether the two were matched to each other."""
        if not a.subgraphs or not b.subgraphs:
            return {}
        theirs = {sub.where: sub for sub in b.subgraphs}
        return {
            sub.where: self.arguments.matching.same_body(
                self.arguments.match, (a, sub.role), (b, theirs[sub.where].role)
            )
            for sub in a.subgraphs
            if sub.where in theirs
        }

    def _commuted(self, a: Node, b: Node) -> bool:
        """Whether the first two operands agree only crosswise, and may."""
        if a.target != b.target or a.op != "call_function" or len(a.args) < 2 or len(b.args) < 2:
            return False
        x, y, u, v = a.args[0], a.args[1], b.args[0], b.args[1]
        if not all(type(operand) in (Ref, int) for operand in (x, y, u, v)):
            return False
        if (self.arguments.same_leaf(x, u) and self.arguments.same_leaf(y, v)) or not (
            self.arguments.same_leaf(x, v) and self.arguments.same_leaf(y, u)
        ):
            return False
        return commutes(a, _values(self.arguments.match.a)) and commutes(b, _values(self.arguments.match.b))


_EXACT = {int, bool, str, type(None)}


def _plain(a: Argument, b: Argument, forward: Mapping[str, str]) -> bool:
    """Whether two arguments are clearly the same; `False` only says that it takes a closer look."""
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is Ref:
        return forward.get(a.node) == b.node  # type: ignore[union-attr]
    if kind in _EXACT:
        return a == b
    if kind is float:
        return a == b != 0.0
    if kind is Const:
        return a == b and a.kind != "sym"  # type: ignore[union-attr]
    if kind is Seq:
        x, y = a.items, b.items  # type: ignore[union-attr]
        same = a.kind == b.kind and len(x) == len(y)  # type: ignore[union-attr]
        return same and all(type(i) is not Seq and _plain(i, j, forward) for i, j in zip(x, y, strict=True))
    return False


_KERNEL_CHOICES = {"cudnn_enable", "cudnn_enabled"}


def _respelled(place: Place, name: str, a: Argument, b: Argument, *, mine: bool) -> Finding:
    """Make a finding about an argument that went from position to keyword, or back."""
    ours, theirs = shorten_apart(argument_text(a), argument_text(b))
    return Finding(
        field=place[0],
        kind="changed",
        a=ours if mine else f"{name}={ours}",
        b=f"{name}={theirs}" if mine else theirs,
        aspect="keyword",
        where=place[1],
        value_a=a,
        value_b=b,
    )


def _values(graph: Graph) -> Callable[[str], Value | None]:
    return lambda name: graph[name].value if name in graph else None


def _as_list(argument: Argument) -> Argument:
    return Seq("list", argument.items) if isinstance(argument, Seq) else argument
