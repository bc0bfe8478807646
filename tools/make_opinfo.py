"""Write `graphlens/diff/opinfo.json.gz`: what the installed torch's operator registry says about each operator.

Run it after a change of the pinned torch: ``python tools/make_opinfo.py``. The output is the same for the same torch.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
from pathlib import Path

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed
import torch.fx.node
from torch._higher_order_ops import effects

TAGS = {"nondeterministic_seeded": "s", "maybe_aliasing_or_mutating": "m", "data_dependent_output": "d"}
TARGET = Path(__file__).parent.parent / "graphlens" / "diff" / "opinfo.json.gz"
# Registered by test helpers of torch's own build, absent from what users run.
SKIPPED = {"_test", "debugprims", "debug_mode_ops", "static_runtime"}


def impure() -> set[str]:
    """Return the overloads that torch itself keeps although nobody uses their result."""
    found = {str(op) for op in torch.fx.node._side_effectful_functions if isinstance(op, torch._ops.OpOverload)}
    found |= {str(op) for op in getattr(torch.fx.node, "_side_effectful_need_to_be_preserved_pre_dispatch", ())}
    registry = getattr(effects, "SIDE_EFFECTS", {})
    return found | {str(op) for op in registry}


def table() -> dict[str, list[str]]:
    """Return ``{target: [schema without the name, flags]}``; flags: s seeded, m may alias or mutate, e has an effect."""
    kept = impure()
    found: dict[str, list[str]] = {}
    for name in sorted(torch._C._dispatch_get_all_op_names()):
        namespace, _, rest = name.partition("::")
        packet, _, overload = rest.partition(".")
        if namespace in SKIPPED:
            continue
        try:
            op = getattr(getattr(getattr(torch.ops, namespace), packet), overload or "default")
        except AttributeError:
            continue  # registered for one dispatch key only, no schema that Python can see
        flags = "".join(sorted(TAGS[tag.name] for tag in op.tags if tag.name in TAGS))
        flags += "e" if str(op) in kept else ""
        schema = str(op._schema)
        found[f"{namespace}.{packet}.{overload or 'default'}"] = [schema[schema.index("(") :], flags]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    output = parser.parse_args().output
    text = json.dumps(
        {"torch": torch.__version__.partition("+")[0], "ops": table()}, separators=(",", ":"), sort_keys=True
    )
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(text.encode())
    output.write_bytes(buffer.getvalue())
    print(f"{output}: {len(text)} bytes of text, {len(buffer.getvalue())} compressed")


if __name__ == "__main__":
    main()
