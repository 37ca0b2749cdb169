"""The claims that are checked: statement, source, and how, from the registry and the texts of the claims' files."""

from __future__ import annotations

import inspect
import re

from wpoflow.validation.claims import CLAIMS, exact_solution, gaussian_law, particle_law


def markdown() -> str:
    """A section for every claim."""
    lines: list[str] = []
    for claim in CLAIMS.values():
        needs = "a run" if not claim.needs_problem else "the problem itself"
        needs = "the problem on several grids" if claim.needs_family else needs
        text = inspect.getdoc(inspect.getmodule(claim.judge)) or ""
        lines += _section(claim.name, claim.statement, claim.source, needs, text)
    for module in (gaussian_law, particle_law, exact_solution):
        text = inspect.getdoc(module) or ""
        lines += _section(module.NAME, module.STATEMENT, module.SOURCE, "the suite's own cases", text)
    return "\n".join(lines)


def _section(name: str, statement: str, source: str, needs: str, text: str) -> list[str]:
    return [
        f"### {name}",
        "",
        f"- **Statement:** {_plain(statement)}.",
        f"- **Source:** {_plain(source)}.",
        f"- **Needs** {needs}.",
        "",
        *_paragraphs(text),
    ]


def _paragraphs(text: str) -> list[str]:
    """Plain text as Markdown: indented paragraphs are formulas and stay as they are."""
    lines = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("    "):
            lines += ["```text", *inspect.cleandoc(paragraph).splitlines(), "```", ""]
        else:
            lines += [_plain(" ".join(paragraph.split())), ""]
    return lines


def _plain(text: str) -> str:
    """Text whose stars, bars, underscores and brackets mean themselves; what stands in backticks is code."""
    pieces = re.split(r"(`+[^`]+`+)", text)
    return "".join(piece if piece.startswith("`") else re.sub(r"([*_<>\[\]$|])", r"\\\1", piece) for piece in pieces)
