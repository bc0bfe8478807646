"""Roles of nested graphs: the table says what torch's own signatures say, and an op outside of it still has names."""

import inspect

import pytest
from torch._ops import _higher_order_ops

from graphlens.program.argument import Const, Ref
from graphlens.program.roles import PARAMETERS, hop_parameters, subgraph_roles, where_text

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
HELD = {"auto_functionalized", "auto_functionalized_v2", "map_impl"}
"""Written otherwise on purpose: a name with an underscore in front, and a signature that is `*args`."""


@pytest.mark.parametrize("name", sorted(set(_higher_order_ops) & set(PARAMETERS) - HELD))
def test_names_are_those_of_the_signature(name):
    parameters = inspect.signature(type(_higher_order_ops[name]).__call__).parameters.values()
    names = [p.name for p in parameters if p.kind in POSITIONAL and p.name != "self"]
    assert list(PARAMETERS[name]) == names


def test_every_op_of_this_torch_that_names_its_parameters_is_known():
    for name, op in _higher_order_ops.items():
        parameters = inspect.signature(type(op).__call__).parameters.values()
        named = [p for p in parameters if p.kind in POSITIONAL and p.name != "self"]
        assert not named or name in PARAMETERS or type(op).__module__.startswith(("test", "read", "tests")), name


def roles(target, places, args=()):
    return subgraph_roles(f"higher_order.{target}", args, places)


def test_roles():
    assert roles("cond", [(1,), (2,)]) == ("true_fn", "false_fn")
    assert roles("map_impl", [(0,)]) == ("f",)
    assert roles("flex_attention", [(3,), (4, 16)]) == ("score_mod", "mask_mod")
    assert roles("flex_attention_backward", [(7,), (8,), (9, 16)]) == ("fw_graph", "joint_graph", "mask_mod")
    assert roles("wrap_with_autocast", [(4,)]) == ("wrapped_func",)
    assert roles("nobody_knows", [(0,), (3, 1), ("body",)]) == ("arg0", "arg3_1", "body")
    assert roles("cond", [(1,), (1,), (1, "a/b.c")]) == ("true_fn", "true_fn_2", "true_fn_a_b_c")
    assert subgraph_roles("my.function", (), [(1,)]) == ("arg1",)


def test_wrapped_ops_shift_their_arguments():
    wrapped = (Ref("token"), Const("function", "higher_order.cond"))
    assert roles("with_effects", [(3,), (4,)], wrapped) == ("true_fn", "false_fn")
    twice = (Const("function", "higher_order.with_effects"), Ref("t"), Const("function", "higher_order.cond"))
    assert roles("run_and_save_rng_state", [(4,), (5,)], twice) == ("true_fn", "false_fn")
    assert roles("with_effects", [(2,)], (Ref("token"), Const("function", "aten.add.Tensor"))) == ("arg2",)
    assert roles("with_effects", [(1,)], (Ref("token"),)) == ("op",)


def test_no_role_breaks_a_graph_path():
    for role in roles("x", [("a/b.c",), (0, "x.y/z")]):
        assert "/" not in role and "." not in role


def test_places():
    assert where_text((1,)) == "args[1]"
    assert where_text((4, 16)) == "args[4][16]"
    assert where_text(("f", "k")) == "kwargs['f']['k']"
    assert hop_parameters("higher_order.cond")[1] == "true_fn"
    assert hop_parameters("aten.add.Tensor") == ()
