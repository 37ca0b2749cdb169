"""The directives ``generated``, ``gallery-figures`` and ``compared-flows``: what is made from the code with the manual.

    ```{generated} claims
    ```

puts the text of one of `PARTS` there.  The text is Markdown, as the pages are.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PARTS = {
    "problem-keys": "docs.extensions.key_tables",
    "run-schema": "docs.extensions.run_schema",
    "public-names": "docs.extensions.public_names",
    "claims": "docs.extensions.claim_list",
    "floors": "docs.extensions.floor_list",
}


def part(name: str) -> str:
    """Markdown of a generated part.

    Raises
    ------
    ValueError
        No such part.
    """
    if name not in PARTS:
        raise ValueError(f"generated part {name!r}: choose among {', '.join(PARTS)}")
    text: str = importlib.import_module(PARTS[name]).markdown()
    return text


def cell(text: str) -> str:
    """Text in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


class Generated(SphinxDirective):
    """Insert a generated part."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the part where it stands."""
        return self.parse_text_to_nodes(part(self.arguments[0]), allow_section_headings=True)


class GalleryFigures(SphinxDirective):
    """Run a gallery problem on a small grid and insert figures of it: a name, then kinds of figures."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw what is not yet drawn, and refer to it."""
        from docs.extensions.gallery_figures import draw_figures, parse_request

        name = self.arguments[0]
        source = Path(self.env.srcdir)
        problem = source / name if name.endswith(".toml") else name
        request = parse_request(problem, list(self.content))
        lines = [f"Grid of the figures: {request.grid_text}.", ""]
        drawn = draw_figures(request, source / "figures") if self.config.figures_drawn else []
        for path, figure in zip(drawn, request.figures, strict=bool(drawn)):
            lines += [f"```{{figure}} /figures/{path.name}", f":alt: {name}, {figure.kind}"]
            lines += ["", figure.caption, "```", ""]
        statement = [] if name.endswith(".toml") else [nodes.raw("", request.equations, format="html")]
        return [*statement, *self.parse_text_to_nodes("\n".join(lines))]


class ComparedFlows(SphinxDirective):
    """Run flows on a gallery problem and insert the figure that compares them."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw it if it is not yet drawn, and refer to it."""
        from docs.extensions.compared_flows import draw_compared, parse_compared

        request = parse_compared(self.arguments[0], list(self.content))
        if not self.config.figures_drawn:
            return []
        path = draw_compared(request, Path(self.env.srcdir) / "figures")
        lines = [f"```{{figure}} /figures/{path.name}", f":alt: {request.problem}, flows compared", ""]
        return self.parse_text_to_nodes("\n".join([*lines, request.caption, "```", ""]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("generated", Generated)
    app.add_directive("gallery-figures", GalleryFigures)
    app.add_directive("compared-flows", ComparedFlows)
    app.add_config_value("figures_drawn", True, "env")  # without, of what is built no problem is run
    return {"parallel_read_safe": True, "parallel_write_safe": True}
