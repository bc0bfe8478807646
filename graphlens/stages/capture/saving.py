"""What compiling a module changes about saving it: state_dict, pickle, copy, and what each of them loads into."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphlens.errors import StageError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("what", "uncompiled", "compiled", "same", "advice")
_STRIP = "save the uncompiled module's state_dict(), or compile in place with module.compile()"


def saved_forms(module: Any) -> pd.DataFrame:
    """Show what saving, copying and loading make of a compiled module, next to the module without compilation.

    Parameters
    ----------
    module
        The result of ``torch.compile(module)``, or a module that was compiled in place with ``module.compile()``. It is
        neither run nor written to; weights are not copied.

    Returns
    -------
    DataFrame
        One row per form: ``what uncompiled compiled same advice``.

    Raises
    ------
    StageError
        `module` is no compiled module.
    """
    import pandas as pd

    plain = uncompiled(module)
    return pd.DataFrame(list(_rows(plain, module)), columns=list(COLUMNS))


def uncompiled(module: Any) -> Any:
    """Return the module inside the wrapper that `torch.compile` makes (`_orig_mod`, torch 2.0 to 2.13), or itself.

    Raises
    ------
    StageError
        It is not compiled in either way (`_compiled_call_impl` is where ``module.compile()`` leaves its trace).
    """
    import torch

    inner = getattr(module, "_orig_mod", None)
    if isinstance(inner, torch.nn.Module):
        return inner
    if isinstance(module, torch.nn.Module) and is_compiled(module):
        return module
    raise StageError(
        f"{type(module).__name__} is no compiled module; give torch.compile(module), or call module.compile()"
    )


def is_compiled(module: Any) -> bool:
    """Whether calling this module runs compiled code."""
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None


def _rows(plain: Any, module: Any) -> Iterator[tuple[str, str, str, bool, str]]:
    wrapped = plain is not module
    ours, theirs = list(plain.state_dict()), list(module.state_dict())
    yield _row("class", type(plain).__name__, type(module).__name__, "isinstance tests on it fail" if wrapped else "")
    yield _row("state_dict keys", _sample(ours), _sample(theirs), _STRIP if ours != theirs else "")
    names = [name for name, _ in plain.named_parameters()], [name for name, _ in module.named_parameters()]
    yield _row("parameter names", _sample(names[0]), _sample(names[1]), _STRIP if names[0] != names[1] else "")
    yield _row(
        "its state_dict into the uncompiled module", "loads", _loads(theirs, ours), _STRIP if ours != theirs else ""
    )
    yield _row("uncompiled state_dict into it", "loads", _loads(ours, theirs), _STRIP if ours != theirs else "")
    for what, make in (("torch.save and torch.load of the module", _pickled), ("copy.deepcopy", _copied)):
        found = _form(make, module)
        advice = "" if found.endswith(", compiled") else "compile it again after loading; save the state_dict instead"
        yield (what, f"{type(plain).__name__}, not compiled", found, found.startswith(type(plain).__name__), advice)


def _row(what: str, a: str, b: str, advice: str = "") -> tuple[str, str, str, bool, str]:
    return what, a, b, a == b, advice


def _sample(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" … ({len(names)})" if len(names) > 3 else "") or "none"


def _loads(given: list[str], wanted: list[str]) -> str:
    """What `load_state_dict(strict=True)` says to these keys."""
    missing, unexpected = set(wanted) - set(given), set(given) - set(wanted)
    return f"fails: {len(missing)} missing, {len(unexpected)} unexpected keys" if missing or unexpected else "loads"


def _form(make: Any, module: Any) -> str:
    try:
        made = make(module)
    except Exception as error:  # noqa: BLE001 - the user's module may refuse in any way, and that is the answer
        return f"fails: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return f"{type(made).__name__}, {'compiled' if is_compiled(made) else 'not compiled'}"


def _copied(module: Any) -> Any:
    """Deep copy that shares the tensors."""
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})


def _pickled(module: Any) -> Any:
    """Through pickle, as `torch.save` and `torch.load` do, but with the tensors passed by."""
    import torch

    held: list[Any] = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> int | None:
            if not isinstance(obj, torch.Tensor):
                return None
            held.append(obj)
            return len(held) - 1

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            return held[pid]

    buffer = io.BytesIO()
    Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(module)
    buffer.seek(0)
    return Unpickler(buffer).load()
