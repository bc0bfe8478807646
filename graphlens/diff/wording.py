"""Differences in words: one row as a phrase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from graphlens.diff.rows import LONGEST_NAME, PROGRAM, Mismatch, rank, shorten, shorten_apart

_TEXT_LIMIT: Final = 72
_TOLD_BY_ASPECT: Final = {
    "layout": "laid out otherwise",
    "generated": "of generated code changed",
    "keyword": "given by keyword on one side,",
    "tied": "read by another name of the same tensor",
    "handed on": "read before or after a step that hands it on",
    "same elements": "changed, with the same elements,",
}
UNDECIDED: Final = {
    "uneven": "there are not as many of them",
    "refused": "no assignment that was tried makes them the same",
}
_STORED: Final = ("weights", "constants")


def plural(count: int, word: str) -> str:
    """Write ``1 node`` or ``2 nodes``."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def times(text: str, count: int) -> str:
    """Write ``aten.linear`` or ``aten.linear ×3``."""
    return f"{text} ×{count:,}" if count > 1 else text


def following(count: int, roots: int) -> str:
    """Say how many rows follow from the roots: ``1 more row follows from these``."""
    return f"{count:,} more {'row follows' if count == 1 else 'rows follow'} from {'it' if roots == 1 else 'these'}"


def place(row: Mismatch) -> str:
    """Say where a row is: the node, the nested graph, the module and the line."""
    around = [f"graph {_name(row.graph)}"] if row.graph not in ("", PROGRAM) else []
    around += [_name(text) for text in (row.module, row.source) if text]
    name = row.node_a if row.node_a == row.node_b or row.node_b is None else row.node_b
    if row.node_a is not None and row.node_b is not None and row.node_a != row.node_b:
        return f"{_name(row.node_a)} → {_name(row.node_b)}" + (f" ({', '.join(around)})" if around else "")
    return _name(name or row.graph) + (f" ({', '.join(around)})" if around else "")


def _name(text: str) -> str:
    return shorten(text, LONGEST_NAME)


def phrase(row: Mismatch) -> str:
    """Say what one row says, without its severity: ``args[1] changed on add_3 (layers.0): 2 → 3``."""
    if row.node_a is None and row.node_b is None:
        subject = _name(row.field) + (f" of graph {_name(row.graph)}" if row.graph not in ("", PROGRAM) else "")
        return f"{subject} {verb(row)}{sides_text(row)}"
    if row.field == "target" and row.kind in ("only_a", "only_b"):
        return f"{place(row)} is only in {row.kind[-1]}: {row.target}"
    if row.kind == "ambiguous" and None in (row.node_a, row.node_b) and row.inherited_from:
        return f"{place(row)} belongs to {row.inherited_from}, which is ambiguous: {row.target}"
    if row.kind == "ambiguous":
        return f"which of [{short(row.a)}] became which of [{short(row.b)}] is not decided: {why_unclear(row)}"
    if row.field in ("proof", "order") and row.kind == "changed":
        return f"{row.field} {'changed on' if row.field == 'order' else 'refused at'} {place(row)}: {short(row.b)}"
    if row.field == "name":
        return f"{place(row)} was renamed"
    if became(row):
        return f"{short(row.a)} became {short(row.b)} at {place(row)}"
    what = row.where or row.field if row.family in ("args", "kwargs") else row.field
    leaf = row.where if row.family.startswith("val") else ""
    return f"{what}{leaf} {verb(row)} on {place(row)}{sides_text(row)}"


def why_unclear(row: Mismatch) -> str:
    return UNDECIDED.get(row.aspect, row.aspect)


def became(row: Mismatch) -> bool:
    """Whether several nodes were put in the place of one, or of several."""
    return row.field == "target" and row.kind == "changed" and isinstance(row.value_a, tuple)


def verb(row: Mismatch) -> str:
    """Say the kind of a difference as a verb."""
    if row.aspect in ("rewired", "commuted", "specialised", "generalised") and row.kind == "changed":
        return row.aspect
    if row.aspect in ("container", "result container") and row.kind == "changed":
        return "changed container"
    if row.aspect == "exchanged" and row.family in _STORED:
        return row.aspect
    if row.aspect in _TOLD_BY_ASPECT:
        return _TOLD_BY_ASPECT[row.aspect]
    return {"only_a": "is only in a", "only_b": "is only in b", "ambiguous": "is ambiguous"}.get(row.kind, row.kind)


def sides_text(row: Mismatch) -> str:
    if row.aspect == "layout":
        return ""
    a, b = shorten_apart(row.a, row.b, _TEXT_LIMIT) if row.a and row.b else (short(row.a), short(row.b))
    if row.family in _STORED and row.aspect == "value":
        b = _digest_only(a, b)
    if row.aspect == "exchanged" and row.family in _STORED:
        return f" with {a}" if a == b else f": now {a}, and holds what {b} was"
    if row.kind == "lost" or (a and not b):
        return f": {a}" if a else ""
    if row.kind == "added" or (b and not a):
        return f": {b}" if b else ""
    return f": {a} → {b}" if a or b else ""


def _digest_only(a: str, b: str) -> str:
    """Drop what stands before the digest of `b` where `a` says the same: ``f32[4] parameter #1b2c → #93ff``."""
    before, sign, digest = b.rpartition("#")
    return sign + digest if sign and a.startswith(before + sign) else b


def short(text: str) -> str:
    return shorten(text, _TEXT_LIMIT)


def counts(rows: Iterable[Mismatch]) -> str:
    """Write how many rows there are of each severity: ``2 wrong_result, 112 debug_info``."""
    found = Counter(row.severity for row in rows)
    return ", ".join(
        f"{number:,} {severity}" for severity, number in sorted(found.items(), key=lambda item: rank(item[0]))
    )
