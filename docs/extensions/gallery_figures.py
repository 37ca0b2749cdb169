"""Figures of the gallery page: runs on small grids, kept by a hash of all that made them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.solver.records.provenance import source_hash
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.views.figures import plot, save
from wpoflow.views.problem_math import equations


@dataclass(frozen=True)
class WantedFigure:
    """A kind of figure, the state looked at, and what is to be said of it."""

    kind: str
    state: dict[str, float]
    caption: str


@dataclass(frozen=True)
class Request:
    """A problem on its small grid, how far to run, and the figures wanted."""

    problem: ProblemFile
    figures: tuple[WantedFigure, ...]

    @property
    def grid_text(self) -> str:
        """The grid in words."""
        tables = self.problem.tables
        sizes = [f"{name} {axis.size}" for name, axis in [*tables.state.items(), *tables.action.items()]]
        return ", ".join(sizes)

    @property
    def equations(self) -> str:
        """The statement typeset: a list of equations in HTML."""
        rows = []
        for equation in equations(self.problem):
            pieces = " ".join(f'<math displaystyle="true">{piece}</math>' for piece in equation.pieces)
            rows.append(f"<dt>{escape(equation.what)}</dt><dd>{pieces}</dd>")
        return f'<dl class="equations">{"".join(rows)}</dl>'

    @property
    def key(self) -> str:
        """Hash of the problem as it is run, and of the sources that run and draw it."""
        return hashlib.sha256(f"{self.problem.text}{source_hash()}".encode()).hexdigest()[:12]


def parse_request(name: str | Path, lines: list[str]) -> Request:
    """Read the content of the directive: settings, then one figure a line.

    ::

        cells: x=48 u=48
        until: time=3
        policy x=0.5: caption
    """
    cells: dict[str, int] = {}
    until: dict[str, float] = {}
    figures = []
    for line in filter(str.strip, lines):
        head, _, caption = line.partition(":")
        words = head.split()
        if head == "cells":
            cells = {axis: int(size) for axis, size in (entry.split("=") for entry in caption.split())}
        elif head == "until":
            until = {key: float(value) for key, value in (entry.split("=") for entry in caption.split())}
        else:
            state = {axis: float(value) for axis, value in (entry.split("=") for entry in words[1:])}
            figures.append(WantedFigure(words[0], state, caption.strip()))
    return Request(read_problem(name, cells=cells, until=until or None), tuple(figures))


def draw_figures(request: Request, folder: Path) -> list[Path]:
    """Paths of the figures; run and draw only what is not there yet."""
    folder.mkdir(exist_ok=True)
    name, run = request.problem.name, None
    paths = []
    for figure in request.figures:
        state = "".join(f"-{axis}{value:g}" for axis, value in figure.state.items())
        path = folder / f"{name}-{figure.kind}{state}-{request.key}.png"
        paths.append(path)
        if not path.exists():
            for old in folder.glob(f"{name}-{figure.kind}{state}-????????????.png"):
                old.unlink()
            run = _run(request.problem) if run is None else run
            save(plot(run, figure.kind, state=figure.state or None, title=False), path)
    return paths


def _run(problem: ProblemFile) -> Run:
    asked = problem.flow
    return evolve(
        build_problem(problem),
        until=asked.until.criteria,
        flow=asked.kind,
        scheme=asked.scheme,
        accuracy=asked.accuracy,
        step=asked.step,
    )
