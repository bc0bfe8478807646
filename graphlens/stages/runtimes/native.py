"""NativeRT: PyTorch's C++ interpreter of exported programs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphlens.stages.part import CAPTURE, Runtime, Subject

_NAME = "model"


def probe() -> str:
    """Say why NativeRT cannot run here. In some wheels (2.13.0 for the CPU) its class is a stub without constructor."""
    try:
        from torch._C._nativert import PyModelRunner
    except ImportError as error:
        return f"this torch has no NativeRT: {error}"
    return (
        ""
        if hasattr(PyModelRunner, "run")
        else "NativeRT is a stub in this torch wheel (No constructor defined); 2.9.1 and 2.11.0 have it"
    )


def native(_subject: Subject, program: Any) -> Callable[..., Any]:
    """Decompose, package and run with `PyModelRunner`, as PyTorch's own test of NativeRT does. Checked on torch 2.9.1."""
    from torch._C._nativert import PyModelRunner
    from torch.export.pt2_archive._package import package_pt2
    from torch.utils import _pytree as pytree

    program = program.run_decompositions()
    with tempfile.TemporaryDirectory(prefix="graphlens-") as folder:
        path = str(Path(folder) / "model.pt2")
        package_pt2(path, exported_programs={_NAME: program})
        runner = PyModelRunner(path, _NAME)

    def call(*args: Any, **kwargs: Any) -> Any:
        leaves = pytree.tree_leaves(runner.run(*args, **kwargs))
        return pytree.tree_unflatten(leaves, program.call_spec.out_spec)

    return call


RUNTIMES = (Runtime(name="nativert", needs=CAPTURE, load=native, probe=probe, exact=False),)
