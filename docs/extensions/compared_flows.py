"""Figures of flows compared: runs on small grids, kept by a hash of all that made them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from wpoflow.solver.records.provenance import source_hash
from wpoflow.validation.comparison import compare
from wpoflow.views.figures import save
from wpoflow.views.figures.comparison import draw_comparison


@dataclass(frozen=True)
class Compared:
    """A gallery problem, what is changed in it, how far it is run, and by which flows."""

    problem: str
    cells: dict[str, int]
    settings: dict[str, str]
    until: dict[str, float]
    accuracy: float
    flows: tuple[str, ...]
    caption: str

    @property
    def key(self) -> str:
        """Hash of all this, and of the sources that run and draw it."""
        return hashlib.sha256(f"{self!r}{source_hash()}".encode()).hexdigest()[:12]


def parse_compared(problem: str, lines: list[str]) -> Compared:
    """Read the content of the directive.

    ::

        cells: a=64
        set: problem.temperature=0.025
        until: time=400 gap=1e-8
        accuracy: 1e-3
        flows: wasserstein fisher-rao
        caption: What is to be seen.
    """
    found = dict(line.split(":", 1) for line in lines if line.strip())

    def pairs(name: str) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in found.get(name, "").split())

    return Compared(
        problem,
        {name: int(value) for name, value in pairs("cells").items()},
        pairs("set"),
        {name: float(value) for name, value in pairs("until").items()},
        float(found["accuracy"]),
        tuple(found["flows"].split()),
        found["caption"].strip(),
    )


def draw_compared(request: Compared, folder: Path) -> Path:
    """Path of the figure; runs and draws it if it is not there yet."""
    folder.mkdir(exist_ok=True)
    path = folder / f"compared-{request.problem}-{request.key}.png"
    if not path.exists():
        for old in folder.glob(f"compared-{request.problem}-????????????.png"):
            old.unlink()
        found = compare(
            request.problem,
            request.flows,
            cells=request.cells,
            set=request.settings,
            until=request.until,
            accuracy=request.accuracy,
        )
        save(draw_comparison(found, title=False), path)
    return path
