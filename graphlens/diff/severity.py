"""How bad a difference is: one table, with the reason of each entry and the upstream issue where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, TypeAlias

from msgspec import Struct

from graphlens.diff.rows import SEVERITIES, Severity, family
from graphlens.errors import DiffError


class Rule(Struct, frozen=True):
    """A severity, why, and where PyTorch's users met it."""

    severity: Severity
    why: str
    issue: str = ""


def _wrong(why: str, issue: str = "") -> Rule:
    return Rule("wrong_result", why, issue)


def _breaks(why: str, issue: str = "") -> Rule:
    return Rule("breaks_pass", why, issue)


def _debug(why: str, issue: str = "") -> Rule:
    return Rule("debug_info", why, issue)


def _cosmetic(why: str, issue: str = "") -> Rule:
    return Rule("cosmetic", why, issue)


ANY: Final = "*"

TABLE: Final[Mapping[tuple[str, str, str], Rule]] = {
    # (field or family, kind, aspect)
    ("name", ANY, ANY): _cosmetic("names are not part of what is computed", "pytorch#171954"),
    ("op", ANY, ANY): _breaks("passes dispatch on node.op"),
    ("target", ANY, ANY): _wrong("another function is called"),
    ("target", "only_a", ANY): _wrong("b does not compute this, or computes it in a way that was not recognised"),
    ("target", "only_b", ANY): _wrong("a does not compute this, or computes it in a way that was not recognised"),
    ("target", "changed", "decomposed"): _breaks("a pass made it from the other (from_node), as decompositions do; that it is equal is not proved here"),
    ("target", "changed", "module"): _breaks("a module called as a whole on one side, and on the other what is called in the module of that name and class; that both compute the same is not proved here"),
    ("target", "changed", "inlined"): _breaks("the same calls on the same operands, in a nested graph on one side: a pass that does not enter it misses them, and gradients are recorded otherwise"),
    ("target", "changed", "dialect"): _breaks("the same function in another dialect (Python's function or method, an operator): passes dispatch on the target; that both compute the same is not proved here"),
    ("target", "renamed", ANY): _cosmetic("another attribute name for the same thing"),
    ("target", "changed", "same elements"): _breaks("a view on one side and perhaps a copy on the other, of the same elements"),
    ("target", "changed", "rewritten"): _wrong("other functions are called in its place"),
    (ANY, ANY, "dead"): _cosmetic("pure and unused: dead code elimination removes it"),
    ("target", ANY, "duplicate"): _cosmetic("computed once more, of the same operands: the same value"),
    ("target", ANY, "attribute"): _cosmetic("an attribute access; whoever uses it has a row of its own"),
    ("target", ANY, "preserving"): _breaks("hands its input on unchanged; a pass that matches neighbours sees another graph"),
    ("target", ANY, "size"): _breaks("reads a size that the other side has as a number, so that other inputs are accepted"),
    ("target", ANY, "assertion"): _breaks("inputs outside the contract are refused on one side only"),
    ("target", ANY, "state"): _breaks("the state that the program asks for is another"),
    ("target", ANY, "input"): _breaks("callers pass other inputs"),
    ("target", "ambiguous", "uneven"): _wrong("one side has more of them: whichever they are, some have no counterpart"),
    ("target", "ambiguous", "refused"): _wrong("the checker accepts no assignment that was tried: something among them differs"),
    ("target", "ambiguous", ANY): _breaks("evidence does not say which became which, so a difference may hide here"),
    ("args", ANY, ANY): _wrong("the function is called on something else"),
    ("args", ANY, "fed alike"): _breaks("the branches get the same values in other places, and what only one side hands them no branch reads; passes that count operands find others"),
    ("args", ANY, "same elements"): _breaks("the two operators are told otherwise what to do, and give the same elements"),
    ("args", ANY, "container"): _breaks(
        "a list is neither hashable nor a tuple: passes and higher-order ops that check or hash operands fail", "pytorch#145785"
    ),
    ("args", ANY, "other container"): _wrong("indexing and functions that are no operators tell a tuple from a list"),
    ("args", ANY, "item order"): _breaks("the same dict in another order: whatever goes through it meets its items in another order"),
    ("args", ANY, "result container"): _cosmetic("the container of a graph's results; its leaves are unchanged"),
    ("args", ANY, "default"): _cosmetic("the schema's default, written out on one side"),
    ("args", ANY, "keyword"): _cosmetic("the same argument, by position and by keyword", "pytorch#144686"),
    ("args", ANY, "kernel"): _breaks("chooses among kernels for the same function; they may round differently"),
    ("args", ANY, "identifier"): _cosmetic("what the tracer calls the nested graph; the graphs themselves are compared"),
    ("args", ANY, "merged"): _cosmetic("the same value, computed once more on one side"),
    ("args", ANY, "tied"): _breaks("the same tensor by another of its names; whoever breaks the tie updates one of them only"),
    ("args", ANY, "handed on"): _breaks("the same value, before or after a step that hands it on"),
    ("args", ANY, "assertion"): _breaks("what is refused on one side is accepted on the other"),
    ("args", ANY, "message"): _debug("the text that people read when an assertion fails"),
    ("args", ANY, "duplicate"): _cosmetic("the same item of the same container, picked twice on one side"),
    ("args", ANY, "device"): _breaks("the same function on another device; kernels are chosen by it"),
    ("args", ANY, "commuted"): _cosmetic("the operator is commutative and its two operands changed places"),
    ("val", ANY, ANY): _breaks("passes and lowerings read what the node makes"),
    ("val", "changed", ANY): _wrong("the node makes another number"),
    ("val", "changed", "specialised"): _breaks("a size that was free is fixed, other inputs are refused or wrong"),
    ("val", "changed", "generalised"): _breaks("a size that was fixed is free"),
    ("val", "added", "item"): _breaks("the node makes one more result"),
    ("val", "added", ANY): _debug("one side does not record what the node makes"),
    ("val.shape", ANY, ANY): _wrong("other elements are computed"),
    ("val.shape", "changed", "specialised"): _breaks("a size that was free is fixed, other inputs are refused or wrong"),
    ("val.shape", "changed", "generalised"): _breaks("a size that was fixed is free"),
    ("val.shape", "changed", "tied otherwise"): _breaks("the free sizes of inputs depend on each other in another way, so that other inputs are accepted"),
    ("val.dtype", ANY, ANY): _wrong("the numbers are rounded differently"),
    ("val.stride", ANY, ANY): _breaks("kernels are chosen and views are judged by strides"),
    ("val.storage_offset", ANY, ANY): _breaks("as_strided and alias analysis read it; loading a .pt2 resets it to 0"),
    ("val.storage", ANY, ANY): _breaks("alias analysis by storage gives another answer"),
    ("val.device", ANY, ANY): _breaks("kernels are chosen by device"),
    ("val.layout", ANY, ANY): _breaks("kernels are chosen by layout"),
    ("val.requires_grad", ANY, ANY): _breaks("autograd records another graph"),
    ("val.conj", ANY, ANY): _wrong("elements are read without their conjugation: another value, silently"),
    ("val.neg", ANY, ANY): _wrong("elements are read without their sign: another value, silently"),
    ("val.type", ANY, ANY): _wrong("the node makes another kind of thing"),
    ("val.type", ANY, "container"): _cosmetic("a list that became a tuple or back, with the same leaves"),
    ("val.type", ANY, "tensor class"): _breaks("passes tell parameters and subclasses apart by type"),
    ("stack_trace", ANY, ANY): _debug("errors and profiles point at no line", "pytorch#105017"),
    ("stack_trace", "changed", ANY): _debug("errors and profiles point at another line"),
    ("stack_trace", ANY, "generated"): _cosmetic("code that FX generated from the graph and that stands in no file"),
    ("stack_trace", ANY, "layout"): _cosmetic("the same frames, written with other blanks"),
    ("nn_module_stack", ANY, ANY): _breaks("unflatten, quantizers and partitioners find modules by it", "pytorch#126063"),
    ("nn_module_stack", "added", ANY): _debug("more is known of where the node came from"),
    ("nn_module_stack", ANY, "key"): _cosmetic("the same modules under other keys"),
    ("nn_module_stack", ANY, "module"): _breaks("the module has another name; passes that are told names do not find it"),
    ("source_fn_stack", ANY, ANY): _breaks("source partitions are found by it", "pytorch#139470"),
    ("source_fn_stack", "added", ANY): _debug("more is known of where the node came from"),
    ("source_fn_stack", ANY, "numbered"): _cosmetic("the same sources, counted anew"),
    ("torch_fn", ANY, "numbered"): _cosmetic("the same functions, counted anew"),
    ("torch_fn", ANY, ANY): _breaks("quantizers match patterns by it", "pytorch/ao#3914"),
    ("torch_fn", "added", ANY): _debug("more is known of where the node came from"),
    ("from_node", ANY, ANY): _debug("provenance for people and tools that follow a node through passes", "pytorch#171726"),
    ("from_node", ANY, "numbered"): _cosmetic("the same provenance, names counted anew"),
    ("custom", ANY, ANY): _breaks("user annotations that passes act on", "pytorch#134778"),
    ("custom", "added", ANY): _debug("annotations that the user did not make", "pytorch#147338"),
    ("quantization_tag", ANY, ANY): _breaks("quantization annotations that passes act on", "executorch#18834"),
    ("quantization_annotation", ANY, ANY): _breaks("quantization annotations that passes act on", "executorch#18834"),
    ("partitioner_tag", ANY, ANY): _breaks("the node goes to another partition"),
    ("recompute", ANY, ANY): _breaks("activation checkpointing acts on it"),
    ("unbacked_bindings", ANY, ANY): _breaks("who defines an unbacked symbol is read from it", "pytorch#136897"),
    ("order", ANY, ANY): _cosmetic("independent nodes in another order"),
    ("order", ANY, "input"): _wrong("inputs are passed by place, and this one has another"),
    ("order", ANY, "place"): _breaks("Dynamo gathers inputs in the order in which it met them, and feeds them itself; passes that count inputs find another one"),
    ("_dynamo_source", ANY, ANY): _cosmetic("where Dynamo found an input, which names it"),
    ("nn_module_stack", ANY, "input"): _debug("of an input it says only who used it first"),
    ("order", "changed", ANY): _wrong("writes, random draws, collectives or their readers in another order"),
    ("signature.inputs", ANY, ANY): _breaks("callers and state dicts meet another signature"),
    ("signature.inputs", ANY, "read"): _wrong("what both sides compute reads an input that only one side has"),
    ("signature.inputs", ANY, "kind"): _wrong("the placeholder is fed from something else"),
    ("signature.inputs", ANY, "target"): _wrong("the placeholder is fed from something else"),
    ("signature.inputs", "renamed", ANY): _breaks("state dicts and optimizers find it under another name"),
    ("signature.inputs", "renamed", "constant's name"): _cosmetic("another name for the same constant, which no state dict has"),
    ("signature.inputs", ANY, "constant"): _wrong("another value was fixed at export"),
    ("signature.inputs", ANY, "argument"): _wrong("the placeholder stands elsewhere than its specification, and inputs are passed by place"),
    ("signature.outputs", ANY, ANY): _wrong("callers get another result, or state is written elsewhere"),
    ("signature.outputs", ANY, "path"): _breaks("callers find it elsewhere in the result"),
    ("signature.outputs", ANY, "exchanged"): _wrong("where callers looked for it they find another result"),
    ("signature.inputs", ANY, "exchanged"): _wrong("what callers pass in its place feeds another input"),
    ("signature.outputs", ANY, "argument"): _breaks("the specification names another node than the graph returns in its place"),
    ("signature.outputs", "moved", ANY): _breaks("passes that count outputs find another one"),
    ("range_constraints", ANY, ANY): _breaks("inputs are accepted on one side and refused on the other", "pytorch#136897"),
    ("pytree.in", ANY, ANY): _breaks("callers must pass another structure"),
    ("pytree.out", ANY, ANY): _breaks("callers get another structure"),
    ("weights", ANY, ANY): _breaks("the same elements, held differently"),
    ("weights", ANY, "value"): _wrong("another value"),
    ("weights", ANY, "exchanged"): _wrong("the value that another weight had, as of modules that changed places"),
    ("weights", "lost", ANY): _wrong("a value that one side has and the other lacks"),
    ("weights", "lost", "unread"): _breaks("state dicts lose a value; nothing that is computed reads it"),
    ("weights", "lost", "tied"): _breaks("state dicts lose a name of a weight that they hold under another"),
    ("weights", ANY, "read"): _wrong("what both sides compute reads a value that only one side has"),
    ("weights", "added", ANY): _breaks("a value that only one side has"),
    ("weights", "renamed", ANY): _breaks("state dicts and optimizers find it under another name"),
    ("weights", ANY, "elements"): _breaks("one side is fake and has no elements, so that what the other has is made up or lost"),
    ("constants", ANY, "elements"): _breaks("one side is fake and has no elements, so that what the other has is made up or lost"),
    ("constants", ANY, ANY): _breaks("the same elements, held differently"),
    ("constants", ANY, "value"): _wrong("another value"),
    ("constants", ANY, "exchanged"): _wrong("the value that another constant had"),
    ("constants", "lost", ANY): _wrong("a value that one side has and the other lacks"),
    ("constants", ANY, "read"): _wrong("what both sides compute reads a value that only one side has"),
    ("constants", "added", ANY): _breaks("a value that only one side has"),
    ("constants", "renamed", ANY): _cosmetic("another name for the same constant"),
    ("aliasing", ANY, "written"): _wrong("the program writes to one of them, and reads the other as it was or as it is now"),
    ("aliasing", "changed", "object"): _breaks("optimizers and `parameters()` see one weight on one side, two on the other"),
    ("aliasing", ANY, ANY): _breaks("an update of one no longer reaches the other"),
    ("example_inputs", ANY, ANY): _debug("kept for people and for recompiling", "pytorch#176791"),
    ("module_call_graph", ANY, ANY): _breaks("unflatten rebuilds modules by it", "pytorch#137013"),
    ("guards", ANY, ANY): _breaks("inputs are accepted on one side and refused on the other"),
    ("verifier", ANY, ANY): _debug("another dialect is checked"),
    ("schema_version", ANY, ANY): _cosmetic("the format it was written in"),
    ("opset_version", ANY, ANY): _cosmetic("the operator set it was written for"),
    ("proof", ANY, ANY): _wrong("the checker refuses to call the programs the same and nothing else says why"),
    (ANY, "lost", ANY): _debug("metadata that only its own pass reads, and that export and saving do not keep", "pytorch#141640"),
    (ANY, ANY, ANY): _debug("metadata that only its own pass reads"),
}  # fmt: skip

_SAME_AS: Final = {"kwargs": "args"}


@lru_cache(maxsize=4096)
def rule_for(field: str, kind: str, aspect: str = "") -> Rule:
    """Return the entry of the table for a field, a kind and an aspect: the most specific there is."""
    head = family(field)
    head = _SAME_AS.get(head, head)
    for key in ((head, kind, aspect), (head, ANY, aspect), (ANY, ANY, aspect), (head, kind, ANY), (head, ANY, ANY)):
        if key in TABLE:
            return TABLE[key]
    return TABLE.get((ANY, kind, ANY), TABLE[ANY, ANY, ANY])


Selector: TypeAlias = str | tuple[str, str]
"""A field (`fnmatch` pattern allowed: ``val.*``, ``weights[layers.0.*]``), or a field and a kind."""

Judge: TypeAlias = Callable[[str, str, str], Severity]


def selects(selector: Selector, field: str, kind: str) -> bool:
    """Whether a selector means a difference of this field and kind."""
    pattern, wanted = (selector, ANY) if isinstance(selector, str) else selector
    if wanted not in (ANY, kind):
        return False
    return pattern in (field, family(field)) or fnmatchcase(field, pattern.replace("[", "[[]"))


def make_judge(severities: Mapping[Selector, Severity] | None) -> Judge:
    """Return the table as a function, with the user's own entries before it (the last that fits wins).

    Raises
    ------
    DiffError
        A severity that does not exist, or a selector that is neither a field nor a pair of field and kind.
    """
    own = dict(severities or {})
    for selector, severity in own.items():
        check_selector(selector)
        if severity not in SEVERITIES:
            raise DiffError(f"severities: {severity!r} is not a severity; choose one of {', '.join(SEVERITIES)}")

    @lru_cache(maxsize=4096)
    def judge(field: str, kind: str, aspect: str) -> Severity:
        for selector, severity in reversed(own.items()):
            if selects(selector, field, kind):
                return severity
        return rule_for(field, kind, aspect).severity

    return judge


def check_selector(selector: object) -> None:
    """Raise `DiffError` unless `selector` is a field or a pair of field and kind."""
    pair = isinstance(selector, tuple) and len(selector) == 2 and all(isinstance(part, str) for part in selector)
    if not (isinstance(selector, str) or pair):
        raise DiffError(
            f"{selector!r} selects no rows; give a field such as 'stack_trace' or a pair ('args', 'changed')"
        )
