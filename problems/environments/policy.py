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

Where the grid has half of the states of a symmetric problem (:mod:`grids.reflection`), the action at another state is
the mirror image of that at its own.

With a plan the action is that of the plan, made anew at every observation: of the Gibbs policy of a look-ahead, by the
same modes, or the first of a sequence of the cross-entropy method.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from wpoflow.core.arrays import AnyArray, FloatArray, IntArray
from wpoflow.core.brief import briefly
from wpoflow.core.text import did_you_mean
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments import acting
from wpoflow.problems.environments.cross_entropy import CrossEntropy, Plans
from wpoflow.problems.environments.fitting import fitted
from wpoflow.problems.environments.gym import make_environment
from wpoflow.problems.environments.hats import hat_weights
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.planner import Planner
from wpoflow.problems.environments.planning import OwnStep, Plan, Prospect, as_steps
from wpoflow.problems.environments.prospects import chosen_source, prospect_of_problem, prospect_of_run
from wpoflow.problems.errors import ProblemError
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum, Run
from wpoflow.solver.storage.writer import open_run

_OFF = 1e-6  # from one, that the probabilities of a state may sum up to
MODES = ("median", "mean", "mode", "sampled")


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
    plan : LookAhead or CrossEntropy, optional
        Act by a plan instead.
    prospect : callable or Prospect, optional
        What plans are made by; `open_policy`, `from_run` and `from_problem` give it.
    spare : callable, optional
        Makes a copy of the environment that is played, for plans; `for_environment` gives it.

    Raises
    ------
    ProblemError
        An unknown mode, or median or mean on an action axis that is periodic or labels, where there is none.
    ValueError
        Probabilities of the wrong shape, negative, or that do not sum to one.
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
    plan: Plan | None = None
    prospect: Prospect | Callable[[], Prospect] | None = None
    spare: Callable[[], Any] | None = None
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
        wrong = ~(self.probabilities.min(axis=1) >= 0.0) | ~(np.abs(self.probabilities.sum(axis=1) - 1.0) <= _OFF)
        if wrong.any():
            where = self.states.describe(int(wrong.argmax()))
            raise ValueError(f"probabilities at {where} must be non-negative and sum to one")
        round_axes = [axis.name for axis in self.actions.axes if axis.periodic]
        if self.mode in ("median", "mean") and round_axes:
            raise ProblemError(f"mode {self.mode!r}: action axis {round_axes[0]} is periodic; choose mode or sampled")
        if self.mode in ("median", "mean") and labelled:
            raise ProblemError(f"mode {self.mode!r}: action axis {labelled[0]} is labels; choose mode or sampled")

    @classmethod
    def from_problem(
        cls,
        mdp: GridMDP,
        best: Optimum,
        mode: str = "",
        plan: Plan | None = None,
        step: OwnStep | None = None,
        repeat: int | None = None,
    ) -> GridPolicy:
        """The optimal policy of a problem, with what plans need.

        Parameters
        ----------
        mdp : GridMDP
        best : Optimum
        mode : str
        plan : LookAhead or CrossEntropy, optional
        step : callable, optional
            Single steps to plan by, instead of those the problem states: from states (n, dim) and actions (n, d) to
            next states (n, dim), rewards (n,), and which of them terminated, (n,) of bool.
        repeat : int, optional
            Steps of a decision; else it is found by the Q of the optimum.
        """
        made = None if step is None else as_steps(step)
        prospect = prospect_of_problem(mdp, best, made, repeat)
        return cls(mdp.states, mdp.actions, best.policy, mode, plan=plan, prospect=prospect)

    @classmethod
    def from_run(cls, run: Run, policy: str | None = None, mode: str = "", plan: Plan | None = None) -> GridPolicy:
        """The policy of a run: the last one its flow kept ("flow"), or the soft optimum ("optimum").

        By default that of the flow, or the optimum where no flow was run; plans are made with the value of the same.

        Raises
        ------
        ProblemError
            The run holds no such policy, or an unknown choice.
        """
        source = chosen_source(run, policy)
        if source == "flow":
            found = run.policy
        elif run.optimum is None:
            raise ProblemError("policy 'optimum': the run ended before its optimum was known; choose flow")
        else:
            found = run.optimum.policy
        prospect = partial(prospect_of_run, run, source)
        return cls(run.states, run.actions, found, mode, plan=plan, prospect=prospect)

    def for_environment(
        self, environment: Any, observe: Callable[[FloatArray], FloatArray] | None = None
    ) -> GridPolicy:
        """The same policy for a Gymnasium environment: its observations, and actions of its shape, type and bounds.

        Parameters
        ----------
        environment : str or gymnasium.Env
            Plans that need its steps make another of the same id, or a copy.
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
        spare = partial(make_environment, environment) if isinstance(environment, str) else partial(deepcopy, env)
        return replace(self, **fitted(self.states, self.actions, env, observe), spare=spare)

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
        states = self._states(observations)
        if isinstance(self.plan, CrossEntropy):
            plans = Plans(self.plan, np.zeros(len(states), dtype=np.int64), self.actions.dim)
            return self._returned(self._planned(states, plans, np.arange(len(states)), 0.0))
        return self._returned(self._chosen(states, levels))

    def episodes(self, seeds: Sequence[int] | IntArray, hold: int = 1) -> Episodes:
        """What acts in episodes of these seeds, and remembers the plans of each."""
        return Episodes(self, seeds, hold)

    def _states(self, observations: AnyArray) -> FloatArray:
        observed = np.asarray(observations, dtype=np.float64)
        states = observed if self.observe is None else np.asarray(self.observe(observed), dtype=np.float64)
        if states.shape != (len(observations), self.states.dim):
            raise ValueError(
                f"observations of shape {observations.shape} give states of shape {states.shape}; expected "
                f"({len(observations)}, {self.states.dim})"
            )
        if not np.all(np.isfinite(states)):
            raise ValueError("an observation is not finite")
        return states

    def _chosen(self, states: FloatArray, levels: FloatArray | None) -> FloatArray:
        """Actions (n, d) at states (n, dim), by look-ahead or without a plan."""
        if self.mode == "sampled" and levels is None:
            raise ValueError("sampled actions need uniform numbers, a row of them for each observation")
        if isinstance(self.plan, LookAhead):
            p = self.planner.probabilities(states)
            if self.planner.temperature == 0.0:
                return np.asarray(self.actions.points[p.argmax(axis=1)])
            return self._acted(p[:, None], np.ones((len(p), 1)), levels)
        points, weights = hat_weights(self.states, states)
        if self.mode == "mean":
            found = acting.weighted(weights, self._means[points])
        else:
            found = self._acted(self.probabilities[points], weights, levels)
        return acting.unfolded(self.states, self.actions, states, found)

    def _acted(self, p: FloatArray, weights: FloatArray, levels: FloatArray | None) -> FloatArray:
        """Actions (n, d) by the mode, of the probabilities (n, c, A) at points of weights (n, c)."""
        if self.mode == "mode":
            return acting.likeliest(self.actions, p, weights)
        if levels is not None and self.mode == "sampled":
            point = acting.first_above(weights, levels[:, 0])
            return acting.drawn(self.actions, p[np.arange(len(p)), point], levels[:, 1:])
        between = acting.weighted(weights, p)
        return acting.means(self.actions, between) if self.mode == "mean" else acting.medians(self.actions, between)

    def _planned(self, states: FloatArray, plans: Plans, who: IntArray, decisions: float) -> FloatArray:
        """First actions (n, d) of plans of samples, so many decisions after those of the same episodes before."""
        planner, horizon = self.planner, plans.settings.horizon
        low, high = planner.low, planner.high

        def follow(at: FloatArray) -> FloatArray:
            return np.clip(self._unplanned._chosen(at, None), low, high)

        policy = planner.followed(follow, states, horizon)
        before = np.where(plans.first(who)[:, None, None], policy, plans.moved_on(who, decisions))
        return plans.made(who, states, planner.decisions, low, high, policy, before)[:, 0]

    @property
    def _box(self) -> tuple[FloatArray, FloatArray]:
        axes = self.actions.axes
        low = [axis.lower for axis in axes] if self.low is None else self.low
        high = [axis.upper for axis in axes] if self.high is None else self.high
        return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)

    def _returned(self, found: FloatArray) -> AnyArray:
        """Actions (n, d) as an environment takes them."""
        shape = (self.actions.dim,) if self.shape is None else self.shape
        named = [j for j, axis in enumerate(self.actions.axes) if axis.labels]
        found[:, named] = np.rint(found[:, named])  # means over points around a state are off by rounding
        return (np.clip(found, *self._box) + self.origin).astype(self.dtype).reshape(len(found), *shape)

    @cached_property
    def _unplanned(self) -> GridPolicy:
        """The policy that plans are held against: without a plan, and nothing drawn."""
        return replace(self, plan=None, mode="median" if self.mode == "sampled" else self.mode)

    @cached_property
    def known_prospect(self) -> Prospect:
        """What plans are made by; ProblemError of a policy that does not know it."""
        if self.prospect is None:
            raise ProblemError(
                "plan: the policy knows no value; take it from a file by open_policy, or from GridPolicy.from_problem"
            )
        return self.prospect() if callable(self.prospect) else self.prospect

    @cached_property
    def planner(self) -> Planner:
        """What plans are made with.

        Raises
        ------
        ProblemError
            No plan was asked for, the policy does not know what its problem is, or as `Planner`.
        """
        if self.plan is None:
            raise ProblemError("plan: none was asked for; give plan=LookAhead(...) or CrossEntropy(...)")
        ends = [[axis.lower for axis in self.actions.axes], [axis.upper for axis in self.actions.axes]]
        low, high = (np.where(np.isfinite(given), given, end) for given, end in zip(self._box, ends, strict=True))
        return Planner(self.plan, self.known_prospect, self.states, self.actions, low, high, self.spare)

    def predict(
        self, observation: ArrayLike, state: None = None, episode_start: object = None, deterministic: bool = True
    ) -> tuple[AnyArray, None]:
        """Action and no hidden state, as Stable-Baselines3 asks its policies; not deterministic means sampled."""
        asked = self.mode if deterministic else "sampled"
        return (self if asked == self.mode else replace(self, mode=asked))(observation), None

    @cached_property
    def _means(self) -> FloatArray:
        """Mean action at every state point, (S, d)."""
        return acting.grid_means(self.actions, self.probabilities)


class Episodes:
    """Episodes that a policy plays, each with its own random numbers, and plans that go on from step to step.

    Parameters
    ----------
    policy : GridPolicy
    seeds : sequence of int
        Of the episodes: sampled actions and plans of one are the same whichever others are played beside it.
    hold : int
        Steps of the environment from one asking to the next.
    """

    def __init__(self, policy: GridPolicy, seeds: Sequence[int] | IntArray, hold: int = 1) -> None:
        self._policy, self._hold = policy, hold
        self._random = [np.random.default_rng([int(seed)]) for seed in seeds]
        plan = policy.plan
        self._plans = Plans(plan, seeds, policy.actions.dim) if isinstance(plan, CrossEntropy) else None

    def act(self, observations: AnyArray, who: IntArray | None = None) -> AnyArray:
        """Actions for observations (n, k) of the episodes with these numbers, by default all."""
        who = np.arange(len(self._random)) if who is None else who
        policy = self._policy
        if self._plans is not None:
            states, decisions = policy._states(observations), self._hold / policy.planner.hold
            return policy._returned(policy._planned(states, self._plans, who, decisions))
        levels = None
        if policy.mode == "sampled":
            levels = np.stack([self._random[i].random(policy.draws) for i in who])
        return policy.batch(observations, levels)


def open_policy(
    path: str | os.PathLike[str], policy: str | None = None, mode: str = "", plan: Plan | None = None
) -> GridPolicy:
    """The policy of a run file or of an optimum file; see `GridPolicy.from_run`.

    Raises
    ------
    RunFileError
        The file is missing, damaged or not a run file.
    ProblemError
        It holds no such policy, or an unknown choice.
    """
    return GridPolicy.from_run(open_run(path), policy, mode, plan)
