"""What a flow is whose state is not p but parameters, of which p is a function: Gaussians, mixtures, particles.

    parameters (S, P)  ->  p (S, A), cell probabilities of mass one          `ParametricFlow.project`

Everything that is known of a policy - values, gaps, rows of the series, claims - is known of that p.  What the flow
itself has to say is stated in one class:

    names       snapshot variables beside ``policy``, by names of `solver.records.layout`      `kept`, `lengths`
    series      numbers of every row beside those of all runs                                  `series`
    start       parameters of a first policy, or those that another run has kept              `begin`, `taken_up`
    step        one step of the flow in its parameters                                         `advance`
    velocity    their time derivative, of a flow that has one                                  `velocity`

Parameters are one array of numbers with a row for every state, the rows of `core.slabs`: checkpoints, ranks and resumed
runs treat it as they treat p, and know nothing of what it means.  A flow that draws random numbers makes them of the
number of the step, which schemes count, so that a resumed run draws those of the one that was cut short.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.flow import Flow


class ParametricFlow(Flow):
    """A flow of parameters; subclasses give ``name``, `begin`, `project`, `advance` and `kept`.

    Attributes
    ----------
    smooth : bool
        Whether parameters follow an ordinary differential equation, by `velocity`; else there are steps alone.
    between_states : bool
        Whether parameters may be interpolated between states.
    taken, made : str
        What a run begins with that is begun from another run whose parameters are `taken_up`, or are not, in words.
    """

    parametric: ClassVar[bool] = True
    smooth: bool = False
    between_states: ClassVar[bool] = False
    taken: ClassVar[str] = ""
    made: ClassVar[str] = ""

    def begin(self, policy: FloatArray) -> FloatArray:
        """Parameters (S, P) to begin with at a policy (S, A), which need not be one that they can make.

        Of the problem's own first policy those that the problem states, if it does.

        Raises
        ------
        ValueError
            There are none; names the state.
        """
        raise NotImplementedError

    def taken_up(self, kept: Mapping[str, FloatArray]) -> FloatArray | None:
        """The parameters (S, P) of which `kept` gave what it did, to rounding; None of another flow, or another number.

        Raises
        ------
        ValueError
            They are none; names the state.
        """
        return None

    def project(self, parameters: FloatArray, out: FloatArray) -> FloatArray:
        """Fill ``out`` (S, A) with the cell probabilities, of mass one in every state, and return it."""
        raise NotImplementedError

    def advance(
        self,
        parameters: FloatArray,
        q: FloatArray,
        dt: float,
        parameters_out: FloatArray,
        out: FloatArray,
        number: int,
    ) -> FloatArray:
        """One step of length dt with Q frozen, of a flow that descends a descent step of p.

        Parameters
        ----------
        parameters, q : arrays (S, P), (S, A)
        dt : float
            Flow time, dimensionless.
        parameters_out, out : arrays (S, P), (S, A)
            Receive the parameters, which may be ``parameters``, and the p that they make.
        number : int
            Of steps taken before.

        Returns
        -------
        array (S, A)
            ``out``.
        """
        raise NotImplementedError

    def velocity(self, parameters: FloatArray, q: FloatArray, out: FloatArray) -> FloatArray:
        """Fill ``out`` (S, P) with the time derivative of the parameters at Q, of a flow that is ``smooth``."""
        raise NotImplementedError

    def lost(self, parameters: FloatArray, q: FloatArray) -> FloatArray | None:
        """As `Flow.dissipation`, per state (S,), of a policy given by its parameters; None where it is not known."""
        return None

    def kept(self, parameters: FloatArray) -> dict[str, FloatArray]:
        """What a snapshot keeps beside value and policy: arrays of a row for every state, by names of the layout."""
        raise NotImplementedError

    @property
    def lengths(self) -> Mapping[str, int]:
        """Lengths of the dimensions that these arrays have besides those of states."""
        return {}

    def series(self, parameters: FloatArray) -> dict[str, float]:
        """Numbers of a row of the series beside those of all runs, by names of `solver.records.series`."""
        return {}

    def projected(self, parameters: FloatArray) -> FloatArray:
        """`project` into a new array."""
        return self.project(parameters, np.empty((parameters.shape[0], self.mdp.actions.size)))
