"""The claim of corrected values: it holds of what is solved, by other code, and fails of what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

import wpoflow as wpo
from tests.variants import slow_but
from wpoflow.grids.cubic.map import CubicMap
from wpoflow.grids.cubic.table import CubicTable
from wpoflow.grids.transitions.cubic import cubic_expectation
from wpoflow.solver.corrected.value import CorrectedValue, corrected_value
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Verdict
from wpoflow.validation.independent.cubic import limited_cubic

CASES: dict[str, dict[str, int]] = {
    "pendulum": {"theta": 21, "speed": 21, "torque": 7},
    "mountain_car": {"position": 21, "velocity": 21, "force": 5},
    "torus": {},
}


@dataclass(frozen=True)
class Given(Evidence):
    """Evidence with another corrected value than the problem's."""

    given: CorrectedValue | None = None

    def corrected(self) -> CorrectedValue:
        """See `Evidence.corrected`."""
        assert self.given is not None
        return self.given


def judged(mdp: GridMDP) -> Finding:
    run = evolve_to_the_end(mdp, until={"steps": 1}, snapshots=2)
    return CLAIMS["corrected"].finding(Evidence("case", run, mdp))


@pytest.mark.parametrize("name", slow_but(CASES, "pendulum", "torus"))
def test_it_holds_on_circles_and_lines_with_ends(name: str) -> None:
    found = judged(wpo.load_problem(name, cells=CASES[name]))
    assert found.verdict is Verdict.HOLDS
    assert len(found.measurements) == (2 if name == "torus" else 3)  # of noise the places are not interpolated again


@pytest.mark.parametrize(
    ("name", "names", "cells"),
    [
        ("pendulum", ["theta", "speed", "torque"], {"theta": 31, "speed": 21, "torque": 7}),
        ("double_integrator", ["x", "v", "u"], {"x": 21, "v": 12, "u": 7}),
    ],
)
def test_it_holds_on_halves_and_fails_where_cubics_look_to_one_side_at_the_cut(
    name: str, names: list[str], cells: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = {"noise.x": 0.0, "noise.v": 0.0, "initial.policy_density": '"exp(-(u + 0.4*x + 0.6*v)**2)"'}
    quiet = quiet if name == "double_integrator" else {}
    mdp = wpo.load_problem(name, cells=cells, set={"problem.reflection": names, **quiet})
    assert judged(mdp).verdict is Verdict.HOLDS
    monkeypatch.setattr(CubicTable, "mirrored", lambda self, both: self)
    found = judged(mdp)
    assert found.verdict is Verdict.FAILS
    assert [one.quantity for one in found.measurements if not one.holds] == ["Q_C by other code"]


def test_the_other_code_finds_the_same_on_four_axes_of_all_kinds() -> None:
    random = np.random.default_rng(0)
    grid = wpo.Grid(
        (
            wpo.sinh_axis("x", -1.0, 2.0, 6, "clamp", focus=0.3, ratio=4.0),
            wpo.uniform_axis("a", 0.0, 1.0, 5, "periodic"),
            wpo.edges_axis("y", [0.0, 0.4, 0.5, 1.0, 2.0, 2.5], "clamp"),
            wpo.uniform_axis("one", 0.0, 1.0, 1, "clamp"),
        )
    )
    values = random.standard_normal(grid.size) + 3.0 * grid.points[:, 0] ** 2
    places = np.stack([axis.lower + random.random(200) * axis.length for axis in grid.axes], axis=1)
    found = CubicMap.at(grid, places).expect(values, np.empty((200, 1)))[:, 0]
    expected = [limited_cubic(grid.axes, values.reshape(grid.shape), place) for place in places]
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12)


def test_it_fails_where_residual_value_limiter_or_interpolation_is_another() -> None:
    mdp = wpo.load_problem("pendulum", cells=CASES["pendulum"])
    run = evolve_to_the_end(mdp, until={"steps": 1}, snapshots=2)
    found = corrected_value(mdp)
    q = mdp.cost + mdp.discount * mdp.transition.expect(found.value)
    cubic = cubic_expectation(mdp.transition)
    every = np.ones_like(cubic.limits(found.value))
    unlimited = mdp.cost + cubic.expect(mdp.discount * found.value, np.empty_like(q), every)
    for false, quantity in (
        (replace(found, residual=0.5 * found.residual), "|T_C V - V|"),
        (replace(found, value=1.02 * found.value), "|T_C V - V|"),
        (replace(found, q=q, residual=np.inf), "Q_C by other code"),
        (replace(found, q=unlimited, residual=np.inf), "Q_C by other code"),
    ):
        judgement = CLAIMS["corrected"].finding(Given("case", run, mdp, given=false))
        assert judgement.verdict is Verdict.FAILS
        assert quantity in [one.quantity for one in judgement.measurements if not one.holds]


def test_of_rows_integrated_over_cells_it_says_nothing() -> None:
    mdp = wpo.load_problem("lqr", cells={"x": 12, "u": 8}, set={"noise.x": '"0.2 + 0.1*abs(u)"'})
    found = judged(mdp)
    assert not found.measurements
    assert "next states that are interpolated" in found.hypotheses[0].detail
