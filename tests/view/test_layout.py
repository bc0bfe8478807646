"""Graphviz in the kernel: limits, traps, and the layout that steps in."""

import subprocess
import sys
import threading
import time

import pytest

from graphlens.errors import ViewError
from graphlens.view.draw.compose import compose
from graphlens.view.draw.dot import DotEnd, DotGraph, DotNode
from graphlens.view.draw.geometry import read_geometry
from graphlens.view.draw.rank_layout import rank_layout
from graphlens.view.draw.walk import walk_scene
from graphlens.view.layout import layout
from graphlens.view.opening import first_open
from graphlens.view.scene import program_scene

TANGLE = "digraph{" + ";".join(f"n{i}->n{(i * 7919 + 13) % 3000}" for i in range(9000)) + "}"
CHAIN = "digraph{" + ";".join(f"n{i}->n{i + 1}" for i in range(40_000)) + "}"


def test_it_lays_out():
    geometry = read_geometry(layout("digraph{a->b[id=0]}", format="json0"))
    assert geometry.nodes["a"][1] < geometry.nodes["b"][1]
    assert len(geometry.edges[0]) % 6 == 2


def test_a_layout_that_takes_too_long_is_given_up():
    start = time.perf_counter()
    with pytest.raises(ViewError, match="did not finish"):
        layout(TANGLE, timeout=0.4)
    assert time.perf_counter() - start < 5


def test_a_trap_is_an_error_and_the_next_layout_works():
    with pytest.raises(ViewError, match="call stack exhausted"):
        layout(CHAIN)
    assert "node a" in layout("digraph{a->after_trap}")


def test_a_layout_can_be_interrupted():
    code = """
import threading, _thread
from graphlens.view.layout import layout
layout("digraph{a}")
threading.Timer(0.7, _thread.interrupt_main).start()
try:
    layout("digraph{" + ";".join(f"n{i}->n{(i * 7919 + 13) % 3000}" for i in range(9000)) + "}", timeout=60)
except KeyboardInterrupt:
    print("interrupted", "node a" in layout("digraph{a->b}"))
"""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=90)
    assert done.stdout.split() == ["interrupted", "True"]
    assert time.perf_counter() - start < 20


def test_broken_dot_is_an_error():
    with pytest.raises(ViewError, match="refuses"):
        layout("digraph{a->")


def test_layouts_from_several_threads_do_not_disturb_each_other():
    found = {}

    def run(i):
        found[i] = layout(f"digraph{{a{i}->b{i}}}")

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"node a{i} " in text for i, text in found.items())
    assert len(found) == 8


def test_a_damaged_compile_cache_is_written_again(tmp_path):
    code = "from graphlens.view.layout import layout; print(layout('digraph{a->b}'))"
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": ""}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert "edge a b" in done.stdout
        (cached,) = (tmp_path / "graphlens").iterdir()
        assert cached.stat().st_mode & 0o077 == 0
        cached.write_bytes(b"not a module")


def test_a_cache_that_others_can_write_is_not_run(tmp_path):
    code = "from graphlens.view.layout import layout; print(layout('digraph{a->b}'))"
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": ""}
    folder = tmp_path / "graphlens"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    probe = "from graphlens.view import layout as l; from pathlib import Path; print(l._is_ours(Path({!r})))"
    file = folder / "x.cwasm"
    file.write_bytes(b"x")
    done = subprocess.run([sys.executable, "-c", probe.format(str(file))], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "edge a b" in done.stdout


def graph(count, edges):
    node = DotNode(60, 30)
    ends = tuple((DotEnd(a, -1), DotEnd(b, -1)) for a, b in edges)
    return DotGraph((node,) * count, (), (), ends, (1,) * len(ends), row=False)


def test_the_dot_of_a_region_holds_no_text_of_the_program(make, monkeypatch):
    dots = []

    def record(dot, **options):
        dots.append(dot)
        return layout(dot, **options)

    monkeypatch.setattr(sys.modules["graphlens.view.draw.compose"], "layout", record)
    scene = program_scene(make.nested(hostile='EVIL"]}'))
    compose(walk_scene(scene), range(len(scene.regions)))
    assert len(dots) > 5
    assert "EVIL" not in "".join(dots)


def test_equal_layers_are_laid_out_once(make):
    scene = program_scene(make.nested(layers=8))
    before = layout.cache_info().misses
    compose(walk_scene(scene), first_open(scene, 9, budget=10_000))
    # the root, layer 0 and the others, `proj` twice, true_fn, f, the two leaves and false_fn
    assert layout.cache_info().misses - before <= 10


def test_our_own_layout_keeps_the_order_of_the_flow_and_overlaps_nothing():
    geometry = rank_layout(graph(40, [(i, i + 1) for i in range(0, 39, 2)] + [(0, 39)]))
    boxes = [geometry.nodes[f"m{i}"] for i in range(40)]
    assert boxes[0][1] < boxes[1][1]
    for i, (x, y) in enumerate(boxes):
        for u, v in boxes[i + 1 :]:
            assert abs(x - u) >= 60 or abs(y - v) >= 30


def test_a_flat_program_of_thousands_of_nodes_is_drawn_in_linear_time(make):
    nodes = [make.placeholder("n0")]
    nodes += [make.node(f"n{i}", args=[make.ref(f"n{i - 1}"), make.ref(f"n{i // 2}")]) for i in range(1, 6000)]
    scene = program_scene(make.program((*nodes, make.output("n5999"))))
    start = time.perf_counter()
    laid = compose(walk_scene(scene), [0])
    assert time.perf_counter() - start < 10
    assert len(laid.regions[0].members) == 6001


def test_where_graphviz_fails_the_drawing_is_made_all_the_same(make, monkeypatch):
    def fail(dot, **_):
        raise ViewError("no engine")

    monkeypatch.setattr(sys.modules["graphlens.view.draw.compose"], "layout", fail)
    scene = program_scene(make.nested())
    laid = compose(walk_scene(scene), [0])
    assert laid.notes == ("no engine; drawn with the simple layout instead.",)
    assert laid.regions[0].width > 0
