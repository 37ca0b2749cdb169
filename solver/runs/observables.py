"""One row of a run's series: everything the theory speaks of, of one policy and its value functions.

Suboptimality by (I2), and the dissipation that the flow states, of the Wasserstein flow by (I4), both weighted by the
policy's own occupancy, so that their ratio is a local rate without fitting; the soft Bellman residual by (I3), which
bounds the suboptimality without knowing the optimum; and the monitors of regularity.
"""

from __future__ import annotations

import math
from weakref import ref

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.grids.grid import Grid
from wpoflow.solver.bellman.evaluation import ROUNDINGS, Evaluation, divergence_of, entropy_of, occupancy
from wpoflow.solver.bellman.hard_optimum import cost_gap
from wpoflow.solver.bellman.system import EPS
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.parametric.parametric import ParametricFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.runs.monitor_kernels import add_axis_slopes, density_range, masked_mass
from wpoflow.solver.runs.reference import Reference


class Observer:
    """Computes the rows of the series of one run.

    Parameters
    ----------
    mdp : GridMDP
    reference : Reference or Optimum
        What suboptimality is measured against.
    flow : Flow
        Whose dissipation is recorded, if it states one: that at the temperature of the moment.
    occupancy : array (S,), optional
        To solve the first one from; that of the last row of a run that goes on.
    """

    def __init__(
        self, mdp: GridMDP, reference: Reference | Optimum, flow: Flow, occupancy: FloatArray | None = None
    ) -> None:
        self.reference = reference if isinstance(reference, Reference) else Reference(reference)
        self._mdp, self._flow = mdp, flow
        self.occupancy = occupancy
        self.dissipation_stated = True
        self._visited_by: ref[Evaluation] | None = None  # whose arrays it must not keep
        self._end_cells = end_cells(mdp.actions)
        best = self.reference.optimum.occupancy if self.reference.hard is None else np.ones(mdp.states.size)
        self._most_visited = best  # of an optimum that moves no more is known than that a probability is at most one
        self._largest_ratio = _occupancy_ratio((1.0 - mdp.discount) * mdp.rho, best)
        left_out = bool(np.any((mdp.rho == 0.0) & (best > 0.0)))
        self._no_bound = left_out or not math.isfinite(self._largest_ratio)

    def gap(self, policy: FloatArray, evaluation: Evaluation) -> float:
        """V^pi(rho) - V*(rho) by (I2): tau/(1 - gamma) sum_i d_i KL(p_i | p*_i)."""
        mdp = evaluation.mdp
        return _gap(mdp, self._occupancy(evaluation), _divergence(mdp, policy, self.reference.at(mdp)))

    def gap_within(self, bound: float, policy: FloatArray, evaluation: Evaluation) -> bool:
        """Whether the gap is at most ``bound``; it is solved for only where V - V* leaves a doubt.

        V* at the temperature of the start is above that of lower ones.
        """
        mdp, best = self._mdp, self.reference.optimum
        difference = float(np.add.reduce(mdp.rho * (evaluation.value - best.value)))
        scale = float(np.abs(best.value).max() + np.abs(evaluation.value).max())
        doubt = (evaluation.residual + best.bellman_residual + ROUNDINGS * EPS * scale) / (1.0 - mdp.discount)
        return difference - doubt <= bound and self.gap(policy, evaluation) <= bound

    def occupancy_ratio(self, evaluation: Evaluation) -> float:
        """The largest d*/d over the states, or a bound of it where it would be dear.

        With complete factors at hand the occupancy is a back substitution.  Otherwise it takes a fourth of a step's
        time, and is solved for only if rho leaves out a state that the optimal policy visits: else d >= (1 - gamma) rho
        gives the bound max d*/rho/(1 - gamma).
        """
        if self._no_bound or evaluation.system.linear_solver != "krylov":
            return _occupancy_ratio(self._occupancy(evaluation), self._most_visited)
        return self._largest_ratio

    def row(self, policy: FloatArray, evaluation: Evaluation, parameters: FloatArray | None = None) -> dict[str, float]:
        """All series that depend on the present policy alone, and on what a flow of parameters makes it of."""
        mdp, visited = evaluation.mdp, self._occupancy(evaluation)
        best, hard, horizon = self.reference.at(mdp), self.reference.hard, 1.0 / (1.0 - mdp.discount)
        divergence = _divergence(mdp, policy, best)
        suboptimality, _ = evaluation.system.solve(mdp.temperature * divergence)
        gap = _gap(mdp, visited, divergence)
        flow = self._flow if mdp.temperature == self._mdp.temperature else self._flow.at_temperature_of(mdp)
        lost, slab = self._lost(flow, policy, evaluation.q, parameters), mdp.slab
        self.dissipation_stated = lost is not None
        lost = None if lost is None else slab.whole(lost)
        # a policy with zeros dissipates infinitely, which is nothing where the state is never visited
        met = visited > 0.0
        dissipation = math.nan if lost is None else horizon * float(np.add.reduce(visited[met] * lost[met]))
        to_gibbs, to_reference = divergence_of(mdp, policy, evaluation.q), entropy_of(mdp, policy)
        clamped = mdp.transition.clamped
        moved = 0.0 if clamped is None else np.add.reduce(visited * slab.whole(_means(policy, clamped)))
        row = {
            "value_rho": float(np.add.reduce(mdp.rho * evaluation.value)),
            "gap": gap,
            "gap_sup": self._supremum(suboptimality),
            "dissipation": dissipation,
            "rate_observed": dissipation / gap if gap > 0.0 else math.nan,
            "kl_sup": self._supremum(divergence),
            "occupancy_ratio": _occupancy_ratio(visited, best.occupancy),
            "bellman_residual": mdp.temperature * self._supremum(to_gibbs),
            "entropy": float(np.add.reduce(visited * to_reference)),
            "clamped_mass": float(moved),
            "temperature": mdp.temperature,
            "cost_rho": horizon * float(np.add.reduce(visited * slab.whole(_means(policy, mdp.cost)))),
        }
        if hard is not None:
            row["cost_gap"] = cost_gap(mdp, policy, visited, hard)
        if isinstance(flow, ParametricFlow) and parameters is not None:
            row |= flow.series(parameters)
        self.reference.keep()
        return row | self._monitors(policy, evaluation.q)

    def kept(self, parameters: FloatArray | None) -> dict[str, FloatArray]:
        """What a snapshot keeps of parameters, if the policy is made of such."""
        flow = self._flow
        return flow.kept(parameters) if isinstance(flow, ParametricFlow) and parameters is not None else {}

    @staticmethod
    def _lost(flow: Flow, policy: FloatArray, q: FloatArray, parameters: FloatArray | None) -> FloatArray | None:
        if isinstance(flow, ParametricFlow) and parameters is not None:
            return flow.lost(parameters, q)
        return flow.dissipation(policy, q)

    def _occupancy(self, evaluation: Evaluation) -> FloatArray:
        """Of the policy these are the values of; solved once each, from the one before."""
        if self.occupancy is None or self._visited_by is None or evaluation is not self._visited_by():
            self.occupancy = occupancy(self._mdp, evaluation.system, self.occupancy)
            self._visited_by = ref(evaluation)
        return self.occupancy

    def _supremum(self, values: FloatArray) -> float:
        return float(values[self._mdp.counted].max())

    def _monitors(self, policy: FloatArray, q: FloatArray) -> dict[str, float]:
        mdp = self._mdp
        found = np.zeros((7, mdp.states.size))
        part = mdp.slab.part(found)
        part[:] = 0.0
        least, largest, total, score, slope, curvature, ends = part
        density_range(policy, mdp.reference_mass, least, largest, total)
        for axis, stride in zip(mdp.actions.axes, mdp.actions.strides, strict=True):
            if axis.connected:
                add_axis_slopes(policy, q, mdp.log_mass, axis.distances, axis.size, stride, score, slope, curvature)
        masked_mass(policy, self._end_cells, ends)
        mdp.slab.gather((found, part))
        least, largest, total, score, slope, curvature, ends = found
        return {
            "mass_error": float(np.abs(total - 1.0).max()),
            "density_min": float(least.min()),
            "density_max": self._supremum(largest),
            "score_max": self._supremum(score),
            "q_slope_max": self._supremum(slope),
            "q_curvature_max": self._supremum(curvature),
            "end_mass": self._supremum(ends),
        }


def _divergence(mdp: GridMDP, policy: FloatArray, best: Optimum) -> FloatArray:
    """KL(p | p*) in every state, (S,)."""
    return divergence_of(mdp, policy, best.q)


def _means(policy: FloatArray, x: FloatArray) -> FloatArray:
    """sum_k p_ik x_ik of every row."""
    found: FloatArray = np.einsum("ik,ik->i", policy, x)
    return found


def _gap(mdp: GridMDP, visited: FloatArray, divergence: FloatArray) -> float:
    scale = mdp.temperature / (1.0 - mdp.discount)
    return scale * float(np.add.reduce(visited * divergence))


def _occupancy_ratio(visited: FloatArray, best: FloatArray) -> float:
    """Largest ratio of the optimal occupancy to the policy's, both (S,)."""
    reached = best > 0.0
    return float((best[reached] / np.maximum(visited[reached], np.finfo(np.float64).tiny)).max())


def end_cells(actions: Grid) -> BoolArray:
    """Which action cells, (A,), touch an end of the box on some axis; a corner is one cell, and labels have no end."""
    touching = np.zeros(actions.size, dtype=np.bool_)
    for axis, index in zip(actions.axes, np.unravel_index(np.arange(actions.size), actions.shape), strict=True):
        if not axis.periodic and axis.connected:
            touching |= (index == 0) | (index == axis.size - 1)
    return touching
