"""Exponentials and logarithms against 80-bit arithmetic, and at the points where each definition changes."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.elementary import exp, exp_and_expm1_negative, expm1_nonnegative, log, normal_exp

EXTENDED = np.finfo(np.longdouble).nmant >= 63


@numba.njit(error_model="numpy")
def exps(x: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        out[i] = exp(x[i])


@numba.njit(error_model="numpy")
def normal_exps(x: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        out[i] = normal_exp(x[i])


@numba.njit(error_model="numpy")
def expm1s(x: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        out[i] = expm1_nonnegative(x[i])


@numba.njit(error_model="numpy")
def logs(x: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        out[i] = log(x[i])


@numba.njit(error_model="numpy")
def decays(x: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        out[i], _ = exp_and_expm1_negative(x[i])


@numba.njit(error_model="numpy")
def decreases(x: FloatArray, out: FloatArray) -> None:
    for i in range(x.size):
        _, out[i] = exp_and_expm1_negative(x[i])


def units_in_the_last_place(found: FloatArray, exact: np.ndarray) -> float:
    return float(np.max(np.abs(found - exact) / np.spacing(np.abs(exact.astype(np.float64)))))


def around(points: FloatArray) -> FloatArray:
    """Each point with its four nearest numbers."""
    down, up = np.nextafter(points, -np.inf), np.nextafter(points, np.inf)
    return np.concatenate([points, down, up, np.nextafter(down, -np.inf), np.nextafter(up, np.inf)])


GENERATOR = np.random.default_rng(11)
HALVES = (np.arange(0.0, 1022.0) + 0.5) * np.log(2.0)  # where the power of two changes
SMALL = 10.0 ** GENERATOR.uniform(-300.0, 0.0, 100_000)
CASES: dict[str, tuple[Any, Any, FloatArray, float]] = {
    "exp": (exps, np.exp, np.concatenate([
        GENERATOR.uniform(-745.0, 709.7, 300_000), GENERATOR.uniform(-1.0, 1.0, 300_000),
        around(HALVES), around(-HALVES), SMALL, -SMALL, [-708.3, -708.5, -745.1, 709.78],
    ]), 1.1),
    "expm1": (expm1s, np.expm1, np.concatenate([
        GENERATOR.uniform(0.0, 709.3, 300_000), GENERATOR.uniform(0.0, 2.0, 300_000), around(HALVES), SMALL, [709.39],
    ]), 2.0),
    "decay": (decays, lambda x: np.exp(-x), np.concatenate([
        GENERATOR.uniform(0.0, 708.0, 300_000), GENERATOR.uniform(0.0, 2.0, 300_000), around(HALVES[:-2]), SMALL,
    ]), 1.1),
    "decrease": (decreases, lambda x: np.expm1(-x), np.concatenate([
        GENERATOR.uniform(0.0, 750.0, 300_000), GENERATOR.uniform(0.0, 2.0, 300_000), around(HALVES), SMALL, [1e300],
    ]), 2.0),
    "log": (logs, np.log, np.concatenate([
        10.0 ** GENERATOR.uniform(-323.0, 308.0, 300_000), GENERATOR.uniform(0.5, 2.0, 300_000),
        1.0 + GENERATOR.uniform(-1e-3, 1e-3, 100_000), around(np.sqrt(0.5) * 2.0 ** np.arange(-1000.0, 1000.0)),
        around(2.0 ** np.arange(-1070.0, 1000.0)), [5e-324, 2.0**-1022, np.finfo(float).max],
    ]), 0.9),
}  # fmt: skip


@pytest.mark.skipif(not EXTENDED, reason="long double is no longer than double here")
@pytest.mark.parametrize("name", CASES)
def test_errors_in_units_of_the_last_place(name: str) -> None:
    function, reference, points, most = CASES[name]
    found = np.empty_like(points)
    function(points, found)
    with np.errstate(all="ignore"):
        assert units_in_the_last_place(found, reference(points.astype(np.longdouble))) <= most


def test_special_points() -> None:
    points = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 710.0, 1e308, -746.0, -1e308, 5e-324])
    found = np.empty_like(points)
    with np.errstate(all="ignore"):
        exps(points, found)
        np.testing.assert_array_equal(found, [1.0, 1.0, np.inf, 0.0, np.nan, np.inf, np.inf, 0.0, 0.0, 1.0])
        expm1s(points, found)
        expected = [0.0, 0.0, np.inf, np.nan, np.inf, np.inf, 5e-324]
        np.testing.assert_array_equal(found[[0, 1, 2, 4, 5, 6, 9]], expected)
        normal_exps(np.array([0.0, -0.0, -np.inf, np.nan, -708.5, -746.0, -1e308, 5e-324]), found[:8])
        np.testing.assert_array_equal(found[:8], [1.0, 1.0, 0.0, np.nan, 0.0, 0.0, 0.0, 1.0])
        logs(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -5e-324, 1.0]), found[:8])
        np.testing.assert_array_equal(found[:8], [-np.inf, -np.inf, np.inf, *[np.nan] * 4, 0.0])


def test_of_normal_numbers_both_exponentials_are_the_same() -> None:
    points = np.concatenate([GENERATOR.uniform(-708.39, 1.0, 300_000), around(-HALVES), SMALL, -SMALL])
    points = points[points > -708.39]
    found, expected = np.empty_like(points), np.empty_like(points)
    normal_exps(points, found)
    exps(points, expected)
    np.testing.assert_array_equal(found, expected)
    assert expected.min() < 3e-308
