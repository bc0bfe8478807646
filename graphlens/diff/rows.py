"""One difference as plain data, before (`Finding`) and after (`Mismatch`) it is placed and judged."""

from __future__ import annotations

from typing import Any, Final, TypeAlias
from typing import Literal as OneOf

from msgspec import Struct

Severity: TypeAlias = OneOf["wrong_result", "breaks_pass", "debug_info", "cosmetic"]
Kind: TypeAlias = OneOf["changed", "lost", "added", "renamed", "moved", "only_a", "only_b", "ambiguous"]

SEVERITIES: Final[tuple[Severity, ...]] = ("wrong_result", "breaks_pass", "debug_info", "cosmetic")
"""Worst first."""

LONGEST_NAME: Final = 160
"""Characters of a name that a line of text shows; names of nodes and modules may be of any length."""

PROGRAM: Final = "program"
"""What `Mismatch.graph` says of a difference that belongs to no node."""


class Finding(Struct, frozen=True, kw_only=True, gc=False):
    """One difference between two nodes (or two programs), not yet judged.

    `aspect` narrows `kind` for the severity table (``literal``, ``rewired``, ``container`` …), `where` is the place inside
    the field (``args[1][0]``, a leaf of a value), `inherited_from` names the node that this follows from.
    """

    field: str
    kind: Kind
    a: str = ""
    b: str = ""
    aspect: str = ""
    where: str = ""
    value_a: Any = None
    value_b: Any = None
    inherited_from: str = ""


class Mismatch(Struct, frozen=True, kw_only=True, gc=False):
    """One row of `Diff.mismatches`: the columns of the table, then what a table does not show.

    `a` and `b` are short texts, `value_a` and `value_b` what they stand for. `graph` is the path in `a`, or in `b` for
    what only `b` has; ``program`` for what belongs to no node. `inherited_from` names the node that an inherited
    difference follows from; `region` is the repeated module or nested graph it lies in.
    """

    graph: str
    node_a: str | None
    node_b: str | None
    target: str
    module: str
    source: str
    field: str
    kind: Kind
    severity: Severity
    cause: OneOf["root", "inherited"]
    a: str
    b: str
    graph_b: str | None = None
    aspect: str = ""
    where: str = ""
    inherited_from: str = ""
    value_a: Any = None
    value_b: Any = None

    @property
    def family(self) -> str:
        """The field without the item it is about: ``weights[layers.0.w]`` is of the family ``weights``."""
        return family(self.field)

    @property
    def node(self) -> str:
        """The node's name in `a`, else in `b`, else ``""``."""
        return self.node_a or self.node_b or ""


class NodeRow(Struct, frozen=True, kw_only=True, gc=False):
    """One row of `Diff.nodes`: a matched pair, a group, an ambiguous class or an unmatched node.

    `match` names the evidence: ``pinned signature same symmetric name provenance propagated replayed similar``, ``group``,
    ``ambiguous``, ``only_a`` or ``only_b``. ``replayed`` is what was found in an equal region and holds here too.
    """

    graph: str
    node_a: str
    node_b: str
    target_a: str
    target_b: str
    match: str
    confidence: float
    fields: tuple[str, ...]


class Pattern(Struct, frozen=True, kw_only=True):
    """One row of `Diff.patterns`: a distinct edit and the regions that it was made in."""

    pattern: str
    count: int
    regions: tuple[str, ...]
    changed: int
    only_a: int
    only_b: int
    rewired: int
    severity: Severity
    example_a: str
    example_b: str


MISMATCH_COLUMNS: Final = Mismatch.__struct_fields__[:12]
NODE_COLUMNS: Final = NodeRow.__struct_fields__
PATTERN_COLUMNS: Final = Pattern.__struct_fields__

_FAMILIES: Final = (
    "signature.inputs", "signature.outputs", "range_constraints", "weights", "constants", "aliasing",
    "module_call_graph", "meta",
)  # fmt: skip


def family(field: str) -> str:
    """Return the field without the item it is about; a metadata key is returned as it is."""
    head, bracket, _ = field.partition("[")
    return head if bracket and head in _FAMILIES else field


def rank(severity: str) -> int:
    """Return 0 for the worst severity, counting up."""
    return SEVERITIES.index(severity)


def shorten(text: str, limit: int = 120) -> str:
    """Cut a text to `limit` characters, keeping both ends."""
    if len(text) <= limit:
        return text
    keep = (limit - 1) // 2
    return f"{text[: limit - 1 - keep]}…{text[len(text) - keep :]}"


def shorten_apart(a: str, b: str, limit: int = 120) -> tuple[str, str]:
    """Cut two texts to `limit` characters each, so that where they first differ is seen in both."""
    if max(len(a), len(b)) <= limit:
        return a, b
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(0, same - limit // 4)
    before = "…" if start else ""
    return shorten(before + a[start:], limit), shorten(before + b[start:], limit)
