"""The Gaussian flow: policies N(m, C), moved by steepest descent among them (Pfau et al., arXiv:2505.00663).

    dm/dt = -E grad Phi,     dC/dt = -E[hess Phi] C - C E[hess Phi] + 2 tau I,     Phi = Q + tau U,

the Wasserstein flow projected onto Gaussians in the Bures–Wasserstein metric.  On the grid p is a function of m and C
(`solver.flows.parametric.gaussian_cells`) and so is V; the flow is the steepest descent of that function of the
parameters, not a quadrature of the expectations above, from which it differs to second order in the cells:

    dm/dt = -sum_k delta_k dp_k/dm,   dC/dt = -2 (G C + C G),   G = sum_k delta_k dp_k/dC,   delta = Q + tau ln(p/mu)

Then, exactly on the grid, dV(rho)/dt = -1/(1-gamma) sum_i d_i [|dm/dt|^2 + 4 tr(G C G)]  (4 tr(G C G) is
(dC/dt)^2/(4C) on one axis), and with Q = Q^p in every state V falls pointwise in continuous time.  A step of finite
length is a descent step by line search (`solver.flows.parametric.gaussian_velocity.descend_gaussians`).

**Mixtures.**  ``components`` = K Gaussians in every state with weights, which follow the Fisher–Rao flow at the rate
``beta``; all begin with the stated moments, apart from each other (`solver.flows.parametric.moments.spread_out`).

**As published** the steps are those of `solver.flows.parametric.natural_gradient`, of fixed size, where a
``trust_region`` is given or ``entropy`` is false: then the force is that of Q alone, and variances fall towards zero as
at temperature zero.  Such steps need not lower V, and no dissipation is stated.

The limit is stationary among Gaussians, need not be the best of them and is not the optimal policy: the gap of such
runs tends to what the projection loses.  Action axes are boxes with two ends; mass of a Gaussian outside is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.solver.flows.flow import check_suitable
from wpoflow.solver.flows.parametric.gaussian_cells import masses_outside, project_gaussians
from wpoflow.solver.flows.parametric.gaussian_velocity import descend_gaussians, gaussian_velocities
from wpoflow.solver.flows.parametric.moments import (
    Members,
    action_cells,
    gaussians,
    members_of,
    moments_of,
    parameter_count,
    spread_out,
)
from wpoflow.solver.flows.parametric.natural_gradient import within_trust_region
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.layout import MEMBER

LEAST = 5e-324
MOMENTS = ("policy_mean", "policy_covariance")
MEMBERS = tuple(f"member_{name}" for name in Members._fields)


class GaussianFlow(ParametricFlow):
    """Means and covariances of all states, and weights of mixtures.

    Parameters
    ----------
    mdp : GridMDP
    components : int
        Gaussians in every state, at least one.
    beta : float
        Rate of the weights of several, positive and finite.
    entropy : bool
        Whether the entropy moves the Gaussians, too; without it there are natural-gradient steps of fixed size alone.
    trust_region : float, optional
        The most that KL(old Gaussian | new Gaussian) may be in a step, in every state; likewise, and of one component.

    Raises
    ------
    ValueError
        Numbers out of range, or a trust region of several components.
    UnsuitableFlowError
        An action axis of labels, or a circle.
    """

    name = "gaussian"
    smooth: bool = True
    moves_mass: ClassVar[bool] = True
    annealed: ClassVar[bool] = True
    between_states: ClassVar[bool] = True
    taken: ClassVar[str] = "its Gaussians as they are"
    made: ClassVar[str] = "Gaussians of the moments of its cells"

    def __init__(
        self,
        mdp: GridMDP,
        components: int = 1,
        beta: float = 1.0,
        entropy: bool = True,
        trust_region: float | None = None,
    ) -> None:
        super().__init__(mdp)
        check_suitable(type(self), self.name, mdp.actions)
        for name, number in (("beta", beta), ("trust_region", trust_region)):
            if number is not None and not (math.isfinite(number) and number > 0.0):
                raise ValueError(f"{name} = {number} must be positive and finite")
        if components != int(components) or components < 1:
            raise ValueError(f"components = {components} must be a whole number, at least one")
        self.members, self.beta, self.entropy, self.trust_region = (
            int(components),
            float(beta),
            bool(entropy),
            trust_region,
        )
        self.smooth = self.entropy and trust_region is None
        if not self.smooth and components > 1:
            raise ValueError(f"components = {components}: natural-gradient steps are those of one Gaussian")
        self._sizes, self._edges, self._centres = action_cells(mdp.actions)

    @property
    def parameters(self) -> Mapping[str, float]:
        """See `Flow.parameters`."""
        given = {} if self.trust_region is None else {"trust_region": self.trust_region}
        return {"components": self.members, "beta": self.beta, "entropy": self.entropy, **given}

    @classmethod
    def obstacle(cls, actions: Grid) -> str:
        """See `Flow.obstacle`."""
        if words := super().obstacle(actions):
            return words
        others = [axis for axis in actions.axes if axis.boundary != "no-flux" and axis.size > 1]
        return (
            f"needs action axes with boundary 'no-flux'; {others[0].name} is {others[0].boundary!r}" if others else ""
        )

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
        numbers = gaussians(mdp.states, mdp.slab, mean, covariance)
        return numbers if self.members == 1 else self._mixed(spread_out(mean, covariance, self.members))

    def _mixed(self, each: Members) -> FloatArray:
        """Numbers of mixtures; a weight below the least floating-point number was stored as zero: it is that."""
        numbers = [
            gaussians(self.mdp.states, self.mdp.slab, each.mean[:, c], each.covariance[:, c])
            for c in range(self.members)
        ]
        return np.concatenate([*numbers, np.log(np.maximum(each.weight, LEAST))], axis=1)

    def taken_up(self, kept: Mapping[str, FloatArray]) -> FloatArray | None:
        """See `ParametricFlow.taken_up`; one Gaussian takes up one, and K of them K."""
        mdp, dim, members = self.mdp, self.mdp.actions.dim, self.members
        if kept.keys() == set(MOMENTS) and members == 1:
            mean, covariance = (kept[name] for name in MOMENTS)
            return gaussians(mdp.states, mdp.slab, mean.reshape(-1, dim), covariance.reshape(-1, dim, dim))
        if kept.keys() != {*MOMENTS, *MEMBERS} or kept[MEMBERS[0]].shape[1] != members:
            return None
        weight, mean, covariance = (kept[name] for name in MEMBERS)
        return self._mixed(Members(weight, mean.reshape(-1, members, dim), covariance.reshape(-1, members, dim, dim)))

    @classmethod
    def kept_numbers(cls, actions: Grid, **parameters: Any) -> int:
        """See `Flow.kept_numbers`."""
        return parameter_count(int(parameters.get("components", 1)), actions.dim)

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
        if not self.smooth:
            change = dt * self.velocity(parameters, q, np.empty_like(parameters))
            parameters_out[:] = within_trust_region(parameters, change, mdp.actions.dim, self.trust_region)
            return self.project(parameters_out, out)
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

    def lost(self, parameters: FloatArray, q: FloatArray) -> FloatArray | None:
        """|dm/dt|^2 + 4 tr(G C G) per state, (S,), of mixtures their average and the growth of weights."""
        return None if not self.smooth else self._moved(parameters, q, np.empty_like(parameters))

    def _moved(self, parameters: FloatArray, q: FloatArray, out: FloatArray) -> FloatArray:
        mdp, lost = self.mdp, np.empty(parameters.shape[0])
        gaussian_velocities(
            parameters,
            q,
            mdp.log_mass,
            mdp.temperature,
            mdp.temperature if self.entropy else 0.0,
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
        rows, members = parameters.shape[0], self.members
        found = members_of(parameters, members, self.mdp.actions.dim)
        mean, covariance = found.moments()
        kept = dict(zip(MOMENTS, (mean, covariance), strict=True))
        if members > 1:
            kept |= dict(zip(MEMBERS, found, strict=True))
        return {name: np.ascontiguousarray(array).reshape(rows, -1) for name, array in kept.items()}

    @property
    def lengths(self) -> Mapping[str, int]:
        """See `ParametricFlow.lengths`."""
        return {MEMBER: self.members} if self.members > 1 else {}

    def series(self, parameters: FloatArray) -> dict[str, float]:
        """The largest mass outside the box, over the states that count."""
        mdp = self.mdp
        found = np.empty(mdp.states.size)
        part = mdp.slab.part(found)
        masses_outside(parameters, self.members, self._sizes, self._edges, part)
        mdp.slab.gather((found, part))
        return {"outside_mass": float(found[mdp.counted].max())}
