"""Log-Sobolev constants by dynamic programming: nearly the constant, never more, and what they do for several axes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.constants.chains import unit_chain
from tests.validation.constants.test_dynamic_programming import CASES
from tests.validation.constants.test_two_scale import exact_lines, gaussian
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.validation.constants.bound_dynamic_programming import bound_dynamic_programming
from wpoflow.validation.constants.bound_two_scale import bound_two_scale
from wpoflow.validation.constants.dynamic_programming_kernels import certify_paths
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.log_sobolev_lines import log_sobolev_lines
from wpoflow.validation.constants.log_sobolev_sharp import log_sobolev_sharp
from wpoflow.validation.constants.lower_bounds import lower_bounds

SLACK = 1e-7  # of the minimisation


def chains_at_random(cells: int, faces: int, count: int, seed: int, spread: float) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    law = spread * rng.normal(size=(count, cells))
    return law - np.logaddexp.reduce(law, axis=1, keepdims=True), rng.normal(size=(count, faces))


def plain_certified(law: FloatArray, conductance: FloatArray, beta: FloatArray) -> np.ndarray:
    out = np.zeros(len(law), dtype=np.bool_)
    certify_paths(law, conductance, beta, True, out)
    return out


@pytest.mark.parametrize(("cells", "spread"), [(2, 1.0), (3, 1.0), (3, 3.0), (5, 2.0)])
def test_nearly_the_constant_of_a_path_and_no_more(cells: int, spread: float) -> None:
    law, conductance = chains_at_random(cells, cells - 1, 4, cells, spread)
    exact = exact_lines(law, conductance)
    found = log_sobolev_sharp(law, conductance)
    assert np.all(found <= exact * (1.0 + SLACK))
    assert np.all(found >= 0.95 * exact)
    assert not plain_certified(law, conductance, 1.01 * exact).any()
    assert plain_certified(law, conductance, 0.95 * exact).all()


@pytest.mark.parametrize("share", [0.5, 0.2, 0.02, 1e-4, 1e-8])
def test_two_points_have_the_constant_of_the_literature(share: float) -> None:
    """Ent(f^2) <= p q (ln q - ln p)/(q - p) (f_1 - f_0)^2, 1/2 of it if p = q: Diaconis & Saloff-Coste, theorem A.2."""
    p, q = share, 1.0 - share
    beta = 4.0 if p == q else 2.0 * (q - p) / (p * q * np.log(q / p))
    law, conductance = np.log([[p, q]]), np.zeros((1, 1))
    found = log_sobolev_sharp(law, conductance)[0]
    assert 0.97 * beta <= found <= beta * (1.0 + 1e-9)
    assert not plain_certified(law, conductance, np.array([1.001 * beta]))[0]


def test_circles_are_cut_and_stay_below() -> None:
    law, conductance = chains_at_random(5, 5, 4, 3, 1.5)
    exact = exact_lines(law, conductance)
    found = log_sobolev_sharp(law, conductance)
    assert np.all(found <= exact * (1.0 + SLACK))
    assert np.all(found >= log_sobolev_lines(law, conductance))
    two = chains_at_random(2, 2, 3, 4, 1.0)
    assert np.all(log_sobolev_sharp(*two) <= exact_lines(*two) * (1.0 + SLACK))


@pytest.mark.parametrize("case", CASES)
def test_it_lies_between_the_closed_forms_and_the_modified_constant(case: str) -> None:
    generators = CASES[case]
    rates = generators.rates
    found = log_sobolev_sharp(rates.log_gibbs, rates.log_conductance)
    assert np.all(found >= log_sobolev_lines(rates.log_gibbs, rates.log_conductance))
    assert np.all(found <= 1.002 * 1.002 * bound_dynamic_programming(generators))


def test_flat_paths_are_exact() -> None:
    """alpha = lambda = 2 (1 - cos(pi/n)), and the plain constant is the same (Chen & Sheu 2003)."""
    for cells in (2, 3, 8, 20):
        rates = unit_chain(cells).rates
        exact = 2.0 * (1.0 - np.cos(np.pi / cells)) * np.exp(rates.log_conductance[0, 0] - rates.log_gibbs[0, 0])
        assert 0.97 * exact <= log_sobolev_sharp(rates.log_gibbs, rates.log_conductance)[0] <= exact * (1.0 + 1e-9)


@pytest.mark.parametrize(("correlation", "share"), [(0.1, 0.92), (0.3, 0.82)])
def test_what_two_scales_lose_is_the_coupling_alone(correlation: float, share: float) -> None:
    generators = gaussian(12, correlation)
    alpha = minimise_log_sobolev(generators)[0]
    assert share * alpha < bound_two_scale(generators, log_sobolev_sharp)[0] <= alpha * (1.0 + SLACK)
    assert bound_two_scale(generators)[0] < 0.5 * alpha


@pytest.mark.slow
def test_the_states_that_decide_on_navigation_keep_half() -> None:
    """With the closed forms some keep 0.4."""
    mdp = load_problem("navigation", cells={"x": 5, "y": 5, "vx": 5, "vy": 5})
    generators = Generators.of(mdp, solve_optimum(mdp).q)
    quick = lower_bounds(generators).best
    some = np.argsort(quick)[:5]
    alpha = minimise_log_sobolev(generators.select(some))
    best = np.maximum(quick[some], bound_two_scale(generators.select(some), log_sobolev_sharp))
    assert np.all(best <= alpha * (1.0 + SLACK))
    assert (best / alpha).min() > 0.5
    refined = lower_bounds(generators, "full")
    assert refined.best.min() == pytest.approx(best.min(), rel=1e-12)
    assert quick.min() < refined.best.min()
    assert set(refined.names) == {*lower_bounds(generators).names, "two_scale_sharp"}
    # where the minimum is decided, and not everywhere
    assert 0 < np.count_nonzero(refined.values["two_scale_sharp"]) < generators.size
