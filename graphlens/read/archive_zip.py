"""The zip container of a `.pt2`, read for hostile files: nothing is inflated or allocated before its size is checked.

Follows the ZIP format as PKWARE's APPNOTE.TXT 6.3.10 describes it (sections 4.3.7 to 4.3.16, 4.5.3), as far as torch
writes it: stored and deflated members, ZIP64, one disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from struct import Struct as Layout
from struct import error as layout_error
from typing import BinaryIO

from msgspec import Struct

from graphlens.errors import ArchiveError, SourceError
from graphlens.read import limits
from graphlens.read.limits import brief

_END = Layout("<4s4H2LH")
_END64 = Layout("<4sQ2H2L4Q")
_LOCATOR64 = Layout("<4sLQL")
_ENTRY = Layout("<4s6H3L5H2L")
LOCAL_HEADER_BYTES = 30
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _UTF8 = 0x1, 0x800

Fingerprint = tuple[int, ...]
"""What tells that a file is still the one that was read: size, and of a path also time and inode."""


class Member(Struct, frozen=True, gc=False):
    """One entry of the central directory. `offset` is that of its local header in the file."""

    name: str
    size: int
    packed: int
    crc32: int
    method: int
    offset: int


class Archive(Struct, frozen=True):
    """An open archive: its members by name, in the order of the directory."""

    name: str
    source: str | BinaryIO
    file: BinaryIO
    size: int
    fingerprint: Fingerprint
    members: Mapping[str, Member]

    def error(self, problem: str, member: str | None = None) -> ArchiveError:
        """Return an error that names the file and the member."""
        return ArchiveError(f"{self.name}: {f'member {brief(member)}: ' if member is not None else ''}{problem}")


@contextmanager
def open_archive(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Archive]:
    """Open a path, or a binary file object that can seek, and read its directory.

    Raises
    ------
    SourceError
        If the path cannot be opened.
    ArchiveError
        If it is not a zip archive, is truncated or encrypted, or its directory is hostile.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        path, opened = _open_path(name)
        with opened as file:
            yield _read_directory(name, path, file)
        return
    given = getattr(source, "name", None)
    try:
        readable = isinstance(source.read(0), bytes) and source.seekable()
    except (OSError, ValueError, AttributeError):
        readable = False
    if not readable:
        raise SourceError(f"{type(source).__name__} object: is not a binary file that can seek; open it with mode 'rb'")
    yield _read_directory(given if isinstance(given, str) else type(source).__name__, source, source)


def _open_path(name: str) -> tuple[str, BinaryIO]:
    try:
        path = os.path.abspath(name)  # noqa: PTH100 - pathlib costs more than the rest of the opening
        mode = os.stat(path).st_mode  # noqa: PTH116
        if stat.S_ISDIR(mode):
            raise SourceError(f"{brief(name)}: is a directory; name a .pt2 file in it")
        if not stat.S_ISREG(mode):
            raise SourceError(f"{brief(name)}: is not a regular file; name a .pt2 file")
        return path, open(path, "rb")  # noqa: PTH123
    except OSError as error:
        raise SourceError(f"{brief(name)}: cannot be opened: {error.strerror or error}") from None
    except ValueError as error:
        raise SourceError(f"{brief(name)}: is not a path: {error}") from None


def fingerprint(file: BinaryIO, source: str | BinaryIO) -> Fingerprint:
    """Return what changes when the file does."""
    size = file.seek(0, os.SEEK_END)
    if not isinstance(source, str):
        return (size,)
    status = os.fstat(file.fileno())
    return (size, status.st_mtime_ns, status.st_ino, status.st_dev)


def check_unchanged(archive: Archive) -> None:
    """Raise `ArchiveError` if the file was written to since it was opened."""
    if fingerprint(archive.file, archive.source) != archive.fingerprint:
        raise archive.error("changed while it was being read; read it again when its writer is done")


def _read_directory(name: str, source: str | BinaryIO, file: BinaryIO) -> Archive:
    try:
        mark = fingerprint(file, source)
        size = mark[0]
        start, length, count = _find_directory(name, file, size)
        file.seek(start)
        members = _members(name, file.read(length), count, start)
    except (layout_error, EOFError) as error:
        raise ArchiveError(f"{name}: the zip directory is broken or truncated ({error})") from None
    return Archive(name, source, file, size, mark, members)


def _find_directory(name: str, file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return where the central directory starts, its length and its number of entries."""
    begin = max(0, size - _END.size - _FULL16)
    file.seek(begin)
    tail = file.read(size - begin)
    at = tail.rfind(b"PK\5\6")
    while at >= 0 and (len(tail) - at < _END.size or at + _END.size + _END.unpack_from(tail, at)[7] > len(tail)):
        at = tail.rfind(b"PK\5\6", 0, at)
    if at < 0:
        raise ArchiveError(f"{name}: {_what_else(file, size)}")
    _, disk, first, _, count, length, start, _ = _END.unpack_from(tail, at)
    end = begin + at
    if at >= _LOCATOR64.size and tail[at - _LOCATOR64.size :].startswith(b"PK\6\7"):
        _, disk, where, _ = _LOCATOR64.unpack_from(tail, at - _LOCATOR64.size)
        end -= _LOCATOR64.size
        file.seek(min(where, size))
        record = _END64.unpack(file.read(_END64.size))
        if record[0] != b"PK\6\6":
            raise ArchiveError(f"{name}: the zip64 directory record is not where it should be; the file is damaged")
        _, _, _, _, disk, first, _, count, length, start = record
        end = where
    if disk or first:
        raise ArchiveError(f"{name}: is one part of a zip archive that is split over several files")
    if start + length > end:
        raise ArchiveError(f"{name}: is truncated: its zip directory should end at byte {start + length} of {end}")
    if count > limits.MAX_MEMBERS or length > limits.MAX_DIRECTORY_BYTES:
        raise ArchiveError(f"{name}: declares {count} members in {length} bytes of directory, more than is reasonable")
    return start, length, count


def _what_else(file: BinaryIO, size: int) -> str:
    """Say what a file is that has no zip directory."""
    if not size:
        return "is empty"
    file.seek(0)
    head = file.read(8)
    if head.startswith(b"PK"):
        return "is a truncated zip archive: its directory, which stands at the end, is missing; copy the file again"
    if head[:1] == b"\x80":
        return "is a pickle, not a .pt2 archive; graphlens opens no pickle: save with torch.export.save"
    return "is not a zip archive, so not a .pt2; write one with torch.export.save"


def _members(name: str, directory: bytes, count: int, start: int) -> dict[str, Member]:
    members: dict[str, Member] = {}
    at = 0
    for _ in range(count):
        (signature, _, _, flags, method, _, _, crc32, packed, size, n_name, n_extra, n_note, *_, offset) = (
            _ENTRY.unpack_from(directory, at)
        )
        at += _ENTRY.size
        if signature != b"PK\1\2" or at + n_name + n_extra > len(directory):
            raise ArchiveError(f"{name}: the zip directory is broken at its byte {at - _ENTRY.size}")
        member = _member_name(name, directory[at : at + n_name], flags)
        if _FULL32 in (packed, size, offset):
            extra = directory[at + n_name : at + n_name + n_extra]
            size, packed, offset = _zip64(extra, size, packed, offset)
        at += n_name + n_extra + n_note
        if flags & _ENCRYPTED:
            raise ArchiveError(
                f"{name}: member {brief(member)} is encrypted; graphlens asks for no password: decrypt it"
            )
        if member.endswith("/"):
            continue
        if member in members:
            raise ArchiveError(f"{name}: holds two members called {brief(member)}, so which one is meant is undecided")
        if offset + LOCAL_HEADER_BYTES + packed > start:
            raise ArchiveError(
                f"{name}: member {brief(member)} lies outside the file; the archive is truncated or forged"
            )
        members[member] = Member(member, size, packed, crc32, method, offset)
    return members


def _member_name(archive: str, raw: bytes, flags: int) -> str:
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _UTF8:
            raise ArchiveError(f"{archive}: a member's name is not UTF-8: {raw[:60]!r}") from None
        name = raw.decode("cp437")
    parts = name.replace("\\", "/").split("/")
    bad = ".." in parts or name.startswith(("/", "\\")) or name[1:2] == ":" or "\0" in name or not name
    if bad or len(name) > limits.MAX_NAME:
        raise ArchiveError(f"{archive}: a member is called {brief(name)}: only plain relative names are accepted")
    return name


def _zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Take the sizes that do not fit into 32 bits from the extra field 1 (APPNOTE 4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = int.from_bytes(extra[at : at + 2], "little"), int.from_bytes(extra[at + 2 : at + 4], "little")
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            numbers = [int.from_bytes(field[i : i + 8], "little") for i in range(0, len(field) - 7, 8)]
            taken = [numbers.pop(0) if value == _FULL32 and numbers else value for value in (size, packed, offset)]
            return taken[0], taken[1], taken[2]
        at += 4 + length
    return size, packed, offset
