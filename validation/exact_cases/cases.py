"""Problems with exact solutions as the suite runs them: errors by quantity on a list of grids.

Grids are fine enough that cell Peclet numbers are below one wherever the policy has mass: there the scheme is of
second order. Times lie in the middle of the descent.  Boxes of problems on the whole space are so large that
truncation is below a tenth of the discretisation error of the finest grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.exact.box_bandit import BoxBandit, BoxFlow
from wpoflow.validation.exact.ornstein_uhlenbeck import OrnsteinUhlenbeck
from wpoflow.validation.exact.torus_optimum import TorusProblem
from wpoflow.validation.exact.torus_spectral import TorusSolution, solve_torus
from wpoflow.validation.exact_cases.bandits import Bandit, double_well
from wpoflow.validation.exact_cases.regulators import one_state
from wpoflow.validation.exact_cases.slices import follow

Errors = dict[str, float]
ACCURACY = 3e-7


@dataclass(frozen=True)
class ExactCase:
    """A problem, grids to run it on, and its errors.

    Attributes
    ----------
    name, solution : str
        What it is called, and how its exact solution is known.
    sizes : tuple of int
        Cells of the grids, coarsest first; the first three serve a quick look.
    errors : callable
        Signed errors by quantity on the grid of a given size.
    largest : float
        Every error of the finest grid is to lie below.
    irregular : tuple of str
        Quantities whose errors are bounded but follow no power of the mesh size: where the next state is stationary in
        the action, interpolation errors add up in phase, and the phase depends on where that state lies between points.
    """

    name: str
    solution: str
    sizes: tuple[int, ...]
    errors: Callable[[int], Errors]
    largest: float
    irregular: tuple[str, ...] = ()


def _variation(policy: FloatArray, density: FloatArray, width: float) -> float:
    """Total variation between cell probabilities and a density at the centres."""
    return 0.5 * float(np.abs(policy - width * density).sum())


def _bandit_errors(
    problem: Bandit, exact: OrnsteinUhlenbeck | BoxFlow, shift: float, times: list[float], n: int
) -> Errors:
    mdp = problem.grid(n)
    centres, width = mdp.actions.points[:, 0], (problem.upper - problem.lower) / n
    found = {}
    for at in follow(mdp, times, accuracy=ACCURACY):
        label = f"at t = {at.time:g}"
        found[f"policy {label}"] = _variation(at.policy[0], exact.density(at.time, centres), width)
        found[f"V {label}"] = (float(at.value[0]) - shift) / exact.value(at.time) - 1.0
        found[f"gap {label}"] = at.gap / exact.gap(at.time) - 1.0
    return found


def _double_well(n: int) -> Errors:
    problem = double_well(0.1)
    exact = BoxBandit(
        cost=lambda a: np.asarray(problem.cost(a)),
        slope=lambda a: np.asarray(a * (a**2 - 1.0) + 0.1),
        lower=problem.lower,
        upper=problem.upper,
        temperature=problem.temperature,
        discount=problem.discount,
        modes=120,
    ).expansion(problem.density)
    return _bandit_errors(problem, exact, 0.0, [0.2, 5.0], n)


def _ornstein_uhlenbeck(n: int) -> Errors:
    """A mixture of two Gaussians relaxing in a quadratic cost, reference measure Gaussian."""
    exact = OrnsteinUhlenbeck(1.5, 0.5, 2.0, 0.3, 0.9, (0.4, 0.6), (-1.0, 1.2), (0.1, 0.2))
    half = 6.0
    problem = Bandit(
        cost=lambda a: 0.5 * exact.stiffness * (a - exact.centre) ** 2,
        potential=lambda a: a**2 / (2.0 * exact.reference_variance),
        density=lambda a: exact.density(0.0, a),
        lower=-half,
        upper=half,
        temperature=exact.temperature,
        discount=exact.discount,
    )
    inside = math.erf(half / math.sqrt(2.0 * exact.reference_variance))
    shift = exact.temperature / (1.0 - exact.discount) * math.log(inside)
    return _bandit_errors(problem, exact, shift, [0.2, 1.5], n)


def _regulator(n: int) -> Errors:
    regulator = one_state()
    mdp, times = regulator.grid(n, n), [0.25, 1.0]
    actions, origin = mdp.actions.points[:, 0], int(np.abs(mdp.states.points[:, 0]).argmin())
    one = int(np.abs(mdp.states.points[:, 0] - 1.0).argmin())
    found: Errors = {}
    exact = regulator.exact.flow(regulator.start, times)
    for at, point in zip(follow(mdp, times, accuracy=ACCURACY), exact, strict=True):
        label, mean = f"at t = {at.time:g}", at.policy @ actions
        slope = float(mean[one] - mean[origin])
        found[f"K {label}"] = slope - point.policy.gain[0, 0]
        if at.time == times[0]:  # at the later time the error changes sign between these grids
            found[f"Sigma {label}"] = float(at.policy[origin] @ actions**2 - mean[origin] ** 2 - point.policy.cov[0, 0])
        found[f"V(0) {label}"] = float(at.value[origin] - regulator.shift() - point.value.at(np.zeros(1)))
        found[f"gap {label}"] = at.gap / point.gap.mean(regulator.mean, regulator.cov) - 1.0
    return found


_TORUS = {"push": 0.4, "noise": 0.3, "temperature": 0.3, "discount": 0.9}


def _torus_cost(s: FloatArray, a: FloatArray) -> FloatArray:
    return np.asarray(1.0 - np.cos(s) + 0.5 * (1.0 - np.cos(a - np.sin(s))) + 0.2 * np.sin(2.0 * a))


def _torus_grid(n: int) -> GridMDP:
    def circle(name: str) -> Grid:
        half = np.pi / n
        return Grid((uniform_axis(name, -half, 2.0 * np.pi - half, n, "periodic"),))

    return build(
        Statement(
            states=circle("s"),
            actions=circle("a"),
            discount=_TORUS["discount"],
            temperature=_TORUS["temperature"],
            cost=_torus_cost,
            dynamics={"s": lambda s, a: s + _TORUS["push"] * np.sin(a)},
            noise={"s": _TORUS["noise"]},
            policy_density=lambda s, a: np.exp(0.5 * np.cos(a - s - 1.0)),
        )
    )


TORUS_TIMES = (0.05, 0.5)


@cache
def _torus_exact() -> TorusSolution:
    problem = TorusProblem(
        cost=_torus_cost,
        dynamics=lambda s, a: s + _TORUS["push"] * np.sin(a),
        noise=_TORUS["noise"],
        discount=_TORUS["discount"],
        temperature=_TORUS["temperature"],
        log_policy=lambda s, a: 0.5 * np.cos(a - s - 1.0),
    )
    return solve_torus(problem, TORUS_TIMES, n_states=128, n_actions=65)


def _torus(n: int) -> Errors:
    mdp, exact = _torus_grid(n), _torus_exact()
    states, actions = mdp.states.points[:, 0], mdp.actions.points[:, 0]
    early, middle = follow(mdp, TORUS_TIMES, accuracy=ACCURACY)
    value, cosine = (exact.at_states(entry, states) for entry in (exact.value, exact.mean_cos))
    found: Errors = {"V at t = 0.05": float(np.sqrt(np.mean((early.value - value[0]) ** 2)))}
    for k, at in enumerate((early, middle)):
        error = at.policy @ np.cos(actions) - cosine[k]
        found[f"E cos a at t = {at.time:g}"] = float(np.sqrt(np.mean(error**2)))
    return found | {f"gap at t = {middle.time:g}": float(middle.gap / exact.gap[1] - 1.0)}


CASES: dict[str, ExactCase] = {
    case.name: case
    for case in (
        ExactCase(
            "double_well", "expansion in the generator's eigenfunctions", (120, 160, 240, 320), _double_well, 2e-3
        ),
        ExactCase("ornstein_uhlenbeck", "Gaussian mixtures stay such", (192, 256, 384, 512), _ornstein_uhlenbeck, 6e-3),
        ExactCase(
            "linear_quadratic", "ordinary differential equations of its Gaussians", (48, 64, 96, 128), _regulator, 2e-2
        ),
        ExactCase("torus", "Fourier pseudo-spectral solution", (48, 64, 96, 128), _torus, 2e-3, ("V at t = 0.05",)),
    )
}
