"""Text widths: the same table as the front end's, and texts that fit."""

import re
from pathlib import Path

import pytest

from graphlens.view import measure
from graphlens.view.draw import category

JS = Path(__file__).parents[2] / "js" / "src"


def test_kernel_and_browser_measure_alike():
    source = (JS / "measure.ts").read_text()
    table = re.search(r"WIDTHS = \[(.*?)\]", source, re.DOTALL)[1]
    assert tuple(int(number) for number in re.findall(r"\d+", table)) == measure._WIDTHS
    assert float(re.search(r"BOLD = ([\d.]+)", source)[1]) == measure._BOLD


def test_kernel_and_browser_colour_alike():
    source = (JS / "category.ts").read_text()
    patterns = {pattern.pattern for pattern in (category._MATMUL, category._REDUCE, category._SHAPE)}
    assert set(re.findall(r"/(\S+)/;", source)) == patterns


@pytest.mark.parametrize("text", ["", "a", "scaled_dot_product_attention", "中文字符", "x" * 500])
@pytest.mark.parametrize("width", [20, 60, 200])
def test_a_fitted_text_fits(text, width):
    fitted = measure.fit_text(text, 13, width, bold=True)
    assert measure.text_width(fitted, 13, bold=True) <= width or len(fitted) <= 2
    assert fitted == text or "…" in fitted


def test_the_start_and_the_end_of_a_name_are_kept():
    fitted = measure.fit_text("model.layers.0.self_attn.q_proj.weight", 11, 120)
    assert fitted.startswith("model")
    assert fitted.endswith("weight")
