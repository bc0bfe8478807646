"""What to do about the failures that torch is known for. Data: (exception type or "", pattern, advice)."""

from __future__ import annotations

import re

_HINTS: tuple[tuple[str, str, str], ...] = (
    ("", r"in output, which is not a known type|not a known type\. If this type holds tensors",
     "register the class with torch.export.register_dataclass or pytree.register_pytree_node, or return plain tensors (transformers: use_cache=False)"),
    ("", r"Cannot view a tensor with shape",
     "use .reshape() where the model says .view(), or fix the dynamic sizes: a stride depends on a symbol here"),
    ("", r"Could not (guard on|extract specialized integer from) data-dependent|GuardOnDataDependentSymNode",
     "the model branches on a value; use torch.cond, or torch._check to promise the bound"),
    ("", r"Constraints violated|marked .* as dynamic but",
     "the model specialises a size that dynamic_shapes calls dynamic; follow torch's suggested fix"),
    ("", r"Fake[T ]?ensor .*real [Tt]ensor|Please convert all Tensors to FakeTensors first",
     "real and fake tensors were mixed; give the model and its inputs on the same side"),
    ("", r"Expected all tensors to be on the same device|on different devices|found at least two devices",
     "move the inputs to the device of the model"),
    ("", r"is missing val field",
     "the graph holds a node without a value (autocast around no_grad does this); restructure the context managers"),
    ("", r"deserialize nyi|triton_kernel_wrapper",
     "Triton kernels can be saved and not loaded by torch; compile with AOTInductor instead of save and load"),
    ("", r"Unable to deserialize output node",
     "the model returns a string, which torch saves and cannot load; return tensors and numbers"),
    ("", r"not JSON serializable",
     "node.meta['custom'] holds something that JSON cannot; keep numbers, strings, lists and dicts there"),
    ("", r"serialized_type_name|No registered serialization name|No known serialization",
     "register the class of the inputs or outputs with a serialized_type_name"),
    ("SerializeError", r"",
     "this argument has no place in torch's archive format; keep the program in memory, or change what the op is given"),
    ("NotImplementedError", r"parse[dr]? sparse|[Ss]parse",
     "sparse tensors cannot be saved; hold their indices and values as buffers"),
    ("", r"No constructor defined|NativeRT|nativert",
     "this torch wheel has no NativeRT; torch 2.9.1 and 2.11.0 have it"),
    ("", r"Dynamo (does not|failed)|graph break|Unsupported",
     "strict export cannot trace this Python; try strict=False"),
    ("", r"C\+\+ compiler|InvalidCxxCompiler|No working C\+\+ compiler|gcc|g\+\+: ",
     "install a C++ compiler (g++ or clang++) or set CXX"),
    ("", r"not compiled with CUDA enabled|No CUDA GPUs are available|Found no NVIDIA driver|CUDA driver",
     "there is no CUDA here; move model and inputs to the CPU, or run on a machine with a GPU"),
    ("OutOfMemoryError", r"", "free device memory, or use a smaller input"),
    ("", r"out of memory", "free device memory, or use a smaller input"),
    ("ModuleNotFoundError", r"", "install the missing package"),
)  # fmt: skip


def hint_for(kind: str, text: str) -> str:
    """Return the advice for an exception, `""` where none is known."""
    for wanted, pattern, advice in _HINTS:
        if wanted in ("", kind) and (not pattern or re.search(pattern, text)):
            return advice
    return ""
