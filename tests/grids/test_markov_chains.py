"""Chains for autoregressive shocks: exact moments of Rouwenhorst's, intervals of Tauchen's, and both by QuantEcon."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, norm

from wpoflow.grids.axis import SHOCK, shock_axis
from wpoflow.grids.markov_chains import rouwenhorst, tauchen

CHAINS = [(2, 0.5, 0.1, 0.0), (3, -0.7, 2.0, 1.0), (7, 0.9, 0.02, 0.0), (20, 0.0, 1.0, -3.0), (60, 0.99, 0.3, 0.5)]


@pytest.mark.parametrize(("n", "r", "s", "m"), CHAINS)
def test_rouwenhorst_has_the_moments_of_the_autoregression(n: int, r: float, s: float, m: float) -> None:
    z, table = rouwenhorst(n, r, s, m)
    assert np.all(table >= 0.0)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(table @ z, (1.0 - r) * m + r * z, atol=1e-12 * (1.0 + abs(z).max()))
    variance = [row @ (z - row @ z) ** 2 for row in table]
    np.testing.assert_allclose(variance, s**2, rtol=1e-11)
    law = binom.pmf(np.arange(n), n - 1, 0.5)
    np.testing.assert_allclose(law @ table, law, atol=1e-14)
    spread = float(law @ (z - m) ** 2)
    assert spread == pytest.approx(s**2 / (1.0 - r**2), rel=1e-12)
    assert law @ ((z - m) * (table @ (z - m))) == pytest.approx(r * spread, abs=1e-13 * spread)


@pytest.mark.parametrize(("n", "r", "s", "m"), CHAINS)
def test_tauchen_gives_each_point_its_interval(n: int, r: float, s: float, m: float) -> None:
    z, table = tauchen(n, r, s, m, width=2.5)
    assert z[-1] - m == pytest.approx(2.5 * s / np.sqrt(1.0 - r**2), rel=1e-13)
    halfway = np.concatenate(([-np.inf], (z[1:] + z[:-1]) / 2.0, [np.inf]))
    law = np.diff(norm.cdf(halfway, loc=((1.0 - r) * m + r * z)[:, None], scale=s), axis=1)
    np.testing.assert_allclose(table, law, atol=1e-14)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.filterwarnings("ignore:The API of")
@pytest.mark.parametrize(("n", "r", "s", "m"), CHAINS)
def test_quantecon_finds_the_same(n: int, r: float, s: float, m: float) -> None:
    markov = pytest.importorskip("quantecon").markov
    for ours, theirs in (
        (rouwenhorst(n, r, s, m), markov.rouwenhorst(n, r, s, (1.0 - r) * m)),
        (tauchen(n, r, s, m), markov.tauchen(n, r, s, (1.0 - r) * m, 3)),
    ):
        np.testing.assert_allclose(ours[0], theirs.state_values, atol=1e-12 * (1.0 + abs(ours[0]).max()))
        np.testing.assert_allclose(ours[1], theirs.P, atol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((1, 0.5, 1.0), "points = 1: a chain has from 2 to 500"),
        ((3, 1.0, 1.0), "persistence 1.0 must lie strictly between -1 and 1"),
        ((3, 0.5, 0.0), "deviation 0.0 must be positive"),
        ((3, 0.5, float("nan")), "deviation nan must be positive"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: Any, says: str) -> None:
    for method in (rouwenhorst, tauchen):
        with pytest.raises(ValueError, match=says):
            method(*arguments)


def test_the_axis_has_the_points_given_bit_for_bit_and_counts_them() -> None:
    points = [-1.0, 0.1, 0.7, 5.0]
    axis = shock_axis("z", points, np.full((4, 4), 0.25))
    assert axis.boundary == SHOCK
    np.testing.assert_array_equal(axis.points, points)
    np.testing.assert_array_equal(axis.widths, 1.0)
    assert np.all(np.diff(axis.edges) > 0.0)
    assert shock_axis("z", [3.0], [[1.0]]).points == [3.0]


@pytest.mark.parametrize(
    ("points", "table", "says"),
    [
        ([1.0, 1.0], np.eye(2), "axis z: the points of a shock must be finite, strictly increasing"),
        ([0.0, np.inf], np.eye(2), "strictly increasing"),
        ([0.0, 1.0], np.eye(3), r"axis z: the table of 2 points has shape \(3, 3\)"),
        ([0.0, 1.0], [[0.5, 0.5], [0.6, 0.5]], "axis z: row 1 of the table sums to 1.1"),
        ([0.0, 1.0], [[1.5, -0.5], [0.5, 0.5]], "axis z: row 0 of the table holds -0.5"),
        ([0.0, 1.0], [[0.5, 0.5], [np.nan, 0.5]], "axis z: row 1 of the table holds nan"),
    ],
)
def test_what_is_no_chain_is_refused_by_name(points: Any, table: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        shock_axis("z", points, table)
