"""Refinement studies find the orders of the discretisation and of the schemes, and values close to exact ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np
import pytest

from tests.convergence.test_time import smoothed
from tests.convergence.test_torus import torus
from tests.oracles import load
from tests.oracles.time_exact import TimeExact
from tests.validation.exact.test_box_bandit import bump
from tests.validation.exact.test_box_bandit import double_well as exact_double_well
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.studies.refinement.plan import Level, RefinedAxis
from wpoflow.studies.refinement.result import RefinementStudy
from wpoflow.studies.refinement.study import RefinementError, refine
from wpoflow.validation.exact_cases.bandits import double_well
from wpoflow.validation.exact_cases.regulators import one_state

TIMES = [0.5, 2.0]
AXIS = RefinedAxis("a", "action", 256)


def well(cells: Mapping[str, int]) -> GridMDP:
    return double_well(0.3).grid(cells["a"])


@pytest.fixture(scope="module")
def space() -> RefinementStudy:
    return refine(
        well,
        [AXIS],
        quantities=["value_rho", "gap", "rate_observed", "mass_error"],
        times=TIMES,
        directions=["actions"],
        functions={"mean": lambda run: float(run.policy[0] @ run.actions.axes[0].points)},
    )


def test_order_two_in_the_action_and_the_exact_value(space: RefinementStudy) -> None:
    """The extrapolated value is nearer to the exact one than the finest, by 20 and more, which its band holds."""
    flow = exact_double_well(0.3).expansion(bump)
    for time in TIMES:
        for quantity, exact in (("value_rho", flow.value(time)), ("gap", flow.gap(time))):
            found = space.find("actions", quantity, time)
            assert found.finest.behaviour == "monotone"
            assert np.all(np.abs(np.array(found.orders[2:]) - 2.0) < 0.1)
            error = abs(found.values[-1] - exact)
            assert abs(found.finest.value - exact) < 0.05 * error
            assert error < found.finest.gci < 1.5 * error
    for quantity in ("rate_observed", "mean"):
        assert space.find("actions", quantity).finest.order == pytest.approx(2.0, abs=0.1)
    assert space.find("actions", "mean").time is None


def test_differences_of_rounding_have_no_order(space: RefinementStudy) -> None:
    """A noise of 1e-16 is not judged by its ratios: its differences say nothing of the mesh."""
    found = space.find("actions", "mass_error")
    assert max(map(abs, found.values)) < 1e-13
    assert math.isnan(found.differences[0])
    assert math.isnan(found.orders[1])


def test_unequal_ratios_show_the_same_order() -> None:
    """Grids of 32, 45, 64, 91, 128 cells: ratios 1.41, 1.42, 1.42, 1.41."""
    found = refine(
        well, [RefinedAxis("a", "action", 128)], 5, ["gap"], times=[1.0], directions=["a"], factor=math.sqrt(2.0)
    )
    assert [level.cells["a"] for level in found.directions[0].levels] == [32, 45, 64, 91, 128]
    assert found.find("a", "gap").orders[-1] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("scheme", "order"), [("euler", 1.0), ("extrapolated", 4.0)])
def test_order_of_the_scheme_in_time(scheme: str, order: float) -> None:
    """At the middle grid, and extrapolated to the exact evolution on its cells, from a start in balance at the ends."""

    def warm(cells: Mapping[str, int]) -> GridMDP:
        return smoothed(double_well(1.0).grid(cells["a"]))

    wide = RefinedAxis("a", "action", 96)
    found = refine(warm, [wide], 3, ["gap"], times=[2.0], directions=["time"], scheme=scheme, step=0.0625)
    entry = found.directions[0]
    assert [dict(level.cells) for level in entry.levels] == [{"a": 48}] * 3
    assert [level.step for level in entry.levels] == [0.0625, 0.03125, 0.015625]
    assert entry.design_order == order
    study = found.find("time", "gap")
    assert study.finest.order == pytest.approx(order, abs=0.15)
    mdp = warm({"a": 48})
    exact = TimeExact(mdp).gap(mdp.initial_policy[0], 2.0)
    error = abs(study.values[-1] - exact)
    assert abs(study.finest.value - exact) < 0.2 * error
    assert error < study.finest.gci < 1.5 * error


def test_order_two_with_states_and_actions_together() -> None:
    """The torus, to the gap of the spectral table (V itself has the 5/2 term besides; see tests/convergence)."""
    row = next(row for row in load("torus_published")["table"] if row["t"] == 0.5)
    axes = [RefinedAxis("s", "state", 128), RefinedAxis("a", "action", 64)]
    study = refine(
        lambda cells: torus(cells["s"], cells["a"]), axes, 3, times=[0.5], directions=["grid"], accuracy=1e-6
    )
    assert [dict(level.cells) for level in study.directions[0].levels] == [{"s": n, "a": n // 2} for n in (32, 64, 128)]
    found = study.find("grid", "gap")
    error = abs(found.values[-1] - row["gap_rho"])
    assert found.finest.order == pytest.approx(2.0, abs=0.1)
    assert abs(found.finest.value - row["gap_rho"]) < 0.1 * error
    assert error < found.finest.gci < 1.5 * error


def test_order_two_in_states_and_actions_apart() -> None:
    """A regulator on a clamped axis: 33, 65, 129 points with both ends against 64 actions, and so on.

    The two errors add up to that of the joint refinement, to the next order.
    """
    problem = one_state()
    axes = [RefinedAxis("x", "state", 129, clamped=True), RefinedAxis("u", "action", 128)]
    study = refine(
        lambda cells: problem.grid(cells["x"] - 1, cells["u"]), axes, 3, times=[0.5], accuracy=1e-6,
        directions=["states", "actions", "grid"],
    )  # fmt: skip
    sizes = [[(level.cells["x"], level.cells["u"]) for level in entry.levels] for entry in study.directions]
    assert sizes == [
        [(33, 64), (65, 64), (129, 64)],
        [(65, 32), (65, 64), (65, 128)],
        [(33, 32), (65, 64), (129, 128)],
    ]
    for quantity in ("value_rho", "gap"):
        found = [study.find(name, quantity) for name in ("states", "actions", "grid")]
        for entry in found:
            assert entry.finest.order == pytest.approx(2.0, abs=0.1)
        changes = [entry.differences[-1] for entry in found]
        assert changes[0] + changes[1] == pytest.approx(changes[2], rel=0.05)


def test_each_level_is_run_once_and_told_of() -> None:
    """Directions share runs, the middle grid first of all; the same study twice gives the same numbers."""
    made: list[int] = []
    told: list[tuple[str, Level]] = []

    def make(cells: Mapping[str, int]) -> GridMDP:
        made.append(cells["a"])
        return well(cells)

    small = RefinedAxis("a", "action", 32)
    arguments = {"times": [0.5], "directions": ["actions", "a", "time"], "step": 0.125}
    first = refine(make, [small], 3, progress=lambda name, level: told.append((name, level)), **arguments)  # type: ignore[arg-type]
    assert made == [8, 16, 32, 16]
    assert [name for name, _ in told] == ["actions"] * 3 + ["a"] * 3 + ["time"] * 3
    again = refine(well, [small], 3, **arguments)  # type: ignore[arg-type]
    for one, two in zip(first.directions, again.directions, strict=True):
        assert [study.values for study in one.studies] == [study.values for study in two.studies]


def test_a_gap_below_its_floor_is_called_noise() -> None:
    """At t = 400 the gap is rounding: no order is claimed, and the band is at least the floor."""
    found = refine(well, [RefinedAxis("a", "action", 32)], 3, ["gap"], times=[400.0], directions=["a"], accuracy=1e-4)
    assert found.find("a", "gap").finest.behaviour == "unresolved"


def test_the_result_is_json(space: RefinementStudy) -> None:
    found = json.loads(json.dumps(space.as_dict(), allow_nan=False))
    (entry,) = found["directions"]
    assert entry["refined"] == ["a"]
    assert [level["cells"]["a"] for level in entry["levels"]] == [32, 64, 128, 256]
    study = entry["quantities"][0]
    assert (study["quantity"], study["time"]) == ("value_rho", 0.5)
    assert study["differences"][0] is None
    assert study["extrapolated"] == space.find("actions", "value_rho", 0.5).finest.value


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"times": [2.0, 1.0]}, "increasing"),
        ({"times": []}, "increasing"),
        ({"quantities": ["gapp"]}, "quantity gapp: choose among value_rho, gap"),
        ({"quantities": []}, "no quantity"),
        ({"levels": 2}, "three grids"),
        ({"factor": 1.0}, "factor"),
        ({"scheme": "rk4"}, "choose one of automatic, extrapolated, euler"),
        ({"scheme": "multistep"}, "choose one of automatic, extrapolated, euler"),
        ({"directions": ["states"]}, "no axis of more than one point"),
        ({"directions": ["time"], "step": 0.3}, "no multiples"),
        ({"axes": [RefinedAxis("a", "action", 8, by_edges=True)]}, "given by edges"),
    ],
)
def test_unusable_arguments_are_refused(changes: dict[str, object], line: str) -> None:
    arguments: dict[str, object] = {"axes": [AXIS], "times": [1.0], **changes}
    with pytest.raises(ValueError, match=line):
        refine(well, **arguments)  # type: ignore[arg-type]


def test_a_number_that_is_not_finite_is_named() -> None:
    def nothing(run: Run) -> float:
        return math.nan

    with pytest.raises(RefinementError, match="nothing is nan in the run at a 4"):
        refine(well, [RefinedAxis("a", "action", 16)], 3, times=[0.1], directions=["a"], functions={"nothing": nothing})
    with pytest.raises(KeyError, match="no study of mean"):
        refine(well, [RefinedAxis("a", "action", 16)], 3, times=[0.1], directions=["a"]).find("a", "mean")
