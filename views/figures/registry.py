"""Which figures there are, and which of them a run can have.  Light: what draws is imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wpoflow.views.figures.formats import FigureError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wpoflow.solver.records.run import Run


@dataclass(frozen=True)
class Kind:
    """One kind of figure, drawn by the file ``views/figures/NAME.py``.

    Attributes
    ----------
    name : str
    shows : str
        What is seen, in a few words.
    takes_state : bool
        Whether a state, or a slice through it, can be chosen.
    """

    name: str
    shows: str
    takes_state: bool = True

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"wpoflow.views.figures.{self.name}")

    def why_not(self, run: Run) -> str:
        """Why this kind does not apply to a run; empty if it does."""
        return str(self._module.why_not(run))

    def draw(self, run: Run, *, state: Mapping[str, float] | None = None, title: bool = True) -> Figure:
        """Draw it; arguments as in `draw`.

        Raises
        ------
        FigureError
            It does not apply, or the state is not one.
        """
        reason = self.why_not(run)
        if reason:
            raise FigureError(f"{self.name}: {reason}; what applies: {', '.join(applicable(run)) or 'no kind at all'}")
        if state and not self.takes_state:
            raise FigureError(f"{self.name}: there is no state to choose in it")
        from wpoflow.views.figures.canvas import style

        with style():
            chosen = {"state": state} if self.takes_state else {}
            figure: Figure = self._module.draw(run, title=title, **chosen)
        return figure


_KINDS = (
    Kind("overview", "four panels: decay, value, policy in flow time, final policy"),
    Kind("decay", "the gap and its local rate beside the guaranteed, the paper's and the sharp rate", False),
    Kind("value", "value against optimum: lines over one state axis, maps over two"),
    Kind("policy", "policy over state and action beside the optimal one"),
    Kind("kymograph", "density of the policy at one state, over action and flow time"),
    Kind("density", "density of the policy at one state at several times: lines, or maps over two action axes"),
    Kind("steps", "dissipation and step size in flow time", False),
    Kind("constants", "spectral gap and log-Sobolev constant of the optimal policy, state by state"),
    Kind("phase", "mean motion under the optimal policy, its mean action as colour (two state axes)"),
)

FIGURES: dict[str, Kind] = {kind.name: kind for kind in _KINDS}


def applicable(run: Run) -> list[str]:
    """Names of the kinds that a run can have."""
    return [name for name, kind in FIGURES.items() if not kind.why_not(run)]


def draw(kind: str, run: Run, *, state: Mapping[str, float] | None = None, title: bool = True) -> Figure:
    """Draw a figure of a run.

    Parameters
    ----------
    kind : str
        A name of `FIGURES`.
    run : Run
    state : mapping of state axis to number, optional
        The state that is looked at, the nearest grid point; axes left out: the middle.  Where an axis is drawn along
        (``value``, ``policy``, ``constants``, ``phase``), those not given here come first.
    title : bool
        Whether the problem's title stands above it.

    Returns
    -------
    Figure
        On its own canvas; `views.figures.save` writes it.

    Raises
    ------
    FigureError
        An unknown kind, one that does not apply, or a state outside the box; one line that names the choices.
    """
    if kind not in FIGURES:
        raise FigureError(f"figure {kind!r}: choose among {', '.join(FIGURES)}")
    return FIGURES[kind].draw(run, state=state, title=title)
