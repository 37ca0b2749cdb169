"""A policy on grids as a function from observations to actions.

Between the state points all is multilinear, with hat weights w_i(s); within the action cells the density is that of
problems/environments/cell_actions.py.  With p_ik the cell probabilities and m_ik the mean action of cell k at point i:

    median     of the density of Σ_i w_i p_ik, on several action axes that of each
    mean       Σ_i w_i Σ_k p_ik m_ik
    mode       the mean action of the cell with the largest density Σ_i w_i p_ik / width_k
    sampled    an action drawn from the density of Σ_i w_i p_ik

Labels have neither median nor mean: an action is one of them, the likeliest or drawn, and nothing between two.

The mean of two wells lies between them and may be an action that the policy never takes: by the mean, a pendulum that
hangs still is left hanging, and a flow that stalls with some mass in the wrong well acts worse than its policy is.
The median lies in the heavier well, and moves continuously within it; docs/environments.md has returns of all four.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from wpoflow.core.arrays import AnyArray, FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.core.text import did_you_mean
from wpoflow.grids.grid import Grid
from wpoflow.grids.interpolation import state_chunks
from wpoflow.problems.environments.cell_actions import cell_means, cell_quantiles
from wpoflow.problems.environments.discrete import check_labels_of, is_discrete, origin_of, states_of_table
from wpoflow.problems.environments.gym import action_box, gymnasium, make_environment, name_of
from wpoflow.problems.environments.hats import hat_weights
from wpoflow.problems.environments.models import known_model
from wpoflow.problems.errors import ProblemError
from wpoflow.solver.records.run import Run
from wpoflow.solver.storage.writer import open_run

MODES = ("median", "mean", "mode", "sampled")
SOURCES = ("flow", "optimum")
_SLACK = 1e-6


@briefly
@dataclass(frozen=True, eq=False)
class GridPolicy:
    """Actions from observations, by a policy on grids.

    Parameters
    ----------
    states, actions : Grid
    probabilities : array (S, A)
        Cell probabilities: non-negative, one over each row.
    mode : {"median", "mean", "mode", "sampled"}, optional
        How an action is taken from the policy; by default the median, and the mode where some actions are labels.
    observe : callable, optional
        States (..., dim) from observations (..., n); without it an observation is the state.
    shape : tuple of int, optional
        Shape of one action; (d,) by default.
    dtype : data type
        Of the actions returned.
    low, high : arrays of d numbers, optional
        Bounds of the actions returned; by default the ends of the action axes.
    origin : array of d numbers, optional
        Added to the actions returned: where an environment counts its actions from another number than zero.

    Raises
    ------
    ProblemError
        An unknown mode, or median or mean on an action axis that is periodic or labels, where there is none.
    ValueError
        Probabilities of the wrong shape.
    """

    states: Grid
    actions: Grid
    probabilities: FloatArray
    mode: str = ""
    observe: Callable[[FloatArray], FloatArray] | None = None
    shape: tuple[int, ...] | None = None
    dtype: DTypeLike = np.float64
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    origin: FloatArray | float = 0.0
    _random: np.random.Generator = field(default_factory=np.random.default_rng, init=False, repr=False)

    def __post_init__(self) -> None:
        labelled = [axis.name for axis in self.actions.axes if axis.labels]
        if not self.mode:
            object.__setattr__(self, "mode", "mode" if labelled else "median")
        if self.mode not in MODES:
            near = did_you_mean(self.mode, MODES)
            raise ProblemError(f"mode {self.mode!r}; choose one of {', '.join(MODES)}{near}")
        expected = (self.states.size, self.actions.size)
        if self.probabilities.shape != expected:
            raise ValueError(f"probabilities have shape {self.probabilities.shape}; expected {expected}")
        round_axes = [axis.name for axis in self.actions.axes if axis.periodic]
        if self.mode in ("median", "mean") and round_axes:
            raise ProblemError(f"mode {self.mode!r}: action axis {round_axes[0]} is periodic; choose mode or sampled")
        if self.mode in ("median", "mean") and labelled:
            raise ProblemError(f"mode {self.mode!r}: action axis {labelled[0]} is labels; choose mode or sampled")

    @classmethod
    def from_run(cls, run: Run, policy: str | None = None, mode: str = "") -> GridPolicy:
        """The policy of a run: the last one its flow kept ("flow"), or the soft optimum ("optimum").

        By default that of the flow, or the optimum where no flow was run.

        Raises
        ------
        ProblemError
            The run holds no such policy, or an unknown choice.
        """
        if chosen_source(run, policy) == "flow":
            return cls(run.states, run.actions, run.policy, mode)
        if run.optimum is None:
            raise ProblemError("policy 'optimum': the run ended before its optimum was known; choose flow")
        return cls(run.states, run.actions, run.optimum.policy, mode)

    def for_environment(
        self, environment: Any, observe: Callable[[FloatArray], FloatArray] | None = None
    ) -> GridPolicy:
        """The same policy for a Gymnasium environment: its observations, and actions of its shape, type and bounds.

        Parameters
        ----------
        environment : str or gymnasium.Env
        observe : callable, optional
            States from observations; known for the environments that have a model, and elsewhere
            the observation is the state by default.

        Raises
        ------
        ProblemError
            State or actions have another number of axes than the grids, the action grid lies beyond the bounds, or the
            actions are labels where the environment's are not, or the other way round.
        """
        env = make_environment(environment)
        if is_discrete(env.action_space):
            return self._for_labels(env, observe)
        if labelled := [axis.name for axis in self.actions.axes if axis.labels]:
            raise ProblemError(
                f"environment {name_of(env)}: its actions are {env.action_space}, those of the policy ({labelled[0]}) "
                "are labels"
            )
        space, name, model = action_box(env), name_of(env), known_model(env)
        low, high = np.ravel(space.low).astype(np.float64), np.ravel(space.high).astype(np.float64)
        if low.size != self.actions.dim:
            raise ProblemError(
                f"environment {name}: its actions have {low.size} axes, the policy's {self.actions.dim} "
                f"({_names(self.actions)})"
            )
        for axis, least, most in zip(self.actions.axes, low, high, strict=True):
            slack = _SLACK * (most - least)
            if axis.lower < least - slack or axis.upper > most + slack:
                raise ProblemError(
                    f"environment {name}: its actions lie in [{least:g}, {most:g}], the policy's axis {axis.name} in "
                    f"[{axis.lower:g}, {axis.upper:g}]"
                )
        if observe is None and model is not None:
            observe = model.state_of
        self._check_observation(env, observe)
        return replace(self, observe=observe, shape=space.shape, dtype=space.dtype, low=low, high=high)

    def _for_labels(self, env: Any, observe: Callable[[FloatArray], FloatArray] | None) -> GridPolicy:
        """The same policy for an environment of finitely many actions."""
        check_labels_of(env, self.actions)
        seen, space = env.observation_space, env.action_space
        if observe is None and isinstance(seen, gymnasium().spaces.Discrete):
            observe = _NumberedStates(self.states, int(seen.start), states_of_table(env, self.states).size)
        self._check_observation(env, observe)
        return replace(self, observe=observe, shape=space.shape, dtype=space.dtype, origin=origin_of(space))

    def _check_observation(self, env: Any, observe: Callable[[FloatArray], FloatArray] | None) -> None:
        """Raise ProblemError unless states of as many numbers as the grid has axes follow from observations."""
        blank = np.full(env.observation_space.shape or (1,), getattr(env.observation_space, "start", 0.0))
        found = blank.size if observe is None else np.shape(observe(blank))[-1]
        if found != self.states.dim:
            what, hint = "state", ""
            if observe is None:
                what, hint = "observation", "; say with observe= how states follow from observations"
            raise ProblemError(
                f"environment {name_of(env)}: its {what} has {found} numbers, the policy {self.states.dim} state axes "
                f"({_names(self.states)}){hint}"
            )

    @property
    def draws(self) -> int:
        """Random numbers that one sampled action takes."""
        return 2 + self.actions.dim

    def __call__(self, observation: ArrayLike, rng: np.random.Generator | None = None) -> AnyArray:
        """Actions for one observation, a number or (n,), or for a batch, (batch, n).

        Parameters
        ----------
        rng : numpy Generator, optional
            For sampled actions; by default one of the policy's own, seeded by the operating system.

        Returns
        -------
        array
            Of the shape of an action; for a batch with one more axis in front.

        Raises
        ------
        ValueError
            An observation of the wrong shape or not finite.
        """
        observed = np.atleast_1d(np.asarray(observation, dtype=np.float64))
        batch = observed if observed.ndim > 1 else observed[None]
        levels = None
        if self.mode == "sampled":
            levels = (self._random if rng is None else rng).random((len(batch), self.draws))
        found = self.batch(batch, levels)
        return np.asarray(found if observed.ndim > 1 else found[0])

    def batch(self, observations: AnyArray, levels: FloatArray | None = None) -> AnyArray:
        """Actions ``(batch, *shape)`` for observations (batch, n); sampled ones by uniform numbers (batch, draws).

        Raises
        ------
        ValueError
            As when called; or sampled actions without uniform numbers.
        """
        observed = np.asarray(observations, dtype=np.float64)
        states = observed if self.observe is None else np.asarray(self.observe(observed), dtype=np.float64)
        if states.shape != (len(observations), self.states.dim):
            raise ValueError(
                f"observations of shape {observations.shape} give states of shape {states.shape}; expected "
                f"({len(observations)}, {self.states.dim})"
            )
        if not np.all(np.isfinite(states)):
            raise ValueError("an observation is not finite")
        points, weights = hat_weights(self.states, states)
        if self.mode == "mean":
            found = _weighted(weights, self._means[points])
        elif self.mode == "median":
            found = self._medians(points, weights)
        elif self.mode == "mode":
            found = self._likeliest(points, weights)
        elif levels is None:
            raise ValueError("sampled actions need uniform numbers, a row of them for each observation")
        else:
            found = self._drawn(points, weights, levels)
        low = [axis.lower for axis in self.actions.axes] if self.low is None else self.low
        high = [axis.upper for axis in self.actions.axes] if self.high is None else self.high
        shape = (self.actions.dim,) if self.shape is None else self.shape
        named = [j for j, axis in enumerate(self.actions.axes) if axis.labels]
        found[:, named] = np.rint(found[:, named])  # means over points around a state are off by rounding
        return (np.clip(found, low, high) + self.origin).astype(self.dtype).reshape(len(states), *shape)

    def predict(
        self, observation: ArrayLike, state: None = None, episode_start: object = None, deterministic: bool = True
    ) -> tuple[AnyArray, None]:
        """Action and no hidden state, as Stable-Baselines3 asks its policies; not deterministic means sampled."""
        asked = self.mode if deterministic else "sampled"
        return (self if asked == self.mode else replace(self, mode=asked))(observation), None

    @cached_property
    def _means(self) -> FloatArray:
        """Mean action at every state point, (S, d)."""
        means = np.empty((self.states.size, self.actions.dim))
        for start, stop in state_chunks(self.states.size, self.actions.size):
            p = self.probabilities[start:stop]
            means[start:stop] = (p[:, :, None] * cell_means(self.actions, p)).sum(axis=1)
        return means

    def _medians(self, points: IntArray, weights: FloatArray) -> FloatArray:
        """Medians, (batch, d), of the interpolated density along each action axis."""
        p = _weighted(weights, self.probabilities[points]).reshape(-1, *self.actions.shape)
        rows, found = np.arange(len(p)), np.empty((len(p), self.actions.dim))
        for j, axis in enumerate(self.actions.axes):
            marginal = np.moveaxis(p, j + 1, 1).reshape(len(p), axis.size, -1).sum(axis=2)
            half = np.full(len(p), 0.5)
            cell = _first_above(marginal, half)
            before = marginal.cumsum(axis=1)[rows, cell] - marginal[rows, cell]
            level = (0.5 * marginal.sum(axis=1) - before) / marginal[rows, cell]
            found[:, j] = cell_quantiles(Grid((axis,)), marginal, cell, np.clip(level, 0.0, 1.0)[:, None])[:, 0]
        return found

    def _likeliest(self, points: IntArray, weights: FloatArray) -> FloatArray:
        """Mean action, (batch, d), of the cell whose interpolated density is largest."""
        batch, corners = points.shape
        p = self.probabilities[points]
        cell = (_weighted(weights, p) / self.actions.volumes).argmax(axis=1)
        rows = np.arange(batch)
        inside = cell_means(self.actions, p.reshape(batch * corners, -1)).reshape(*p.shape, -1)
        share = weights * p[rows, :, cell]
        return _weighted(share / share.sum(axis=1, keepdims=True), inside[rows, :, cell])

    def _drawn(self, points: IntArray, weights: FloatArray, levels: FloatArray) -> FloatArray:
        """Actions, (batch, d): first a point around the state, then a cell, then a place in it."""
        rows = np.arange(len(points))
        point = points[rows, _first_above(weights, levels[:, 0])]
        p = self.probabilities[point]
        return cell_quantiles(self.actions, p, _first_above(p, levels[:, 1]), levels[:, 2:])


@dataclass(frozen=True, eq=False)
class _NumberedStates:
    """States of a grid from their numbers, which begin with ``first``."""

    states: Grid
    first: int
    count: int

    def __call__(self, observations: FloatArray) -> FloatArray:
        numbers = np.asarray(observations)[..., 0] - self.first
        if not np.all((numbers >= 0) & (numbers < self.count) & (numbers == np.floor(numbers))):
            raise ValueError(f"an observation is none of the {self.count} states")
        return self.states.points[numbers.astype(np.int64)]


def chosen_source(run: Run, policy: str | None) -> str:
    """Which policy of a run is meant: "flow" or "optimum"; raises ProblemError where there is none of the flow."""
    kept = run.snapshots is not None and len(run.snapshots.time) > 0
    chosen = policy or ("flow" if kept else "optimum")
    if chosen not in SOURCES:
        near = did_you_mean(chosen, SOURCES)
        raise ProblemError(f"policy {chosen!r}; choose one of {', '.join(SOURCES)}{near}")
    if chosen == "flow" and not kept:
        raise ProblemError("policy 'flow': no flow was run; choose optimum")
    return chosen


def open_policy(path: str | os.PathLike[str], policy: str | None = None, mode: str = "") -> GridPolicy:
    """The policy of a run file or of an optimum file; see `GridPolicy.from_run`.

    Raises
    ------
    RunFileError
        The file is missing, damaged or not a run file.
    ProblemError
        It holds no such policy, or an unknown choice.
    """
    return GridPolicy.from_run(open_run(path), policy, mode)


def _weighted(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Sums over the points around a state, one after the other: the same bits for any batch."""
    total = np.zeros((len(weights), *values.shape[2:]))
    for corner in range(weights.shape[1]):
        total += weights[:, corner].reshape(-1, *[1] * (values.ndim - 2)) * values[:, corner]
    return total


def _first_above(weights: FloatArray, levels: FloatArray) -> IntArray:
    """Index, in each row, drawn with these probabilities by levels in [0, 1)."""
    below = np.cumsum(weights, axis=1)
    return np.asarray((below > levels[:, None] * below[:, -1:]).argmax(axis=1))


def _names(grid: Grid) -> str:
    return ", ".join(axis.name for axis in grid.axes) or "none"
