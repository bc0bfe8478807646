"""How wide a text is, without asking a font: the same numbers as `js/src/measure.ts`, so that both lay out alike."""

from __future__ import annotations

from functools import lru_cache

# Advance widths of Helvetica (Adobe font metrics, 1/1000 em) for U+0020 to U+007E. Arial and Liberation Sans agree.
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
_BOLD = 1.07


@lru_cache(maxsize=65536)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Estimate the width of a text in points at a font size; letters beyond ASCII count as wide."""
    units = 0
    for character in text:
        code = ord(character)
        units += _WIDTHS[code - 32] if 32 <= code < 127 else 600 if code < 0x1100 else 1000
    return units * size * (_BOLD if bold else 1) / 1000


def fit_text(text: str, size: float, width: float, bold: bool = False) -> str:
    """Shorten a text to a width, keeping its start and its end."""
    if text_width(text, size, bold) <= width:
        return text
    low, high = 1, len(text) - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if text_width(_cut(text, middle), size, bold) <= width:
            low = middle
        else:
            high = middle - 1
    return _cut(text, low)


def _cut(text: str, keep: int) -> str:
    tail = keep // 3
    return text[: keep - tail] + "…" + (text[-tail:] if tail else "")
