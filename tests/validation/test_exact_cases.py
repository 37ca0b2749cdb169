"""The exact solutions of the suite on coarser grids: order two, and a wrong solver does not have it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wpoflow.validation.claims import exact_solution
from wpoflow.validation.exact_cases.cases import CASES, Errors
from wpoflow.validation.finding import Verdict

COARSE = {"double_well": (60, 80, 120), "linear_quadratic": (48, 64, 80)}  # cell Péclet numbers near one on 32


@pytest.mark.parametrize("name", list(COARSE))
def test_coarse_grids_keep_the_order(name: str) -> None:
    case = CASES[name]
    coarse = replace(case, sizes=(*COARSE[name], case.sizes[-1]))
    finding = exact_solution.finding(coarse, 3)
    assert finding.notes["sizes"] == list(COARSE[name])
    assert finding.verdict is Verdict.HOLDS, finding.reason


def constructed(order: float, size: float, offset: float = 0.0) -> Verdict:
    """The verdict of errors size/n^order + offset."""

    def errors(n: int) -> Errors:
        return {"V": size * n**-order + offset}

    case = replace(CASES["double_well"], errors=errors, sizes=(32, 64, 128, 256), largest=1e-3)
    return exact_solution.finding(case, 4).verdict


def test_constructed_errors() -> None:
    assert constructed(2.0, 10.0) is Verdict.HOLDS
    assert constructed(1.0, 0.1) is Verdict.FAILS
    assert constructed(3.0, 100.0) is Verdict.FAILS
    assert constructed(2.0, 100.0) is Verdict.FAILS  # of the right order, and too large
    assert constructed(2.0, 10.0, 1e-4) is Verdict.FAILS  # it converges to something else


def test_cases_are_refined_enough() -> None:
    for case in CASES.values():
        assert len(case.sizes) == 4
        assert list(case.sizes) == sorted(case.sizes)
        assert case.sizes[-1] / case.sizes[0] > 2.0
