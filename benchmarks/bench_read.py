"""Opening archives: against `torch.export.load`, against the memory and time that a laptop has, and by size.

Runnable alone: ``python benchmarks/bench_read.py``. The archives are built once per machine, in the temporary directory.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from llama import CACHE, llama_archive, load_seconds
from llama import python as _python

SMALL = Path(__file__).parents[1] / "tests" / "data" / "archives" / "torch-2.13.0"
REPEATS = 3

READ = """
import time; begin = time.perf_counter()
import sys
from graphlens.read import read
program = read(sys.argv[1])
seconds = time.perf_counter() - begin
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak) / 1024, sum(len(graph) for graph in program.graphs.values()))
"""


def rows() -> list[dict[str, Any]]:
    """Measure; see ``run.py`` for the columns."""
    llama = llama_archive()
    seconds, megabytes, nodes = _best(llama)
    load = load_seconds()
    sparse = CACHE / "sparse.pt2"
    write_sparse(sparse, 100 << 30)
    sparse_seconds, sparse_megabytes, _ = _best(sparse)
    sparse.unlink()
    per_node = {count: _per_node(count) for count in (100_000, 1_000_000)}
    few, many = per_node.values()
    return [
        _row(f"open {nodes:.0f} nodes, fresh process, import included; torch.export.load alone", seconds, load, 40, "s"),
        _most(f"peak memory of opening {nodes:.0f} nodes", megabytes, 150, "MB"),
        _most("open an archive that declares 100 GB of weights", sparse_seconds, 1, "s"),
        _most("peak memory of that", sparse_megabytes, 200, "MB"),
        {
            "name": "microseconds per node, at a million nodes; at 100,000", "ours": many, "against": few,
            "ratio": many / few, "target": 1.5, "unit": "µs", "ok": many / few <= 1.5,
        },
    ]  # fmt: skip


def _row(name: str, ours: float, against: float, target: float, unit: str) -> dict[str, Any]:
    ratio = against / ours
    return {
        "name": name, "ours": ours, "against": against, "ratio": ratio, "target": target, "least": True, "unit": unit,
        "ok": ratio >= target,
    }  # fmt: skip


def _most(name: str, ours: float, limit: float, unit: str) -> dict[str, Any]:
    return {
        "name": name, "ours": ours, "against": None, "ratio": None, "target": limit, "unit": unit, "ok": ours <= limit,
    }  # fmt: skip


def _best(path: Path) -> tuple[float, float, float]:
    """Return the least time and memory of a few fresh processes, and the number of nodes."""
    runs = [tuple(map(float, _python(READ, str(path)).split())) for _ in range(REPEATS)]
    return min(run[0] for run in runs), min(run[1] for run in runs), runs[0][2]


def _per_node(count: int) -> float:
    path = CACHE / f"chain{count}.pt2"
    write_chain(path, count)
    seconds, _, nodes = map(float, _python(READ, str(path)).split())
    path.unlink()
    return seconds / nodes * 1e6


def write_chain(path: Path, count: int) -> None:
    """Write an archive of a chain of `count` operators in modules of twenty."""
    with zipfile.ZipFile(SMALL / "training_conv.pt2") as source:
        parts = {name: source.read(name) for name in source.namelist()}
    model = next(name for name in parts if "/models/" in name)
    tree = json.loads(parts[model])
    graph = tree["graph_module"]["graph"]
    first = next(node for node in graph["nodes"] if node["target"] == "torch.ops.aten.relu.default")
    described = graph["tensor_values"][first["outputs"][0]["as_tensor"]["name"]]
    texts, values = [], []
    before = first["outputs"][0]["as_tensor"]["name"]
    pattern = json.dumps({
        **first, "name": "@name", "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "@before"}}, "kind": 1}],
        "outputs": [{"as_tensor": {"name": "@name"}}],
        "metadata": {
            "stack_trace": first["metadata"]["stack_trace"], "torch_fn": "@name;function.relu",
            "nn_module_stack": "L__self__,,M;L__self___layers_@layer,layers.@layer,L",
        },
    })  # fmt: skip
    for i in range(count):
        name = f"chain_{i}"
        texts.append(pattern.replace("@name", name).replace("@before", before).replace("@layer", str(i // 20)))
        values.append(f'"{name}": {json.dumps(described)}')
        before = name
    text = json.dumps(tree)
    position = text.index(json.dumps(first)) + len(json.dumps(first))
    text = text[:position] + ", " + ", ".join(texts) + text[position:]
    text = text.replace('"tensor_values": {', '"tensor_values": {' + ", ".join(values) + ", ", 1)
    parts[model] = text.encode()
    with zipfile.ZipFile(path, "w") as target:
        for name, data in parts.items():
            target.writestr(name, data)


def write_sparse(path: Path, size: int) -> None:
    """Write an archive whose first weight is a hole of `size` bytes (zip64, stored)."""
    with zipfile.ZipFile(SMALL / "nested_control_flow.pt2") as source:
        parts = {name: source.read(name) for name in source.namelist()}
    full, entries = 0xFFFFFFFF, []
    with path.open("wb") as file:
        for name, data in parts.items():
            at, hole = file.tell(), name.endswith("weight_0")
            count, crc = (size, 0) if hole else (len(data), zlib.crc32(data))
            file.write(struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 0, crc, full, full, len(name), 20))
            file.write(name.encode() + struct.pack("<2H2Q", 1, 16, count, count))
            file.seek(count, 1) if hole else file.write(data)
            extra = struct.pack("<2H3Q", 1, 24, count, count, at)
            head = (b"PK\1\2", 45, 45, 0, 0, 0, 0, crc, full, full, len(name), len(extra), 0, 0, 0, 0, full)
            entries.append(struct.pack("<4s6H3L5H2L", *head) + name.encode() + extra)
        start, directory = file.tell(), b"".join(entries)
        file.write(directory)
        end, many = file.tell(), len(entries)
        file.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, many, many, len(directory), start))
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, full, full, 0))


def main() -> None:
    for row in rows():
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
