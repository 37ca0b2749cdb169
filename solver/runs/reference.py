"""What a run is measured against: the optimum at the temperature of the moment.

Where the temperature falls, the optimum is solved for anew at every row, from the value that the last row found; what a
gap was computed for between two rows leaves no trace, so that rows do not depend on it.
"""

from __future__ import annotations

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum


class Reference:
    """The optimum at a constant temperature; `AnnealedReference` is that of one that falls.

    Parameters
    ----------
    optimum : Optimum
        At the temperature of the start.
    """

    hard: Optimum | None = None
    value: FloatArray | None = None

    def __init__(self, optimum: Optimum) -> None:
        self.optimum = optimum

    def at(self, mdp: GridMDP) -> Optimum:
        """The optimum of the problem at a temperature."""
        return self.optimum

    def keep(self) -> None:
        """A row was made of the optimum that was asked for last."""


class AnnealedReference(Reference):
    """The optimum at temperatures that fall, and that of the costs alone.

    Parameters
    ----------
    optimum, hard : Optimum
        At the temperature of the start, and at zero.
    linear_solver : str or None
    value : array (S,), optional
        V of the optimum of the last row, of a run that goes on; that of the start by default.

    Attributes
    ----------
    value : array (S,)
        V of the optimum of the last row.
    """

    value: FloatArray

    def __init__(self, optimum: Optimum, hard: Optimum, linear_solver: str | None, value: FloatArray | None) -> None:
        super().__init__(optimum)
        self.hard, self._linear_solver = hard.without_policy(), linear_solver
        self.value = optimum.value if value is None else value
        self._found, self._temperature = optimum, optimum.temperature

    def at(self, mdp: GridMDP) -> Optimum:
        """See `Reference`; errors as `solve_optimum`."""
        if mdp.temperature == self.optimum.temperature:
            return self.optimum
        if mdp.temperature != self._temperature:
            self._found = solve_optimum(mdp, value=self.value, linear_solver=self._linear_solver).without_policy()
            self._temperature = mdp.temperature
        return self._found

    def keep(self) -> None:
        """See `Reference`."""
        self.value = self._found.value
