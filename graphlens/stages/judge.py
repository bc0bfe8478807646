"""The answers of all runtimes against the reference, leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from graphlens.stages.execute import Answer
from graphlens.stages.leaves import compare_leaf
from graphlens.stages.precision import Precise, is_rounding
from graphlens.stages.rows import LeafRow


def reference_rows(runtime: str, answer: Answer) -> Iterator[LeafRow]:
    """Describe the leaves that the others are compared with."""
    for name, leaf in answer.leaves.items():
        unstable = name in answer.unstable
        yield _row(
            runtime,
            name,
            leaf,
            status="nondeterministic" if unstable else "reference",
            equal=not unstable,
            max_abs=None if unstable else 0.0,
            max_rel=None if unstable else 0.0,
            error="two runs with one seed differ" if unstable else "",
        )


def answer_rows(
    runtime: str, answer: Answer, reference: Answer, name: str, precise: Callable[[], Precise] | None = None
) -> Iterator[LeafRow]:
    """Compare one answer with the reference, the runtime `name`: bit by bit, NaN equal to NaN.

    With `precise` (the fp64 answer, made when first asked for) a difference that is no larger than rounding is labelled so.
    """
    why = _structure(answer, reference)
    if why:
        yield LeafRow(runtime=runtime, leaf="structure", status="different", equal=False, error=why)
    for leaf in {**reference.leaves, **answer.leaves}:
        if leaf.startswith("state ") and not (answer.sees_state and reference.sees_state):
            yield LeafRow(
                runtime=runtime, leaf=leaf, status="unavailable", error="the state of this runtime cannot be seen"
            )
        elif leaf not in answer.leaves:
            yield LeafRow(runtime=runtime, leaf=leaf, status="missing", equal=False, error=_missing(leaf, name))
        elif leaf not in reference.leaves:
            yield _row(runtime, leaf, answer.leaves[leaf], status="extra", equal=False, error=_extra(leaf, name))
        else:
            yield _compared(runtime, leaf, answer, reference, precise)


def _compared(
    runtime: str, leaf: str, answer: Answer, reference: Answer, precise: Callable[[], Precise] | None
) -> LeafRow:
    ours, theirs = reference.leaves[leaf], answer.leaves[leaf]
    found = compare_leaf(ours, theirs)
    status, error = "ok" if found.equal else "different", found.why
    if leaf in answer.unstable or leaf in reference.unstable:
        status, error = "nondeterministic", f"two runs with one seed differ{'; ' if error else ''}{error}"
    elif not found.equal and precise is not None and found.max_abs is not None:
        status, why = _rounded(ours, theirs, leaf, precise())
        error = f"{error}; {why}" if why else error
    return _row(
        runtime,
        leaf,
        theirs,
        status=status,
        equal=found.equal,
        max_abs=found.max_abs,
        max_rel=found.max_rel,
        error=error,
    )


def _rounded(ours: Any, theirs: Any, leaf: str, precise: Precise) -> tuple[str, str]:
    if leaf not in precise.leaves:
        return "different", precise.why or "no such leaf in fp64"
    rounding, why = is_rounding(ours, theirs, precise.leaves[leaf])
    return "rounding" if rounding else "different", why


def _row(runtime: str, leaf: str, value: Any, **facts: Any) -> LeafRow:
    tensor = isinstance(value, torch.Tensor)
    return LeafRow(
        runtime=runtime,
        leaf=leaf,
        dtype=str(value.dtype).removeprefix("torch.") if tensor else type(value).__name__,
        shape=str(list(value.shape)) if tensor else "",
        **facts,
    )


def _structure(answer: Answer, reference: Answer) -> str:
    """Say how the containers of two outputs differ, `""` where they agree."""
    if answer.spec is None or reference.spec is None or answer.spec == reference.spec:
        return ""
    ours, theirs = str(reference.spec), str(answer.spec)
    return f"{theirs:.120}, not {ours:.120}" if ours != theirs else "containers of other classes with the same names"


def _missing(leaf: str, name: str) -> str:
    return f"changed in place by {name}, not here" if _is_effect(leaf) else f"{name} returns it"


def _extra(leaf: str, name: str) -> str:
    return f"changed in place here, not by {name}" if _is_effect(leaf) else f"{name} does not return it"


def _is_effect(leaf: str) -> bool:
    return leaf.startswith(("input ", "state "))
