"""Reading an archive runs nothing from it: no import, no pickle, no eval, no network, no other file."""

import subprocess
import sys

from hostile.archive_parts import FIXTURES, edited, graph_of

WATCHED = """
import sys
from pathlib import Path
from graphlens.read import read

warm, watched = sys.argv[1].split(":"), sys.argv[2].split(":")
for path in warm:  # what is imported lazily is imported now
    str(read(path)), [tensor.content and tensor.content.digest() for tensor in read(path).stored]

seen = []
def hook(event, args):
    if event == "open":
        if str(args[0]) not in watched:
            seen.append((event, str(args[0])))
    elif event.split(".")[0] in ("import", "compile", "exec", "pickle", "socket", "subprocess", "os", "urllib", "ctypes", "marshal",
                                 "code", "ftplib", "http", "shutil", "tempfile", "sqlite3", "cpython", "mmap", "glob"):
        seen.append((event, repr(args)[:200]))
sys.addaudithook(hook)
names = [read(path).graph.nodes[0].name for path in watched]
print(len(names), seen)
"""

LOADED = """
import sys
from graphlens.read import read
for path in sys.argv[1].split(":"):
    read(path)
print(sorted({"torch", "pickle", "numpy", "pandas", "sympy", "socket", "http", "urllib.request", "subprocess", "asyncio"} & set(sys.modules)))
"""


def run(code, *groups):
    arguments = [":".join(map(str, group)) for group in groups]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_nothing_is_run_and_nothing_else_is_opened(tmp_path):
    fixtures = sorted(FIXTURES.glob("*/*.pt2"))

    def edit(tree):
        first = graph_of(tree)["nodes"][1]
        first["target"] = "os.system"
        first["metadata"]["stack_trace"] = 'File "/etc/passwd", line 1, in f\\n    root'
        first["metadata"]["nn_module_stack"] = "__import__('os').system('true'),x,y"
        first["metadata"]["custom"] = '{"__reduce__": ["os.system", "true"]}'
        graph_of(tree)["tensor_values"]["x"]["sizes"] = [
            {"as_expr": {"expr_str": "__import__('os').system('true')"}}
        ] * 2
        tree["new field"] = "eval('1')"
        tree["guards_code"] = ["__import__('os').system('true')"]

    hostile = tmp_path / "hostile.pt2"
    hostile.write_bytes(edited(FIXTURES / "torch-2.13.0" / "dtypes.pt2", edit).getvalue())
    count = len(fixtures) + 1
    assert run(WATCHED, [*fixtures, hostile], [*fixtures, hostile]) == f"{count} []"


def test_nothing_heavy_is_loaded():
    assert run(LOADED, sorted(FIXTURES.glob("*/*.pt2"))) == "[]"


def test_the_hook_sees_what_it_should():
    """The test above cannot pass because its hook is blind."""
    code = WATCHED.replace("names = [", "eval('1'); open('/dev/null').close()\nnames = [")
    path = FIXTURES / "torch-2.13.0" / "dtypes.pt2"
    assert "compile" in run(code, [path], [path])
    assert "/dev/null" in run(code, [path], [path])
