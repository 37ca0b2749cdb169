"""On a linear-quadratic problem Gaussian policies have the law of the exact flow, to second order in the cells.

Q is quadratic there, so the Wasserstein flow from N(K s + k, Sigma) stays Gaussian in every state, with K, k and Sigma
of ordinary differential equations (`validation.exact.linear_quadratic`), and the projection onto Gaussians loses
nothing.  Held against them are means and covariances of the grid's flow, by the Wasserstein distance of Gaussians,

    W2^2 = |m - m'|^2 + (sqrt(C) - sqrt(C'))^2       (one action)

averaged over the law of the initial state, at an early and at a late time.  On three grids or four, with cells halved
from one to the next, its observed orders must be two within 0.15, and on the finest it must be below a hundredth of
what the flow has moved by then.  The box is wide enough for its ends not to be seen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wpoflow.solver.flows.parametric.gaussian import GaussianFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.studies.refinement.orders import observed_orders
from wpoflow.validation.exact.linear_quadratic import GaussianPolicy
from wpoflow.validation.exact_cases.regulators import one_state
from wpoflow.validation.finding import Finding, Hypothesis, Measurement

NAME = "gaussian_law"
STATEMENT = "on a linear-quadratic problem Gaussians have the exact flow's moments, to second order in the cells"
SOURCE = "Pfau et al., arXiv:2505.00663; closed solution of validation.exact.linear_quadratic"
SIZES = ((16, 24), (32, 48), (64, 96))
TIMES = (0.25, 1.0)
ACCURACY = 1e-6
ORDER, BRACKET, SHARE = 2.0, 0.15, 1e-2
Make = Callable[[GridMDP], GaussianFlow]


def finding(make: Make = GaussianFlow) -> Finding:
    """Judge the flow of Gaussians, or what is made in its place of the same problem."""
    case = one_state()
    exact = [point.policy for point in case.exact.flow(case.start, list(TIMES))]
    errors = np.array([_errors(case.grid(*sizes), make, exact) for sizes in SIZES])
    moved = _moved(case.grid(*SIZES[0]), case.start, exact)
    measurements = []
    for j, time in enumerate(TIMES):
        orders = observed_orders(np.array([1.0 / states for states, _ in SIZES]), errors[:, j])
        worst = float(orders[np.argmax(np.abs(orders - ORDER))])
        last, allowed = float(errors[-1, j]), SHARE * float(moved[j])
        where = f"t = {time:g}, {SIZES[0][1]} to {SIZES[-1][1]} cells"
        measurements += [
            Measurement("order of W2 to the exact flow", worst, ORDER, "=", where, theory=BRACKET),
            Measurement("W2 to the exact flow on the finest grid", last, allowed, "<=", where),
        ]
    known = Hypothesis("a law in closed form", True, "linear dynamics, quadratic cost, Gaussian start", scope=True)
    notes = {"sizes": [list(sizes) for sizes in SIZES], "errors": errors.tolist()}
    return Finding(NAME, "regulator", STATEMENT, SOURCE, (known,), tuple(measurements), notes)


def _errors(mdp: GridMDP, make: Make, exact: list[GaussianPolicy]) -> list[float]:
    """W2 of each time."""
    run = evolve_to_the_end(mdp, flow=make(mdp), until=TIMES[-1], accuracy=ACCURACY, snapshots=list(TIMES))
    kept = run.snapshots
    if run.status != "complete" or kept is None:
        raise RuntimeError(f"the run ended early: {run.stop_reason}")
    found = []
    for j, policy in enumerate(exact):
        mean, variance = kept.parameter("policy_mean", j)[:, 0], kept.parameter("policy_covariance", j)[:, 0, 0]
        apart = mean - (policy.gain[0, 0] * mdp.states.points[:, 0] + policy.offset[0])
        wide = np.sqrt(variance) - np.sqrt(policy.cov[0, 0])
        found.append(float(np.sqrt(mdp.rho @ (apart**2 + wide**2))))
    return found


def _moved(mdp: GridMDP, start: GaussianPolicy, exact: list[GaussianPolicy]) -> list[float]:
    """W2 from the start, of the exact flow."""
    points, found = mdp.states.points[:, 0], []
    for policy in exact:
        apart = (policy.gain - start.gain)[0, 0] * points + (policy.offset - start.offset)[0]
        wide = np.sqrt(policy.cov[0, 0]) - np.sqrt(start.cov[0, 0])
        found.append(float(np.sqrt(mdp.rho @ (apart**2 + wide**2))))
    return found
