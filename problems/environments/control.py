"""Environments of dm_control, in the form of Gymnasium's: their state is (qpos, qvel), which is set and observed.

    "dm_control/cartpole-swingup"  =  suite.load("cartpole", "swingup")

A step is that of the environment: the action is applied, the physics advance by all their substeps, and the reward is
that of the state they are left in.  A task that says so terminates; the time limit of the suite cuts an episode, and
is left out of steps from given states.  Before a state is set the physics are reset, so that no force of an earlier
step is left in the solver of constraints and a step depends on state and action alone.
"""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from wpoflow.core.arrays import AnyArray, FloatArray
from wpoflow.core.text import did_you_mean, one_line
from wpoflow.grids.grid import Grid
from wpoflow.problems.environments.gym import gymnasium
from wpoflow.problems.errors import ProblemError

PREFIX = "dm_control/"
_HINGE = 3  # mjJNT_HINGE
_MOST_CONTROL = 1e10  # mjMAXVAL: dm_control's word for a control without bounds
_HINT = 'environments of dm_control need the extra "control": pip install "wpoflow[control]"'


def names_control(environment: Any) -> bool:
    """Whether an environment is one of dm_control: by its name, or as an object that has a task and physics."""
    if isinstance(environment, str):
        return environment.startswith(PREFIX)
    return all(hasattr(environment, name) for name in ("task", "physics", "action_spec", "control_timestep"))


def control_environment(environment: Any) -> ControlEnvironment:
    """An environment of dm_control by its name ``dm_control/DOMAIN-TASK``, or one that is made already.

    Raises
    ------
    ProblemError
        The suite has no such domain or task, or the state is not (qpos, qvel) of equal length: free and ball joints,
        or actuators with a state of their own.
    ImportError
        dm_control, MuJoCo or Gymnasium is not installed; the message says which extra brings them.
    """
    if not isinstance(environment, str):
        kind = type(environment.task)
        return ControlEnvironment(environment, f"{kind.__module__.rsplit('.', 1)[-1]}-{kind.__name__}")
    suite = _suite()
    name = environment.removeprefix(PREFIX)
    known = [f"{domain}-{task}" for domain, task in suite.ALL_TASKS]
    if name not in known:
        near = did_you_mean(name, known) or f"; names are {PREFIX}DOMAIN-TASK, as in {PREFIX}cartpole-swingup"
        raise ProblemError(f"environment {environment!r}: dm_control's suite has no such task{near}")
    domain, _, task = name.partition("-")
    try:
        # some draw their model when they are made: a name means one model
        return ControlEnvironment(suite.load(domain, task, task_kwargs={"random": 0}), name)
    except AttributeError as error:  # as where MuJoCo has renamed what dm_control reads
        raise ImportError(
            f"environment {environment}: dm_control does not fit MuJoCo: {one_line(error)}; {_HINT}"
        ) from error


def _suite() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a display that is missing; nothing is drawn
            return importlib.import_module("dm_control.suite")
    except ImportError as error:
        raise ImportError(f"{_HINT} ({one_line(error)})") from error


class ControlEnvironment:
    """An environment of dm_control behind the face of a Gymnasium one, whose observation is the state (qpos, qvel).

    Parameters
    ----------
    environment : dm_control.rl.control.Environment
    name : str
        Of domain and task.
    """

    def __init__(self, environment: Any, name: str) -> None:
        box = gymnasium().spaces.Box
        self.control, self._physics, self._task = environment, environment.physics, environment.task
        self.spec = SimpleNamespace(id=f"{PREFIX}{name}")
        model = self._physics.model
        if model.na or model.nq != model.nv:
            what = f"{model.na} states of actuators" if model.na else "free or ball joints"
            raise ProblemError(
                f"environment {self.spec.id}: its model has {what}; the state of a grid is (qpos, qvel) of joints that "
                "are hinges or slides"
            )
        self.positions = int(model.nq)
        spec, dim = environment.action_spec(), 2 * self.positions
        shape = spec.shape
        ends = (np.broadcast_to(np.asarray(end, dtype=np.float64), shape) for end in (spec.minimum, spec.maximum))
        low, high = (np.where(np.abs(end) < _MOST_CONTROL, end, np.copysign(np.inf, end)) for end in ends)
        self.action_space = box(low, high, shape, np.float64)
        self.observation_space = box(-np.inf, np.inf, (dim,), np.float64)

    @property
    def unwrapped(self) -> Unlimited:
        """The same without its time limit."""
        return Unlimited(self)

    def check_model(self) -> None:
        """Refuse a task that draws another model at every reset: its steps do not depend on state and action alone.

        Raises
        ------
        ProblemError
            As of point_mass-hard.
        """
        mujoco, found = importlib.import_module("mujoco"), []
        for seed in (0, 1):
            self.reset(seed=seed)
            model = self._physics.model.ptr
            buffer = np.zeros(mujoco.mj_sizeModel(model), dtype=np.uint8)
            mujoco.mj_saveModel(model, None, buffer)
            found.append(buffer)
        if not np.array_equal(found[0], found[1]):
            raise ProblemError(f"environment {self.spec.id}: it draws another model at every reset, not only a state")

    def check_angles(self, states: Grid) -> None:
        """Refuse periodic axes of what is no angle of an unlimited hinge, or of another length than 2π.

        Raises
        ------
        ProblemError
            Naming the axis.
        """
        if states.dim != 2 * self.positions:
            return  # which is refused by itself
        model = self._physics.model
        turning = (np.asarray(model.jnt_type) == _HINGE) & ~np.asarray(model.jnt_limited, dtype=np.bool_)
        for axis, angle in zip(states.axes, [*turning.tolist(), *[False] * self.positions], strict=True):
            if axis.periodic and not angle:
                raise ProblemError(
                    f"environment {self.spec.id}: axis {axis.name} is periodic; it is no unlimited hinge"
                )
            if axis.periodic and not np.isclose(axis.length, 2.0 * np.pi, rtol=1e-9):
                raise ProblemError(
                    f"environment {self.spec.id}: axis {axis.name} is periodic with length {axis.length:g}; the angle "
                    "of a hinge has 2 pi"
                )

    @property
    def state(self) -> FloatArray:
        """(qpos, qvel)."""
        return np.concatenate([self._physics.data.qpos, self._physics.data.qvel]).astype(np.float64)

    @property
    def task(self) -> Any:
        """What is asked of the physics: reward, first states, end."""
        return self._task

    @property
    def physics(self) -> Any:
        """The simulator."""
        return self._physics

    @property
    def substeps(self) -> int:
        """Steps of the physics in one of the environment."""
        return int(self.control._n_sub_steps)

    def set_state(self, state: FloatArray) -> None:
        """Set (qpos, qvel), all else as after a reset."""
        with self._physics.reset_context():
            self._physics.data.qpos[:] = state[: self.positions]
            self._physics.data.qvel[:] = state[self.positions :]

    def advance(self, action: FloatArray) -> tuple[float, bool]:
        """Reward of a step from the present state, and whether the task ends with it; no time limit is looked at."""
        self._task.before_step(action, self._physics)
        self._physics.step(self.substeps)
        self._task.after_step(self._physics)
        reward = float(self._task.get_reward(self._physics))
        return reward, self._task.get_termination(self._physics) is not None

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[FloatArray, dict[str, Any]]:
        """The first state of an episode; of a seed, the one that ``suite.load(..., {"random": seed})`` begins with."""
        if seed is not None and hasattr(self._task, "_random"):
            self._task._random = np.random.RandomState(seed)
        self.control.reset()
        return self.state, {}

    def step(self, action: AnyArray) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """One step of an episode, as Gymnasium gives it."""
        found = self.control.step(np.asarray(action, dtype=np.float64))
        ended = bool(found.last())
        terminated = ended and found.discount == 0.0
        return self.state, float(found.reward), terminated, ended and not terminated, {}

    def has_wrapper_attr(self, name: str) -> bool:
        """Whether it has a time limit, which is what Gymnasium's environments are asked by this."""
        return name == "_max_episode_steps" and bool(np.isfinite(self.control._step_limit))

    def close(self) -> None:
        """Free the physics."""
        self.control.close()


class Unlimited:
    """An environment of dm_control whose episodes no time limit cuts, and whose state can be set."""

    def __init__(self, limited: ControlEnvironment) -> None:
        self.limited, self.spec = limited, limited.spec
        self.action_space, self.observation_space = limited.action_space, limited.observation_space

    @property
    def state(self) -> FloatArray:
        """(qpos, qvel)."""
        return self.limited.state

    @state.setter
    def state(self, state: FloatArray) -> None:
        self.limited.set_state(state)

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[FloatArray, dict[str, Any]]:
        """As that of the environment."""
        return self.limited.reset(seed=seed, options=options)

    def step(self, action: FloatArray) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """One step, as Gymnasium gives it."""
        reward, terminated = self.limited.advance(action)
        return self.state, reward, terminated, False, {}
