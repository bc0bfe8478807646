"""The static drawing: what is in it, that it is well-formed, and that frames hold what is inside them."""

import re
import xml.etree.ElementTree as ET

import pytest

from graphlens.errors import ViewError
from graphlens.view import to_dot, to_svg
from graphlens.view.draw.compose import compose
from graphlens.view.draw.picture import picture_of
from graphlens.view.draw.walk import walk_scene
from graphlens.view.layout import layout
from graphlens.view.scene import program_scene

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]


def picture(program):
    scene = program_scene(program)
    walk = walk_scene(scene)
    return walk, picture_of(walk, compose(walk, range(len(scene.regions))))


def test_branches_are_framed_and_named_side_by_side(nested):
    walk, drawn = picture(nested)
    frames = {walk.regions[f.region].label: f for f in drawn.frames if walk.regions[f.region].kind == "graph"}
    outer = {
        walk.regions[f.region].label: f for f in drawn.frames if walk.regions[walk.regions[f.region].parent].parent == 0
    }
    assert outer["true_fn"].y == outer["false_fn"].y
    assert outer["true_fn"].x + outer["true_fn"].width < outer["false_fn"].x
    assert "f" in frames


def test_everything_is_inside_the_frame_around_it(nested):
    walk, drawn = picture(nested)
    frames = {f.region: f for f in drawn.frames}

    def region_around(entity):
        return walk.regions[-1 - entity].parent if entity < 0 else walk.boxes[entity].region

    things = [(s, region_around(s.entity)) for s in drawn.shapes]
    things += [(f, walk.regions[f.region].parent) for f in drawn.frames]
    for thing, region in things:
        if region in frames:
            around = frames[region]
            assert around.x <= thing.x
            assert around.y + 30 <= thing.y
            assert thing.x + thing.width <= around.x + around.width + 0.01
            assert thing.y + thing.height <= around.y + around.height + 0.01


def test_no_two_boxes_overlap(nested):
    _, drawn = picture(nested)
    for i, a in enumerate(drawn.shapes):
        for b in drawn.shapes[i + 1 :]:
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            assert apart


def test_every_box_of_a_fully_open_program_is_drawn_or_listed_in_its_user(nested):
    walk, drawn = picture(nested)
    shown = {shape.entity for shape in drawn.shapes}
    for box in range(len(walk.boxes)):
        assert box in shown or walk.folded[box] or walk.call[box] >= 0


def test_lines_cross_borders_without_a_gap(nested):
    _, drawn = picture(nested)
    ends = {(round(w.points[-2], 1), round(w.points[-1], 1)) for w in drawn.wires}
    goes_on = [w for w in drawn.wires if not w.head]
    starts = {(round(w.points[0], 1), round(w.points[1], 1)) for w in drawn.wires}
    assert goes_on
    for wire in goes_on:
        assert (round(wire.points[-2], 1), round(wire.points[-1], 1)) in starts
    assert ends


def test_the_predicate_of_a_cond_ends_at_its_frame(nested):
    walk, drawn = picture(nested)
    (wire,) = [w for w in drawn.wires if [walk.boxes[b].name for b in w.link.values] == ["gt"]]
    assert wire.head


def test_shapes_are_written_on_lines_and_parameters_in_their_users(nested):
    shown = texts(to_svg(nested, depth=9))
    assert "f32[s77, 4]" in shown
    assert "weight  f32[2, 4]" in shown
    assert {"linear", "relu", "cond", "true_fn", "false_fn", "map_impl"} <= set(shown)


def test_a_module_around_one_node_is_a_line_in_its_box(nested):
    shown = texts(to_svg(nested, depth=9))
    assert shown.count("proj") == 3
    assert "Linear · 1 node" not in shown


def test_folded_regions_say_what_they_hold(nested):
    shown = texts(to_svg(nested, depth=0))
    assert {"layers.0", "Block · 2 nodes", "cond", "true_fn | false_fn"} <= set(shown)
    assert "linear" not in shown


def test_long_runs_of_equal_layers_are_drawn_once(make):
    shown = texts(to_svg(make.nested(layers=126), depth=0))
    assert "layers.1 – 125" in shown
    assert "Block ×125" in shown


def test_a_value_of_many_far_users_is_named_instead_of_drawn(make):
    nodes = [make.placeholder("mask"), make.node("n0", args=[make.ref("mask")])]
    nodes += [make.node(f"n{i}", args=[make.ref(f"n{i - 1}"), make.ref("mask")]) for i in range(1, 20)]
    shown = texts(to_svg(make.program((*nodes, make.output("n19")))))
    assert shown.count("mask") > 10


def test_empty_programs_are_drawn(make):
    assert ET.fromstring(to_svg(make.program(()))).tag == f"{SVG}svg"


def test_the_drawing_follows_the_theme_of_its_reader_and_fetches_nothing(nested):
    svg = to_svg(nested, depth=9)
    assert "prefers-color-scheme:dark" in svg
    assert not re.search(r"href|<script|<foreignObject|@import|url\((?!#)|\son\w+=", svg)


def test_two_drawings_on_a_page_do_not_share_ids_or_classes(make):
    one, other = (re.search(r'class="(gl\w+)"', to_svg(make.nested(layers=n)))[1] for n in (2, 3))
    assert one != other


@pytest.mark.parametrize("depth", [-1, 1.5, "1", True, None])
def test_a_depth_that_is_none_is_refused(nested, depth):
    with pytest.raises(ViewError, match="depth"):
        to_svg(nested, depth=depth)


def test_dot_has_a_cluster_for_each_open_region(nested):
    dot = to_dot(nested, depth=9)
    assert dot.count("subgraph cluster_") == 11
    drawn = layout(dot, format="json0")
    assert drawn.count('"name": "cluster_') == 11


def test_dot_of_a_folded_program_has_none(nested):
    assert "cluster" not in to_dot(nested, depth=0)
