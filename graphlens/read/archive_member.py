"""Reading one member of an archive, its limits checked first and its CRC-32 after."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from graphlens.read import limits
from graphlens.read.archive_zip import LOCAL_HEADER_BYTES, Archive, Member

STORED, DEFLATED = 0, 8


def data_start(file: BinaryIO, header: int) -> int | None:
    """Return where a member's bytes start: after its local header, which is trusted for nothing else; `None` without one."""
    file.seek(header)
    head = file.read(LOCAL_HEADER_BYTES)
    if len(head) < LOCAL_HEADER_BYTES or not head.startswith(b"PK\3\4"):
        return None
    name, extra = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
    return header + LOCAL_HEADER_BYTES + name + extra


def read_member(archive: Archive, member: Member, inflated: int = 0) -> bytes:
    """Read a member that graphlens parses (JSON, a version), checking limits first and CRC-32 after.

    `inflated` is what other members took already of `limits.MAX_INFLATED_BYTES`.
    """
    if member.method == DEFLATED:
        if member.size > limits.RATIO_FREE_BYTES and member.size > limits.MAX_RATIO * member.packed:
            raise archive.error(
                f"inflates {member.packed} bytes to {member.size}: a compression bomb, not read", member.name
            )
        allowed = limits.MAX_INFLATED_BYTES - inflated
    else:
        allowed = limits.MAX_STORED_BYTES
    if member.size > allowed:
        raise archive.error(f"is {member.size} bytes of JSON, more than the {allowed} that are read", member.name)
    start = data_start(archive.file, member.offset)
    if start is None:
        raise archive.error("its local header is missing; the archive is damaged", member.name)
    archive.file.seek(start)
    data = archive.file.read(member.packed)
    if member.method == DEFLATED:
        data = _inflate(archive, member, data)
    elif member.method != STORED:
        raise archive.error(f"is compressed by method {member.method}; torch stores or deflates", member.name)
    if len(data) != member.size or zlib.crc32(data) != member.crc32:
        raise archive.error("its bytes do not match their CRC-32 and size; the archive is damaged", member.name)
    return data


def _inflate(archive: Archive, member: Member, data: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # one byte more than declared is asked for, so that a member that declares too little is noticed
        return inflater.decompress(data, member.size + 1)
    except zlib.error as error:
        raise archive.error(f"cannot be inflated ({error}); the archive is damaged", member.name) from None
