"""Places of pytree leaves from the serialized spec alone."""

import json

import pytest

from graphlens.program.pytree import leaf_paths

LEAF = {"type": None, "context": None, "children_spec": []}


def spec(kind, context, *children):
    return {"type": kind, "context": context, "children_spec": list(children)}


def text(tree):
    return json.dumps([1, tree])


TUPLE = ("builtins.tuple", "null")


@pytest.mark.parametrize(
    ("tree", "paths"),
    [
        (LEAF, [""]),
        (spec(*TUPLE, LEAF, spec("builtins.list", "null", LEAF, LEAF)), ["[0]", "[1][0]", "[1][1]"]),
        (spec("builtins.dict", '["a", 3]', LEAF, LEAF), ["['a']", "[3]"]),
        (spec("collections.OrderedDict", '["z"]', LEAF), ["['z']"]),
        (spec("collections.namedtuple", "Pair", LEAF, LEAF), ["[0]", "[1]"]),
        (spec("my.Output", '[["loss", "logits"], ["cache"]]', LEAF, LEAF), [".loss", ".logits"]),
        (spec("collections.defaultdict", {"dict_context": ["q"]}, LEAF), ["['q']"]),
        (spec("collections.deque", "3", LEAF), ["[0]"]),
        (spec(*TUPLE), []),
    ],
)
def test_places(tree, paths):
    assert leaf_paths(text(tree), call=False) == tuple(paths)


def test_places_in_a_call():
    tree = spec(*TUPLE, spec(*TUPLE, spec("builtins.dict", '["ids"]', LEAF)), spec("builtins.dict", '["scale"]', LEAF))
    assert leaf_paths(text(tree), call=True) == ("args[0]['ids']", "kwargs['scale']")
    assert leaf_paths(text(LEAF), call=True) is None


@pytest.mark.parametrize("broken", ["", "no spec", "[]", "[1]", "[1, {}]", "null", '[1, {"type": 3}]', "[" * 100_000])
def test_what_is_no_spec_has_no_places(broken):
    assert leaf_paths(broken, call=False) is None
