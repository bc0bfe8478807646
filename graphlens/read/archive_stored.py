"""Weights and constants of an archived program: described from its small JSON tables, their bytes left where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Raw

from graphlens.program.graph import Graph
from graphlens.program.parts import InputSpec, StoredTensor
from graphlens.program.value import Size, TensorValue
from graphlens.read import schema
from graphlens.read.archive_content import ArchiveContent
from graphlens.read.archive_decode import Reading, decode
from graphlens.read.archive_layout import Layout
from graphlens.read.archive_member import STORED, read_member
from graphlens.read.archive_values import tensor_value
from graphlens.read.archive_zip import Archive, Member
from graphlens.read.limits import brief

_KINDS = {"parameter": "parameter", "buffer": "buffer", "constant_tensor": "constant", "custom_obj": "custom_obj"}
_PICKLED = "pickled, so not opened"
_FAKE = "the archive holds no elements (it was exported from fake tensors); torch loads zeros"


def stored_tensors(
    archive: Archive, layout: Layout, inputs: tuple[InputSpec, ...], root: Graph, reading: Reading
) -> Iterator[StoredTensor]:
    """Describe every weight and constant, those of the state dict first.

    From the tables of the PT2 archive; of the older layout, whose state dict is one pickle, from the signature and
    the placeholders.
    """
    kinds = {spec.target: _KINDS[spec.kind] for spec in inputs if spec.target and spec.kind in _KINDS}
    tables = [(layout.weights, False), (layout.constants, True)]
    if not any(table for table, _ in tables):
        yield from _from_placeholders(layout, inputs, root)
        return
    for table, constant in tables:
        if table is None:
            continue
        folder = table.name.rpartition("/")[0]
        reading.member = table.name
        config = decode(read_member(archive, table), schema.PayloadConfig, reading, "$").config
        for fqn, meta in config.items():
            kind = kinds.get(fqn) or ("constant" if constant else "parameter" if meta.is_param else "buffer")
            member = archive.members.get(f"{folder}/{meta.path_name}")
            if member is None:
                reading.notice(
                    "missing members",
                    f"$.config.{fqn[:80]}",
                    f"its bytes should be in {brief(meta.path_name)}, which is missing",
                )
            yield _described(archive, layout, fqn, kind, meta, member, reading)


def _described(
    archive: Archive,
    layout: Layout,
    fqn: str,
    kind: str,
    meta: schema.PayloadMeta,
    member: Member | None,
    reading: Reading,
) -> StoredTensor:
    value = _value(meta.tensor_meta, reading)
    content, note = _content(archive, layout, meta, value, member)
    if value is None:
        kind = "custom_obj"
    return StoredTensor(
        fqn=fqn,
        kind=kind,
        shape=None if value is None else value.shape,
        dtype=None if value is None else value.dtype,
        stride=None if value is None else value.stride,
        storage_offset=None if value is None else value.storage_offset,
        device=None if value is None else value.device,
        layout=None if value is None else value.layout,
        requires_grad=None if value is None else value.requires_grad,
        type="Parameter" if meta.is_param and not meta.use_pickle else None,
        storage=None if member is None else member.name,
        nbytes=None if member is None else member.size,
        member=None if member is None else member.name,
        crc32=None if member is None else member.crc32,
        note=note,
        content=content,
    )


def _value(raw: Raw, reading: Reading) -> TensorValue | None:
    data = bytes(raw)
    if data in (b"", b"null"):
        return None
    known = reading.values.get(data)
    if not isinstance(known, TensorValue):
        known = reading.values[data] = tensor_value(decode(data, schema.TensorMeta, reading, "$.config"))
    return known


def _content(
    archive: Archive, layout: Layout, meta: schema.PayloadMeta, value: TensorValue | None, member: Member | None
) -> tuple[ArchiveContent | None, str | None]:
    if member is None:
        return None, "its member is missing from the archive"
    if meta.use_pickle or value is None:
        return None, _PICKLED
    if member.method != STORED:
        return None, "compressed, so not read in place"
    shape, stride, offset = _plain(value.shape), _plain(value.stride or ()), value.storage_offset
    if shape is None or stride is None or not isinstance(offset, int):
        return None, "its size is symbolic"
    if not member.size and 0 not in shape:
        return None, _FAKE
    content = ArchiveContent(
        source=archive.source,
        name=archive.name,
        mark=archive.fingerprint,
        header=member.offset,
        nbytes=member.size,
        dtype=value.dtype,
        shape=shape,
        stride=stride,
        offset=offset,
        swap=layout.big_endian,
    )
    if not content.readable:
        return None, "its description does not fit the bytes that the archive holds"
    return content, None


def _plain(sizes: tuple[Size, ...]) -> tuple[int, ...] | None:
    numbers = tuple(size for size in sizes if isinstance(size, int))
    return numbers if len(numbers) == len(sizes) else None


def _from_placeholders(layout: Layout, inputs: tuple[InputSpec, ...], root: Graph) -> Iterator[StoredTensor]:
    values: Mapping[str, TensorValue] = {
        node.name: node.value for node in root.placeholders if isinstance(node.value, TensorValue)
    }
    seen: set[str] = set()
    for spec in inputs:
        if spec.target is None or spec.kind not in _KINDS or spec.target in seen:
            continue  # torch 2.5 feeds all inputs of a tied weight from one name
        seen.add(spec.target)
        constant = spec.kind in ("constant_tensor", "custom_obj") or spec.persistent is False
        member = layout.old_constants if constant else layout.old_state_dict
        value = values.get(spec.argument)
        yield StoredTensor(
            fqn=spec.target,
            kind=_KINDS[spec.kind],
            shape=None if value is None else value.shape,
            dtype=None if value is None else value.dtype,
            stride=None if value is None else value.stride,
            storage_offset=None if value is None else value.storage_offset,
            device=None if value is None else value.device,
            layout=None if value is None else value.layout,
            requires_grad=None if value is None else value.requires_grad,
            type="Parameter" if spec.kind == "parameter" else None,
            member=None if member is None else member.name,
            note=f"in {member.name}, {_PICKLED}" if member is not None else "not in the archive",
        )
