"""Files that are no archives, broken ones, and archives made to hurt: one clear line each, and nothing taken first."""

import io
import os
import resource
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import pytest
from hostile.archive_parts import DTYPES, FIXTURES, NESTED, OLD, members, packed, program_member

import graphlens
from graphlens.errors import ArchiveError, GraphLensError, SourceError
from graphlens.read import read


def refused(source, *words, **options):
    with pytest.raises(GraphLensError) as caught:
        read(source, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 1200
    for word in words:
        assert word in message, message
    return caught.value


def directory(data):
    """Where the central directory starts."""
    return struct.unpack_from("<L", data, data.rindex(b"PK\5\6") + 16)[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"hello, this is text\n" * 50, ["not a zip archive", "torch.export.save"]),
        (b"\x80\x04\x95" + b"." * 100, ["pickle"]),
        (b"PK\3\4" + bytes(200), ["truncated"]),
        (packed({}), ["without members"]),
        (packed({"readme.txt": b"x"}), ["without an exported program", "readme.txt"]),
        (packed({"archive/data.pkl": b"x", "archive/version": b"3"}), ["torch.save"]),
        (packed({"m/data.pkl": b"x", "m/constants.pkl": b"x", "m/code/x.py": b""}), ["torch.jit.save"]),
    ],
)
def test_what_is_no_archive_says_what_it_is(tmp_path, content, words):
    path = tmp_path / "thing.pt2"
    path.write_bytes(content)
    assert isinstance(refused(path, "thing.pt2", *words), ArchiveError)
    refused(io.BytesIO(content), "BytesIO", *words)


def test_paths_that_cannot_be_opened(tmp_path):
    refused(tmp_path / "missing.pt2", "missing.pt2", "cannot be opened")
    refused(tmp_path, "is a directory")
    refused("bad\0name.pt2", "is not a path")
    os.mkfifo(tmp_path / "pipe.pt2")
    refused(tmp_path / "pipe.pt2", "not a regular file")


def test_files_that_cannot_be_read_like_one(tmp_path):
    class Pipe(io.RawIOBase):
        def read(self, n=-1):
            return b""

        def seekable(self):
            return False

    refused(Pipe(), "binary file that can seek")
    refused(io.StringIO("text"), "binary file that can seek")
    closed = io.BytesIO(b"x")
    closed.close()
    refused(closed, "binary file that can seek")


@pytest.mark.parametrize("source", [NESTED, OLD], ids=["pt2", "old zip"])
def test_truncated_anywhere(source):
    whole = source.read_bytes()
    for cut in (1, 10, 22, 60, 1000, len(whole) // 2, len(whole) - 10):
        refused(io.BytesIO(whole[:-cut]), "BytesIO")


def test_encrypted():
    data = bytearray(NESTED.read_bytes())
    data[directory(data) + 8] |= 1
    refused(io.BytesIO(data), "encrypted")


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/passwd", "C:/x", "..\\evil", "\\\\host\\x", "n" * 5000]
)
def test_names_that_lead_out_of_the_archive(name):
    refused(io.BytesIO(packed({**members(DTYPES), name: b"x"})), "plain relative names")


def test_a_name_that_is_no_text():
    data = packed({**members(DTYPES), "snow\N{SNOWMAN}": b"x"})
    refused(io.BytesIO(data.replace("snow\N{SNOWMAN}".encode(), b"snow\xff\xfe\xfd")), "not UTF-8")


def test_two_members_of_one_name():
    buffer = io.BytesIO(DTYPES.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("dtypes/models/model.json", b"{}")
    refused(buffer, "two members called", "dtypes/models/model.json")


def test_bytes_that_do_not_match_their_checksum():
    data = NESTED.read_bytes()
    refused(io.BytesIO(data.replace(b'"torch_version": "2.13', b'"torch_version": "2.31')), "CRC-32")


def test_a_member_that_points_outside():
    data = bytearray(NESTED.read_bytes())
    at = directory(data)
    data[at + 42 : at + 46] = struct.pack("<L", len(data) - 5)
    refused(io.BytesIO(data), "outside the file")
    data[at + 42 : at + 46] = struct.pack("<L", 3)
    program = read(io.BytesIO(data))  # a weight's header is met when the weight is
    with pytest.raises(ArchiveError, match="local header"):
        program.stored[0].content.digest()


def test_a_compression_that_torch_does_not_write():
    refused(io.BytesIO(packed(members(NESTED), zipfile.ZIP_BZIP2)), "method 12")


def test_deflated_archives_are_read():
    deflated = read(io.BytesIO(packed(members(NESTED), zipfile.ZIP_DEFLATED)))
    assert deflated.graphs == read(NESTED).graphs
    assert all(tensor.content is None and "compressed" in tensor.note for tensor in deflated.stored)


def test_a_bomb_by_ratio_is_not_inflated():
    parts = members(DTYPES)
    parts[program_member(parts)] = b'{"graph_module":' + b" " * (300 << 20) + b"{}}"
    data = packed(parts, zipfile.ZIP_DEFLATED)
    del parts
    assert len(data) < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(io.BytesIO(data), "compression bomb")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_member_that_inflates_to_more_than_it_declares():
    parts = members(DTYPES)
    name = program_member(parts)
    data = bytearray(packed(parts, zipfile.ZIP_DEFLATED))
    at = data.index(name.encode(), directory(data)) - 46
    data[at + 24 : at + 28] = struct.pack("<L", 100)
    refused(io.BytesIO(data), "CRC-32 and size")


def test_sizes_beyond_the_limits(monkeypatch):
    from graphlens.read import limits

    monkeypatch.setattr(limits, "MAX_STORED_BYTES", 1000)
    refused(NESTED, "31457 bytes of JSON", "1000")
    monkeypatch.setattr(limits, "MAX_INFLATED_BYTES", 1000)
    refused(io.BytesIO(packed(members(NESTED), zipfile.ZIP_DEFLATED)), "bytes of JSON")


def test_a_directory_that_declares_millions_of_members():
    data = bytearray(DTYPES.read_bytes())
    end = data.rindex(b"PK\5\6")
    data[end + 8 : end + 12] = struct.pack("<2H", 60000, 60000)
    refused(io.BytesIO(data), "directory is broken")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 41, 0)
    refused(io.BytesIO(bytes(data[:end]) + record + locator + bytes(data[end:])), "truncated")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 46, 0)
    refused(io.BytesIO(bytes(data[:end]) + record + locator + bytes(data[end:])), "more than is reasonable")


def test_several_models():
    parts = members(DTYPES)
    both = {name.replace("dtypes/", "pair/"): data for name, data in parts.items()}
    for name in list(both):
        if "model" in name.rpartition("/")[2]:
            both[name.replace("model.", "second.").replace("model_", "second_").replace("models.", "seconds.")] = both[
                name
            ]
    refused(io.BytesIO(packed(both)), "holds 2 programs", "model=", "'model'", "'second'")
    refused(io.BytesIO(packed(both)), "no program called 'third'", "'second'", model="third")
    second = read(io.BytesIO(packed(both)), model="second")
    assert second.graphs == read(DTYPES).graphs
    assert [p.kind for p in second.payloads if "models/model" in p.member] == ["other model"]
    assert graphlens.read(DTYPES, model="model").graphs == second.graphs
    refused(OLD, "holds one program", model="other")


class Growing(io.BytesIO):
    """A file that its writer has not finished with."""

    reads = 0

    def read(self, *args):
        self.reads += 1
        if self.reads == 8:
            at = self.tell()
            self.seek(0, os.SEEK_END)
            self.write(b"more")
            self.seek(at)
        return super().read(*args)


def test_a_file_that_changes_while_it_is_read(tmp_path):
    refused(Growing(NESTED.read_bytes()), "changed while it was being read")
    path = tmp_path / "later.pt2"
    path.write_bytes(NESTED.read_bytes())
    tensor = read(path).stored[0]
    assert tensor.content.digest() == read(NESTED).stored[0].content.digest()
    os.utime(path, ns=(1, 1))
    with pytest.raises(ArchiveError, match="changed since it was read"):
        tensor.content.digest()
    path.unlink()
    with pytest.raises(ArchiveError, match="cannot be read any more"):
        tensor.content.element_bytes()


def test_a_hundred_gigabytes_that_are_only_declared(tmp_path):
    """A sparse file: the time and memory to open it do not depend on the weights."""
    path = tmp_path / "sparse.pt2"
    write_sparse(path, 100 << 30)
    assert path.stat().st_size > 100 << 30
    code = (
        "import sys, time; begin = time.perf_counter(); from graphlens.read import read\n"
        "program = read(sys.argv[1]); seconds = time.perf_counter() - begin\n"
        "peak = next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(seconds, int(peak) // 1024, program.stored[0].nbytes)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    seconds, megabytes, nbytes = map(float, done.stdout.split())
    assert nbytes == 100 << 30
    assert megabytes < 200
    assert seconds < 5  # the target is one second, on a machine that does nothing else


def write_sparse(path, size: int) -> None:
    """Write an archive whose first weight is a hole of `size` bytes (zip64, stored)."""
    parts = members(NESTED)
    first = next(name for name in parts if name.endswith("weight_0"))
    entries = []
    with open(path, "wb") as file:
        for name, data in parts.items():
            at, hole = file.tell(), name == first
            count = size if hole else len(data)
            crc = 0 if hole else zlib.crc32(data)
            file.write(struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 0, crc, 0xFFFFFFFF, 0xFFFFFFFF, len(name), 20))
            file.write(name.encode() + struct.pack("<2H2Q", 1, 16, count, count))
            file.seek(count, os.SEEK_CUR) if hole else file.write(data)
            extra = struct.pack("<2H3Q", 1, 24, count, count, at)
            full = (0xFFFFFFFF, 0xFFFFFFFF)
            entries.append(
                struct.pack(
                    "<4s6H3L5H2L",
                    b"PK\1\2",
                    45,
                    45,
                    0,
                    0,
                    0,
                    0,
                    crc,
                    *full,
                    len(name),
                    len(extra),
                    0,
                    0,
                    0,
                    0,
                    0xFFFFFFFF,
                )
                + name.encode()
                + extra
            )
        start, directory = file.tell(), b"".join(entries)
        file.write(directory)
        end = file.tell()
        file.write(
            struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, len(entries), len(entries), len(directory), start)
        )
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))


def test_time_does_not_depend_on_how_a_path_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(FIXTURES)
    begin = time.perf_counter()
    programs = [
        read(source) for source in (str(NESTED), NESTED, "torch-2.13.0/nested_control_flow.pt2", open(NESTED, "rb"))
    ]
    assert time.perf_counter() - begin < 5
    assert all(program.graphs == programs[0].graphs for program in programs)
    assert programs[2].origin.name == "torch-2.13.0/nested_control_flow.pt2"
    assert isinstance(refused(b"bytes"), SourceError)
