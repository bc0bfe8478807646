"""Names that files leave out are made as FX makes them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.fx.graph import _Namespace

from graphlens.read.archive_names import Namespace, snake_case, target_name

SETTINGS = settings(max_examples=300, deadline=None, database=None, derandomize=True)
BASES = [
    "x",
    "add",
    "sum",
    "getitem",
    "input",
    "as_none",
    "_assert_scalar.default",
    "true_graph",
    "a b",
    "2x",
    "",
    "in",
    "Relu",
    "é",
    "a_b",
]
CANDIDATES = st.builds(
    lambda base, number: base if number is None else f"{base}_{number}",
    st.sampled_from(BASES),
    st.none() | st.integers(0, 12),
)


@SETTINGS
@given(st.lists(st.tuples(CANDIDATES, st.booleans()), max_size=30))
def test_names_are_those_of_fx(steps):
    """`noted` names are not looked at when they come, only when the next one has to be made."""
    theirs, ours = _Namespace(), Namespace()
    for candidate, wanted in steps:
        expected = theirs.create_name(candidate, None)
        if wanted:
            assert ours.create(candidate) == expected
        else:
            ours.note(candidate)


def test_names_from_targets():
    graph = torch.fx.Graph()
    for target, text in (
        (torch.ops.aten._assert_scalar.default, "torch.ops.aten._assert_scalar.default"),
        (torch.ops.aten.add.Tensor, "torch.ops.aten.add.Tensor"),
        (torch.ops.higher_order.cond, "torch.ops.higher_order.cond"),
        (torch.sym_not, "torch.sym_not"),
        (__import__("operator").getitem, "_operator.getitem"),
        (torch._functorch.predispatch._vmap_increment_nesting, "torch._functorch.predispatch._vmap_increment_nesting"),
    ):
        assert target_name(text) == graph._target_to_str(target)
    for name in ("camelCase", "__add__", "ABC", "x1Y"):
        assert snake_case(name) == graph._target_to_str(name)
