"""The diff of two programs as data: a decoder of 64 layers, edited, renamed and shuffled; unchanged; a million nodes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from llama import llama_archive, python
from msgspec import structs
from timing import seconds, spread

from graphlens.diff import compare
from graphlens.diff.align import align
from graphlens.diff.alignment import Alignment
from graphlens.diff.verify import verify
from graphlens.program.frozen import freeze
from graphlens.program.graph import Graph
from graphlens.program.program import Program
from graphlens.read import read

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "diff"))
from synthetic import pair

LAYERS, EXPERTS, EDITS = 64, 71, 50
REPEATS, FEW = 7, 3
KNOWN = {
    "modules and names": (True, True),
    "no module paths": (False, True),
    "no parameter names": (True, False),
    "neither": (False, False),
}


def rows() -> list[dict[str, Any]]:
    """Measure process time, each on programs made for it."""
    return [*_edited(), *_unchanged(), *_million(), *_memory()]


def _edited() -> list[dict[str, Any]]:
    found = []
    for name, (modules, fqns) in KNOWN.items():
        truth = pair(LAYERS, EXPERTS, EDITS, 0, modules=modules, fqns=fqns)
        sure = modules and fqns
        runs = [seconds(lambda a=truth.a, b=truth.b: align(a, b)) for _ in range(REPEATS if sure else 1)]
        alignment = runs[0][1]
        graph = alignment.graphs[0]
        right = sum(truth.mates.get(each.a) == each.b for each in graph.pairs)
        what = f"align {len(truth.a.graph):,} nodes, 4 x {EDITS} edits, {name}"
        found += [
            _amount(what, [taken for taken, _ in runs], 2.0 if sure else None, "s"),
            _amount(f"... precision, {name}", right / len(graph.pairs), 0.999, "", least=True),
            _amount(f"... recall, {name}", right / len(truth.mates), 0.999 if sure else None, "", least=True),
            _amount(f"... ambiguous, {name}", sum(len(each.a) for each in graph.ambiguous), None, "nodes"),
        ]
        if sure:
            found += _after(truth.a, truth.b, alignment)
    return found


def _after(a: Program, b: Program, alignment: Alignment) -> list[dict[str, Any]]:
    """What comes after the search: the checker, all of `compare`, then what is asked of its result."""
    checks = [seconds(lambda: verify(a, b, alignment))[0] for _ in range(FEW)]
    compares = [seconds(lambda: compare(_fresh(a), _fresh(b))) for _ in range(FEW)]
    diff = compares[0][1]
    results = {
        "its patterns": lambda: diff.pattern_rows,
        "its verdict": lambda: diff.verdict,
        "its rows of nodes": lambda: diff.node_rows,
        "its text": diff.to_text,
        "its JSON": diff.to_json,
    }
    found = [_amount("... verify", checks, None, "s")]
    found.append(_amount("... compare, all in", [taken for taken, _ in compares], None, "s"))
    found += [_amount(f"... {what}", [seconds(work)[0]], None, "s") for what, work in results.items()]
    return found


def _fresh(program: Program) -> Program:
    """Return the same program without anything that its graphs have found out about themselves."""
    found: dict[int, Graph] = {}
    graphs = {path: found.setdefault(id(g), Graph(g.nodes, g.meta)) for path, g in program.graphs.items()}
    return structs.replace(program, graphs=freeze(graphs))


def _unchanged() -> list[dict[str, Any]]:
    truth = pair(LAYERS, EXPERTS, 0, 0, rename=False)
    real = [read(llama_archive()) for _ in range(2)]
    return [*_unchanged_pair("synthetic", truth.a, truth.b), *_unchanged_pair("Llama", *real)]


def _unchanged_pair(what: str, a: Program, b: Program) -> list[dict[str, Any]]:
    assert compare(a, b).ok
    taken: dict[str, list[float]] = {"naive": [], "align": [], "compare": []}
    for _ in range(REPEATS):  # in turns, for the machine is not as fast at one time as at another
        for name, run in (("naive", _positional), ("align", align), ("compare", compare)):
            pair = _fresh(a), _fresh(b)
            taken[name].append(seconds(lambda run=run, pair=pair: run(*pair))[0])
    found = []
    for name in ("align", "compare"):
        ratio = min(taken[name]) / min(taken["naive"])
        row = {"name": f"{what}, {len(a.graph):,} nodes, nothing changed: {name} against node by node in order"}
        row |= {**spread(taken[name]), "against": min(taken["naive"]), "ratio": ratio}
        found.append({**row, "target": 5.0, "unit": "s", "ok": ratio <= 5})
    return found


def _million() -> list[dict[str, Any]]:
    small, large = (pair(LAYERS, experts, EDITS, 1) for experts in (EXPERTS, 10 * EXPERTS))
    each = [seconds(lambda t=truth: align(t.a, t.b))[0] / len(truth.a.graph) * 1e6 for truth in (small, large)]
    row = {"name": f"align {len(large.a.graph):,} nodes against {len(small.a.graph):,}, per node"}
    ratio = each[1] / each[0]
    return [
        {**row, "ours": each[1], "against": each[0], "ratio": ratio, "target": 1.3, "unit": "us", "ok": ratio <= 1.3}
    ]


PEAK = """
import sys, tracemalloc
sys.path.insert(0, sys.argv[1])
from synthetic import pair
from graphlens.diff import compare
truth = pair(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), 1)
tracemalloc.start()
compare(truth.a, truth.b)
print(tracemalloc.get_traced_memory()[1], len(truth.a.graph))
"""


def _memory() -> list[dict[str, Any]]:
    """Peak of what comparing an edited pair allocates (tracemalloc), each in a process of its own."""
    tests = str(Path(__file__).parents[1] / "tests" / "diff")
    used = []
    for experts in (EXPERTS // 10, EXPERTS):
        peak, nodes = map(int, python(PEAK, tests, str(LAYERS), str(experts), str(EDITS)).split())
        used.append((peak / 1e6, nodes, peak / nodes))
    (small, nodes, each), (large, more, each_more) = used
    ratio = each_more / each
    row = {"name": f"compare {more:,} nodes against {nodes:,}: peak memory beyond the programs, per node"}
    return [
        _amount(f"compare {nodes:,} nodes, 4 x {EDITS} edits, peak memory beyond the programs", small, None, "MB"),
        _amount(f"compare {more:,} nodes, 4 x {EDITS} edits, peak memory beyond the programs", large, None, "MB"),
        {**row, "ours": each_more, "against": each, "ratio": ratio, "target": 1.3, "unit": "bytes", "ok": ratio <= 1.3},
    ]


def _positional(a: Program, b: Program) -> None:
    """Compare nodes in order, as `_check_graph_nodes` of torch's serialization test does."""
    for path, graph in a.graphs.items():
        for x, y in zip(graph.nodes, b.graphs[path].nodes, strict=True):
            assert x.op == y.op
            assert x.target == y.target
            assert len(x.args) == len(y.args)
            assert set(x.kwargs) == set(y.kwargs)
            assert type(x.value) is type(y.value)
            if x.value is not None and hasattr(x.value, "shape"):
                assert [str(size) for size in x.value.shape] == [str(size) for size in y.value.shape]
                assert x.value.dtype == y.value.dtype
            for key in ("stack_trace", "nn_module_stack", "source_fn_stack"):
                assert x.meta.get(key) == y.meta.get(key)


def _amount(
    name: str, ours: float | list[float], target: float | None, unit: str, *, least: bool = False
) -> dict[str, Any]:
    columns = spread(ours) if isinstance(ours, list) else {"ours": ours}
    ok = None if target is None else (columns["ours"] >= target if least else columns["ours"] <= target)
    return {"name": name, **columns, "target": target, "least": least, "unit": unit, "ok": ok}


if __name__ == "__main__":
    for row in rows():
        print(row)
