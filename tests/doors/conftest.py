"""A real IPython shell, which is gone again after the module that used it: results look at the shell to know where they are shown."""

from __future__ import annotations

import pytest
from IPython.testing.globalipapp import start_ipython

_MADE: list = []


@pytest.fixture(scope="module")
def terminal():
    if not _MADE:
        _MADE.append(start_ipython())  # it makes one shell per process and gives it out once
    (shell,) = _MADE
    classes = list(type(shell)._walk_mro())
    for each in classes:
        each._instance = shell
    yield shell
    type(shell).clear_instance()
    assert all(each._instance is None for each in classes)
