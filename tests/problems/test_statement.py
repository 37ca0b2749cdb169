"""From a statement to its grid problem: values on all pairs, the kind of transition, termination, and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.variants import slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import CHUNK_PAIRS
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem, read_statement
from wpoflow.problems.memory import transition_bytes
from wpoflow.problems.problem_file import parse_problem
from wpoflow.problems.statement import Outcome, Statement, build
from wpoflow.solver.mdp import GridMDP

STATES = Grid((uniform_axis("x", -1.0, 1.0, 9, "clamp"),))
PLANE = Grid((uniform_axis("x", -1.0, 1.0, 7, "clamp"), uniform_axis("y", 0.0, 2.0, 5, "periodic")))
ACTIONS = Grid((uniform_axis("u", -1.0, 1.0, 6),))


def state(**changes: Any) -> Statement:
    """One state axis, one action axis, no noise."""
    arguments: dict[str, Any] = {
        "states": STATES,
        "actions": ACTIONS,
        "discount": 0.9,
        "temperature": 0.3,
        "cost": lambda x, u: x**2 + u**2,
        "dynamics": {"x": lambda x, u: 0.8 * x + 0.3 * u},
    }
    return Statement(**(arguments | changes))


def expectation(mdp: GridMDP, value: FloatArray) -> FloatArray:
    return mdp.transition.expect(value)


def test_arrays_are_the_functions_at_points_and_masses() -> None:
    mdp = build(
        state(
            potential=lambda u: u,
            state_density=lambda x: 1.0 + x,
            policy_density=lambda x, u: np.exp(x * u),
            noise={"x": 0.2},
        )
    )
    x, u = STATES.points, ACTIONS.points[:, 0]
    np.testing.assert_array_equal(mdp.cost, x**2 + u**2)
    edges = ACTIONS.axes[0].edges
    masses = np.exp(-edges[:-1]) - np.exp(-edges[1:])
    np.testing.assert_allclose(mdp.reference_mass, masses / masses.sum(), rtol=1e-13)
    cells = STATES.axes[0].edges
    np.testing.assert_allclose(mdp.rho, np.diff((1 + cells) ** 2) / 4.0, rtol=1e-12, atol=1e-16)
    exact = np.diff(np.exp(x * edges) / np.where(x == 0, 1.0, x), axis=1)
    exact[x[:, 0] == 0] = np.diff(edges)
    np.testing.assert_allclose(mdp.initial_policy, exact / exact.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(mdp.initial_policy.sum(axis=1), 1.0, rtol=1e-14)
    assert mdp.counted.all()


@pytest.mark.parametrize("cells", [6, CHUNK_PAIRS // 4])
def test_noise_free_map_interpolates_exactly_what_is_linear(cells: int) -> None:
    """Also where the pairs are evaluated in three chunks."""
    mdp = build(state(actions=Grid((uniform_axis("u", -1.0, 1.0, cells),))))
    x, u = STATES.points, mdp.actions.points[:, 0]
    np.testing.assert_array_equal(mdp.cost, x**2 + u**2)
    np.testing.assert_allclose(expectation(mdp, STATES.points[:, 0]), np.clip(0.8 * x + 0.3 * u, -1, 1), atol=1e-15)


def test_file_and_python_statements_build_the_same_problem() -> None:
    text = """
        problem = { discount = 0.9, temperature = 0.3, title = "twin" }
        state.x = { bounds = [-1.0, 1.0], cells = 7, boundary = "clamp" }
        state.y = { bounds = [0.0, 2.0], cells = 5, boundary = "periodic" }
        action.u = { bounds = [-1.0, 1.0], cells = 6 }
        constants.k = 0.3
        definitions.push = "k*u"
        dynamics = { x = "0.8*x + push*y", y = "y + 1.3*x" }
        noise = { y = 0.2 }
        cost = { running = "where(x > y, x*u, y**2)", terminal_set = "x >= 0.9", terminal_cost = "5 + y" }
        reference.potential = "u**2"
        initial = { state_density = "2 + x*y", policy_density = "1.5 + sin(x + y*u)" }
        flow.until = 1.0
    """
    problem = parse_problem(text)
    from_file = build_problem(problem)
    from_python = build(
        Statement(
            states=PLANE,
            actions=ACTIONS,
            discount=0.9,
            temperature=0.3,
            cost=lambda x, y, u: np.where(x > y, x * u, y**2),
            dynamics={"x": lambda x, y, u: 0.8 * x + 0.3 * u * y, "y": lambda x, y, u: y + 1.3 * x},
            noise={"y": 0.2},
            terminal_set=lambda x, y: x >= 0.9,
            terminal_cost=lambda x, y: 5 + y,
            potential=lambda u: u**2,
            state_density=lambda x, y: 2 + x * y,
            policy_density=lambda x, y, u: 1.5 + np.sin(x + y * u),
        )
    )
    for name in ("cost", "reference_mass", "rho", "initial_policy"):
        np.testing.assert_allclose(getattr(from_file, name), getattr(from_python, name), rtol=1e-12, err_msg=name)
    np.testing.assert_array_equal(from_file.counted, from_python.counted)
    value = np.cos(np.arange(PLANE.size))
    np.testing.assert_allclose(expectation(from_file, value), expectation(from_python, value), atol=1e-13)
    assert (from_file.title, from_file.statement) == ("twin", problem.text)
    assert (
        read_statement(problem).plan
        == Statement(
            states=PLANE,
            actions=ACTIONS,
            discount=0.5,
            temperature=1.0,
            cost=0.0,
            dynamics={"x": 0.0, "y": 0.0},
            noise={"y": 0.2},
            terminal_set=lambda x, y: x > 0,
        ).plan
    )


def test_bandit_has_one_state_that_returns_to_itself() -> None:
    mdp = build(Statement(actions=ACTIONS, discount=0.9, temperature=0.1, cost=lambda u: u**2))
    assert mdp.cost.shape == (1, ACTIONS.size)
    np.testing.assert_array_equal(expectation(mdp, np.array([3.0])), np.full((1, ACTIONS.size), 3.0))
    np.testing.assert_array_equal(mdp.rho, [1.0])


def spread(x: FloatArray, *rest: FloatArray) -> FloatArray:
    return np.asarray(0.1 + 0.05 * np.abs(x))


def bytes_held(thing: object) -> int:
    """Bytes of the arrays that an object leads to, each counted once."""
    total, pending, seen = 0, [thing], set()
    while pending:
        found = pending.pop()
        if isinstance(found, np.ndarray) and isinstance(found.base, np.ndarray):
            found = found.base
        if id(found) not in seen:
            seen.add(id(found))
            total += found.nbytes if isinstance(found, np.ndarray) else 0
            pending += found if isinstance(found, list | tuple) else getattr(found, "__dict__", {}).values()
    return total


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "interpolated"),
        ({"noise": {"x": 0.2}}, "interpolated"),
        ({"noise": {"x": spread}}, "cell-integrated"),
        (
            {"states": PLANE, "dynamics": {"x": lambda x, y, u: x + u, "y": 1.0}, "cost": 1.0, "noise": {"y": spread}},
            "gauss-hermite",
        ),
        (
            {
                "dynamics": {},
                "outcomes": [
                    Outcome(lambda x, u: 0.5 + 0.5 * u, {"x": 0.5}),
                    Outcome(lambda x, u: 0.5 - 0.5 * u, {"x": lambda x, u: x}, {"x": spread}),
                ],
            },
            "mixture",
        ),
    ],
)
def test_kind_of_transition_follows_the_noise(changes: dict[str, Any], kind: str) -> None:
    statement = state(**changes)
    assert statement.plan.kind == kind
    transition = build(statement).transition
    ones = transition.expect(np.ones(statement.states.size))
    np.testing.assert_allclose(ones, 1.0, rtol=1e-14)
    assert (statement.plan.n_states, statement.plan.n_actions) == (transition.n_states, transition.n_actions)
    assert 0 < bytes_held(transition) <= transition_bytes(statement.plan) + 100_000


def test_mixture_weights_its_outcomes() -> None:
    mdp = build(
        state(
            dynamics={},
            outcomes=[
                Outcome(lambda x, u: 0.5 + 0.5 * u, {"x": 0.5}),
                Outcome(lambda x, u: 0.5 - 0.5 * u, {"x": lambda x, u: -x}),
            ],
        )
    )
    x, u = STATES.points, ACTIONS.points[:, 0]
    expected = (0.5 + 0.5 * u) * 0.5 - (0.5 - 0.5 * u) * x
    np.testing.assert_allclose(expectation(mdp, STATES.points[:, 0]), expected, atol=1e-15)


def test_termination_stops_the_value_and_adds_the_terminal_cost() -> None:
    h: Callable[[FloatArray], FloatArray] = lambda x: 7.0 + x  # noqa: E731 - used as a value below
    mdp = build(state(terminal_set=lambda x: x > 0.5, terminal_cost=h))
    x, u = STATES.points, ACTIONS.points[:, 0]
    following = np.clip(0.8 * x + 0.3 * u, -1, 1)
    ends = following > 0.5
    assert 0 < ends.sum() < ends.size
    np.testing.assert_allclose(mdp.cost, x**2 + u**2 + 0.9 * np.where(ends, 7.0 + following, 0.0), rtol=1e-14)
    np.testing.assert_allclose(expectation(mdp, np.ones(STATES.size)), np.where(ends, 0.0, 1.0), atol=1e-15)
    np.testing.assert_array_equal(mdp.counted, STATES.points[:, 0] <= 0.5)
    assert np.all(mdp.rho[~mdp.counted] == 0.0)
    np.testing.assert_allclose(mdp.rho.sum(), 1.0, rtol=1e-15)
    free = build(state()).rho
    np.testing.assert_allclose(mdp.rho[mdp.counted] / mdp.rho[0], free[mdp.counted] / free[0], rtol=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cost": lambda x, u: np.log(x) + 0 * u}, "cost is nan at x = -1, u = -0.833333"),
        ({"cost": lambda x, u: np.where(u > 0.8, np.inf, x)}, "cost is inf at x = -1, u = 0.833333"),
        ({"dynamics": {"x": lambda x, u: x / (u - u)}}, "dynamics.x is -inf at x = -1, u = -0.833333"),
        ({"noise": {"x": lambda x, u: x}}, "noise.x is -1.0 at x = -1"),
        ({"noise": {"x": -0.1}}, "noise.x is -0.1; a standard deviation"),
        ({"cost": lambda x, u: np.zeros(3)}, "cost gave an array of shape (3,) for coordinates of shape (9, 6)"),
        ({"policy_density": lambda x, u: x}, "policy_density: "),
        ({"state_density": lambda x: -x}, "state_density: "),
        ({"potential": lambda u: np.log(u)}, "reference potential: "),
        ({"terminal_set": lambda x: x >= -1}, "state_density: the whole initial law lies inside the terminal set"),
        ({"terminal_set": lambda x: x > 0, "terminal_cost": lambda x: np.inf * x}, "terminal_cost: "),
        (
            {"dynamics": {}, "outcomes": [Outcome(0.75, {"x": 0.0}), Outcome(0.125, {"x": 0.0})]},
            "the sum of the probabilities of the outcomes (it must be 1) is 0.875 at x = -1, u = -0.833333",
        ),
        (
            {"dynamics": {}, "outcomes": [Outcome(lambda x, u: x, {"x": 0.0}), Outcome(1.0, {"x": 0.0})]},
            "outcome.0.probability is -1.0 at x = -1, u = -0.833333",
        ),
        (
            {"dynamics": {}, "outcomes": [Outcome(1.0, {"x": lambda x, u: x / 0.0})]},
            "outcome.0: dynamics.x is -inf at x = -1",
        ),
    ],
)
def test_unusable_values_are_named_with_their_cell(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        build(state(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kernel", [{}, {"noise": {"x": 0.2}}, {"noise": {"x": lambda x, u: 0.1 + 0.1 * u**2}}])
def test_a_terminal_set_that_is_neither_true_nor_false_is_refused(kernel: dict[str, Any]) -> None:
    """No number but 0 is false, so that nan would be an end."""
    with pytest.raises(ValueError, match=r"terminal_set is nan at x = -\d"):
        build(state(terminal_set=lambda x: np.sqrt(x), **kernel))


FILE = """
[problem]
discount = 0.9
temperature = 0.2
[definitions]
small = "log(x) < 9"
[state.x]
bounds = [-2.0, 2.0]
cells = 9
boundary = "clamp"
[action.u]
bounds = [-1.0, 1.0]
cells = 4
[dynamics]
x = "0.8*x + u"
[cost]
running = "{running}"
{terminal}
[flow]
until = 1.0
"""


@pytest.mark.parametrize(
    "text",
    slow_but(
        ["sqrt(x) > 1.2", "not sqrt(x) > 1.2", "sqrt(x)", "small", "small or x > 1"],
        "not sqrt(x) > 1.2",
        "small or x > 1",
    ),
)
def test_conditions_of_a_file_that_compare_with_nan_are_refused(text: str) -> None:
    with pytest.raises(ProblemError, match="terminal_set is nan at x = -"):
        build_problem(parse_problem(FILE.format(running="x**2", terminal=f'terminal_set = "{text}"')))
    with pytest.raises(ProblemError, match=r"cost is nan at x = -2, u = -0\.75"):
        build_problem(parse_problem(FILE.format(running=f"where({text}, u, x)", terminal="")))


def test_conditions_of_a_file_may_compare_with_nan_where_it_does_not_matter() -> None:
    text = FILE.format(running="where(x > 0, log(x) > 0, x)", terminal='terminal_set = "x > 1 and small"')
    mdp = build_problem(parse_problem(text))
    x = mdp.states.points[:, 0]
    np.testing.assert_array_equal(mdp.cost[:, 0], np.where(x > 0, x > 1, x))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dynamics": {}}, "missing: x"),
        ({"dynamics": {"x": 0.0, "z": 0.0}}, "unknown: z"),
        ({"noise": {"z": 0.1}}, "unknown: z"),
        ({"actions": Grid(())}, "at least one action axis"),
        ({"outcomes": [Outcome(1.0, {"x": 0.0})]}, "not both"),
        ({"terminal_cost": 1.0}, "needs a terminal_set"),
    ],
)
def test_inconsistent_statements_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        state(**changes)


def test_faulty_values_of_a_file_name_the_file() -> None:
    text = """
        problem = { discount = 0.9, temperature = 0.3 }
        action.u = { bounds = [-1.0, 1.0], cells = 6 }
        cost.running = "log(u)"
        flow.until = 1.0
    """
    with pytest.raises(ProblemError, match=r"^mine.toml: cost is nan at u = -0.833333$"):
        build_problem(parse_problem(text, "mine.toml"))


def test_no_states_may_be_said_as_none() -> None:
    bandit = build(Statement(actions=ACTIONS, discount=0.9, temperature=0.3, cost=lambda u: u**2, states=None))  # type: ignore[arg-type]
    assert bandit.cost.shape == (1, 6)
