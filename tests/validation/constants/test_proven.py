"""Proven bounds keep what they are, and nothing else makes a guaranteed rate."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.mutant import ROOT
from tests.validation.constants.chains import rough, unit_cells
from wpoflow.core.floors import FLOORS
from wpoflow.validation import rates
from wpoflow.validation.certificate.statement import SUP_NORM, Certificate
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.constants.verified_gap import proven_gap
from wpoflow.validation.rates import any_rho_rate, future_bound, paper_rate, static_rate, sup_norm_rate

GUARANTEED: dict[str, Callable[[Any], object]] = {
    "static": lambda alpha: static_rate(alpha, np.ones(3)),
    "sup norm": lambda alpha: sup_norm_rate(alpha, 0.9),
    "paper": lambda alpha: paper_rate(alpha, 0.9, 2.0),
    "any rho": lambda alpha: any_rho_rate(alpha, 0.9, 0.95),
    "certificate": lambda alpha: Certificate(SUP_NORM, 0.0, 1.0, alpha, 1.0, 1.0, 0.0, 0).rate,
}


@pytest.mark.parametrize("rate", GUARANTEED)
@pytest.mark.parametrize("estimate", ["minimised alpha", "spectral gap", "number", "bound as an array"])
def test_no_estimate_enters_a_guaranteed_rate(rate: str, estimate: str) -> None:
    generators = rough((unit_cells(5),), 3, 1.0, seed=1)
    value: Any = {
        "minimised alpha": minimise_log_sobolev(generators),
        "spectral gap": spectral_gap(generators),
        "number": 0.5,
        "bound as an array": lower_bounds(generators).best,
    }[estimate]
    with pytest.raises(TypeError, match="proven lower bounds only"):
        GUARANTEED[rate](value)


@pytest.mark.parametrize("rate", GUARANTEED)
def test_proven_bounds_do(rate: str) -> None:
    generators = rough((unit_cells(5),), 3, 1.0, seed=1)
    for bound in (lower_bounds(generators).proven, proven_gap(generators)):
        GUARANTEED[rate](bound.least())


def test_a_proven_bound_takes_part_in_no_arithmetic() -> None:
    bound = ProvenBound(np.ones(2), ("b",), "here")
    number: Any = bound
    with pytest.raises(TypeError):
        2.0 * number
    with pytest.raises(TypeError, match="already"):
        ProvenBound(bound, ("b",), "here")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="read-only"):
        bound.value[0] = 7.0


def test_it_can_be_lowered_only() -> None:
    bound = ProvenBound(np.array([1.0, 2.0]), ("one", "two"), "here")
    assert list(bound.lowered(np.array([0.5, 1.0])).value) == [0.5, 2.0]
    with pytest.raises(ValueError, match=r"lowered only, not multiplied by 1\.1"):
        bound.lowered(1.1)
    with pytest.raises(ValueError, match="not negative"):
        bound.lowered(-1.0)


def test_where_it_comes_from_travels_along() -> None:
    first = ProvenBound(np.array([1.0, 2.0]), ("one", "two"), "here")
    second = ProvenBound(np.array([3.0, 1.0]), ("three",), "there")
    both = first.or_better(second)
    assert (list(both.value), both.names, both.source) == ([3.0, 2.0], ("three", "two"), "here; there")
    assert (float(both.least().value), both.least().names) == (2.0, ("two",))
    assert both.select(np.array([0])).names == ("three",)
    with pytest.raises(ValueError, match="3 names for 2"):
        ProvenBound(np.ones(2), ("a", "b", "c"), "here")


def test_what_is_no_number_guarantees_nothing() -> None:
    bound = future_bound(ProvenBound(np.asarray(0.5), ("b",), "here"), np.array([0.0, np.nan, -1.0, 1.0]), 0.5, 1.0)
    assert bound.value == pytest.approx([0.5, np.nan, np.nan, 0.5 * np.exp(-0.5)], nan_ok=True)
    assert bound.names == ("b",)


MAKERS = {
    "validation/constants/proven.py",
    "validation/constants/lower_bounds.py",
    "validation/constants/verified_gap.py",
    "validation/certificate/constants_now.py",
    "validation/sharp_cases/suite.py",
}
"""Where proven bounds come from: the proofs, what keeps them ones, and a closed form."""


@pytest.mark.slow
def test_nothing_else_in_the_sources_says_of_itself_that_it_is_proven() -> None:
    made = {
        str(path.relative_to(ROOT))
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
        if any(
            isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "ProvenBound"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    }
    assert made == MAKERS


def test_every_rate_of_the_module_asks_for_a_proof() -> None:
    """But for the sharp ones, which are no guarantees, and what is left after a time, at a rate that is given."""
    of_a_bound = {
        name
        for name, function in inspect.getmembers(rates, inspect.isfunction)
        if function.__module__ == rates.__name__ and name.endswith("_rate")
    } - {"mixture_rate", "late_rate"}
    assert of_a_bound == {"static_rate", "sup_norm_rate", "paper_rate", "any_rho_rate"}
    for name in of_a_bound:
        assert inspect.signature(getattr(rates, name)).parameters["alpha"].annotation == "ProvenBound"
