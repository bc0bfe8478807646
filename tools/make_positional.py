"""Write `graphlens/read/positional.json.gz`: how many leading arguments of each operator have no default.

Archives older than schema 8.5 do not say which arguments were positional, and torch itself then goes by this.
Run it after a change of the pinned torch: ``python tools/make_positional.py``.
"""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed

TARGET = Path(__file__).parent.parent / "graphlens" / "read" / "positional.json.gz"
NAMESPACES = ("aten", "prims", "prim", "quantized_decomposed", "quantized", "torchvision", "rngprims", "inductor")


def main() -> None:
    found: dict[str, list[str]] = {}
    for name in sorted(torch._C._dispatch_get_all_op_names()):
        namespace, _, rest = name.partition("::")
        packet, _, overload = rest.partition(".")
        try:
            op = getattr(getattr(getattr(torch.ops, namespace), packet), overload or "default")
        except AttributeError:
            continue
        if namespace in NAMESPACES:
            required = sum(not a.has_default_value() and not a.kwarg_only for a in op._schema.arguments)
            found.setdefault(str(required), []).append(f"{namespace}.{packet}.{overload or 'default'}")
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(json.dumps({count: " ".join(names) for count, names in sorted(found.items())}).encode())
    TARGET.write_bytes(buffer.getvalue())
    print(f"{TARGET}: {sum(map(len, found.values()))} operators, {len(buffer.getvalue())} bytes")


if __name__ == "__main__":
    main()
