"""Returns of a policy in the real environment.

Episode i begins with ``env.reset(seed=seed + i)`` and is stepped by ``env.step`` until the environment says that it
is terminated or truncated; its return is the plain sum of its rewards.  A block of episodes advances in step, each in
an environment of its own, so that the policy acts on all of them at once; their numbers are those of playing
them one by one.  A sampled policy draws for episode i from ``numpy.random.default_rng([seed + i])``, a plan of samples
from ``numpy.random.default_rng([its own seed, seed + i])``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from wpoflow.core.arguments import check_kind
from wpoflow.core.arrays import AnyArray, BoolArray, FloatArray, IntArray, underflow_to_zero
from wpoflow.problems.environments.control import ControlEnvironment
from wpoflow.problems.environments.gym import make_environment, name_of
from wpoflow.problems.environments.models import known_model
from wpoflow.problems.environments.planning import Plan
from wpoflow.problems.environments.policy import GridPolicy
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.hold import check_steps

BLOCK = 100
MOST_EPISODES, MOST_SEED = 10_000_000, 2**31 - 1  # seeds of all episodes are below 2**32, as NumPy's generators ask


@dataclass(frozen=True, eq=False)
class Rollout:
    """Episodes of a policy in an environment.

    Attributes
    ----------
    environment : str
    seed : int
        Of the first episode; the others follow.
    returns : array (episodes,)
        Undiscounted sums of rewards.
    steps : array (episodes,) of int
    terminated : array (episodes,) of bool
        Whether the environment ended the episode; otherwise its time limit cut it.
    failed : int or None
        Episodes cut before the goal, for an environment whose termination is its goal (MountainCarContinuous-v0);
        None elsewhere.
    plan : str
        What steps the plan was made of, and how long its actions were held; empty without one.
    """

    environment: str
    seed: int
    returns: FloatArray
    steps: IntArray
    terminated: BoolArray
    failed: int | None
    plan: str = ""

    def __repr__(self) -> str:
        n, mean = len(self.returns), f"{self.mean:.6g} +- {self.std / np.sqrt(len(self.returns)):.2g}"
        return f"Rollout({self.environment!r}, {n} episodes from seed {self.seed}: mean {mean})"

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the returns over the episodes."""
        return float(self.returns.std())

    @property
    def median(self) -> float:
        """Median return."""
        return float(np.median(self.returns))

    @property
    def worst(self) -> float:
        """Least return."""
        return float(self.returns.min())

    @property
    def best(self) -> float:
        """Greatest return."""
        return float(self.returns.max())


@underflow_to_zero
def rollout(
    policy: GridPolicy,
    environment: str | Callable[[], Any],
    *,
    episodes: int = 1000,
    seed: int = 0,
    observe: Callable[[FloatArray], FloatArray] | None = None,
    progress: Callable[[int], None] | None = None,
    hold: int = 1,
    plan: Plan | None = None,
) -> Rollout:
    """Play a policy in an environment.

    Parameters
    ----------
    policy : GridPolicy
        Its mode says whether actions are means, modes or samples, or its plan how far they look ahead.
    environment : str or callable
        Id of an environment with a time limit, or a function that makes one.
    episodes, seed : int
        Episodes with the seeds seed, seed + 1, ...
    observe : callable, optional
        As in `GridPolicy.for_environment`.
    progress : callable, optional
        Called with the number of episodes done, after each block.
    hold : int, optional
        Steps of the environment that an action is held for.  By default the policy is asked at every step, also where
        it was solved for with held actions, and a plan is made anew.
    plan : LookAhead or CrossEntropy, optional
        Act by this plan, instead of the policy's own.

    Raises
    ------
    ProblemError
        No such environment, one without a time limit, or one that does not fit the policy; a plan for which there are
        no steps, or no value; a number of episodes or a seed that is none; a reward that is not finite.
    ValueError
        A number of steps that is none.
    ImportError
        Gymnasium is not installed.
    """
    for name, number, least, most in (("episodes", episodes, 1, MOST_EPISODES), ("seed", seed, 0, MOST_SEED)):
        if isinstance(number, bool) or not isinstance(number, Integral) or not least <= number <= most:
            raise ProblemError(f"{name} = {number!r} must be a whole number from {least} to {most}")
    if plan is not None:
        check_kind("plan", plan, Plan, "a LookAhead(...) or a CrossEntropy(...)")
    check_steps("hold", hold)
    first = _made(environment)
    planned = policy if plan is None else replace(policy, plan=plan)
    acting = replace(planned.for_environment(first, observe), spare=partial(_made, environment))
    if acting.plan is not None:
        _ = acting.planner  # what is wrong with it is said before anything is played
    model = known_model(first)
    envs = [first]
    returns, steps = np.zeros(episodes), np.zeros(episodes, dtype=np.int64)
    terminated = np.zeros(episodes, dtype=np.bool_)
    for start in range(0, episodes, BLOCK):
        block = np.arange(start, min(start + BLOCK, episodes))
        envs += [_made(environment) for _ in range(len(block) - len(envs))]
        returns[block], steps[block], terminated[block] = _play(acting, envs[: len(block)], block + seed, hold)
        if progress is not None:
            progress(int(block[-1]) + 1)
    for env in envs:
        env.close()
    failed = int((~terminated).sum()) if model is not None and model.goal else None
    made_of = "" if acting.plan is None else acting.planner.description
    return Rollout(name_of(first), seed, returns, steps, terminated, failed, made_of)


def _made(environment: str | Callable[[], Any]) -> Any:
    if not isinstance(environment, str) and not callable(environment):
        raise ProblemError(
            f"environment: {type(environment).__name__} is one that is made; give its name, or a function that makes "
            "one, as an episode is played in one of its own"
        )
    env = make_environment(environment if isinstance(environment, str) else environment())
    if not env.has_wrapper_attr("_max_episode_steps"):  # of Gymnasium's wrapper TimeLimit
        how = "make it with max_episode_steps="
        if isinstance(env, ControlEnvironment):
            how = "give a function that makes it with one, by suite.load(..., task_kwargs={'time_limit': 10.0})"
        raise ProblemError(f"environment {name_of(env)}: it has no time limit; {how}")
    return env


def _play(policy: GridPolicy, envs: list[Any], seeds: IntArray, hold: int) -> tuple[FloatArray, IntArray, BoolArray]:
    """Returns, numbers of steps and terminations of one episode in each environment."""
    n = len(envs)
    returns, steps, ended = np.zeros(n), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    observations = np.stack([np.ravel(env.reset(seed=int(k))[0]) for env, k in zip(envs, seeds, strict=True)])
    episodes, alive, made = policy.episodes(seeds, hold), np.arange(n), 0
    actions: AnyArray = np.empty(n)
    while alive.size:
        if made % hold == 0:
            asked = episodes.act(observations[alive], alive)
            actions = np.empty((n, *asked.shape[1:]), asked.dtype)
            actions[alive] = asked
        made += 1
        playing = []
        for i, action in zip(alive, actions[alive], strict=True):
            taken = action if policy.low is None else np.asarray(action)  # a Box has arrays, of no axes even
            observation, reward, terminated, truncated, _ = envs[i].step(taken)
            observations[i] = np.ravel(observation)
            if not np.isfinite(float(reward)):
                raise ProblemError(
                    f"environment {name_of(envs[i])}: step {made} of the episode of seed {seeds[i]} has the reward "
                    f"{float(reward)}"
                )
            returns[i] += float(reward)
            steps[i] += 1
            ended[i] = terminated
            if not (terminated or truncated):
                playing.append(i)
        alive = np.array(playing, dtype=np.int64)
    return returns, steps, ended
