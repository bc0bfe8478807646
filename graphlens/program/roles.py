"""Which argument of a higher-order op a nested graph is: its role, from the names of the op's parameters.

The table is data for *names*, never for finding: a nested graph of an op that is not here is found all the same and is
called after its position (``arg0``). Names are those of ``type(op).__call__`` in torch 2.13.0; where that says
``*args``, those of the function that users call.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphlens.program.argument import Argument, Const

Where = tuple[int | str, ...]
"""A place among a node's arguments: the position (or the keyword), then indices and keys inside it."""

PARAMETERS: dict[str, tuple[str, ...]] = {
    "aoti_call_delegate": ("lowered_module", "original_gm", "weight_args", "input_args"),
    "associative_scan": ("combine_fn", "xs", "additional_inputs"),
    "auto_functionalized": ("mutable_op",),
    "auto_functionalized_v2": ("mutable_op",),
    "autograd_function_apply": ("fwd", "bwd"),
    "call_torchbind": ("obj", "method"),
    "cond": ("pred", "true_fn", "false_fn", "operands"),
    "control_deps": ("additional_deps", "subgraph"),
    "custom_function_call": ("autograd_function",),
    "dynamo_bypassing_wrapper": ("wrapper_fn_or_key", "inner_fn"),
    "executorch_call_delegate": ("lowered_module",),
    "flat_apply": ("func", "in_spec"),
    "flex_attention": (
        "query", "key", "value", "score_mod", "block_mask", "scale", "kernel_options",
        "score_mod_other_buffers", "mask_mod_other_buffers",
    ),
    "flex_attention_backward": (
        "query", "key", "value", "out", "logsumexp", "grad_out", "grad_logsumexp", "fw_graph", "joint_graph",
        "block_mask", "scale", "kernel_options", "score_mod_other_buffers", "mask_mod_other_buffers",
    ),
    "foreach_map": ("fn",),
    "graphsafe_run_with_rng_state": ("op",),
    "hints_wrapper": ("body_fn", "args", "kwargs", "hints"),
    "inductor_compiled_code": ("func", "inputs"),
    "invoke_leaf_function": ("real_fn_callable", "fake_fn_callable", "input_spec", "mutated_arg_indices"),
    "invoke_quant": ("subgraph",),
    "invoke_quant_packed": ("subgraph",),
    "invoke_subgraph": ("subgraph", "identifier"),
    "local_map_hop": ("gm",),
    "map_impl": ("f", "xs", "pos_args"),
    "out_dtype": ("op", "output_dtype"),
    "print": ("format_str",),
    "register_hook": ("tensor", "hook"),
    "run_and_save_rng_state": ("op",),
    "run_const_graph": ("graph", "args"),
    "run_dtensor_rng_op": ("start_offset_incr", "end_offset_incr", "op"),
    "run_with_rng_state": ("rng_state", "op"),
    "scan": ("combine_fn", "init", "xs", "additional_inputs"),
    "strict_mode": ("callable", "operands"),
    "switch": ("index", "branches", "operands"),
    "tag_activation_checkpoint": ("gmod",),
    "triton_kernel_wrapper_functional": (
        "kernel_idx", "constant_args_idx", "grid", "tma_descriptor_metadata", "kwargs", "tensors_to_clone",
    ),
    "triton_kernel_wrapper_mutation": (
        "kernel_idx", "constant_args_idx", "grid", "tma_descriptor_metadata", "kwargs",
    ),
    "while_loop": ("cond_fn", "body_fn", "carried_inputs", "additional_inputs"),
    "while_loop_stack_output": ("cond_fn", "body_fn", "carried_inputs", "additional_inputs"),
    "with_effects": ("token", "op"),
    "wrap": ("func",),
    "wrap_activation_checkpoint": ("function",),
    "wrap_with_autocast": ("device_type", "dtype", "enabled", "cache_enabled", "wrapped_func"),
    "wrap_with_set_grad_enabled": ("enable_grad", "wrapped_func"),
}  # fmt: skip

_WRAPPERS = {
    "graphsafe_run_with_rng_state": 0, "run_and_save_rng_state": 0, "run_dtensor_rng_op": 2, "run_with_rng_state": 1,
    "with_effects": 1,
}  # fmt: skip
_MASK_MOD = {("flex_attention", 4), ("flex_attention_backward", 9)}
_PREFIX = "higher_order."


def hop_parameters(target: str) -> tuple[str, ...]:
    """Return the names of the leading positional parameters of a higher-order op, `()` where unknown."""
    return PARAMETERS.get(target.removeprefix(_PREFIX), ()) if target.startswith(_PREFIX) else ()


def where_text(where: Where) -> str:
    """Write a place as ``args[1]``, ``args[4][16]`` or ``kwargs['f']``."""
    head = f"args[{where[0]}]" if isinstance(where[0], int) else f"kwargs[{where[0]!r}]"
    return head + "".join(f"[{step!r}]" for step in where[1:])


def subgraph_roles(target: str, args: Sequence[Argument], places: Sequence[Where]) -> tuple[str, ...]:
    """Name the nested graphs of one call, each differently.

    Parameters
    ----------
    target
        The node's target text, ``higher_order.cond``.
    args
        The node's positional arguments: for an op that wraps another one (``with_effects``) they say which.
    places
        Where the nested graphs stand, each a position or keyword and the steps inside it.

    Returns
    -------
    tuple of str
        One role per place: the parameter's name, else ``arg0``; the steps inside it and, should two still be
        equal, a number are appended. Roles hold no ``/`` and no ``.``, for graph paths are made of them.
    """
    taken: set[str] = set()
    roles = []
    for place in places:
        base = role = _role(target, args, place)
        again = 1
        while role in taken:
            again += 1
            role = f"{base}_{again}"
        taken.add(role)
        roles.append(role)
    return tuple(roles)


def _role(target: str, args: Sequence[Argument], place: Where) -> str:
    head, steps = place[0], place[1:]
    if isinstance(head, int):
        name, shift = target.removeprefix(_PREFIX), 0
        while name in _WRAPPERS:
            inner = _WRAPPERS[name]
            wrapped = args[shift + inner] if shift + inner < len(args) else None
            if head <= shift + inner or not isinstance(wrapped, Const) or wrapped.kind != "function":
                break
            shift, name = shift + inner + 1, wrapped.text.removeprefix(_PREFIX)
        if len(steps) == 1 and (name, head - shift) in _MASK_MOD:
            return "mask_mod"
        names = hop_parameters(_PREFIX + name)
        head = names[head - shift] if 0 <= head - shift < len(names) else f"arg{head}"
    return "_".join([_plain(head), *(_plain(str(step)) for step in steps)])


def _plain(text: str) -> str:
    return text.replace("/", "_").replace(".", "_")
