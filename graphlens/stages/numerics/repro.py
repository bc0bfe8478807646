"""A standalone script that shows one node's difference: the node as code, twice, on inputs that lie beside it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree

from graphlens.errors import StageError
from graphlens.files import write_file
from graphlens.stages.numerics.compare import inputs_of
from graphlens.stages.numerics.lockstep import Both, Pairing
from graphlens.stages.numerics.metrics import plain
from graphlens.stages.numerics.rows import NodeRow
from graphlens.stages.numerics.run import Inputs, run_until
from graphlens.stages.numerics.source import imports_text, module_text, unit_module
from graphlens.stages.numerics.subject import Subject
from graphlens.stages.numerics.units import Unit
from graphlens.stages.numerics.wording import place_text

_MAIN = """
data = torch.load(Path(__file__).with_suffix(".pt"))


def run(module, inputs):
    if data["rng"] is not None:
        torch.set_rng_state(data["rng"])
    with torch.no_grad():
        output = module(*inputs)
    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, (torch.Tensor, int, float))]


def compare(x, y):
    if not isinstance(x, torch.Tensor):
        x, y = torch.as_tensor(x), torch.as_tensor(y)
    if x.shape != y.shape or x.dtype != y.dtype:
        return f"a is {x.dtype} {list(x.shape)}, b is {y.dtype} {list(y.shape)}"
    wide = torch.complex128 if x.is_complex() else torch.float64
    error = (y.to(wide) - x.to(wide)).abs()
    unequal = int(((x != y) & ~(x.isnan() & y.isnan())).sum())
    largest = float(error.nan_to_num(0.0, 0.0).max()) if error.numel() else 0.0
    relative = float(error.nan_to_num(0.0, 0.0).norm() / x.to(wide).nan_to_num(0.0, 0.0, 0.0).norm())
    return f"{unequal} of {x.numel()} elements differ, max abs {largest:.6g}, relative {relative:.6g}"


if __name__ == "__main__":
    for i, (x, y) in enumerate(zip(run(A(), data["a"]), run(B(), data["b"]))):
        print(f"output {i}: {compare(x, y)}")
"""


def write_repro(
    a: Subject, b: Subject, inputs: Inputs, pins: Sequence[tuple[str, str]], row: NodeRow, path: Path
) -> Path:
    """Run both programs again up to one row, and write what is needed to see its difference alone.

    Both nodes are run on the inputs of `a`; where they have no counterpart, each on its own.

    Raises
    ------
    StageError
        The row is of a node that raised, or is not met again.
    """
    texts: list[str] = []
    data: dict[str, Any] = {}

    def take(_pairing: Pairing, both: Both, unit: Unit) -> None:
        inputs_a, inputs_b = inputs_of(both, unit)
        own = {name: both.b.values.get(name) for name in unit.inputs_b} if inputs_b is None else inputs_b
        state = next((both.states[name] for name in unit.nodes_a if name in both.states), None)
        left = unit_module(both.a.module, unit.nodes_a, list(inputs_a))
        right = unit_module(both.b.module, unit.nodes_b, list(own))
        data.update(
            a=_values(inputs_a),
            b=_values(own),
            rng=None if state is None else state[0],
            constants=_constants(left, right),
        )
        texts.append(_script(left, right, row))

    if row.status == "failed" or not run_until(a, b, inputs, pins, row, take):
        raise StageError(f"{row.node_a or row.node_b} cannot be run alone: {row.note or 'it is not met again'}")
    buffer = io.BytesIO()
    torch.save(data, buffer)
    write_file(path.with_suffix(".pt"), buffer.getvalue())
    return write_file(path, texts[0])


def _script(a: fx.GraphModule, b: fx.GraphModule, row: NodeRow) -> str:
    title = place_text(row).replace("\\", "/").replace('"""', "'''")
    head = f'"""{title}: run it to see the difference."""\n\nfrom pathlib import Path\n\nimport torch\n'
    head += "from torch.utils._pytree import tree_leaves\n"
    return "\n".join([head, imports_text(a, b), module_text("A", a), module_text("B", b), _MAIN])


def _values(inputs: Mapping[str, Any]) -> list[Any]:
    """What is passed to the module: everything but nested graphs, which are code. Storage is cut to what is seen."""
    return [
        pytree.tree_map_only(torch.Tensor, lambda t: plain(t).clone(), value)
        for value in inputs.values()
        if not isinstance(value, fx.GraphModule)
    ]


def _constants(a: fx.GraphModule, b: fx.GraphModule) -> dict[str, Any]:
    """Tensors that nested graphs hold themselves, by class letter and dotted name."""
    found = {}
    for letter, module in (("A", a), ("B", b)):
        for name, tensor in (*module.named_parameters(), *module.named_buffers(), *_attributes(module)):
            found[f"{letter}.{name}"] = tensor.detach().clone()
    return found


def _attributes(module: fx.GraphModule) -> list[tuple[str, torch.Tensor]]:
    return [
        (f"{prefix}.{key}" if prefix else key, value)
        for prefix, sub in module.named_modules()
        for key, value in vars(sub).items()
        if isinstance(value, torch.Tensor)
    ]
