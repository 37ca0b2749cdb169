"""The nonlinear torus problem: everything smooth and periodic, state and action coupled, against a spectral table."""

from __future__ import annotations

import numpy as np
import pytest

from tests.orders import check_order
from tests.validation.exact.test_torus_spectral import TABLE
from tests.validation.exact.test_torus_spectral import torus as torus_problem
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.exact_cases.slices import follow


def circle(name: str, cells: int) -> Grid:
    """Points at the multiples of the mesh size, so that those of the table are among them."""
    half = np.pi / cells
    return Grid((uniform_axis(name, -half, 2.0 * np.pi - half, cells, "periodic"),))


def torus(states: int, actions: int) -> GridMDP:
    exact = torus_problem()
    return build(
        Statement(
            actions=circle("a", actions),
            discount=exact.discount,
            temperature=exact.temperature,
            cost=exact.cost,
            states=circle("s", states),
            dynamics={"s": exact.dynamics},
            noise={"s": exact.noise},
            policy_density=lambda s, a: np.exp(exact.log_policy(s, a)),
        )
    )


def errors(states: int, times: list[float]) -> list[dict[str, float]]:
    """Errors at each time, half as many actions as states; those at tabulated points as root mean squares."""
    mdp, points = torus(states, states // 2), TABLE["points"]
    i = np.rint(np.array(points["s_over_pi"]) * states / 2.0).astype(int)
    k = np.rint(np.array(points["a_over_pi"]) * states / 4.0).astype(int)
    cosine = np.cos(mdp.actions.points[:, 0])
    rows = {row["t"]: row for row in TABLE["table"]}
    found = []
    for at in follow(mdp, times, accuracy=1e-6):
        row = rows[at.time]
        density = at.policy[np.ix_(i, k)] * states / (4.0 * np.pi)
        found.append(
            {
                "value": rms(at.value[i] - row["V_at_s"]),
                "density": rms(density - row["policy_density_at_s_a"]),
                "cosine": rms(at.policy[i] @ cosine - row["mean_cos_a_at_s"]),
                "gap": float(np.log(at.gap / row["gap_rho"])),
            }
        )
    return found


def rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def test_order_two_in_both_directions() -> None:
    """Value early on; density, mean cosine and ln gap in the middle of the descent.

    Where the next state s + 0.4 sin(a) is stationary in a, interpolation errors add up in phase: V has besides its h^2
    term one of order 5/2 whose coefficient depends on where s + 0.4 lies between two points.  By the middle of the
    descent it makes the observed orders of V scatter around two.
    """
    cells = [96, 128, 192, 256]
    found = [errors(n, [0.05, 0.5]) for n in cells]
    sizes = 1.0 / np.array(cells)
    check_order(sizes, [early["value"] for early, _ in found], 2.0, cap=2e-4)
    for name, cap in (("density", 1e-4), ("cosine", 1e-4), ("gap", 5e-4)):
        check_order(sizes, [middle[name] for _, middle in found], 2.0, cap=cap)
    check_order(sizes, [middle["value"] for _, middle in found], 2.0, cap=1e-3, below=0.3)


def test_local_rate_follows_the_table() -> None:
    """Dissipation over gap at every tabulated time, from the transient to where thin sets of slow states are left."""
    rows = [row for row in TABLE["table"] if row["t"] > 0.0]
    times = [row["t"] for row in rows]
    rates = {}
    for n in (64, 128):
        run = evolve(torus(n, n // 2), until=times[-1], accuracy=1e-5, series={"times": times}, snapshots=0)
        rates[n] = run.series["rate_observed"][1:] / [row["local_rate"] for row in rows] - 1.0
    assert np.abs(rates[64]).max() < 1e-2
    assert np.abs(rates[128]).max() < 2e-3
    orders = np.log2(rates[64] / rates[128])
    assert np.all(np.abs(orders[np.abs(rates[128]) > 1e-3] - 2.0) < 0.2)


@pytest.mark.slow
def test_densities_keep_order_two_late() -> None:
    cells = [64, 96, 128, 192]
    found = [errors(n, [3.0, 5.0]) for n in cells]
    for late in zip(*found, strict=True):
        check_order(1.0 / np.array(cells), [entry["density"] for entry in late], 2.0, cap=2e-4)
        assert abs(late[-1]["gap"]) < 1e-3
