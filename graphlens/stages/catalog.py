"""Which stages and runtimes there are, and what a user's list of them means. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from graphlens.errors import StageError
from graphlens.stages.part import CAPTURE, MODEL, Runtime, Stage, Subject
from graphlens.stages.runtimes import compiled, native, python
from graphlens.stages.steps import capture, passes, rewrite, store

StageLike: TypeAlias = str | Callable[..., Any] | tuple[str, Any] | Stage
RuntimeLike: TypeAlias = str | Runtime

STAGES: Mapping[str, Stage] = {stage.name: stage for module in (capture, rewrite, store) for stage in module.STAGES}
RUNTIMES: Mapping[str, Runtime] = {
    runtime.name: runtime for module in (python, compiled, native) for runtime in module.RUNTIMES
}

PRESETS: Mapping[str, tuple[str, ...]] = {
    "aot_export": ("export:strict",),
    "pre_dispatch_export": ("pre_dispatch",),
    "retrace_export": ("pre_dispatch", "decompose"),
    "serialize_export": ("pre_dispatch", "decompose", "reload@decompose"),
}
"""The flows of PyTorch's own test of higher-order ops."""


def plan_stages(wanted: StageLike | Sequence[StageLike]) -> tuple[Stage, ...]:
    """Turn names, presets, callables, `(name, callable)` and `(name, table)` into stages whose `needs` are names.

    ``"reload@decompose"`` is the stage `reload` of the product of `decompose`. A stage that needs a capture and has none
    before it gets ``export``. A callable is a pass: it takes the product of the stage before it.

    Raises
    ------
    StageError
        A name is unknown, given twice, or starts from a stage that does not come before it.
    """
    entries: Sequence[Any] = (wanted,) if _is_one(wanted) else wanted  # type: ignore[assignment]
    expanded = [item for entry in entries for item in _expand(entry)]
    planned: list[Stage] = []
    for item in expanded:
        stage = _stage(item)
        if stage.needs in (CAPTURE, passes.PREVIOUS) and not any(earlier.capture for earlier in planned):
            planned.append(STAGES["export"])
        planned.append(_resolve(stage, planned))
    names = [stage.name for stage in planned]
    for name in names:
        if names.count(name) > 1:
            raise StageError(f"stage {name!r} is asked for twice; give a pass of your own another name")
    return tuple(planned)


def plan_runtimes(wanted: RuntimeLike | Sequence[RuntimeLike], stages: Sequence[Stage]) -> tuple[Runtime, ...]:
    """Turn names into runtimes; the name of a planned stage runs that stage's product.

    Raises
    ------
    StageError
        A name is unknown.
    """
    if isinstance(wanted, str | Runtime):
        wanted = (wanted,)
    captured = next((stage.name for stage in stages if stage.capture), "export")
    return tuple(_exactness(_runtime(item, [stage.name for stage in stages], captured), stages) for item in wanted)


def _exactness(runtime: Runtime, stages: Sequence[Stage]) -> Runtime:
    """A runtime is as exact as the least exact of the stages before it."""
    by_name, need = {stage.name: stage for stage in stages}, runtime.needs
    while runtime.exact and need in by_name:
        runtime = msgspec.structs.replace(runtime, exact=by_name[need].exact)
        need = by_name[need].needs
    return runtime


def _expand(entry: Any) -> Sequence[Any]:
    return PRESETS.get(entry, (entry,)) if isinstance(entry, str) else (entry,)


def _is_one(wanted: Any) -> bool:
    """Whether this is one stage; ``("export", function)`` is two, ``("mine", function)`` is one with a name."""
    if _is_named(wanted):
        return wanted[0] not in STAGES and wanted[0] not in PRESETS
    return isinstance(wanted, str | Stage) or callable(wanted)


def _is_named(item: Any) -> bool:
    return (
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and not isinstance(item[1], str | tuple)
    )


def _stage(item: StageLike) -> Stage:
    if isinstance(item, Stage):
        return item
    if isinstance(item, str):
        name, _, start = item.partition("@")
        if name not in STAGES:
            raise StageError(
                f"stage {item!r} is unknown; there are {_list([*STAGES, *PRESETS])}, or give (name, function)"
            )
        stage = STAGES[name]
        return msgspec.structs.replace(stage, name=item, needs=start) if start else stage
    if _is_named(item):
        name, what = item  # type: ignore[misc]
        if isinstance(what, Mapping):
            run, judge = partial(rewrite.decompose, table=what), partial(rewrite.judged, table=what)
            return msgspec.structs.replace(STAGES["decompose"], name=name, run=run, judge=judge)
        return passes.user_pass(name, what)
    if callable(item):
        return passes.user_pass(getattr(item, "__name__", type(item).__name__), item)
    raise StageError(f"{item!r:.80} is no stage; give a name, a function, (name, function) or (name, table)")


def _resolve(stage: Stage, planned: Sequence[Stage]) -> Stage:
    """Replace a generic need by the name of the stage that meets it."""
    if stage.needs == CAPTURE:
        start = next(earlier.name for earlier in reversed(planned) if earlier.capture)
    elif stage.needs == passes.PREVIOUS:
        start = planned[-1].name
    else:
        start = stage.needs
    if start != MODEL and start not in [earlier.name for earlier in planned]:
        raise StageError(f"stage {stage.name!r} starts from {start!r}, which does not come before it; ask for it first")
    return msgspec.structs.replace(stage, needs=start)


def _runtime(item: RuntimeLike, stages: Sequence[str], captured: str) -> Runtime:
    if isinstance(item, str):
        if item in RUNTIMES:
            item = RUNTIMES[item]
        elif item in stages:
            return Runtime(name=item, needs=item, load=python.captured)
        else:
            raise StageError(f"runtime {item!r} is unknown; there are {_list([*RUNTIMES])}, and the stages asked for")
    return msgspec.structs.replace(item, needs=captured if item.needs == CAPTURE else _meeting(item.needs, stages))


def _meeting(need: str, stages: Sequence[str]) -> str:
    """The stage that a runtime starts from: ``reload``, else the first ``reload@…`` that was asked for."""
    return need if need in stages else next((name for name in stages if name.partition("@")[0] == need), need)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def subject_of(
    model: Any, args: Sequence[Any], kwargs: Mapping[str, Any] | None, dynamic_shapes: Any, strict: bool
) -> Subject:
    """Check what was given and pack it; an ExportedProgram without inputs brings its own.

    Raises
    ------
    StageError
        `model` is neither a module nor an ExportedProgram, or `args` is no tuple or list.
    """
    import torch

    if not isinstance(args, tuple | list):
        raise StageError(f"args is a {type(args).__name__}; give the positional inputs as a tuple, (x,)")
    if isinstance(model, torch.export.ExportedProgram):
        if not args and not kwargs and model.example_inputs is not None:
            args, kwargs = model.example_inputs
        return Subject(model, tuple(args), dict(kwargs or {}))
    if not isinstance(model, torch.nn.Module):
        raise StageError(f"model is a {type(model).__name__}; give an nn.Module or an ExportedProgram")
    return Subject(model, tuple(args), dict(kwargs or {}), dynamic_shapes, strict)
