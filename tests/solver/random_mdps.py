"""Random grid problems for property tests: any axes, any transition, any temperature."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import Axis, edges_axis, label_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.mdp import GridMDP


def random_policy(generator: np.random.Generator, shape: tuple[int, int], spread: float) -> FloatArray:
    """Rows of probabilities whose logarithms spread over several orders of magnitude."""
    weights = np.exp(spread * generator.standard_normal(shape))
    policy: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return policy


def _axis(name: str, generator: np.random.Generator, cells: int, periodic: bool, uniform: bool) -> Axis:
    widths = np.ones(cells) if uniform else np.exp(generator.uniform(-1.5, 1.5, cells))
    edges = np.concatenate(([0.0], np.cumsum(widths)))
    return edges_axis(name, edges * generator.uniform(0.5, 3.0) / edges[-1], "periodic" if periodic else "no-flux")


@st.composite
def grid_mdps(
    draw: st.DrawFn,
    most_axes: int = 3,
    least_temperature: float = 1e-4,
    most_temperature: float = 10.0,
    labels: bool = False,
) -> GridMDP:
    """A problem with random sizes, axes, costs, transitions (a third of them terminating) and policy.

    With ``labels`` the first action axis is one of labels, and the others may be so.
    """
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes = []
    dim = draw(st.integers(1, most_axes))
    for j in range(dim):
        cells = draw(st.integers(1, 9 if dim <= 2 else 4))
        periodic, uniform = draw(st.booleans()), draw(st.booleans())
        if labels and (j == 0 or periodic):
            axes.append(label_axis(f"a{j}", [f"{j}{k}" for k in range(cells)]))
        else:
            axes.append(_axis(f"a{j}", generator, cells, periodic, uniform))
    actions = Grid(tuple(axes))
    n_states, n_actions = draw(st.integers(1, 7)), actions.size
    temperature = float(np.exp(draw(st.floats(np.log(least_temperature), np.log(most_temperature)))))
    rows = random_policy(generator, (n_states * n_actions, n_states), 2.0)
    if draw(st.integers(0, 2)) == 0:
        rows = rows * (
            1.0
            - 0.5 * generator.random((n_states * n_actions, 1)) * (generator.random((n_states * n_actions, 1)) < 0.3)
        )
    mass = random_policy(generator, (1, n_actions), 1.0)[0]
    return GridMDP(
        states=Grid((edges_axis("s", np.arange(n_states + 1.0), "reflect"),)),
        actions=actions,
        discount=draw(st.sampled_from([0.1, 0.9, 0.99, 0.999])),
        temperature=temperature,
        cost=generator.standard_normal((n_states, n_actions)) * 10.0 ** generator.uniform(-2, 1),
        transition=tabulated_transition(rows.reshape(n_states, n_actions, n_states), "remainder"),
        reference_mass=mass,
        rho=random_policy(generator, (1, n_states), 1.0)[0],
        initial_policy=random_policy(generator, (n_states, n_actions), draw(st.sampled_from([0.1, 1.0, 5.0]))),
    )
