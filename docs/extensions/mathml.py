"""Formulas as MathML, which browsers show by themselves: no script, no fonts, nothing to fetch.

A formula that cannot be translated is a warning, hence an error under ``-W``: latex2mathml hands on commands that it
does not know as text, so a backslash in what it gives tells of one.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

_LOGGER = logging.getLogger(__name__)


def mathml(latex: str, display: bool = False) -> str:
    """A formula in LaTeX as a ``<math>`` element.

    Raises
    ------
    ValueError
        It uses a command that cannot be translated.
    """
    text: str = convert(latex, display="block" if display else "inline")
    for bar in ("&#x02016;", "&#x0007C;"):
        text = text.replace(f"<mo>{bar}</mo>", f'<mo stretchy="false">{bar}</mo>')  # else each takes a size of its own
    if "\\" in text:
        raise ValueError(f"formula with an unknown command: {latex}")
    return text


def _visit(translator: Any, node: nodes.Element, display: bool) -> None:
    latex = node.astext()
    try:
        text = mathml(latex, display)
    except Exception as error:  # whatever the translator meets, the author is to see where
        _LOGGER.warning("%s", error, location=node)
        text = translator.encode(latex)
    translator.body.append(f'<div class="formula">{text}</div>' if display else text)
    raise nodes.SkipNode


def _visit_inline(translator: Any, node: nodes.Element) -> None:
    _visit(translator, node, display=False)


def _visit_block(translator: Any, node: nodes.Element) -> None:
    _visit(translator, node, display=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", inline_renderers=(_visit_inline, None), block_renderers=(_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
