"""Which figures there are, and which of them a run can have.  Light: what draws is imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wpoflow.core.arguments import check_kind
from wpoflow.core.text import did_you_mean
from wpoflow.views.figures.formats import FigureError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wpoflow.solver.records.run import Run


MOST_RUNS = 24  # in one figure


@dataclass(frozen=True)
class Kind:
    """One kind of figure, drawn by the file ``views/figures/NAME.py``.

    Attributes
    ----------
    name : str
    shows : str
        What is seen, in a few words.
    along : int or None
        State axes it lies along, at most; None where there is no state to choose.
    overlaid : bool
        Whether several runs can be seen in one, by `views.figures.several`.
    """

    name: str
    shows: str
    along: int | None = 0
    overlaid: bool = False

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"wpoflow.views.figures.{self.name}")

    def why_not(self, run: Run) -> str:
        """Why this kind does not apply to a run; empty if it does."""
        return str(self._module.why_not(run))

    def draw(self, run: Run, state: Mapping[str, float] | None, title: bool) -> Figure:
        """Draw it, as `plot` says."""
        reason = self.why_not(run)
        if reason:
            raise FigureError(f"{self.name}: {reason}; what applies: {', '.join(applicable(run)) or 'no kind at all'}")
        if state and self.along is None:
            raise FigureError(f"{self.name}: there is no state to choose in it")
        from wpoflow.views.figures.canvas import heading, style
        from wpoflow.views.figures.fields import Slice

        cut = Slice(run, state, self.along or 0)
        note = "" if self.along is None or not cut.words else f"{'slice' if self.along else 'at'} {cut.words}"
        with style():
            figure: Figure = self._module.draw(cut)
            heading(figure, run.title if title else "", note)
        return figure


_KINDS = (
    Kind("overview", "four panels: decay, value, policy in flow time, final policy"),
    Kind("decay", "the gap and its local rate beside the guaranteed, the paper's and the sharp rate", None, True),
    Kind("value", "value against optimum: lines over one state axis, maps over two", 2),
    Kind("policy", "policy over state and action beside the optimal one", 1),
    Kind("kymograph", "density of the policy at one state, over action and flow time"),
    Kind("density", "density of the policy at one state at several times: lines, or maps over two action axes"),
    Kind("moments", "mean and standard deviation of Gaussians or particles at one state in flow time"),
    Kind("steps", "dissipation and step size in flow time", None, True),
    Kind("constants", "spectral gap and log-Sobolev constant of the optimal policy, state by state", 2),
    Kind("phase", "mean motion under the optimal policy, its mean action as colour (two state axes)", 2),
)

FIGURES: dict[str, Kind] = {kind.name: kind for kind in _KINDS}


def applicable(run: Run) -> list[str]:
    """Names of the kinds that a run can have."""
    return [name for name, kind in FIGURES.items() if not kind.why_not(run)]


def plot(
    run: Run | Sequence[Run],
    kind: str | None = None,
    *,
    state: Mapping[str, float] | None = None,
    title: bool = True,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw a figure of a run, or of several in one.

    Parameters
    ----------
    run : Run or sequence of Run
        Several are overlaid, one line each; the legend says what tells them apart.
    kind : str, optional
        A name of `FIGURES`; by default ``overview``, and ``decay`` of several runs.
    state : mapping of state axis to number, optional
        The state that is looked at, the nearest grid point; axes left out: the middle.  Where an axis is drawn along
        (``value``, ``policy``, ``constants``, ``phase``), those not given here come first.
    title : bool
        Whether the problem's title stands above it.
    names : sequence of str, optional
        Of several runs: what each is called where nothing in its problem and settings tells it from the others.

    Returns
    -------
    Figure
        On its own canvas; `views.figures.save` writes it.

    Raises
    ------
    FigureError
        An unknown kind, one that does not apply or needs a single run, or a state outside the box; one line that names
        the choices.
    """
    kind = kind or ("decay" if isinstance(run, Sequence) else "overview")
    if kind not in FIGURES:
        raise FigureError(unknown_kind(kind))
    from wpoflow.solver.records.run import Run

    for one in run if isinstance(run, Sequence) and not isinstance(run, str) else [run]:
        check_kind("run", one, Run, "a Run: wpoflow.open_run(file), or what wpoflow.evolve gives")
    if not isinstance(run, Sequence):
        return FIGURES[kind].draw(run, state, title)
    if not FIGURES[kind].overlaid:
        together = " and ".join(name for name, entry in FIGURES.items() if entry.overlaid)
        raise FigureError(f"{kind}: needs one run, not {len(run)}; several can be seen in {together}")
    if state:
        raise FigureError(f"{kind}: there is no state to choose in it")
    called = [f"run {k + 1}" for k in range(len(run))] if names is None else names
    if not run or len(called) != len(run):
        raise FigureError(f"{kind}: {len(called)} names for {len(run)} runs")
    if len(run) > MOST_RUNS:
        raise FigureError(f"{kind}: {len(run)} runs in one figure; {MOST_RUNS} lines at most can be told apart")
    for one, name in zip(run, called, strict=True):
        if reason := FIGURES[kind].why_not(one):
            raise FigureError(f"{kind}: {name}: {reason}")
    from wpoflow.views.figures.several import draw_several

    return draw_several(run, kind, called, title)


def unknown_kind(kind: str, further: Sequence[str] = ()) -> str:
    """What is said of a kind that there is not."""
    choices = [*FIGURES, *further]
    return f"figure {kind!r} is not a kind; choose among {', '.join(choices)}{did_you_mean(kind, choices)}"
