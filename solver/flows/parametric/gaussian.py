"""The Gaussian flow: policies N(m, C), moved by steepest descent among them (Pfau et al., arXiv:2505.00663).

    dm/dt = -E grad Phi,     dC/dt = -E[hess Phi] C - C E[hess Phi] + 2 tau I,     Phi = Q + tau U,

the Wasserstein flow projected onto Gaussians in the Bures–Wasserstein metric.  On the grid p is a function of m and C
(`solver.flows.parametric.gaussian_cells`) and so is V; the flow is the steepest descent of that function of the
parameters, not a quadrature of the expectations above, from which it differs to second order in the cells:

    dm/dt = -sum_k delta_k dp_k/dm,   dC/dt = -2 (G C + C G),   G = sum_k delta_k dp_k/dC,   delta = Q + tau ln(p/mu)

Then, exactly on the grid, dV(rho)/dt = -1/(1-gamma) sum_i d_i [|dm/dt|^2 + 4 tr(G C G)]  (4 tr(G C G) is
(dC/dt)^2/(4C) on one axis), and with Q = Q^p in every state V falls pointwise in continuous time.  A step of finite
length is a descent step by line search (`solver.flows.parametric.gaussian_velocity.descend_gaussians`).

The limit is stationary among Gaussians, need not be the best of them and is not the optimal policy: the gap of such
runs tends to what the projection loses.  Action axes are boxes with two ends; mass of a Gaussian outside is left out.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.solver.flows.flow import check_suitable
from wpoflow.solver.flows.parametric.gaussian_cells import masses_outside, project_gaussians
from wpoflow.solver.flows.parametric.gaussian_velocity import descend_gaussians, gaussian_velocities
from wpoflow.solver.flows.parametric.moments import action_cells, covariances, gaussians, moments_of
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.mdp import GridMDP


class GaussianFlow(ParametricFlow):
    """Means and covariances of all states.

    Parameters
    ----------
    mdp : GridMDP

    Raises
    ------
    UnsuitableFlowError
        An action axis of labels, or a circle.
    """

    name = "gaussian"
    smooth: ClassVar[bool] = True
    moves_mass: ClassVar[bool] = True
    annealed: ClassVar[bool] = True
    members = 1
    beta = 0.0

    def __init__(self, mdp: GridMDP) -> None:
        super().__init__(mdp)
        check_suitable(type(self), self.name, mdp.actions)
        self._sizes, self._edges, self._centres = action_cells(mdp.actions)

    @classmethod
    def obstacle(cls, actions: Grid) -> str:
        """See `Flow.obstacle`."""
        if words := super().obstacle(actions):
            return words
        circles = [axis.name for axis in actions.axes if axis.periodic and axis.size > 1]
        return f"needs action axes with boundary 'no-flux'; {circles[0]} is 'periodic'" if circles else ""

    def begin(self, policy: FloatArray) -> FloatArray:
        """The Gaussians that the problem states, or those with the moments of a policy's cells.

        Raises
        ------
        ValueError
            The moments of a state are those of no Gaussian: all mass in one cell of an axis; names the state.
        """
        mdp = self.mdp
        stated = mdp.initial_gaussians if policy is mdp.initial_policy else None
        mean, covariance = moments_of(mdp, policy) if stated is None else stated
        return gaussians(mdp.states, mdp.slab, mean, covariance)

    def project(self, parameters: FloatArray, out: FloatArray) -> FloatArray:
        """See `ParametricFlow.project`."""
        project_gaussians(parameters, self.members, self._sizes, self._edges, self._centres, out)
        return out

    def advance(
        self,
        parameters: FloatArray,
        q: FloatArray,
        dt: float,
        parameters_out: FloatArray,
        out: FloatArray,
        number: int,
    ) -> FloatArray:
        """See `ParametricFlow.advance`."""
        mdp = self.mdp
        descend_gaussians(
            parameters,
            q,
            mdp.log_mass,
            mdp.temperature,
            self.beta,
            self.members,
            self._sizes,
            self._edges,
            self._centres,
            dt,
            parameters_out,
            out,
        )
        return out

    def velocity(self, parameters: FloatArray, q: FloatArray, out: FloatArray) -> FloatArray:
        """See `ParametricFlow.velocity`."""
        self._moved(parameters, q, out)
        return out

    def lost(self, parameters: FloatArray, q: FloatArray) -> FloatArray:
        """|dm/dt|^2 + 4 tr(G C G) per state, (S,)."""
        return self._moved(parameters, q, np.empty_like(parameters))

    def _moved(self, parameters: FloatArray, q: FloatArray, out: FloatArray) -> FloatArray:
        mdp, lost = self.mdp, np.empty(parameters.shape[0])
        gaussian_velocities(
            parameters,
            q,
            mdp.log_mass,
            mdp.temperature,
            mdp.temperature,
            self.beta,
            self.members,
            self._sizes,
            self._edges,
            self._centres,
            out,
            lost,
        )
        return lost

    def kept(self, parameters: FloatArray) -> dict[str, FloatArray]:
        """See `ParametricFlow.kept`."""
        dim = self.mdp.actions.dim
        rows = parameters.shape[0]
        return {
            "policy_mean": np.array(parameters[:, :dim]),
            "policy_covariance": covariances(parameters, dim).reshape(rows, dim * dim),
        }

    def series(self, parameters: FloatArray) -> dict[str, float]:
        """The largest mass outside the box, over the states that count."""
        mdp = self.mdp
        found = np.empty(mdp.states.size)
        part = mdp.slab.part(found)
        masses_outside(parameters, self.members, self._sizes, self._edges, part)
        mdp.slab.gather((found, part))
        return {"outside_mass": float(found[mdp.counted].max())}
