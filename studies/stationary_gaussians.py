"""Where the Gaussian flow ends: stationary points of V among Gaussian policies, from several starts.

V restricted to Gaussians need not be convex, and the flow may have several limits.  It is followed from

    the problem's own first policy                               its limit is that of a run
    the reference measure, and the soft-optimal policy           Gaussians of their moments
    the highest and the second mode of the soft-optimal policy   in every state; modes are cells denser than neighbours
    the lower and the upper quarter of each action axis          in all states

and then taken to rest by long descent steps with Q frozen, V falling all the way.  Starts whose policies end
in the same cells, to a thousandth of their mass in every state, have one limit.  These starts are a choice: limits that
none of them leads to are not found.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray, underflow_to_zero
from wpoflow.core.brief import briefly
from wpoflow.solver.bellman.evaluation import Evaluation, divergence_of, evaluate, occupancy
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.flows.parametric.moments import moments_of
from wpoflow.solver.mdp import GridMDP, check_problem
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.schemes.trajectory import flow as follow
from wpoflow.solver.storage.atomic import OutputLock
from wpoflow.solver.storage.problem_arrays import problem_arrays, problem_head
from wpoflow.solver.storage.writer import RunWriter

ACCURACY = 1e-4
SETTLED = 1e-4  # of the largest gradient at the start
MOST_STEPS = 500
LONG = 10.0  # flow time of a step to rest
MOST_LONG = 60
AT_REST = 1e-10  # of the largest gradient at the start
PATIENCE = 4  # steps to rest without a smaller gradient
SAME = 1e-3  # mass in other cells
MODE_WIDTH, QUARTER_WIDTH = 1.0 / 40.0, 1.0 / 8.0  # standard deviations of starts, of the axis


@briefly
@dataclass(frozen=True, eq=False)
class StationaryGaussian:
    """A limit of the Gaussian flow.

    Attributes
    ----------
    policy : array (S, A)
    value : array (S,)
    parameters : mapping of arrays (S, ...)
        Means, covariances, and of mixtures their members, as snapshots keep them.
    value_rho, gap : float
        V(rho), and what it lies above that of the soft-optimal policy, which is not Gaussian.
    gradient : float
        Largest norm over the states of the gradient that is left, of dm/dt and dC/dt in the metric.
    starts : tuple of str
        Which starts lead there.
    """

    policy: FloatArray
    value: FloatArray
    parameters: Mapping[str, FloatArray]
    value_rho: float
    gap: float
    gradient: float
    starts: tuple[str, ...]


@underflow_to_zero
def stationary_gaussians(
    mdp: GridMDP, *, optimum: Optimum | None = None, components: int = 1, beta: float = 1.0
) -> tuple[StationaryGaussian, ...]:
    """The distinct limits of the Gaussian flow from several starts, that of the least gap first.

    Parameters
    ----------
    mdp : GridMDP
    optimum : Optimum, optional
        The soft optimum; computed if not given.
    components, beta
        As for the flow: Gaussians in every state, and the rate of their weights.

    Raises
    ------
    UnsuitableFlowError
        An action axis of labels, or a circle.
    ValueError
        The moments of the first policy are those of no Gaussian; the problem is shared by several processes.
    """
    check_problem(mdp)
    if mdp.slab.ranks > 1:
        raise ValueError("stationary Gaussians are looked for in one process")
    made = GaussianFlow(mdp, components, beta)
    best = solve_optimum(mdp) if optimum is None else optimum
    found: list[StationaryGaussian] = []
    for words, (mean, covariance) in _starts(mdp, best):
        flow, parameters, now = _at_rest(mdp, made, mean, covariance)
        for k, other in enumerate(found):
            apart = 0.5 * np.abs(other.policy - flow.projected(parameters)).sum(axis=1)
            if float(apart[mdp.counted].max()) < SAME:
                found[k] = replace(other, starts=(*other.starts, words))
                break
        else:
            found.append(_described(flow, parameters, now, best, words))
    return tuple(sorted(found, key=lambda limit: limit.gap))


def _starts(mdp: GridMDP, best: Optimum) -> Iterator[tuple[str, tuple[FloatArray, FloatArray]]]:
    """Means (S, d) and covariances (S, d, d), with words."""
    states = mdp.states.size
    stated = mdp.initial_gaussians
    yield "the first policy", moments_of(mdp, mdp.initial_policy) if stated is None else stated
    yield "the reference measure", moments_of(mdp, np.tile(mdp.reference_mass, (states, 1)))
    yield "the optimal policy", moments_of(mdp, best.policy)
    lengths = np.array([axis.length for axis in mdp.actions.axes])
    for words, cells in zip(("highest", "second"), _modes(mdp, best.policy), strict=True):
        width = np.diag((MODE_WIDTH * lengths) ** 2)
        yield f"the {words} mode of the optimal policy", (mdp.actions.points[cells], np.tile(width, (states, 1, 1)))
    middle = np.array([0.5 * (axis.edges[0] + axis.edges[-1]) for axis in mdp.actions.axes])
    for j, axis in enumerate(mdp.actions.axes):
        for words, place in (("lower", 0.25), ("upper", 0.75)):
            mean = middle.copy()
            mean[j] = axis.edges[0] + place * axis.length
            width = np.diag((QUARTER_WIDTH * lengths) ** 2)
            yield f"the {words} quarter of {axis.name}", (np.tile(mean, (states, 1)), np.tile(width, (states, 1, 1)))


def _modes(mdp: GridMDP, policy: FloatArray) -> tuple[IntArray, IntArray]:
    """The cells (S,) of the highest and of the second mode of every state; of one mode alone the same twice."""
    density = (policy / mdp.actions.volumes).reshape(-1, *mdp.actions.shape)
    peak = np.ones(density.shape, dtype=np.bool_)
    for j in range(1, density.ndim):
        ends = [(0, 0)] * density.ndim
        ends[j] = (1, 1)
        padded = np.pad(density, ends, constant_values=-1.0)
        before = np.take(padded, range(density.shape[j]), axis=j)
        after = np.take(padded, range(2, density.shape[j] + 2), axis=j)
        peak &= (density >= before) & (density > after)
    heights = np.where(peak, density, -1.0).reshape(len(policy), -1)
    order = np.argsort(-heights, axis=1, kind="stable")
    first, second = order[:, 0], order[:, min(1, order.shape[1] - 1)]
    there = heights[np.arange(len(policy)), second] > 0.0
    return first, np.asarray(np.where(there, second, first))


def _at_rest(
    mdp: GridMDP, made: GaussianFlow, mean: FloatArray, covariance: FloatArray
) -> tuple[GaussianFlow, FloatArray, Evaluation]:
    """The flow from a start until it has settled, and then to rest."""
    begun = replace(mdp, initial_gaussians=(mean, covariance))
    flow = GaussianFlow(begun, made.members, made.beta)
    begun = replace(begun, initial_policy=flow.projected(flow.begin(begun.initial_policy)))
    flow = GaussianFlow(begun, made.members, made.beta)
    first = math.nan
    for state in follow(begun, flow=flow, accuracy=ACCURACY):
        parameters, now = state.parameters, state.evaluation
        assert parameters is not None
        gradient = _gradient(flow, parameters, now)
        first = gradient if state.steps == 0 else first
        if gradient <= SETTLED * first or state.steps >= MOST_STEPS:
            break
    best, kept, waited = gradient, (np.array(parameters), now), 0
    parameters = np.array(parameters)
    policy = np.empty_like(mdp.initial_policy)
    for _ in range(MOST_LONG):
        flow.advance(parameters, now.q, LONG, parameters, policy, 0)
        now = evaluate(mdp, policy, now.value)
        gradient = _gradient(flow, parameters, now)
        waited = 0 if gradient < best else waited + 1
        if gradient < best:
            best, kept = gradient, (parameters.copy(), now)
        if waited >= PATIENCE or best <= AT_REST * first:
            break
    return flow, *kept


def _gradient(flow: GaussianFlow, parameters: FloatArray, now: Evaluation) -> float:
    lost = flow.lost(parameters, now.q)
    assert lost is not None
    return math.sqrt(float(lost[flow.mdp.counted].max()))


def _described(
    flow: GaussianFlow, parameters: FloatArray, now: Evaluation, best: Optimum, words: str
) -> StationaryGaussian:
    mdp, policy = flow.mdp, flow.projected(parameters)
    visited = occupancy(mdp, now.system)
    apart = divergence_of(mdp, policy, best.q)
    return StationaryGaussian(
        policy=policy,
        value=now.value,
        parameters=flow.kept(parameters),
        value_rho=float(mdp.rho @ now.value),
        gap=mdp.temperature / (1.0 - mdp.discount) * float(visited @ apart),
        gradient=_gradient(flow, parameters, now),
        starts=(words,),
    )


def save_stationary(
    mdp: GridMDP,
    best: Optimum,
    limits: tuple[StationaryGaussian, ...],
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    seconds: float = 0.0,
) -> None:
    """Write a run file of no steps: the soft optimum, and the limits as snapshots 0, 1, ..., the least gap first.

    Its attribute ``limits`` has their gaps, gradients and starts, as JSON.

    Raises
    ------
    FileExistsError
        The file exists and ``force`` is off, or it is being written.
    OSError
        It cannot be written.
    """
    told = [
        {"gap": one.gap, "value_rho": one.value_rho, "gradient": one.gradient, "starts": list(one.starts)}
        for one in limits
    ]
    members = limits[0].parameters["member_weight"].shape[1] if "member_weight" in limits[0].parameters else 1
    attributes: dict[str, Any] = {"flow": "gaussian", "limits": json.dumps(told)}
    head = problem_head(mdp, attributes, {"member": members} if members > 1 else {})
    with OutputLock(path), RunWriter(path, head, arrays=problem_arrays(mdp), force=force) as writer:
        writer.optimum(best.stated(mdp.temperature))
        for number, one in enumerate(limits):
            writer.snapshot(float(number), one.value, one.policy, one.parameters)
        count = sum(len(one.starts) for one in limits)
        found = f"{len(limits)} stationary Gaussian {'policies' if len(limits) > 1 else 'policy'} from {count} starts"
        writer.close("complete", f"{found}; no run was recorded, snapshots are these", {"wall_seconds": seconds})
