"""Times at equal error, and what becomes of methods that fail."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.integrators import Equation, cvode_solution, scipy_solution
from benchmarks.ladder import Ladder, Method, Rung, measure
from benchmarks.numpy_flux import ColumnPattern
from benchmarks.problem_f import FrozenWells, frozen_wells
from benchmarks.report import ladder_rows, ratios, write_json


def ladder(name: str, points: list[tuple[float, float]], *, ours: bool = False) -> Ladder:
    method = Method(name, lambda tolerance: tolerance, [e for e, _ in points], ours=ours)
    return Ladder(method, [Rung(e, error=e, seconds=[t, 0.5 * t, 2.0 * t]) for e, t in points])


def test_time_follows_a_power_law_between_rungs() -> None:
    found = ladder("x", [(1e-2, 1.0), (1e-6, 100.0)])
    assert found.time_at(1e-4) == pytest.approx(10.0, rel=1e-12)
    assert found.time_at(1e-6) == pytest.approx(100.0, rel=1e-12)
    assert found.time_at(1.0) == 1.0
    assert found.time_at(1e-7) == math.inf


def test_least_time_takes_whole_rungs() -> None:
    found = ladder("x", [(1e-2, 1.0), (1e-4, 3.0), (1e-5, 2.0)])
    assert found.least_time(1e-3) == 2.0
    assert found.least_time(1e-2) == 1.0
    assert found.least_time(1e-6) == math.inf


def test_rungs_that_are_dearer_and_less_exact_do_not_count() -> None:
    found = ladder("x", [(1e-2, 5.0), (1e-3, 1.0), (1e-5, 4.0)])
    assert found.front() == [(1e-3, 1.0), (1e-5, 4.0)]
    assert found.time_at(1e-2) == 1.0


def test_ratio_is_against_the_best_peer_at_that_error() -> None:
    all_of_them = [
        ladder("we", [(1e-2, 0.1), (1e-8, 0.1)], ours=True),
        ladder("cheap", [(1e-2, 1.0)]),
        ladder("exact", [(1e-2, 3.0), (1e-8, 3.0)]),
    ]
    found = ratios(all_of_them, (1e-2, 1e-4, 1e-9), ["cheap", "exact"])
    assert found["0.01"]["best_peer"] == "cheap"
    assert found["0.01"]["ratio"] == pytest.approx(10.0)
    assert found["0.0001"]["best_peer"] == "exact"
    assert found["0.0001"]["ratio"] == pytest.approx(30.0)
    assert found["1e-09"]["ratio"] is None


def test_a_method_that_fails_keeps_what_it_had_and_says_why() -> None:
    def run(tolerance: float) -> float:
        if tolerance < 1e-3:
            raise ArithmeticError("too tight")
        return tolerance

    found = measure([Method("x", run, [1e-2, 1e-4])], lambda e: e, 2, lambda line: None)[0]
    assert found.failure == "at 0.0001: ArithmeticError: too tight"
    assert [len(r.seconds) for r in found.rungs] == [1, 0]
    assert found.rungs[0].error == 1e-2


def test_rounds_are_interleaved() -> None:
    order: list[str] = []

    def run(name: str, tolerance: float) -> float:
        order.append(name)
        return tolerance

    methods = [Method(name, partial(run, name), [1.0]) for name in "ab"]
    measure(methods, lambda e: e, 2, lambda line: None)
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_records_are_json_and_other_sections_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "made" / "x.json"
    write_json(path, {"F": 1})
    write_json(path, {"C": ladder_rows([ladder("x", [(1e-2, 1.0)])], (1e-2, 1e-4))})
    read = json.loads(path.read_text())
    assert read["F"] == 1
    assert read["C"][0]["seconds_at"] == {"0.01": 1.0, "0.0001": None}


def frozen_equation(wells: FrozenWells, *, constant: bool) -> Equation:
    generator, pattern = wells.generator.tocsr(), ColumnPattern(*wells.start.shape)
    return Equation(lambda t, y: generator @ y, lambda t, y: wells.rates, wells.start, (1.0,), constant, pattern)


@pytest.mark.parametrize("method", ["LSODA", "BDF", "Radau"])
def test_integrators_solve_the_frozen_problem(method: str) -> None:
    wells = frozen_wells(3, 24)
    for constant in (True, False):
        equation = frozen_equation(wells, constant=constant)
        assert wells.error(scipy_solution(equation, method, 1e-8, 1e-3))["error"] < 1e-6


def test_cvode_solves_the_frozen_problem() -> None:
    pytest.importorskip("sksundae")
    wells = frozen_wells(3, 24)
    equation = frozen_equation(wells, constant=False)
    for linear in ("band", "band, frozen Q", "sparse, frozen Q"):
        found = cvode_solution(equation, 1e-8, 1e-3, linear)
        assert np.shape(found) == (1, 72)
        assert wells.error(found)["error"] < 1e-6
