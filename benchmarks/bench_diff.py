"""The diff of two programs as data: a decoder of 64 layers, edited, renamed and shuffled; unchanged; a million nodes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama import llama_archive, python

from graphlens.diff import compare
from graphlens.diff.align import align
from graphlens.diff.verify import verify
from graphlens.program.collector import without_collector
from graphlens.program.program import Program
from graphlens.read import read

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "diff"))
from synthetic import pair

LAYERS, EXPERTS, EDITS = 64, 71, 50
REPEATS = 7
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
        work = lambda a=truth.a, b=truth.b: align(a, b)  # noqa: E731
        taken, alignment = min((_timed(work) for _ in range(REPEATS if sure else 1)), key=lambda run: run[0])
        graph = alignment.graphs[0]
        right = sum(truth.mates.get(each.a) == each.b for each in graph.pairs)
        found += [
            _amount(
                f"align {len(truth.a.graph):,} nodes, 4 x {EDITS} edits, {name}{f', best of {REPEATS}' if sure else ''}",
                taken,
                2.0 if sure else None,
                "s",
            ),
            _amount(f"... precision, {name}", right / len(graph.pairs), 0.999, "", least=True),
            _amount(f"... recall, {name}", right / len(truth.mates), 0.999 if sure else None, "", least=True),
            _amount(f"... ambiguous, {name}", sum(len(each.a) for each in graph.ambiguous), None, "nodes"),
        ]
        if sure:
            taken, _ = _timed(lambda a=truth.a, b=truth.b, found=alignment: verify(a, b, found))
            found.append(_amount("... verify", taken, None, "s"))
            taken, _ = _timed(lambda a=truth.a, b=truth.b: compare(a, b))
            found.append(_amount("... compare, all in", taken, None, "s"))
    return found


def _unchanged() -> list[dict[str, Any]]:
    truth = pair(LAYERS, EXPERTS, 0, 0, rename=False)
    real = [read(llama_archive()) for _ in range(2)]
    return [*_unchanged_pair("synthetic", truth.a, truth.b), *_unchanged_pair("Llama", *real)]


def _unchanged_pair(what: str, a: Program, b: Program) -> list[dict[str, Any]]:
    runs = {"naive": _positional, "align": align, "compare": compare}
    assert compare(a, b).ok
    best = {name: min(_timed(lambda run=run: run(a, b))[0] for _ in range(REPEATS)) for name, run in runs.items()}
    found = []
    for name in ("align", "compare"):
        ratio = best[name] / best["naive"]
        row = {"name": f"{what}, {len(a.graph):,} nodes, nothing changed: {name} against node by node in order"}
        row |= {"ours": best[name], "against": best["naive"], "ratio": ratio}
        found.append({**row, "target": 5.0, "unit": "s", "ok": ratio <= 5})
    return found


def _million() -> list[dict[str, Any]]:
    small, large = (pair(LAYERS, experts, EDITS, 1) for experts in (EXPERTS, 10 * EXPERTS))
    each = [_timed(lambda t=truth: align(t.a, t.b))[0] / len(truth.a.graph) * 1e6 for truth in (small, large)]
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


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    with without_collector():  # as `compare` runs them
        start = time.process_time()
        result = work()
        return time.process_time() - start, result


def _amount(name: str, ours: float, target: float | None, unit: str, *, least: bool = False) -> dict[str, Any]:
    ok = None if target is None else (ours >= target if least else ours <= target)
    return {"name": name, "ours": ours, "target": target, "unit": unit, "ok": ok}


if __name__ == "__main__":
    for row in rows():
        print(row)
