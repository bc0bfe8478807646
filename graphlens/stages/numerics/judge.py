"""Is a difference inherited, rounding, or does this node depart on its own? The local error, and what it is held against."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from msgspec import Struct
from torch.utils import _pytree as pytree

from graphlens.stages.numerics.metrics import difference
from graphlens.stages.numerics.rerun import LITTLE, SHARE, rerun, tensor_bytes
from graphlens.stages.numerics.rows import Difference

FACTOR = 10.0
SLACK = {torch.float64: 32.0, torch.float32: 32.0, torch.bfloat16: 1.0, torch.float16: 1.0}
"""How many machine epsilons of the reference's size are rounding, whatever the reference's own error is."""


class Evidence(Struct, frozen=True, kw_only=True):
    """What was found out about one unit whose values differ."""

    status: str
    local: Difference | None = None
    deterministic: bool | None = None
    note: str = ""


class Question(Struct, frozen=True, kw_only=True):
    """Two values of a unit, and the means to find out where their difference comes from.

    `run_a(job)`, `run_b(job)` run a job where that side stands, with the random numbers that `a` had there.
    `inputs_equal` says whether everything that `b` used was bit-equal to what `a` used; `given`, that the value is an
    input or a weight, which nothing has computed; `recast`, that inputs were brought to the precision that `b` has them in.
    """

    module_a: Any
    module_b: Any
    nodes_a: tuple[Any, ...]
    nodes_b: tuple[Any, ...]
    value_a: Any
    value_b: Any
    inputs_a: dict[str, Any]
    inputs_b: dict[str, Any] | None
    inputs_equal: bool
    run_a: Callable[[Callable[[], Any]], Any]
    run_b: Callable[[Callable[[], Any]], Any]
    memory: Callable[[], int]
    given: bool = False
    recast: bool = False


def judge(question: Question, error: Difference) -> Evidence:
    """Find out where a difference comes from.

    The node of `b` is run on the inputs of `a`; where all inputs were bit-equal that has been done already. What then
    still differs is its own. It is rounding if, measured against a run of `a` in double precision, `b` is not much
    worse than `a` (the criterion of `torch._dynamo.utils.same`, held for the greatest error as well as for the mean).
    """
    if question.given:
        same = error.recast and max(_scales(error)) <= _epsilon(question.value_a, question.value_b)
        return Evidence(status="rounding" if same else "departs", local=error)
    if not error.comparable:
        return Evidence(status="incomparable", note="this kind of value has no errors to measure")
    local, value, note = error, question.value_b, ""
    if not question.inputs_equal:
        if question.inputs_b is None:
            return Evidence(status="unknown", note="its inputs have no counterpart near enough to run it on them")
        value, note = _again(question)
        if note:
            return Evidence(status="unknown", note=note)
        local = difference(question.value_a, value)
    if local.equal:
        return Evidence(status="inherited", local=local)
    if not local.comparable:
        return Evidence(status="incomparable", local=local)
    deterministic = _deterministic(question, value)
    if (local.note and not (local.recast and question.recast)) or local.nan or local.inf:
        return Evidence(status="departs", local=local, deterministic=deterministic)
    rounding, why = _is_rounding(question, value, local)
    return Evidence(
        status="rounding" if rounding else "departs",
        local=local,
        deterministic=deterministic,
        note=why,
    )


def _again(question: Question) -> tuple[Any, str]:
    """Run `b` on the inputs of `a`; say why where it cannot be run."""
    inputs = question.inputs_b or {}
    try:
        return question.run_b(lambda: rerun(question.module_b, question.nodes_b, inputs)), ""
    except Exception as error:  # noqa: BLE001 - a node may refuse foreign inputs in any way
        text = str(error).splitlines()
        return None, f"it refuses the reference's inputs: {text[0] if text else type(error).__name__}"


def _deterministic(question: Question, value: Any) -> bool | None:
    """Whether running `b` once more gives the same; `None` where that would take too much memory or cannot be done."""
    if question.inputs_b is None:
        return None
    if tensor_bytes(value) > max(LITTLE, SHARE * question.memory()):
        return None
    again, note = _again(question)
    return None if note else difference(value, again).equal


def _is_rounding(question: Question, value: Any, local: Difference) -> tuple[bool, str]:
    """Hold both answers against one in double precision, or `b` against `a` where there is none."""
    tensors = [leaf for leaf in pytree.tree_leaves(question.value_a) if isinstance(leaf, torch.Tensor)]
    if not tensors or any(not (t.is_floating_point() or t.is_complex()) for t in tensors):
        return False, ""
    epsilon = _epsilon(question.value_a, value)
    reference = _reference(question, tensors)
    if reference is None:
        scale, peak = _scales(local)
        bound = 2 * epsilon
        return scale <= bound and peak <= bound, "held against the reference itself, not double precision"
    a, b = difference(reference, question.value_a), difference(reference, value)
    mean_a, peak_a = _scales(a)
    mean_b, peak_b = _scales(b)
    return mean_b <= FACTOR * mean_a + epsilon and peak_b <= FACTOR * peak_a + epsilon, ""


def _epsilon(*values: Any) -> float:
    """What is rounding in the coarsest dtype among some values, relative to their size."""
    leaves = [leaf for leaf in pytree.tree_leaves(values) if isinstance(leaf, torch.Tensor)]
    dtypes = {t.dtype.to_real() for t in leaves if t.is_floating_point() or t.is_complex()}
    return max((SLACK.get(dtype, 1.0) * torch.finfo(dtype).eps for dtype in dtypes), default=0.0)


def _scales(error: Difference) -> tuple[float, float]:
    """Error relative to the reference: of the norms, and of the greatest elements."""
    if error.nan or error.inf:
        return math.inf, math.inf
    if not error.max_abs:
        return 0.0, 0.0
    return (
        error.rms_rel if error.rms_rel is not None else math.inf,
        error.max_abs / error.peak if error.peak else math.inf,
    )


def _reference(question: Question, tensors: list[torch.Tensor]) -> Any:
    """Run `a` in double precision; `None` where it stays in single, fails, or would take too much memory."""
    needed = 2 * max(8 // max(1, t.element_size()) for t in tensors) * tensor_bytes(question.inputs_a, question.value_a)
    if needed > max(LITTLE, SHARE * question.memory()):
        return None
    try:
        found = question.run_a(lambda: rerun(question.module_a, question.nodes_a, question.inputs_a, wide=True))
    except Exception:  # noqa: BLE001 - many kernels have no double precision
        return None
    leaves = [leaf for leaf in pytree.tree_leaves(found) if isinstance(leaf, torch.Tensor)]
    wide = all(leaf.dtype in (torch.float64, torch.complex128) for leaf in leaves)
    return found if wide and len(leaves) == len(tensors) else None
