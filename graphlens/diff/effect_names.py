"""What is known of functions by their names, where no schema says it (torch 2.13)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from graphlens.program.argument import Argument

# Their result draws nothing when this argument has this value; checked in aten/src/ATen/native/Dropout.cpp,
# transformers/attention.cpp and RNN.cpp (a native_dropout with p=0 still draws).
NO_DRAW: Final[Mapping[str, tuple[tuple[str, Argument], ...]]] = {
    "aten.dropout": (("p", 0.0), ("train", False)),
    "aten.dropout_": (("p", 0.0), ("train", False)),
    "aten.feature_dropout": (("p", 0.0), ("train", False)),
    "aten.alpha_dropout": (("p", 0.0), ("train", False)),
    "aten.feature_alpha_dropout": (("p", 0.0), ("train", False)),
    "aten.native_dropout": (("train", False),),
    "aten.rrelu": (("training", False),),
    "aten.rrelu_": (("training", False),),
    "aten.rrelu_with_noise": (("training", False),),
    "aten.scaled_dot_product_attention": (("dropout_p", 0.0),),
    "aten._scaled_dot_product_attention_math": (("dropout_p", 0.0),),
    "aten._scaled_dot_product_flash_attention": (("dropout_p", 0.0),),
    "aten._scaled_dot_product_flash_attention_for_cpu": (("dropout_p", 0.0),),
    "aten._scaled_dot_product_efficient_attention": (("dropout_p", 0.0),),
    "aten._scaled_dot_product_cudnn_attention": (("dropout_p", 0.0),),
    "aten._scaled_dot_product_fused_attention_overrideable": (("dropout_p", 0.0),),
    "aten._flash_attention_forward": (("dropout_p", 0.0),),
    "aten._efficient_attention_forward": (("dropout_p", 0.0),),
    "aten._cudnn_attention_forward": (("dropout_p", 0.0),),
    "aten.lstm": (("dropout", 0.0), ("train", False)),
    "aten.gru": (("dropout", 0.0), ("train", False)),
    "aten.rnn_tanh": (("dropout", 0.0), ("train", False)),
    "aten.rnn_relu": (("dropout", 0.0), ("train", False)),
    "aten._cudnn_rnn": (("dropout", 0.0), ("train", False)),
    "aten.miopen_rnn": (("dropout", 0.0), ("train", False)),
}
COLLECTIVE_NAMESPACES: Final = {
    "_c10d_functional",
    "_c10d_functional_autograd",
    "c10d",
    "_dtensor",
    "symm_mem",
    "c10d_functional",
}
PURE_NAMESPACES: Final = {
    "aten", "prims", "quantized", "_quantized", "quantized_decomposed", "sparse", "onednn", "mkldnn", "mkldnn_prepacked",
    "mkl", "inductor_prims", "prim",
}  # fmt: skip
ASSERTS: Final = ("_assert", "sym_constrain_range", "_check", "_linalg_check_errors")
PURE_FUNCTIONS: Final = ("_operator.", "math.", "torch.sym_", "torch._sym_", "torch.utils._sympy.")
PURE_BUILTINS: Final = {
    "builtins." + name
    for name in (
        "abs", "all", "any", "bool", "complex", "dict", "divmod", "float", "getattr", "hasattr", "int", "isinstance", "len",
        "list", "max", "min", "pow", "range", "repr", "round", "slice", "sorted", "str", "sum", "tuple", "type",
    )
}  # fmt: skip
CALLING_FUNCTIONS: Final = {"_operator.call", "_operator.methodcaller", "_operator.attrgetter", "_operator.itemgetter"}
WRITING_FUNCTIONS: Final = {"_operator.setitem", "_operator.delitem"}
# Higher-order ops without a nested graph whose behaviour is in their contract (torch/_higher_order_ops, 2.13).
PURE_HOPS: Final = {
    "triton_kernel_wrapper_functional", "out_dtype", "inline_asm_elementwise", "flex_attention", "flex_attention_backward",
}  # fmt: skip
FUNCTIONALIZED: Final = {"auto_functionalized", "auto_functionalized_v2"}
"""Their first argument is an operator that they call on copies: only its writes are gone."""
RNG_HOPS: Final = {
    "run_and_save_rng_state", "run_with_rng_state", "graphsafe_run_with_rng_state", "run_dtensor_rng_op", "rngprims",
}  # fmt: skip
# Higher-order ops that do nothing but what the graphs they hold do.
CALLING_HOPS: Final = {
    "associative_scan", "autograd_function_apply", "cond", "dynamo_bypassing_wrapper", "flat_apply", "flex_attention",
    "flex_attention_backward", "foreach_map", "hints_wrapper", "invoke_quant", "invoke_quant_packed", "invoke_subgraph",
    "local_map_hop", "map", "map_impl", "scan", "strict_mode", "tag_activation_checkpoint", "while_loop",
    "while_loop_stack_output", "wrap", "wrap_activation_checkpoint", "wrap_with_autocast", "wrap_with_set_grad_enabled",
    "with_effects", "auto_functionalized", "auto_functionalized_v2", "run_const_graph", "triton_kernel_wrapper_functional",
}  # fmt: skip
STATE_WORDS: Final = re.compile(
    r"(?:^|_)(?:set|enter|exit|push|pop|enable|enabled|disable|disabled|increment|decrement|nesting|seed)(?:_|$)"
)
"""In the name of a function of torch: it changes how everything after it runs."""
SHARING: Final = {
    "aten." + name
    for name in (
        "_cast_Byte", "_cast_Char", "_cast_Double", "_cast_Float", "_cast_Half", "_cast_Int", "_cast_Long", "_cast_Short",
        "_embedding_bag_sparse_backward", "_gather_sparse_backward", "_nested_compute_contiguous_strides_offsets",
        "_remove_batch_dim", "_reshape_from_tensor", "_saturate_weight_to_fp16", "_to_cpu", "_unsafe_view", "align_tensors", "atleast_1d", "atleast_2d",
        "atleast_3d", "broadcast_tensors", "cartesian_prod", "conj_physical", "cumprod_backward", "data", "dequantize", "einsum",
        "embedding_backward", "embedding_sparse_backward", "flatten_dense_tensors", "gather_backward", "histogram", "histogramdd", "lift",
        "linalg_multi_dot", "chain_matmul", "meshgrid", "pin_memory", "set", "set_", "set_data", "sparse_bsc_tensor",
        "sparse_bsr_tensor", "sparse_compressed_tensor", "sparse_coo_tensor", "sparse_csc_tensor", "sparse_csr_tensor",
        "_sparse_bsc_tensor_unsafe", "_sparse_bsr_tensor_unsafe", "_sparse_compressed_tensor_unsafe",
        "_sparse_coo_tensor_unsafe", "_sparse_coo_tensor_with_dims_and_tensors", "_sparse_csc_tensor_unsafe",
        "_sparse_csr_tensor_unsafe", "sum_to_size", "to_dense", "to_dense_backward", "to_mkldnn", "to_mkldnn_backward",
        "to_sparse", "type_as", "unflatten_dense_tensors", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes",
    )
} | {"prims.device_put"}  # fmt: skip
"""Their results may be their operands or views of them, and their schemas do not say so (every operator run, and its source)."""
WRITING: Final = {"_c10d_functional." + name for name in ("wait_tensor", "isend", "irecv", "batch_p2p_ops")}
"""What they are given is written by the time they are done, and their schemas do not say so."""
WRITING_NAMESPACES: Final = {"c10d", "symm_mem", "inductor"}
"""Whose schemas do not say all that is written."""
LOGGED: Final = "torch._C._log_api_usage_once"
"""Tells whoever counts uses of torch that there was one; nothing is computed."""
