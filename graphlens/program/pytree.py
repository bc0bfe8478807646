"""Serialized pytree specs (`torch.utils._pytree.treespec_dumps`, protocol 1) read as data: where each leaf stands."""

from __future__ import annotations

import json
from typing import Any

LEAF_LIMIT = 100_000


def leaf_paths(spec: str, *, call: bool) -> tuple[str, ...] | None:
    """Say where each leaf of a pytree stands.

    Parameters
    ----------
    spec
        Serialized spec: ``[1, {"type": "builtins.tuple", "context": "null", "children_spec": […]}]``.
    call
        The spec is of ``(args, kwargs)``, as in `ExportedProgram.call_spec`.

    Returns
    -------
    tuple of str or None
        ``args[0]['ids']`` and ``kwargs['scale']`` for a call, ``['logits'][0]`` for a result and ``""`` for a bare
        one; a field of a dataclass reads ``.name``, a child of an unknown class ``[i]``. `None` where the text is not
        a serialized spec.
    """
    try:
        document = json.loads(spec)
        root = document[1]
        children = root["children_spec"]
        if call and (len(children) != 2 or root["type"] != "builtins.tuple"):
            return None
        stack = [("kwargs", children[1]), ("args", children[0])] if call else [("", root)]
        paths: list[str] = []
        while stack and len(paths) < LEAF_LIMIT:
            path, top = stack.pop()
            children = top["children_spec"]
            if top["type"] is None:
                paths.append(path)
            steps = _steps(top, len(children))
            stack.extend(reversed([(path + step, child) for step, child in zip(steps, children, strict=True)]))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    return tuple(paths)


def _steps(spec: dict[str, Any], count: int) -> list[str]:
    context = spec["context"]
    if isinstance(context, str):
        try:
            context = json.loads(context)
        except (ValueError, RecursionError):
            context = None
    if isinstance(context, dict):
        context = context.get("dict_context")
    if isinstance(context, list) and len(context) == count and all(isinstance(key, str | int) for key in context):
        return [f"[{key!r}]" for key in context]
    if isinstance(context, list) and context and isinstance(context[0], list) and len(context[0]) == count:
        return [f".{name}" for name in context[0]]
    return [f"[{i}]" for i in range(count)]
