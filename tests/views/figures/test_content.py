"""What is drawn is what the run holds, number by number."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from tests.views.figures.runs import ENDINGS, small_run
from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import load_problem
from wpoflow.solver.records.run import Run
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.rates import paper_rate
from wpoflow.views.figures import FIGURES, FigureError, plot
from wpoflow.views.figures.decay import bound_line
from wpoflow.views.figures.phase import displacements
from wpoflow.views.figures.refinement import draw_study


def line(panel: Axes, label: str) -> tuple[FloatArray, FloatArray]:
    """Abscissae and ordinates of the line whose label begins so."""
    (found,) = [entry for entry in panel.lines if str(entry.get_label()).startswith(label)]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def image(figure: Figure, number: int) -> FloatArray:
    """Values of the map in a panel, first coordinate first."""
    (mesh,) = [entry for entry in figure.axes[number].collections if isinstance(entry, QuadMesh)]
    values = mesh.get_array()
    assert values is not None
    return np.asarray(values, dtype=np.float64).T


def test_decay_shows_the_series_and_the_rates() -> None:
    run = small_run("line")
    evidence = Evidence("", run)
    time, gap = run.series["time"], run.series["gap"]
    above, below = plot(run, "decay").axes
    assert above.get_yscale() == below.get_yscale() == "log"
    for shown, expected in zip(line(above, "observed"), (time, gap), strict=True):
        np.testing.assert_array_equal(shown, expected)
    _, guaranteed = line(above, "guaranteed")
    assert np.all(guaranteed >= gap * (1.0 - 1e-12))
    np.testing.assert_allclose(-np.diff(np.log(guaranteed)) / np.diff(time), evidence.guaranteed_rate[:-1], rtol=0.2)
    _, paper = line(above, "paper")
    assert np.all(paper >= guaranteed * (1.0 - 1e-12))
    rate = float(paper_rate(evidence.alpha_from_now_on, evidence.discount, evidence.density_ratio)[-2])
    assert -np.log(paper[-1] / paper[-2]) / (time[-1] - time[-2]) == pytest.approx(rate, rel=1e-9)
    along, sharp = line(above, "sharp")
    slope = np.diff(np.log(sharp))[-1] / np.diff(along)[-1]
    assert -slope == pytest.approx(2.0 * evidence.spectral_gaps[evidence.slowest], rel=1e-9)
    assert sharp[-1] == pytest.approx(gap[-1], rel=1e-12)
    np.testing.assert_array_equal(below.lines[0].get_ydata(), run.series["rate_observed"])


def test_a_bound_falls_at_the_smaller_rate_of_each_interval() -> None:
    time, rate = np.array([0.0, 1.0, 3.0]), np.array([0.5, 1.0, 0.25])
    expected = 4.0 * np.exp(-np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(bound_line(time, np.array([4.0, 1.0, 0.1]), rate), expected, rtol=1e-14)
    assert bound_line(time[:1], np.array([4.0]), rate[:1]).tolist() == [4.0]


def test_the_floor_is_shown_where_the_gap_comes_near_it() -> None:
    def labels(run: Run) -> list[str]:
        return [str(entry.get_label()) for entry in plot(run, "decay").axes[0].lines]

    assert "rounding floor" in labels(ENDINGS["gap down to its floor"])
    assert "rounding floor" not in labels(ENDINGS["two rows"])


def test_values_and_policies_are_those_of_the_snapshots() -> None:
    run = small_run("line")
    assert run.snapshots is not None
    assert run.optimum is not None
    above, below = plot(run, "value").axes
    np.testing.assert_array_equal(line(above, "$V^*(s)$")[1], run.optimum.value)
    np.testing.assert_array_equal(line(above, "$t=0$")[1], run.snapshots.value_at(0))
    np.testing.assert_array_equal(below.lines[-1].get_ydata(), run.value - run.optimum.value)
    widths = run.actions.axes[0].widths
    figure = plot(run, "policy")
    for number, policy in enumerate((run.snapshots.policy_at(0), run.policy, run.optimum.policy)):
        np.testing.assert_allclose(image(figure, number), policy / widths, rtol=1e-15)
    strip = image(plot(run, "kymograph", state={"long_state_0": 1.4}), 0)
    np.testing.assert_allclose(strip, run.snapshots.policy[:, -1] / widths, rtol=1e-15)
    (panel,) = plot(run, "density", state={"long_state_0": -1.0}).axes
    np.testing.assert_allclose(line(panel, r"$\pi^*$")[1], run.optimum.policy[0] / widths, rtol=1e-15)


@pytest.mark.slow
def test_maps_over_two_states_and_two_actions() -> None:
    run = small_run("plane of two actions")
    assert run.optimum is not None
    figure = plot(run, "value")
    np.testing.assert_array_equal(image(figure, 1), run.optimum.value.reshape(5, 6))
    figure = plot(run, "density", state={"long_state_0": -1.0, "long_state_1": 1.5})
    best = run.optimum.policy[5] / run.actions.volumes
    np.testing.assert_allclose(image(figure, 3), best.reshape(6, 5), rtol=1e-15)
    figure = plot(run, "kymograph")
    second = [image(figure, number) for number in (0, 2)][1]
    np.testing.assert_allclose(second @ run.actions.axes[1].widths, 1.0, rtol=1e-12)


def test_a_slice_holds_the_other_states_at_what_is_asked_for() -> None:
    run = small_run("space of three actions")
    assert run.optimum is not None
    values = run.optimum.value.reshape(4, 3, 3)
    figure = plot(run, "value", state={"long_state_0": -1.0})
    np.testing.assert_array_equal(image(figure, 1), values[0])
    np.testing.assert_array_equal(image(plot(run, "value"), 1), values[:, :, 1])
    assert figure.get_suptitle().endswith("slice long_state_0 = -1")


def test_constants_are_those_of_the_optimum() -> None:
    run = small_run("line")
    evidence = Evidence("", run)
    (panel,) = plot(run, "constants").axes
    gaps, bound = line(panel, "spectral gap")[1], line(panel, r"$\alpha$, lower")[1]
    found = line(panel, r"$\alpha$, minimised")[1]
    np.testing.assert_allclose(gaps, evidence.spectral_gaps, rtol=1e-12)
    np.testing.assert_allclose(bound, lower_bounds(evidence.optimal_generators).best, rtol=1e-12)
    assert np.all(bound <= found * (1.0 + 1e-9))
    assert np.all(found <= gaps * (1.0 + 1e-9))


def test_the_phase_portrait_moves_as_the_problem_says() -> None:
    run = small_run("plane")
    assert run.optimum is not None
    rows = np.arange(run.states.size)
    x = run.states.points
    push = run.optimum.policy @ run.actions.points[:, 0]
    expected = 0.8 * x + 0.2 * push[:, None] - x
    inside = np.abs(0.8 * x).max(axis=1) < 0.6  # where no action leads to the wall
    np.testing.assert_allclose(displacements(run, rows)[inside], expected[inside], atol=1e-12)
    np.testing.assert_allclose(image(plot(run, "phase"), 0), push.reshape(run.states.shape), rtol=1e-12)


def test_mixtures_are_averaged_over_their_outcomes() -> None:
    from wpoflow.solver.runs.evolve import evolve

    run = evolve(load_problem("inventory", cells={"stock": 13, "order": 8}), until={"steps": 1}, snapshots=2)
    assert run.optimum is not None
    order = run.optimum.policy @ run.actions.points[:, 0]
    middle = run.states.size // 2
    moved = displacements(run, np.array([middle]))[0, 0]
    assert moved == pytest.approx(order[middle] - 0.8 * 2.0 - 0.2 * 8.0, abs=1e-12)


def study(differences: list[float | None]) -> dict[str, object]:
    """A study of one direction and one quantity at two times."""
    quantities = [
        {"quantity": "gap", "time": time, "differences": [None, *differences], "order": 2.0, "behaviour": "monotone"}
        for time in (1.0, 2.0)
    ]
    entry = {"direction": "actions", "refined": ["u"], "design_order": 2.0, "quantities": quantities}
    entry["levels"] = [{"cells": {"u": 8}, "step": None}] * (1 + len(differences))
    return {"title": "A_{study} of $5", "factor": 2.0, "times": [1.0, 2.0], "directions": [entry]}


def test_refinement_shows_differences_and_the_expected_slope() -> None:
    (panel,) = draw_study(study([-0.4, 0.1, -0.02])).axes
    size, found = line(panel, r"$V^{\pi_t}(\rho)-V^*(\rho)$, order 2.00")
    np.testing.assert_allclose(found, [0.4, 0.1, 0.02])
    np.testing.assert_allclose(size, [0.5, 0.25, 0.125])
    np.testing.assert_allclose(np.asarray(panel.lines[1].get_ydata(), dtype=np.float64), [0.32, 0.08, 0.02])
    assert draw_study(study([None, 0.0])).axes
    with pytest.raises(FigureError, match="no direction"):
        draw_study({**study([1.0]), "directions": []})


@pytest.mark.parametrize(
    ("kind", "run", "state", "says"),
    [
        ("decai", "two rows", {}, "figure 'decai' is not a kind; choose among .*; did you mean 'decay'"),
        ("phase", "two rows", {}, "phase: it needs two state axes .*; what applies: overview, decay, value"),
        ("decay", "zero gap", {}, "the gap is zero in every row"),
        ("decay", "no optimum", {}, "ended before its optimum"),
        ("overview", "nothing at all", {}, "neither rows nor an optimum.*no kind at all"),
        ("kymograph", "no snapshots", {}, "no snapshots"),
        ("value", "two rows", {"y": 0.0}, "state y: choose among x"),
        ("value", "two rows", {"x": 1.5}, r"state x = 1.5: outside the box \[-1, 1\]"),
        ("value", "two rows", {"x": np.nan}, "state x = nan: outside"),
        ("steps", "two rows", {"x": 0.5}, "steps: there is no state to choose"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(kind: str, run: str, state: dict[str, float], says: str) -> None:
    with pytest.raises(FigureError, match=says) as refused:
        plot(ENDINGS[run], kind, state=state)
    assert "\n" not in str(refused.value)


def test_kinds_are_described() -> None:
    assert all(kind.shows and kind.name == name for name, kind in FIGURES.items())


@pytest.mark.parametrize("rewards", [False, True])
def test_values_have_the_sign_their_label_says(rewards: bool) -> None:
    """Of a problem stated in rewards what is earned is drawn, minus V; the gap is that of V in both."""
    sign, minus, word = (-1.0, "-", ", rewards") if rewards else (1.0, "", "")
    bandit, over_line, plane = (small_run(name, rewards=rewards) for name in ("bandit", "line", "plane"))
    assert bandit.optimum is not None
    assert over_line.optimum is not None
    assert over_line.snapshots is not None
    assert plane.optimum is not None
    for kind, panel in (("value", 0), ("overview", 1)):
        shown = plot(bandit, kind).axes[panel]
        np.testing.assert_array_equal(line(shown, f"${minus}V^{{")[1], sign * bandit.series["value_rho"])
        np.testing.assert_allclose(line(shown, f"${minus}V^*")[1], sign * bandit.rho @ bandit.optimum.value)
        assert shown.get_ylabel() == f"value{word}"
        shown = plot(over_line, kind).axes[panel]
        np.testing.assert_array_equal(line(shown, f"${minus}V^*")[1], sign * over_line.optimum.value)
        np.testing.assert_array_equal(line(shown, "$t=3$")[1], sign * over_line.snapshots.value_at(-1))
        assert shown.get_ylabel() == rf"${minus}V^{{\pi_t}}(s)${word}"
        assert any(str(panel.get_ylabel()).startswith("$V^{\\pi_t}") for panel in plot(over_line, kind).axes)
    figure = plot(plane, "value")
    np.testing.assert_array_equal(image(figure, 1).ravel(), sign * plane.optimum.value)
    labels = [text for panel in figure.axes for text in (panel.get_xlabel(), panel.get_ylabel())]
    assert f"${minus}V^*(s)${word}" in labels


@pytest.mark.parametrize(("name", "kind"), [("line", "density"), ("line", "kymograph"), ("line", "overview")])
def test_densities_are_called_so(name: str, kind: str) -> None:
    """A policy is a density where it is drawn as one: probabilities of cells are not what is shown."""
    labels = [text for panel in plot(small_run(name), kind).axes for text in (panel.get_xlabel(), panel.get_ylabel())]
    of_policies = [label for label in labels if "pi_t" in label and "V^" not in label]
    assert of_policies
    assert all("density" in label for label in of_policies)
