"""Differences in words: one row as a phrase, and many like rows folded into one line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from graphlens.diff.rows import PROGRAM, Mismatch, family, rank, shorten

_TEXT_LIMIT: Final = 72
_TELLING: Final = ("val", "signature.inputs", "signature.outputs", "op", "verifier", "schema_version", "opset_version")
_LITERALS: Final = ("literal", "specialised", "generalised", "default", "keyword", "container")
_ITEM: Final = re.compile(r"\[.*\]$", re.DOTALL)


class Fold(Struct, frozen=True):
    """Rows that say the same of many nodes: one line of a text."""

    rows: tuple[Mismatch, ...]

    @property
    def example(self) -> Mismatch:
        """The first of the rows."""
        return self.rows[0]


def plural(count: int, word: str) -> str:
    """Write ``1 node`` or ``2 nodes``."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def place(row: Mismatch) -> str:
    """Say where a row is: the node, the nested graph, the module and the line."""
    around = [f"graph {row.graph}"] if row.graph not in ("", PROGRAM) else []
    around += [text for text in (row.module, row.source) if text]
    name = row.node_a if row.node_a == row.node_b or row.node_b is None else row.node_b
    if row.node_a is not None and row.node_b is not None and row.node_a != row.node_b:
        name = f"{row.node_a} → {row.node_b}"
    return (name or row.graph) + (f" ({', '.join(around)})" if around else "")


def phrase(row: Mismatch) -> str:
    """Say what one row says, without its severity: ``args[1] changed on add_3 (layers.0): 2 → 3``."""
    if row.node_a is None and row.node_b is None:
        subject = row.field if row.graph in ("", PROGRAM) else f"{row.field} of graph {row.graph}"
        return f"{subject} {verb(row)}{_sides(row)}"
    if row.field == "target" and row.kind in ("only_a", "only_b"):
        return f"{place(row)} is only in {row.kind[-1]}: {row.target}"
    if row.kind == "ambiguous":
        return f"which of [{_short(row.a)}] became which of [{_short(row.b)}] is not decided: {row.aspect}"
    if row.field in ("proof", "order") and row.kind == "changed":
        return f"{row.field} refused at {place(row)}: {_short(row.b)}"
    if row.field == "name":
        return f"{place(row)} was renamed"
    what = row.where or row.field if row.family in ("args", "kwargs") else row.field
    leaf = row.where if row.family.startswith("val") else ""
    return f"{what}{leaf} {verb(row)} on {place(row)}{_sides(row)}"


def verb(row: Mismatch) -> str:
    """Say the kind of a difference as a verb."""
    if row.aspect in ("rewired", "commuted", "specialised", "generalised") and row.kind == "changed":
        return row.aspect
    if row.aspect in ("container", "result container") and row.kind == "changed":
        return "changed container"
    return {"only_a": "is only in a", "only_b": "is only in b", "ambiguous": "is ambiguous"}.get(row.kind, row.kind)


def _sides(row: Mismatch) -> str:
    a, b = _short(row.a), _short(row.b)
    if row.kind == "lost" or (a and not b):
        return f": {a}" if a else ""
    if row.kind == "added" or (b and not a):
        return f": {b}" if b else ""
    return f": {a} → {b}" if a or b else ""


def _short(text: str) -> str:
    return shorten(text, _TEXT_LIMIT)


def fold(rows: Iterable[Mismatch]) -> list[Fold]:
    """Put rows that say the same of different nodes together, worst first, then by number and first appearance."""
    groups: dict[tuple[str, ...], list[Mismatch]] = {}
    for row in rows:
        groups.setdefault(_alike(row), []).append(row)
    folds = [Fold(tuple(group)) for group in groups.values()]
    return sorted(folds, key=lambda f: (rank(f.example.severity), f.example.cause == "inherited"))


def _alike(row: Mismatch) -> tuple[str, ...]:
    """What must agree for two rows to be told in one line."""
    key = (row.severity, row.cause, row.family, row.kind, row.aspect)
    if row.kind in ("only_a", "only_b", "lost", "added", "renamed", "moved"):
        return key
    if row.family in ("args", "kwargs"):
        sides = (row.a, row.b) if row.aspect in _LITERALS else ()
        return (*key, row.target, row.where, *sides)
    if row.family == "val.storage":
        return (*key, row.where)
    if row.family.startswith(_TELLING) or row.field == "target":
        return (*key, row.a, row.b)
    return key


def fold_text(folded: Fold) -> str:
    """Say what a fold says: ``stack_trace lost on 112 nodes in layers.0..27, for example linear_3 (…)``."""
    row, count = folded.example, len(folded.rows)
    if count == 1:
        return phrase(row)
    if row.node_a is None and row.node_b is None:
        names = [_ITEM.search(r.field) for r in folded.rows]
        items = [found[0][1:-1] for found in names if found]
        about = f" of {plural(count, 'item')} in {numbered(items)}" if items else f" {count:,} times"
        return f"{family(row.field)} {verb(row)}{about}, for example {phrase(row)}"
    nodes = len({(r.graph, r.node_a, r.node_b) for r in folded.rows})
    modules = numbered([r.module for r in folded.rows if r.module])
    inside = f" in {modules}" if modules else ""
    if row.field == "target" and row.kind in ("only_a", "only_b"):
        targets = Counter(r.target for r in folded.rows)
        most = ", ".join(f"{_short(t)} {n}" if n > 1 else _short(t) for t, n in targets.most_common(3))
        more = ", …" if len(targets) > 3 else ""
        return f"{plural(nodes, 'node')} only in {row.kind[-1]}{inside} ({most}{more}), for example {place(row)}"
    subject = f"{row.where or row.field} of {row.target}" if row.family in ("args", "kwargs") else row.field
    subject += row.where if row.family.startswith("val") else ""
    return f"{subject} {verb(row)} on {plural(nodes, 'node')}{inside}, for example {place(row)}{_sides(row)}"


def numbered(paths: Sequence[str]) -> str:
    """Write many dotted paths in short, runs of numbers as ranges: ``layers.0..27``, else the first three."""
    patterns: dict[tuple[str, ...], set[tuple[int, ...]]] = {}
    for path in dict.fromkeys(paths):
        parts = path.split(".")
        shape = tuple("#" if part.isdecimal() and len(part) < 10 else part for part in parts)
        numbers = tuple(int(part) for part in parts if part.isdecimal() and len(part) < 10)
        cut = shape.index("#") + 1 if "#" in shape else len(shape)
        patterns.setdefault(shape[:cut], set()).add(numbers[:1])
    texts = [
        ".".join((*shape[:-1], _ranges(found))) if shape[-1] == "#" else ".".join(shape)
        for shape, found in patterns.items()
    ]
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _ranges(found: set[tuple[int, ...]]) -> str:
    """Write numbers as ``0..27``, or ``0..3,7`` where there are gaps."""
    runs: list[list[int]] = []
    for (number,) in sorted(found):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [str(low) if low == high else f"{low}..{high}" for low, high in runs]
    return ",".join(texts[:6]) + (",…" if len(texts) > 6 else "")


def counts(rows: Iterable[Mismatch]) -> str:
    """Write how many rows there are of each severity: ``2 wrong_result, 112 debug_info``."""
    found = Counter(row.severity for row in rows)
    return ", ".join(
        f"{number:,} {severity}" for severity, number in sorted(found.items(), key=lambda item: rank(item[0]))
    )


def folded_lines(rows: Iterable[Mismatch], limit: int) -> Iterator[tuple[str, str]]:
    """Yield `(severity, text)` of at most `limit` folds, and one line that says how many more there are."""
    folds = fold(rows)
    for one in folds[:limit]:
        yield one.example.severity, fold_text(one)
    left = folds[limit:]
    if left:
        yield "", f"and {plural(sum(len(one.rows) for one in left), 'row')} more of {plural(len(left), 'kind')}"
