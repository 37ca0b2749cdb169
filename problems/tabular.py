"""Tabular problems: states and actions that are finite lists, given as arrays.

The actions are labels (`grids.axis.label_axis`).  The states are the points 0, 1, ... of one axis; nothing is
interpolated between them, as next states come from the table alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from wpoflow.core.arrays import FloatArray, real_array
from wpoflow.grids.axis import label_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.mdp import GridMDP

STATE, ACTION = "state", "action"


def numbered_states(count: int, name: str = STATE) -> Grid:
    """The states 0, 1, ..., count - 1 as points of one axis."""
    return Grid((uniform_axis(name, 0.0, max(count - 1.0, 1.0), count, "clamp"),))


def tabular_mdp(
    transition: FloatArray | sp.sparray | sp.spmatrix,
    cost: FloatArray | None = None,
    *,
    reward: FloatArray | None = None,
    discount: float,
    temperature: float,
    labels: Sequence[str] | None = None,
    ends: FloatArray | Literal["remainder"] | None = None,
    reference_mass: FloatArray | None = None,
    rho: FloatArray | None = None,
    initial_policy: FloatArray | None = None,
    states: Grid | None = None,
    actions: Grid | None = None,
    title: str = "",
) -> GridMDP:
    """The grid problem of a finite Markov decision process given as arrays.

    Parameters
    ----------
    transition : array (S, A, S) or sparse matrix (S·A, S)
        Probabilities of the next state, row s·A + a of a matrix after the pair (s, a); as `tabulated_transition`.
    cost : array (S, A)
        Expected cost of a pair.
    reward : array (S, A)
        Instead of cost: what is maximised.
    discount, temperature : float
        gamma in (0, 1), tau > 0.
    labels : sequence of str, optional
        What the actions are called; their numbers by default.
    ends : array (S, A) or "remainder", optional
        Probability that the process ends with a pair; without it every row sums to one.
    reference_mass : array (A,), optional
        Weights of the labels in the reference measure, summing to one; uniform by default.
    rho : array (S,), optional
        Law of the first state; uniform by default.
    initial_policy : array (S, A), optional
        Where flows start; the reference measure by default.
    states, actions : Grid, optional
        Other axes of S points, and of A labels: of a maze, of several actions at once.
    title : str

    Returns
    -------
    GridMDP
        Flows that need no neighbouring actions apply to it: ``flow="fisher-rao"`` and ``flow="mirror"``.

    Raises
    ------
    ValueError
        As `tabulated_transition` and `GridMDP`; both or neither of cost and reward; both labels and actions, or as many
        labels as there are no actions.
    """
    if (cost is None) == (reward is None):
        raise ValueError("give either cost, which is minimised, or reward, which is maximised")
    if labels is not None and actions is not None:
        raise ValueError("give either labels, or actions=Grid((label_axis(...), ...)), not both")
    kernel = tabulated_transition(transition, ends)
    n_states, n_actions = kernel.n_states, kernel.n_actions
    if labels is not None and len(labels) != n_actions:
        raise ValueError(f"labels are {len(labels)}; the transition is of {n_actions} actions")
    named = [str(k) for k in range(n_actions)] if labels is None else labels
    uniform = np.full(n_actions, 1.0 / n_actions)
    mass = uniform if reference_mass is None else real_array(reference_mass, "reference_mass")
    objective: dict[str, Any] = {"reward": reward} if cost is None else {"cost": cost}
    return GridMDP(
        states=numbered_states(n_states) if states is None else states,
        actions=Grid((label_axis(ACTION, named),)) if actions is None else actions,
        discount=discount,
        temperature=temperature,
        transition=kernel,
        reference_mass=mass,
        rho=np.full(n_states, 1.0 / n_states) if rho is None else rho,
        initial_policy=np.tile(mass, (n_states, 1)) if initial_policy is None else initial_policy,
        title=title,
        **objective,
    )
