"""Which members of an archive are what: the PT2 archive of torch 2.8 and later, and the older zip of one program.

Names are those of `torch/export/pt2_archive/constants.py` (torch 2.13) and of `torch.export.save` in torch 2.5 to 2.7.
"""

from __future__ import annotations

from msgspec import Struct

from graphlens.errors import ArchiveError
from graphlens.program.parts import Payload
from graphlens.read.archive_member import read_member
from graphlens.read.archive_zip import Archive, Member
from graphlens.read.limits import brief

_OLD_PROGRAM = "serialized_exported_program.json"
_FORMAT, _VERSION, _BYTE_ORDER = "archive_format", "archive_version", "byteorder"
_MODELS, _WEIGHTS, _CONSTANTS = "models/", "data/weights/", "data/constants/"
AOTI = "data/aotinductor/"
_SMALL = 4096

_KINDS = (
    ("data/sample_inputs/", "example inputs"),
    (AOTI, "aotinductor"),
    ("data/executorch/", "executorch"),
    ("data/mtia", "mtia"),
    ("xl_model_weights/", "weight"),
    ("extra/", "extra"),
    ("extra_files/", "extra"),
    (".data/", "zip bookkeeping"),
    (_WEIGHTS, "weight"),
    (f"{_CONSTANTS}custom_obj_", "script object"),
    (f"{_CONSTANTS}opaque_obj_", "pickle"),
    (_CONSTANTS, "constant"),
)
_OLD_KINDS = {
    "serialized_state_dict.pt": "pickled state dict", "serialized_constants.pt": "pickled constants",
    "serialized_example_inputs.pt": "example inputs", "serialized_state_dict.json": "pickled state dict",
    "serialized_constants.json": "pickled constants",
}  # fmt: skip


class Layout(Struct, frozen=True, kw_only=True):
    """What was found: the JSON of the chosen program (`None` where there are only compiled ones), and what goes with it."""

    root: str
    models: tuple[str, ...]
    model: str = ""
    program: Member | None = None
    weights: Member | None = None
    constants: Member | None = None
    example_inputs: Member | None = None
    old_state_dict: Member | None = None
    old_constants: Member | None = None
    compiled: tuple[str, ...] = ()
    """Names of AOTInductor models."""
    archive: str = ""
    big_endian: bool = False


def find_layout(archive: Archive, model: str | None) -> Layout:
    """Find the program to read.

    Raises
    ------
    ArchiveError
        If the archive holds no exported program, or several and `model` names none of them.
    """
    members = archive.members
    if _OLD_PROGRAM in members:
        if model not in (None, "model"):
            raise archive.error(f"holds one program and none called {brief(str(model))}; drop model=")
        return Layout(
            root="",
            models=("model",),
            model="model",
            program=members[_OLD_PROGRAM],
            example_inputs=members.get("serialized_example_inputs.pt"),
            old_state_dict=members.get("serialized_state_dict.pt") or members.get("serialized_state_dict.json"),
            old_constants=members.get("serialized_constants.pt") or members.get("serialized_constants.json"),
            archive=f"export zip {_small_text(archive, 'version')}".strip(),
        )
    root = _root(archive)
    models = tuple(_between(name, root + _MODELS, ".json") for name in members if _is_model(name, root))
    inside = [name.removeprefix(root) for name in members if name.startswith(root + AOTI)]
    compiled = dict.fromkeys(map(compiled_name, inside))
    if not models and not compiled:
        raise ArchiveError(f"{archive.name}: {_what_else(archive)}")
    chosen = _choose(archive, models, model)
    return Layout(
        root=root,
        models=models,
        model=chosen,
        program=members.get(f"{root}{_MODELS}{chosen}.json"),
        weights=members.get(f"{root}{_WEIGHTS}{chosen}_weights_config.json"),
        constants=members.get(f"{root}{_CONSTANTS}{chosen}_constants_config.json"),
        example_inputs=members.get(f"{root}data/sample_inputs/{chosen}.pt"),
        old_state_dict=members.get(f"{root}{_WEIGHTS}{chosen}.pt"),
        old_constants=members.get(f"{root}{_CONSTANTS}{chosen}.pt"),
        compiled=tuple(compiled),
        archive=f"{_small_text(archive, root + _FORMAT) or 'pt2'} archive {_small_text(archive, root + _VERSION)}".strip(),
        big_endian=_small_text(archive, root + _BYTE_ORDER) == "big",
    )


def compiled_name(inside: str) -> str:
    """Name of the compiled model that a member belongs to; on Windows torch joins the last parts with backslashes."""
    return inside.removeprefix(AOTI).replace("\\", "/").partition("/")[0]


def _root(archive: Archive) -> str:
    """Return the folder that holds everything, with its slash; `""` if there is none."""
    for name in archive.members:
        if name == _FORMAT or (name.endswith(f"/{_FORMAT}") and name.count("/") == 1):
            return name.removesuffix(_FORMAT)
    for name in archive.members:
        head, slash, rest = name.partition("/")
        if rest.startswith((_MODELS, AOTI)):
            return head + slash
    return ""


def _is_model(name: str, root: str) -> bool:
    return name.startswith(root + _MODELS) and name.endswith(".json")


def _between(name: str, start: str, end: str) -> str:
    return name.removeprefix(start).removesuffix(end)


def _choose(archive: Archive, models: tuple[str, ...], model: str | None) -> str:
    if model is None:
        if len(models) > 1:
            raise archive.error(f"holds {len(models)} programs; choose one with model=: {_listed(models)}")
        return models[0] if models else ""
    if model not in models:
        there = _listed(models) if models else "none"
        raise archive.error(f"holds no program called {brief(model)}; there is {there}")
    return model


def _listed(names: tuple[str, ...]) -> str:
    listed = ", ".join(brief(name) for name in names[:20])
    return listed if len(names) <= 20 else f"{listed} and {len(names) - 20} more"


def _small_text(archive: Archive, name: str) -> str:
    member = archive.members.get(name)
    if member is None or member.size > _SMALL:
        return ""
    return read_member(archive, member).decode("utf-8", "replace").strip()[:40]


def _what_else(archive: Archive) -> str:
    names = [name.rpartition("/")[2] for name in archive.members]
    if "data.pkl" in names:
        kind = "TorchScript file (torch.jit.save)" if "constants.pkl" in names else "file of torch.save, a pickle"
        return f"is a {kind}, not an exported program; write one with torch.export.save"
    if not names:
        return "is a zip archive without members"
    return f"is a zip archive without an exported program in it (first member: {brief(names[0])}); write one with torch.export.save"


def payloads(archive: Archive, layout: Layout) -> tuple[Payload, ...]:
    """List every member that is not opened, and what it is."""
    opened = {member.name for member in (layout.program, layout.weights, layout.constants) if member is not None}
    opened |= {layout.root + name for name in (_FORMAT, _VERSION, _BYTE_ORDER)} | {"version"}
    return tuple(
        Payload(member=name, size=member.size, crc32=member.crc32, kind=_kind(name, layout))
        for name, member in archive.members.items()
        if name not in opened
    )


def _kind(name: str, layout: Layout) -> str:
    inside = name.removeprefix(layout.root)
    if not layout.root and inside in _OLD_KINDS:
        return _OLD_KINDS[inside]
    if _is_model(name, layout.root):
        return "other model"
    if inside.startswith((_WEIGHTS, _CONSTANTS)) and inside.endswith("_config.json"):
        return "table of another model"
    if inside.startswith((_WEIGHTS, _CONSTANTS)) and inside.endswith(".pt"):
        return "pickle"
    return next((kind for start, kind in _KINDS if inside.startswith(start)), "other")
