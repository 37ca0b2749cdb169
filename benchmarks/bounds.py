"""How loose the guaranteed lower bounds of the modified log-Sobolev constant are.

    python -m benchmarks.bounds

Each bound over alpha, minimised numerically, for the Gibbs law of the tilted double well at temperature 0.1 and of
a quadratic cost with Gaussian reference (Ornstein–Uhlenbeck) on three grids; for the torus problem's circles; and for
the two action axes of navigation, where alpha is minimised in the slowest states, those of least bound and some others.
Each bound comes with the milliseconds of processor time it takes for a state, compilation apart.
Then dynamic programming: its share of alpha and the time of one test, for the first two cases and for the states that
decide the rate of the gallery's problems of one no-flux axis (those the optimal policy visits with d* >= 1e-6).
Last, which bound is the best in the state of least bound of every gallery problem, on the grids of level `quick`.
"""

from __future__ import annotations

import time

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import build_problem, load_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.studies.refinement.problem_grids import coarsened, refined_axes, with_cells
from wpoflow.validation.constants.bound_dynamic_programming import bound_dynamic_programming, certifies
from wpoflow.validation.constants.bound_two_scale import bound_two_scale
from wpoflow.validation.constants.bounds_one_axis import CIRCLE_BOUNDS, PATH_BOUNDS
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.log_sobolev_sharp import log_sobolev_sharp
from wpoflow.validation.constants.lower_bounds import PRODUCT_BOUNDS, lower_bounds
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.exact_cases.bandits import double_well
from wpoflow.validation.suite import LEVELS

CELLS = (64, 128, 256)
CIRCLES = (32, 64, 128)
NAVIGATION = ({"x": 16, "y": 16, "vx": 8, "vy": 8}, {"x": 32, "y": 32, "vx": 16, "vy": 16})
STATES = 24
DECIDING = 3  # states of a problem
VISITED = 1e-6
PATHS = ("bandit", "double_integrator", "inventory", "lqr", "mountain_car", "pendulum")


def ornstein_uhlenbeck(cells: int) -> GridMDP:
    """The quadratic cost of the reference tables, tau = 0.3, on [-6, 6]: alpha = lambda = 1.65 in the continuum."""
    return build(
        Statement(
            actions=Grid((uniform_axis("a", -6.0, 6.0, cells),)),
            discount=0.9,
            temperature=0.3,
            cost=lambda a: 0.75 * (a - 0.4) ** 2,
            potential=lambda a: a**2 / 4.0,
        )
    )


def optimal(mdp: GridMDP) -> Generators:
    """Generators of the optimal policy."""
    return Generators.of(mdp, solve_optimum(mdp).q)


def sample(gaps: FloatArray, best: FloatArray) -> IntArray:
    """The slowest states, those of least bound, and some spread over all rates."""
    slowest, least = np.argsort(gaps, kind="stable"), np.argsort(best, kind="stable")
    spread = slowest[np.linspace(0, slowest.size - 1, STATES).astype(np.int64)]
    return np.unique(np.concatenate([slowest[: STATES // 3], least[: STATES // 3], spread]))


def milliseconds(generators: Generators) -> dict[str, float]:
    """Processor time of each bound for a state, rates computed before."""
    family = PATH_BOUNDS if generators.is_path else CIRCLE_BOUNDS if generators.is_circle else PRODUCT_BOUNDS
    generators.rates  # noqa: B018
    out = {}
    for name, bound in family.items():
        bound(generators.select(slice(0, 1)))
        start = time.process_time()
        bound(generators)
        out[name] = 1e3 * (time.process_time() - start) / generators.size
    return out


def row(label: str, generators: Generators) -> None:
    """Print lambda and alpha of the state of least alpha, and least and median of each bound over alpha."""
    gaps, bounds = spectral_gap(generators), lower_bounds(generators)
    chosen = sample(gaps, bounds.best) if generators.size > STATES else np.arange(generators.size)
    alpha = minimise_log_sobolev(generators.select(chosen))
    slow = int(np.argmin(alpha))
    times, entries = milliseconds(generators), []
    shown = {"best": bounds.best, **{name: bounds.values[name] for name in bounds.names}}
    if len(generators.axes) > 1:
        sharp = np.zeros(generators.size)
        sharp[chosen] = bound_two_scale(generators.select(chosen), log_sobolev_sharp)
        shown |= {"two_scale_sharp": sharp, "best of all": np.maximum(bounds.best, sharp)}
    for name, values in shown.items():
        share = values[chosen] / alpha
        spread = f" ({np.median(share):.3g})" if share.size > 1 else ""
        spent = f" [{times[name]:.2g} ms]" if name in times else ""
        entries.append(f"{name} {share.min():.3g}{spread}{spent}")
    if chosen.size > 1:
        decisive = int(np.argmin(bounds.best[chosen]))
        entries.append(f"in the state of least bound {bounds.best[chosen][decisive] / alpha[decisive]:.3g}")
    print(f"{label:22s} {gaps[chosen][slow]:.6g} {alpha[slow]:.6g}  " + ", ".join(entries), flush=True)


def coarse(name: str) -> GridMDP:
    """A gallery problem on the grid of level quick."""
    problem = read_problem(name)
    return build_problem(with_cells(problem, coarsened(refined_axes(problem), LEVELS["quick"].most_pairs)))


def programme_row(label: str, generators: Generators) -> None:
    """Print alpha, the shares of the best quick bound and of dynamic programming, and the time of one test."""
    quick, alpha = lower_bounds(generators).best, minimise_log_sobolev(generators)
    found = bound_dynamic_programming(generators)
    for state in range(generators.size):
        one = generators.select(np.array([state]))
        start = time.perf_counter()
        passed = certifies(one, 0.97 * alpha[state])[0]
        spent = time.perf_counter() - start
        refused = not certifies(one, 1.02 * alpha[state])[0]
        shares = f"quick {quick[state] / alpha[state]:.3f}, dynamic programming {found[state] / alpha[state]:.4f}"
        tests = f"0.97 alpha certified: {passed}, 1.02 alpha refused: {refused}, {1e3 * spent:.1f} ms a test"
        cells = generators.actions.size
        print(f"{label:22s} {cells} cells, alpha {alpha[state]:.6g}, {shares}, {tests}", flush=True)


def deciding_rows(name: str) -> None:
    """`programme_row` of the states of least quick bound among those visited."""
    mdp = coarse(name)
    optimum = solve_optimum(mdp)
    generators = Generators.of(mdp, optimum.q)
    visited = np.flatnonzero(optimum.occupancy >= VISITED)
    quick = lower_bounds(generators.select(visited)).best
    programme_row(name, generators.select(visited[np.argsort(quick, kind="stable")[:DECIDING]]))


def gallery_row(name: str) -> None:
    """Print the least bound of a gallery problem on the grid of level quick, its name, and lambda where visited."""
    mdp = coarse(name)
    optimum = solve_optimum(mdp)
    generators = Generators.of(mdp, optimum.q)
    bounds, gaps = lower_bounds(generators), spectral_gap(generators)
    least = int(np.argmin(bounds.best))
    cells = " x ".join(str(n) for n in (*mdp.states.shape, *mdp.actions.shape))
    found = f"{bounds.best[least]:.4g} by {bounds.best_name[least]}"
    print(f"{name:22s} {cells:20s} {found}, lambda {gaps[optimum.occupancy > 0.0].min():.4g}", flush=True)


def main() -> None:
    """Print all rows."""
    print("case, lambda and alpha (minimised) of the state of least alpha; bounds over alpha: least (median)")
    for n in CELLS:
        row(f"double well {n}", optimal(double_well(0.1).grid(n)))
    for n in CELLS:
        row(f"Ornstein–Uhlenbeck {n}", optimal(ornstein_uhlenbeck(n)))
    for n in CIRCLES:
        row(f"torus {n}", optimal(load_problem("torus", cells={"s": n, "a": n})))
    for cells in NAVIGATION:
        label = "x".join(str(n) for n in cells.values())
        row(f"navigation {label}", optimal(load_problem("navigation", cells=cells)))
    print("dynamic programming: shares of alpha")
    for n in (32, 64):
        programme_row(f"double well {n}", optimal(double_well(0.1).grid(n)))
        programme_row(f"Ornstein–Uhlenbeck {n}", optimal(ornstein_uhlenbeck(n)))
    for name in PATHS:
        deciding_rows(name)
    print("gallery on the grids of level quick: least bound of alpha over the states, least lambda of those visited")
    for name in gallery_names():
        gallery_row(name)


if __name__ == "__main__":
    main()
