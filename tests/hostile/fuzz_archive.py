"""Mutate archives and read them: nothing but `GraphLensError` may come out, and no reading may take long.

usage: python tests/hostile/fuzz_archive.py [SECONDS] [SEED]        (``make fuzz``)

Three kinds of mutation: bytes of the file, members of the zip, and values in the JSON at any depth, the serialized texts
inside it included. What is found is written to ``fuzz-found-*.pt2``, and the exit status is 1.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
import sys
import time
import traceback
import zipfile
from pathlib import Path
from typing import Any

from graphlens.errors import ArchiveError, GraphLensError
from graphlens.read import read

FIXTURES = Path(__file__).parents[1] / "data" / "archives"
SLOW_SECONDS = 20
LARGE = 60_000
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1 << 31, 1 << 63, -(1 << 70), 0.5, -0.0, "", "x", "NaN", "Infinity", "\ud800", "\0", "é" * 300,
    [], {}, [[]], [None], [1, "x"], {"x": 1}, {"as_int": 1}, {"as_none": True}, {"as_tensor": {"name": "x"}}, {"as_tensors": [7]},
    {"as_sym_int": {}}, {"as_graph": {"name": "g", "graph": {}}}, {"as_ints": [1 << 80]}, {"as_new": [1]}, {"as_string_to_argument": {}},
    {"as_expr": {"expr_str": "Add(Symbol('s0'), "}}, {"as_expr": {"expr_str": "(" * 500}}, "L,;,;(", "../x", "torch.ops.higher_order.cond",
)  # fmt: skip


def sources() -> list[bytes]:
    """The archives that mutations start from: one of each case and layout."""
    wanted = ("torch-2.5.1/unbacked", "torch-2.5.1/decoder_dynamic", "torch-2.9.1/dtypes", "torch-2.13.0/nested_control_flow",
              "torch-2.13.0/training_conv", "torch-2.13.0/pytree", "torch-2.13.0/decoder_dynamic", "torch-2.13.0/unbacked")  # fmt: skip
    return [(FIXTURES / f"{name}.pt2").read_bytes() for name in wanted]


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, insert and repeat bytes, more often in the directory at the end."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(out)) if rng.random() < 0.5 else max(0, len(out) - rng.randrange(1, 1500))
        action = rng.randrange(5)
        if action == 0:
            out[at % len(out)] = rng.randrange(256)
        elif action == 1:
            del out[at : at + rng.choice((1, 4, 100))]
        elif action == 2:
            out[at:at] = rng.randbytes(rng.choice((1, 4, 30)))
        elif action == 3:
            out[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), b"PK\5\6", b"PK\1\2", b"PK\6\7"))
        else:
            out[at:at] = out[at : at + 200]
        if not out:
            out = bytearray(b"x")
    return bytes(out)


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON tree."""
    found: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        top = stack.pop()
        items = list(top.items()) if isinstance(top, dict) else list(enumerate(top))
        for key, value in items:
            found.append((top, key))
            if isinstance(value, dict | list):
                stack.append(value)
    return found


def mutate_tree(tree: Any, rng: random.Random) -> None:
    """Replace, delete, rename, repeat and move values anywhere in a JSON tree."""
    for _ in range(rng.choice((1, 1, 1, 2, 5, 20))):
        spots = places(tree)
        if not 0 < len(spots) < LARGE:  # a tree that has grown enough
            return
        holder, key = rng.choice(spots)
        if (isinstance(holder, dict) and key not in holder) or (isinstance(holder, list) and key >= len(holder)):
            continue
        action = rng.randrange(7)
        if action <= 1:
            holder[key] = copy.deepcopy(rng.choice(JUNK))
        elif action == 2:
            del holder[key]
        elif action == 3:
            other, name = rng.choice(spots)
            if name in other if isinstance(other, dict) else name < len(other):
                holder[key] = json.loads(json.dumps(other[name]))
        elif action == 4 and isinstance(holder, dict):
            holder[rng.choice(("name", "as_tensor", "as_graph", "new", "graph", "", "as_sym_ints", f"{key}2"))] = (
                holder.pop(key)
            )
        elif action == 5 and isinstance(holder, list):
            holder[key:key] = [holder[key]] * rng.choice((1, 2, 50))
        elif isinstance(holder[key], str):
            text = holder[key]
            at = rng.randrange(len(text) + 1)
            holder[key] = (
                text[:at]
                + rng.choice((",", ";", "(", ")", "\x00", '"', "\\", "é", "", text, "[[[["))
                + text[at + rng.randrange(3) :]
            )


def mutate_members(data: bytes, rng: random.Random) -> bytes:
    """Change the JSON of an archive, or which members there are."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    tables = [name for name in parts if name.endswith(".json")]
    if rng.random() < 0.9:
        name = max(tables, key=lambda n: len(parts[n])) if rng.random() < 0.7 else rng.choice(tables)
        tree = json.loads(parts[name])
        mutate_tree(tree, rng)
        text = json.dumps(tree, ensure_ascii=rng.random() < 0.8).encode("utf-8", "surrogatepass")
        parts[name] = text if rng.random() < 0.95 else mutate_bytes(text, rng)
    else:
        name = rng.choice(list(parts))
        held = parts.pop(name)
        if rng.random() < 0.5:
            parts[rng.choice(("a/b", name + "x", "models/model.json", "x/models/y.json", name.upper()))] = held
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if rng.random() < 0.2 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, held in parts.items():
            archive.writestr(name, held)
    return buffer.getvalue()


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return a mutant of an archive."""
    return mutate_bytes(data, rng) if rng.random() < 0.25 else mutate_members(data, rng)


def exercise(data: bytes) -> str:
    """Read an archive and everything in it; return ``read`` or ``refused``. Anything else that is raised is a finding."""
    try:
        program = read(io.BytesIO(data))
    except GraphLensError as error:
        assert "\n" not in str(error), f"a message of several lines: {error}"
        assert len(str(error)) < 2000, "a message without end"
        return "refused"
    for path, graph in program.graphs.items():
        assert len(graph.index) == len(graph.nodes), f"two nodes of one name in {path!r}"
        before: set[str] = set()
        for node in graph.nodes:
            assert before.issuperset(node.inputs), f"{node.name} uses what is not computed yet"
            before.add(node.name)
            for sub in node.subgraphs:
                assert program.child_path(path, node.name, sub.role) in program.graphs
    assert len(str(program)) > 0
    for tensor in program.stored:
        with contextlib.suppress(ArchiveError):  # damage in a weight is met when the weight is read
            assert tensor.content is None or tensor.content.digest()
    json.dumps([str(notice) for notice in program.notices]).encode()
    return "read"


def main() -> int:
    """Fuzz for a while; print what was found."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    rng = random.Random(seed)
    starts, counts, found = sources(), {"read": 0, "refused": 0}, 0
    end = time.monotonic() + seconds
    print(f"seed {seed}, {seconds:g} s")
    while time.monotonic() < end:
        data = mutate(rng.choice(starts), rng)
        begin = time.monotonic()
        try:
            counts[exercise(data)] += 1
            slow = time.monotonic() - begin
            assert slow < SLOW_SECONDS, f"took {slow:.0f} s"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                break
            found += 1
            path = Path(f"fuzz-found-{seed}-{found}.pt2")
            path.write_bytes(data)
            print(f"FOUND {path}: {type(error).__name__}: {str(error)[:300]}")
            traceback.print_exc()
            if found >= 20:
                break
    print(f"{sum(counts.values())} mutants: {counts['read']} read, {counts['refused']} refused, {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
