"""Many like rows folded into one line: ``stack_trace lost on 112 nodes in layers.0..27, for example …``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from graphlens.diff.layers_text import is_counter, numbered, numbered_shape, ranges
from graphlens.diff.modules import LoneModule, holder_of
from graphlens.diff.rows import Mismatch, family, rank
from graphlens.diff.wording import UNDECIDED, became, phrase, place, plural, short, sides_text, times, verb, why_unclear

_TELLING: Final = ("val", "signature.inputs", "signature.outputs", "op", "verifier", "schema_version", "opset_version")
_LITERALS: Final = ("literal", "device", "specialised", "generalised", "default", "container")
_ITEM: Final = re.compile(r"\[.*\]$", re.DOTALL)


class Fold(Struct, frozen=True):
    """Rows that say the same of many nodes, or all that says that some `modules` are on one side only: one line of a text."""

    rows: tuple[Mismatch, ...]
    modules: tuple[LoneModule, ...] = ()

    @property
    def example(self) -> Mismatch:
        """The first of the worst rows."""
        return min(self.rows, key=lambda row: rank(row.severity)) if self.modules else self.rows[0]


def fold(rows: Iterable[Mismatch], modules: Sequence[LoneModule] = ()) -> list[Fold]:
    """Put rows that say the same of different nodes together, worst first; modules that only one side has lead."""
    groups: dict[tuple[str, ...], list[Mismatch]] = {}
    gone: dict[tuple[str, ...], list[Mismatch]] = {}
    together: dict[tuple[str, ...], list[LoneModule]] = {}
    for module in modules:
        together.setdefault((module.side, *numbered_shape(module.module)), []).append(module)
    holder = holder_of(modules)
    for row in rows:
        home = holder(row)
        if home is None:
            groups.setdefault(_alike(row), []).append(row)
        else:
            gone.setdefault((home.side, *numbered_shape(home.module)), []).append(row)
    folds = [Fold(tuple(group), tuple(together[key])) for key, group in gone.items()]
    folds += [Fold(tuple(group)) for group in groups.values()]
    return sorted(folds, key=lambda f: (rank(f.example.severity), f.example.cause == "inherited"))


def _alike(row: Mismatch) -> tuple[str, ...]:
    """What must agree for two rows to be told in one line."""
    key = (row.severity, row.cause, row.family, row.kind, row.aspect)
    if row.family in ("args", "kwargs"):
        sides = (row.a, row.b) if row.aspect in _LITERALS else ()
        return (*key, row.target, row.where, *sides)
    if row.kind == "ambiguous":
        return (*key[:-1], row.aspect if row.aspect in UNDECIDED else "", "body" if row.inherited_from else "")
    if row.kind in ("only_a", "only_b", "lost", "added", "renamed", "moved"):
        return key
    if row.family == "val.storage":
        return (*key, row.where)
    if row.family.startswith(_TELLING) or row.field == "target":
        return (*key, row.a, row.b)
    return key


def fold_text(folded: Fold) -> str:
    """Say what a fold says: ``stack_trace lost on 112 nodes in layers.0..27, for example linear_3 (…)``."""
    row = folded.example
    if folded.modules:
        return f"{modules_text(folded.modules)}: {_most(folded.rows)}"
    if len(folded.rows) == 1:
        return phrase(row)
    if row.node_a is None and row.node_b is None:
        return _items_text(folded)
    nodes = len({(r.graph, r.node_a, r.node_b) for r in folded.rows})
    inside = _inside(folded.rows)
    if row.field == "target" and row.kind in ("only_a", "only_b"):
        return (
            f"{plural(nodes, 'node')} only in {row.kind[-1]}{inside} ({_most(folded.rows)}), for example {place(row)}"
        )
    if row.kind == "ambiguous":
        return _unclear_text(folded, inside)
    subject = f"{row.where or row.field} of {row.target}" if row.family in ("args", "kwargs") else row.field
    subject += row.where if row.family.startswith("val") else ""
    if row.field == "name":
        return f"{plural(nodes, 'node')} renamed{inside}, for example {place(row)}"
    if became(row):
        return f"{short(row.a)} became {short(row.b)} in {plural(nodes, 'place')}{inside}, for example {place(row)}"
    return f"{subject} {verb(row)} on {plural(nodes, 'node')}{inside}, for example {place(row)}{sides_text(row)}"


def _inside(rows: Sequence[Mismatch]) -> str:
    """Say in which modules rows are, else in which nested graphs."""
    modules = numbered([row.module for row in rows if row.module])
    if modules:
        return f" in {modules}"
    graphs = list(dict.fromkeys(row.graph for row in rows if row.graph))
    more = f" and {len(graphs) - 3} more" if len(graphs) > 3 else ""
    return f" in {', '.join(graphs[:3])}{more}" if graphs else ""


def _unclear_text(folded: Fold, inside: str) -> str:
    """Say how many nodes are ambiguous: ``which of 30 nodes of a became which of 25 of b is not decided, for example …``."""
    row = folded.example
    if row.inherited_from:
        nodes = f"{plural(len(folded.rows), 'node')}{inside} ({_most(folded.rows)})"
        return f"{nodes} belong to calls that are ambiguous, for example {place(row)}"
    ours = sum(_members(each.value_a) for each in folded.rows)
    theirs = sum(_members(each.value_b) for each in folded.rows)
    whole = f"which of {plural(ours, 'node')} of a became which of {theirs:,} of b{inside} is not decided"
    example = f"for example {row.node}: {why_unclear(row)}"
    return f"{whole}, in {len(folded.rows):,} classes, {example}"


def _members(value: object) -> int:
    return len(value) if isinstance(value, tuple) else int(value is not None)


def _items_text(folded: Fold) -> str:
    """Say what a fold of rows that belong to no node says: ``weights lost: 9 in layers.2, for example …``."""
    row, count = folded.example, len(folded.rows)
    named = [
        (found[0][1:-1], each) for each in folded.rows if (found := _ITEM.search(each.field)) and len(found[0]) > 2
    ]
    if not named:
        return f"{family(row.field)} {verb(row)} {count:,} times, for example {phrase(row)}"
    items = [item for item, _ in named]
    example = f"for example {short(items[0])}{sides_text(named[0][1])}"
    if all(map(is_counter, items)):
        return f"{family(row.field)}[{ranges({int(item) for item in items})}] {verb(row)}, {example}"
    return f"{family(row.field)} {verb(row)}: {count:,} in {numbered(items)}, {example}"


def _most(rows: Iterable[Mismatch]) -> str:
    """Write the most frequent targets: ``aten.mul.Tensor 9, aten.linear.default 7, aten.add.Tensor 6, …``."""
    targets = Counter(row.target for row in rows if row.node)
    most = ", ".join(times(short(target), count) for target, count in targets.most_common(3))
    return most + (", …" if len(targets) > 3 else "")


def modules_text(modules: Sequence[LoneModule]) -> str:
    """Say that modules of one shape are on one side only: ``modules layers.5..7 are only in a (171 nodes, 27 weights)``."""
    first = modules[0]
    shape = numbered_shape(first.module)
    at = shape.index("#") if "#" in shape else len(shape)
    numbers = {int(module.module.split(".")[at]) for module in modules if "#" in shape}
    name = ".".join((*shape[:at], ranges(numbers), *shape[at + 1 :])) if numbers else first.module
    many = len(modules) > 1
    size = plural(sum(module.nodes for module in modules), "node")
    weights = sum(module.weights for module in modules)
    state = f", {plural(weights, 'weight')}" if weights else ""
    return f"module{'s' * many} {name} {'are' if many else 'is'} only in {first.side} ({size}{state})"


def folded_lines(folds: Sequence[Fold], limit: int) -> Iterator[tuple[str, str]]:
    """Yield `(severity, text)` of at most `limit` folds, and one line that says how many more there are."""
    for one in folds[:limit]:
        yield one.example.severity, fold_text(one)
    left = folds[limit:]
    if left:
        yield "", f"and {plural(sum(len(one.rows) for one in left), 'row')} more of {plural(len(left), 'kind')}"
