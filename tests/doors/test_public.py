"""The public names are what they say, in whatever order things are imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphlens


@pytest.mark.parametrize("name", graphlens.__all__)
def test_every_public_name_resolves(name):
    assert getattr(graphlens, name) is not None


@pytest.mark.parametrize("package", ["read", "diff", "view"])
def test_a_function_is_not_hidden_by_the_package_of_its_name(package):
    code = f"import graphlens.{package}, graphlens as gl; from graphlens import {package} as f; assert callable(f) and f is gl.{package}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        graphlens.nope
