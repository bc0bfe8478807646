"""The public API and NativeRT on another torch: `make compat` runs this in a venv of its own.

Each check prints one line; the exit status is 1 if any failed.
"""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import graphlens as gl

warnings.filterwarnings("ignore")


class Nested(nn.Module):
    """A cond inside a cond around linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def inner(v: torch.Tensor) -> torch.Tensor:
            return torch.cond(v.sum() > 1, self.a, lambda w: self.b(w) - 1, (v,))

        return torch.cond(x.mean() > 0, inner, lambda v: v * 2, (x,))


def sample() -> tuple[nn.Module, tuple[torch.Tensor]]:
    torch.manual_seed(0)
    return Nested().eval(), (torch.rand(2, 4),)


def reading() -> None:
    model, args = sample()
    program = torch.export.export(model, args)
    live = gl.read(program)
    assert {"cond.true_fn/cond.true_fn", "cond.true_fn/cond.false_fn"} <= {
        path.replace("cond_1", "cond") for path in live.graphs
    }, list(live.graphs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nested.pt2"
        torch.export.save(program, path)
        stored = gl.read(path)
        assert list(stored.graphs) == list(live.graphs)
        assert gl.diff(path, path).ok


def round_trip() -> None:
    model, args = sample()
    trip = gl.roundtrip(model, args, runtimes=("eager", "exported", "decomposed", "reloaded"))
    assert trip.ok, trip.verdict
    assert trip.diff("export", "decompose").proof.level == "equal by torch's decomposition", trip.proofs.to_string()


def more_stages() -> None:
    model, args = sample()
    stages = ("export:strict", "pre_dispatch", "serialize", "deepcopy", "unflatten", "retrace")
    trip = gl.roundtrip(model, args, stages=stages, runtimes=("eager", *stages))
    assert set(trip.stages["status"]) == {"ok"}, trip.verdict
    assert set(trip.outputs["status"]) == {"reference", "ok"}, trip.verdict


def nativert() -> None:
    model, args = sample()
    trip = gl.roundtrip(model, args, stages="export", runtimes=("eager", "nativert"))
    assert list(trip.runtimes["status"]) == ["ok", "ok"], trip.verdict
    assert trip.ok, trip.verdict
    negative = gl.roundtrip(model, (-args[0],), stages="export", runtimes=("eager", "nativert"))
    assert negative.ok, negative.verdict


def preflight() -> None:
    model, args = sample()
    assert gl.preflight(torch.export.export(model, args)).ok


def watching() -> None:
    graph_module = torch.fx.symbolic_trace(nn.Sequential(nn.ReLU(), nn.ReLU()))

    def tidy(graph_module: torch.fx.GraphModule) -> None:
        graph_module.graph.eliminate_dead_code()

    with gl.watch(graph_module) as watched:
        tidy(graph_module)
    assert list(watched.programs) == ["start", "tidy"]


def conformance() -> None:
    result = gl.conformance("export_db", only=["cond_operands", "dictionary", "list_unpack"])
    assert result.ok, result.verdict


def numerics() -> None:
    model, args = sample()
    program = torch.export.export(model, args)
    result = gl.numerics(program, program.run_decompositions(), args)
    assert len(result.table)


def capturing() -> None:
    with gl.capture() as captured:
        torch.compile(lambda x: x.sin() + 1, backend="eager")(torch.ones(3))
    assert len(captured.graphs) == 1


def reporting() -> None:
    model, args = sample()
    with tempfile.TemporaryDirectory() as folder:
        page = gl.report(torch.export.export(model, args), Path(folder) / "page.html")
        assert page.stat().st_size > 10_000


CHECKS: tuple[Callable[[], None], ...] = (
    reading, round_trip, more_stages, nativert, preflight, watching, conformance, numerics, capturing, reporting,
)  # fmt: skip


def main() -> int:
    """Run the checks and return the exit status."""
    print(f"graphlens {gl.__version__} on torch {torch.__version__}, Python {sys.version.split()[0]}")
    failed = 0
    for check in CHECKS:
        start = time.perf_counter()
        try:
            check()
            outcome = "ok"
        except Exception:
            failed += 1
            outcome = "FAILED\n" + traceback.format_exc()
        print(f"{check.__name__.replace('_', ' '):<14} {time.perf_counter() - start:6.1f} s  {outcome}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
