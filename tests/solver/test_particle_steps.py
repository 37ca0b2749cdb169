"""Draws, steps and counts of particles against SciPy's interpolation, NumPy's random words, and their laws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from wpoflow.grids.axis import Axis, edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.independent import particles as independent

STATES = 3


@st.composite
def axes(draw: st.DrawFn, most: int = 3) -> tuple[Axis, ...]:
    """Uniform and graded axes, boxes and circles."""
    found = []
    for name in "uvw"[: draw(st.integers(1, most))]:
        boundary, cells = draw(st.sampled_from(["no-flux", "periodic"])), draw(st.integers(1, 7))
        if draw(st.booleans()):
            found.append(uniform_axis(name, -1.0, 2.0, cells, boundary))
        else:
            widths = draw(st.lists(st.floats(0.1, 1.0), min_size=cells, max_size=cells))
            found.append(edges_axis(name, np.concatenate([[-0.7], -0.7 + np.cumsum(widths)]), boundary))
    return tuple(found)


def problem(actions: Sequence[Axis], seed: int = 0) -> GridMDP:
    """Random costs, a random reference measure and a random first policy; every state stays where it is."""
    rng = np.random.default_rng(seed)
    grid, states = Grid(tuple(actions)), Grid((uniform_axis("s", 0.0, 1.0, STATES, "reflect"),))
    stay = np.repeat(np.eye(STATES)[:, None, :], grid.size, axis=1)
    weights = rng.uniform(0.1, 1.0, grid.size) * grid.volumes
    start = rng.dirichlet(np.ones(grid.size), STATES)
    return GridMDP(
        states=states,
        actions=grid,
        cost=rng.uniform(-1.0, 1.0, (STATES, grid.size)),
        transition=tabulated_transition(stay),
        discount=0.9,
        temperature=0.3,
        reference_mass=weights / weights.sum(),
        rho=np.full(STATES, 1.0 / STATES),
        initial_policy=start,
    )


def stream(flow: ParticleFlow, state: int) -> int:
    return 0 if flow.noise == "shared" else state


@given(
    actions=axes(), noise=st.sampled_from(["independent", "shared"]), number=st.integers(0, 3), dt=st.floats(1e-3, 3.0)
)
def test_a_step(actions: tuple[Axis, ...], noise: str, number: int, dt: float) -> None:
    """A' = A - dt grad(Q + tau U)(A) + sqrt(2 tau dt) Z, back into the box or around the circle, and counted."""
    mdp = problem(actions)
    flow = ParticleFlow(mdp, particles=9, seed=5, noise=noise)
    before = flow.begin(mdp.initial_policy)
    q = np.random.default_rng(1).uniform(-2.0, 2.0, (STATES, mdp.actions.size))
    after, counted = np.empty_like(before), np.empty_like(q)
    flow.advance(before, q, dt, after, counted, number)
    potential = -mdp.temperature * np.log(mdp.reference_mass / mdp.actions.volumes)
    for i in range(STATES):
        x = before[i].reshape(9, -1)
        noises = independent.normal_numbers(5, number + 1, stream(flow, i), x.size).reshape(x.shape)
        expected = independent.moved(mdp.actions, q[i] + potential, x, noises, mdp.temperature, dt)
        far = 1.0 + float(np.abs(q).max()) * dt
        assert independent.distance(mdp.actions, after[i].reshape(9, -1), expected) < 1e-9 * far
    np.testing.assert_array_equal(counted, flow.projected(after))


@given(actions=axes())
def test_counting(actions: tuple[Axis, ...]) -> None:
    """Every particle gives each cell the product of hat functions of its centre; the mean of a box is kept."""
    mdp = problem(actions)
    flow = ParticleFlow(mdp, particles=11, seed=3)
    particles = flow.begin(mdp.initial_policy)
    counted = flow.projected(particles)
    np.testing.assert_allclose(counted.sum(axis=1), 1.0, rtol=0.0, atol=4e-15)
    for i in range(STATES):
        x = particles[i].reshape(11, -1)
        np.testing.assert_allclose(counted[i], independent.counted(mdp.actions, x), rtol=0.0, atol=1e-13)
        for j, axis in enumerate(actions):
            if not axis.periodic:
                within = np.clip(x[:, j], axis.points[0], axis.points[-1])
                assert counted[i] @ mdp.actions.points[:, j] == pytest.approx(within.mean(), abs=1e-13)


@pytest.mark.parametrize("noise", ["independent", "shared"])
def test_draws_on_one_axis(noise: str) -> None:
    """The inverse distribution function, linear within cells; of shared numbers a particle rises with the state's."""
    axis = edges_axis("u", np.array([-1.0, -0.8, 0.1, 0.4, 1.5]))
    mdp = problem([axis])
    flow = ParticleFlow(mdp, particles=50, seed=2, noise=noise)
    particles = flow.begin(mdp.initial_policy)
    for i, p in enumerate(mdp.initial_policy):
        uniform = independent.words(2, 0, stream(flow, i), 50)
        np.testing.assert_allclose(
            particles[i], np.interp(uniform, np.append(0.0, np.cumsum(p)), axis.edges), rtol=0.0, atol=1e-12
        )


def test_draws_on_several_axes_are_of_the_cells() -> None:
    """Frequencies of cells within four standard errors; uniform within a cell."""
    axes_ = [uniform_axis("u", 0.0, 1.0, 3), edges_axis("v", np.array([0.0, 0.2, 1.0])), uniform_axis("w", 0.0, 1.0, 2)]
    mdp, count = problem(axes_), 40_000
    flow = ParticleFlow(mdp, particles=count, seed=4)
    particles = flow.begin(mdp.initial_policy).reshape(STATES, count, 3)
    for i, p in enumerate(mdp.initial_policy):
        found, _ = np.histogramdd(particles[i], bins=[axis.edges for axis in axes_])
        frequency = found.ravel() / count
        assert np.all(np.abs(frequency - p) < 4.0 * np.sqrt(p * (1.0 - p) / count) + 1e-12)
        in_first = particles[i][(particles[i] < [1 / 3, 0.2, 0.5]).all(axis=1)]
        mean_error = 4.0 * np.array([1 / 3, 0.2, 0.5]) / np.sqrt(12.0 * len(in_first))
        assert np.all(np.abs(in_first.mean(axis=0) - np.array([1 / 6, 0.1, 0.25])) < mean_error)


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
def test_bandwidth(boundary: str) -> None:
    """A particle on a centre, far from the ends, becomes masses of a Gaussian on the cells; all rows have mass one."""
    axis, width = uniform_axis("u", -4.0, 4.0, 81, boundary), 0.3
    mdp = problem([axis])
    flow = ParticleFlow(mdp, particles=2, seed=1, bandwidth=width)
    particles = np.full((STATES, 2), axis.points[40])
    particles[1] = -4.0
    counted = flow.projected(particles)
    exact = np.diff(norm.cdf(axis.edges / width))
    np.testing.assert_allclose(counted[0], exact, rtol=0.0, atol=1e-15)
    np.testing.assert_allclose(counted.sum(axis=1), 1.0, rtol=0.0, atol=1e-14)
    ends = counted[1][:3].sum(), counted[1][-3:].sum()
    assert (ends[1] > 0.1) == (boundary == "periodic")
    assert ends[0] > 0.1


def test_moments() -> None:
    mdp = problem([uniform_axis("u", 0.0, 1.0, 4), uniform_axis("v", 0.0, 1.0, 3)])
    flow = ParticleFlow(mdp, particles=7, seed=1)
    particles = flow.begin(mdp.initial_policy)
    kept = flow.kept(particles)
    for i in range(STATES):
        x = particles[i].reshape(7, 2)
        np.testing.assert_allclose(kept["policy_mean"][i], x.mean(axis=0), atol=1e-15)
        np.testing.assert_allclose(kept["policy_covariance"][i].reshape(2, 2), np.cov(x.T, bias=True), atol=1e-15)
    np.testing.assert_array_equal(kept["particles"], particles)


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
@pytest.mark.parametrize(("cells", "bandwidth"), [((9,), 0.0), ((9,), 0.1), ((4, 3), 0.0)])
def test_what_counting_adds_to_the_relative_entropy(boundary: str, cells: tuple[int, ...], bandwidth: float) -> None:
    """Of a uniform law: the mean over many sets of particles, within four standard errors and a tenth of itself."""
    axes_ = [uniform_axis(name, 0.0, 1.0, n, boundary) for name, n in zip("uv", cells, strict=False)]
    mdp, count, sets = problem(axes_), 200, 400
    flow = ParticleFlow(mdp, particles=count, seed=1, bandwidth=bandwidth)
    rng = np.random.default_rng(3)
    law = flow.projected(rng.random((1, 400_000 * len(cells))))[0]
    counted = flow.projected(rng.random((sets, count * len(cells))))
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(counted > 0.0, counted * np.log(counted / law), 0.0).sum(axis=1)
    error = 4.0 * excess.std() / np.sqrt(sets)
    assert excess.mean() == pytest.approx(flow.entropy_bias, rel=0.1, abs=error)
    assert error < 0.2 * flow.entropy_bias
