"""Actions that are labels in problem files: what may be written, what it means, and that their order means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.problems.test_problem_file import changed
from tests.variants import slow
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.keys import described
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.problem_file import parse_problem, read_problem
from wpoflow.problems.statement import Statement, build
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import UnsuitableFlowError
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.views.problem_math import equations

BASE: dict[str, Any] = {
    "problem": {"discount": 0.9, "temperature": 0.2},
    "definitions": {"step": "where(move == 'up', 1, 0) - 1.5*(\"down\" == move)"},
    "state": {"x": {"bounds": [-3.0, 3.0], "cells": 9}},
    "action": {"move": {"labels": ["up", "wait", "down"]}},
    "dynamics": {"x": "0.9*x + step"},
    "noise": {"x": 0.3},
    "cost": {"running": "x**2 + 0.3*(move != 'wait')"},
    "reference": {"potential": "log(2)*(move == 'down')"},
    "initial": {"policy_density": "1 + (move == 'wait')*(x > 0)"},
    "flow": {"kind": "fisher-rao", "until": {"time": 3.0}},
}
MIXED = {
    "action.u": {"bounds": [-1.0, 1.0], "cells": 7},
    "dynamics.x": "0.9*x + step + 0.5*u",
    "cost.running": "x**2 + u**2 + where(move == 'wait', u, 0)",
}


def built(changes: dict[str, Any] | None = None) -> GridMDP:
    return build_problem(parse_problem(changed(changes or {}, BASE)))


def in_order(order: tuple[int, ...], changes: dict[str, Any] | None = None) -> GridMDP:
    labels = BASE["action"]["move"]["labels"]
    return built({**(changes or {}), "action.move.labels": [labels[k] for k in order]})


def test_comparisons_with_labels_mean_their_numbers() -> None:
    """The same problem stated in Python in numbers has the same arrays."""
    mdp = built()
    statement = Statement(
        states=Grid((uniform_axis("x", -3.0, 3.0, 9, "clamp"),)),
        actions=Grid((edges_axis("move", [-0.5, 0.5, 1.5, 2.5]),)),
        discount=0.9,
        temperature=0.2,
        dynamics={"x": lambda x, move: 0.9 * x + np.array([1.0, 0.0, -1.5])[move.astype(int)]},
        noise={"x": 0.3},
        cost=lambda x, move: x**2 + 0.3 * (move != 1.0),
    )
    numbered = build(statement)
    np.testing.assert_array_equal(mdp.cost, numbered.cost)
    values = np.random.default_rng(0).standard_normal(9)
    np.testing.assert_allclose(mdp.transition.expect(values), numbered.transition.expect(values), rtol=1e-14)
    np.testing.assert_allclose(mdp.reference_mass, [0.4, 0.4, 0.2], rtol=1e-15)
    np.testing.assert_allclose(mdp.initial_policy[0], [1 / 3] * 3, rtol=1e-15)
    np.testing.assert_allclose(mdp.initial_policy[-1], [0.25, 0.5, 0.25], rtol=1e-15)
    index = built({"cost.running": "move"}).cost
    np.testing.assert_array_equal(index, np.tile([0.0, 1.0, 2.0], (9, 1)))


@pytest.mark.parametrize("changes", [slow({}), MIXED], ids=["labels", "labels and a force"])
@pytest.mark.parametrize("flow", [{"flow": "fisher-rao", "step": 0.25}, {"flow": "mirror", "step": 0.5}])
def test_the_order_of_labels_means_nothing(changes: dict[str, Any], flow: dict[str, Any]) -> None:
    """Neither to the optimum nor to the flows: all is permuted with them.  Steps are fixed, not chosen."""
    first = in_order((0, 1, 2), changes)
    whole = evolve(first, until=3.0, snapshots=4, **flow)
    assert whole.optimum is not None
    cells = (len(whole.policy), 3, -1)
    for order in ((2, 1, 0), (1, 2, 0)):  # one that is its own inverse, and one that is not
        run = evolve(in_order(order, changes), until=3.0, snapshots=4, **flow)
        assert run.optimum is not None
        for name in ("value_rho", "gap", "entropy", "dissipation", "end_mass", "score_max", "q_slope_max"):
            rounding = 1e-10 * np.abs(whole.series[name]).max()  # slopes are differences of logarithms of any size
            np.testing.assert_allclose(run.series[name], whole.series[name], rtol=1e-10, atol=rounding, err_msg=name)
        expected = whole.policy.reshape(cells)[:, order]
        np.testing.assert_allclose(run.policy.reshape(cells), expected, rtol=1e-10, atol=1e-14)
        best = whole.optimum.policy.reshape(cells)[:, order]
        np.testing.assert_allclose(run.optimum.policy.reshape(cells), best, rtol=1e-11)
    if not changes:  # nothing is said of neighbours, or of ends, that there are not
        assert not any(run.series[name].any() for name in ("score_max", "q_slope_max", "q_curvature_max", "end_mass"))


def test_mixed_products_follow_the_fisher_rao_flow_of_their_cells() -> None:
    """To a flow without neighbours a product of labels and an axis is a list of cells."""
    mdp = built(MIXED)
    flat = GridMDP(
        states=mdp.states,
        actions=Grid((uniform_axis("cell", 0.0, 1.0, mdp.actions.size),)),
        **{name: getattr(mdp, name) for name in ("discount", "temperature", "cost", "transition", "reference_mass")},
        **{name: getattr(mdp, name) for name in ("rho", "initial_policy")},
    )
    for name in ("fisher-rao", "mirror"):
        one, other = (evolve(problem, until=2.0, flow=name, step=0.1) for problem in (mdp, flat))
        np.testing.assert_array_equal(one.policy, other.policy)


def test_the_resolved_text_reads_back_as_itself() -> None:
    problem = parse_problem(
        changed(
            {
                "action.move.labels": ["up", "höher", 'it\'s "so"'],
                "definitions.step": "0",
                "cost.running": "move == 'höher'",
                "reference": None,
                "initial": None,
            },
            BASE,
        )
    )
    again = parse_problem(problem.text)
    assert again.tables == problem.tables
    assert again.tables.action["move"].labels == ["up", "höher", 'it\'s "so"']
    np.testing.assert_array_equal(build_problem(again).cost[0], [0.0, 1.0, 0.0])
    assert read_statement(again).actions.axes[0].labels == ("up", "höher", 'it\'s "so"')


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"cost.running": "move == 'upp'"},
            "'upp' is not a label of move; its labels are 'up', 'wait', 'down'; did you",
        ),
        ({"cost.running": "move < 'up'"}, "a text can only be compared, by == or !=, with an axis of labels"),
        ({"cost.running": "x == 'up'"}, "a text can only be compared, by == or !=, with an axis of labels"),
        ({"cost.running": "'up'"}, "a text can only be compared"),
        ({"cost.running": "'up' == 'up'"}, "a text can only be compared"),
        ({"cost.running": "move == 'up' == 'up'"}, "a text can only be compared"),
        ({"cost.running": "move + 'up'"}, "a text can only be compared"),
        ({"cost.running": "(move + 0) == 'up'"}, "axes of labels are move"),
        ({"cost.running": "where(move == 'wait', 'up', 0)"}, "a text can only be compared"),
        ({"cost.running": "move == b'up'"}, "Constant is not part of the language"),
        ({"cost.running": "x + é*(move == 'up')"}, "'é' in .* does not belong to the language"),
        ({"reference.potential": "x"}, "x is not a name here"),
        ({"action.move.cells": 3}, "cells cannot be given with them"),
        ({"action.move.bounds": [0, 1], "action.move.spacing": "sinh"}, "bounds, spacing cannot be given with them"),
        ({"action.move.feasible": ["0", "1"]}, "feasible cannot be given with them"),
        ({"action.move.boundary": "no-flux"}, "boundary cannot be given with them"),
        ({"action.move.labels": []}, "labels: are 0; there must be between 1"),
        ({"action.move.labels": ["up", "up"]}, "labels: hold 'up' twice"),
        ({"action.move.labels": "up"}, "action.move.labels: must be a valid list"),
        ({"action.move.labels": ["up", 3]}, "action.move.labels.1: must be a valid string"),
        ({"action.move.boundary": "labels"}, "boundary cannot be given with them"),
        ({"state.x.labels": ["a"]}, "state.x.labels"),
    ],
)
def test_what_labels_are_not_is_refused_by_its_key(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ProblemError, match=words) as caught:
        built(changes)
    assert any(key.split(".")[0] in str(caught.value) for key in changes)


def test_the_number_of_labels_cannot_be_replaced() -> None:
    with pytest.raises(ProblemError, match=r"cells\['move'\]: the axis is given by labels, which cannot be refined"):
        read_problem("grid_world", cells={"move": 7})


def test_flows_that_move_mass_say_why_they_do_not_apply() -> None:
    mdp, mixed = built(), built(MIXED)
    for problem in (mdp, mixed):
        for name in ("wasserstein", "wasserstein-fisher-rao", "proximal"):
            with pytest.raises(UnsuitableFlowError) as caught:
                evolve(problem, until=1.0, flow=name, step=0.1)
            said = "moves mass between neighbouring actions, and the labels of move have no neighbours"
            assert str(caught.value) == f"flow {name!r} {said}; choose fisher-rao, mirror or policy-iteration"
    alone = built(
        {"action.move.labels": ["up"], "definitions.step": "0", "cost.running": "x", "reference": None, "initial": None}
    )
    assert evolve(alone, until=1.0).status == "complete"  # one label has nowhere to move to


def test_equations_show_labels_by_name() -> None:
    pieces = "".join(piece for equation in equations(parse_problem(changed({}, BASE))) for piece in equation.pieces)
    assert "<mtext>wait</mtext>" in pieces
    odd = changed({"action.move.labels": ["<b>", "wait"], "definitions.step": "move == '<b>'", "reference": None}, BASE)
    pieces = "".join(piece for equation in equations(parse_problem(odd)) for piece in equation.pieces)
    assert "<mtext>&lt;b&gt;</mtext>" in pieces


def test_the_optimum_is_that_of_the_numbers() -> None:
    """Against soft value iteration in plain NumPy."""
    mdp = built(MIXED)
    value: FloatArray = np.zeros(9)
    for _ in range(600):
        q = mdp.cost + 0.9 * mdp.transition.expect(value)
        least = q.min(axis=1, keepdims=True)
        value = least[:, 0] - 0.2 * np.log(np.exp(-(q - least) / 0.2) @ mdp.reference_mass)
    np.testing.assert_allclose(solve_optimum(mdp).value, value, rtol=1e-12)


def test_the_list_of_keys_says_that_labels_are_texts() -> None:
    assert described()["action.AXIS.labels"].given == "list of texts"
