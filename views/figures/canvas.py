"""The sheet figures are drawn on: sizes, colours, headings, and how it is written.

Nothing of pyplot and nothing of the user's settings enters, so that the same run gives the same bytes anywhere.
Colours are those of Okabe & Ito, which colour-blind readers tell apart; maps use viridis and cividis.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from wpoflow.solver.records.provenance import VERSION

SINGLE, DOUBLE = 3.4, 7.0  # widths of one and of two columns of a journal, inches
DOTS_PER_INCH = 200
BLACK, GREY = "#000000", "#888888"
ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
MAP, SECOND_MAP = "viridis", "cividis"

TITLE_LINES = 2
FONT_SIZE = 8.0
_FOREIGN = ("backend", "interactive", "toolbar", "timezone", "webagg", "tk.", "figure.hooks", "docstring", "savefig.d")
_SETTINGS = {
    "font.size": FONT_SIZE,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.3,
    "legend.handletextpad": 0.5,
    "figure.titlesize": 8.0,
    "axes.linewidth": 0.6,
    "axes.formatter.use_mathtext": True,
    "lines.linewidth": 1.2,
    "xtick.direction": "in",
    "xtick.major.pad": 4.5,  # else the labels at the corner of two axes meet
    "ytick.direction": "in",
    "svg.fonttype": "path",
    "svg.hashsalt": "wpoflow",
    "pdf.fonttype": 42,
    "savefig.dpi": DOTS_PER_INCH,
}


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's defaults with ours, whatever the user's settings are; restored afterwards."""
    settings: Any = {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(_FOREIGN)}
    settings |= _SETTINGS
    # numbers of a run may be infinite, none or far apart; what cannot be drawn of them is left out
    with matplotlib.rc_context(settings), np.errstate(all="ignore"), warnings.catch_warnings():
        # a title may hold a letter the font has not: it becomes a box
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # labels that leave a panel no room are drawn over it
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, its parts laid out so that labels fit."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def heading(figure: Figure, title: str, note: str = "") -> None:
    """Set the title, in at most two lines of the figure's width, and a note below it; neither is read as math."""
    lines = _wrapped(figure, title, TITLE_LINES) + _wrapped(figure, note, TITLE_LINES)
    if lines:
        figure.suptitle("\n".join(lines), parse_math=False)


def _wrapped(figure: Figure, text: str, most: int) -> list[str]:
    """Lines that fit the figure's width; what is too much ends in dots."""
    font = FontProperties(size=FONT_SIZE)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    room = 0.95 * figure.bbox.width

    def width(line: str) -> float:
        return float(renderer.get_text_width_height_descent(line, font, False)[0])

    def fits(line: str) -> bool:
        return width(line) <= room

    lines: list[str] = []
    rest = " ".join(text.split())
    if most > 1 and room < width(rest) < 2.0 * room:
        # two lines of about the same length read better than a last word alone
        blanks = [k for k, letter in enumerate(rest) if letter == " "]
        for k in sorted(blanks, key=lambda k: abs(2 * k - len(rest))):
            if fits(rest[:k]) and fits(rest[k + 1 :]):
                return [rest[:k], rest[k + 1 :]]
    while rest:
        if fits(rest):
            return [*lines, rest]
        if len(lines) == most - 1:
            break
        end = _longest(rest, fits)
        blank = rest.rfind(" ", 0, end + 1)
        end = blank if blank > 0 else end
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest:
        lines.append(rest[: _longest(rest, lambda line: fits(line + "…"))].rstrip() + "…")
    return lines


def _longest(text: str, fits: Callable[[str], bool]) -> int:
    """Length of the longest beginning that fits, at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return low


def write(figure: Figure, target: Path | io.BytesIO, form: str) -> None:
    """Write a figure as png, pdf or svg, with metadata that hold no date."""
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": f"wpoflow {VERSION}"},
        "pdf": {"Creator": f"wpoflow {VERSION}", "CreationDate": None},
        "svg": {"Creator": f"wpoflow {VERSION}", "Date": None},
    }
    with style():
        figure.savefig(target, format=form, metadata=metadata[form])


def svg_text(figure: Figure, label: str = "") -> str:
    """A figure as an ``<svg>`` element for a page that holds several.

    Text is drawn as paths, maps are embedded images; nothing outside the element is referred to.  All ids begin with
    a hash of the drawing, so that those of two figures differ, and no style applies to anything else.

    Parameters
    ----------
    figure : Figure
    label : str
        What the figure shows, for those who cannot see it.
    """
    buffer = io.BytesIO()
    write(figure, buffer, "svg")
    text = buffer.getvalue().decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # the style sheet would hold for the whole page; what it says is inherited from the root just as well
    text = re.sub(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\s+xmlns:xlink="[^"]*"', "", text).replace("xlink:href", "href")
    prefix = "f" + hashlib.sha256(text.encode()).hexdigest()[:10]
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    spoken = f' role="img" aria-label="{escape(label)}"' if label else ' role="img"'
    return text.replace("<svg", f'<svg{spoken} style="stroke-linejoin: round; stroke-linecap: butt"', 1)
