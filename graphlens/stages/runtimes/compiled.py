"""Runtimes that compile: torch.compile with three backends, AOTInductor, and AOTInductor as a delegate."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from graphlens.stages.part import CAPTURE, MODEL, Runtime, Subject

RECOMPILE_LIMIT = 256
"""Above torch's own 8, which would end in eager without a word."""


def probe_dynamo() -> str:
    """Say why torch.compile cannot run here. Checked on torch 2.9 to 2.13."""
    import torch._dynamo

    return "" if torch._dynamo.is_dynamo_supported() else "torch.compile does not support this platform or Python"  # noqa: SLF001


def probe_compiler() -> str:
    """Say why Inductor cannot compile for the CPU here: no dynamo, or no C++ compiler. Checked on torch 2.9 to 2.13."""
    missing = probe_dynamo()
    if missing:
        return missing
    try:
        from torch._inductor.cpp_builder import get_cpp_compiler

        get_cpp_compiler()
    except ImportError as error:
        return f"this torch has no Inductor: {error}"
    except Exception as error:  # noqa: BLE001 - the probe of a tool, whatever it raises is the reason
        line = str(error).strip().splitlines()
        return f"no C++ compiler: {line[0] if line else type(error).__name__}"
    return ""


def compiled(_subject: Subject, model: Any, backend: str) -> Callable[..., Any]:
    """Compile a module with `torch.compile`; to run out of recompilations is an error, not silently eager."""
    import torch
    from torch._dynamo import config

    module = torch.compile(model, backend=backend)
    names = ("recompile_limit", "accumulated_recompile_limit", "cache_size_limit", "accumulated_cache_size_limit")
    limits = {name: RECOMPILE_LIMIT for name in names if hasattr(config, name)}
    strict = {"fail_on_recompile_limit_hit": True} if hasattr(config, "fail_on_recompile_limit_hit") else {}
    return _Patched(module, partial(config.patch, **limits, **strict))


class _Patched:
    """A callable that runs under a patched configuration; `module` holds the state."""

    def __init__(self, module: Any, patch: Callable[[], Any]) -> None:
        self.module, self.patch = module, patch

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.patch():
            return self.module(*args, **kwargs)


def aoti(_subject: Subject, program: Any) -> Callable[..., Any]:
    """Compile with `aoti_compile_and_package`, load the package and call it."""
    import torch._inductor

    folder = _folder()
    path = torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "model.pt2"))  # noqa: SLF001
    return _owning(torch._inductor.aoti_load_package(path), folder)  # noqa: SLF001


def delegate(_subject: Subject, program: Any) -> Callable[..., Any]:
    """Lower with `lower_exported_program` and call the program that holds the delegate."""
    lowered, _files = _lower(program)
    return lowered.module()  # type: ignore[no-any-return]


def packaged_delegate(_subject: Subject, program: Any) -> Callable[..., Any]:
    """Lower, package for NativeRT, load the package and call its AOTInductor runner, which is flat in and flat out."""
    from torch.export.pt2_archive._package import load_pt2
    from torch.nativert.backends._lower_utils import package_nativert_with_aoti_delegate
    from torch.utils import _pytree as pytree

    lowered, files = _lower(program)
    folder = _folder()
    path = str(folder / "model.pt2")
    package_nativert_with_aoti_delegate(path, "model", "aoti", program, lowered, files)
    runner = load_pt2(path).aoti_runners["model-aoti"]

    def call(*args: Any, **kwargs: Any) -> Any:
        leaves = runner(*pytree.tree_leaves((args, kwargs)))
        return pytree.tree_unflatten(list(leaves), program.call_spec.out_spec)

    return _owning(call, folder)


def probe_delegate() -> str:
    """Say why there is no delegate here. `torch.nativert.backends` came with torch 2.9."""
    try:
        from torch.nativert.backends._lower_utils import lower_exported_program  # noqa: F401
    except ImportError as error:
        return f"this torch has no AOTInductor delegate: {error}"
    return probe_compiler()


def _lower(program: Any) -> tuple[Any, Any]:
    from torch.nativert.backends._lower_utils import lower_exported_program

    lowered, files = lower_exported_program(program, "model", "aoti")
    return lowered, files


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="graphlens-"))


def _owning(function: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """Keep a folder for as long as what was loaded from it lives."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    weakref.finalize(call, shutil.rmtree, folder, ignore_errors=True)
    return call


RUNTIMES = (
    Runtime(
        name="compile:eager", needs=MODEL, load=partial(compiled, backend="eager"), probe=probe_dynamo, exact=False
    ),
    Runtime(
        name="compile:aot_eager",
        needs=MODEL,
        load=partial(compiled, backend="aot_eager"),
        probe=probe_dynamo,
        exact=False,
    ),
    Runtime(
        name="compile:inductor",
        needs=MODEL,
        load=partial(compiled, backend="inductor"),
        probe=probe_compiler,
        exact=False,
    ),
    Runtime(name="aoti", needs=CAPTURE, load=aoti, probe=probe_compiler, exact=False),
    Runtime(name="aoti_delegate", needs=CAPTURE, load=delegate, probe=probe_delegate, exact=False),
    Runtime(name="aoti_delegate:packaged", needs=CAPTURE, load=packaged_delegate, probe=probe_delegate, exact=False),
)
