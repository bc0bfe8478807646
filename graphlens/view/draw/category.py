"""A rough kind of operator, for the colour of a box's edge. A wrong guess is only a colour."""

from __future__ import annotations

import re

from graphlens.view.roles import Role

_MATMUL = re.compile(
    r"(^|_)(linear|matmul|mm|bmm|addmm|baddbmm|conv\d?d?|convolution|einsum|dot|attention|sdpa|embedding)(_|$)"
)
_REDUCE = re.compile(
    r"(norm|softmax|sum|mean|amax|amin|max|min|argmax|argmin|var|std|prod|topk|sort|any|all|cumsum|pool\d?d?|loss)(_|$)"
)
_SHAPE = re.compile(
    r"^(view|reshape|transpose|permute|t|slice|select|expand|unsqueeze|squeeze|cat|stack|split|chunk|unbind|getitem|clone|"
    r"contiguous|flatten|unflatten|alias|detach|index|narrow|repeat|pad|constant_pad|sym_size|to|_to_copy|movedim|"
    r"as_strided|gather|scatter)"
)


def category_of(role: Role, label: str) -> str:
    """Say what kind of operator a label names."""
    if role in ("input", "output"):
        return "io"
    if role == "call":
        return "control"
    if role != "op":
        return "stored"
    name = label.rpartition(".")[2].lstrip("_")
    if _MATMUL.search(name):
        return "matmul"
    if _SHAPE.search(name):
        return "shape"
    return "reduce" if _REDUCE.search(name) else "point"
