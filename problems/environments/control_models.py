"""Vectorised models of dm_control's tasks, equal to their ``step`` to rounding; all numbers are read from the model.

Cart with one pole (suite/cartpole.py, swing-up and balance, sparse or not): mass M of both, first and second moment p,
I of the pole about its hinge, θ = 0 upright,

    M ẍ + p cos θ θ̈ = gear u − b_x ẋ + p sin θ θ̇²,      p cos θ ẍ + I θ̈ = p g sin θ − b_θ θ̇

Acrobot (suite/acrobot.py): arms hung one on the other, θ_1 = θ_2 = 0 upright, torque at the elbow.  Both take a step of
Runge and Kutta's method of order four, as their models say.  Pendulum (suite/pendulum.py), point mass (easy) and the
chains of springs of suite/lqr.py take semi-implicit Euler steps, damping taken at the end of the step.

    (I + b dt) (ω' − ω)/dt = p g sin θ − b ω + gear u,      θ' = θ + dt ω'

The soft force of an end of a joint's range is that of the simulator (problems/environments/control_kernels.py).  The
reward of a step is that of the state it leads to.  A model that someone has changed beyond these equations is found out
by random steps, and the simulator itself is called instead.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.problems.environments.control import Unlimited
from wpoflow.problems.environments.control_kernels import ACROBOT, CART_POLE, runge_kutta_steps, slide_steps
from wpoflow.problems.environments.models import Step, Steps

_EULER, _RK4 = 0, 1  # mjtIntegrator
_HINGE, _SLIDE = 3, 2  # mjtJoint
_NO_LIMIT = np.array([-np.inf, np.inf, 0.0, 0.0, 0.9, 0.9, 1.0, 0.5, 2.0, 0.0])
_LEAST_IMPEDANCE, _MOST_IMPEDANCE = 1e-4, 0.9999
_COMPARED, _CLOSE = 64, 1e-9
Advance = Callable[[FloatArray, FloatArray], FloatArray]
"""Next states (n, 2 d) of states and actions (n, m)."""


def control_step(env: Any) -> Step | None:
    """The vectorised steps of an environment of dm_control; None where there are none and it must be called."""
    if not isinstance(env, Unlimited):
        return None
    kind = type(env.limited.task)
    makers = {
        "cartpole.Balance": _cart_pole,
        "acrobot.Balance": _acrobot,
        "pendulum.SwingUp": _pendulum,
        "point_mass.PointMass": _point_mass,
        "lqr.LQRLevel": _springs,
    }
    maker = makers.get(f"{kind.__module__}.{kind.__qualname__}".removeprefix("dm_control.suite."))
    step = None if maker is None else maker(env)
    return step if step is not None and _agrees(step, env) else None


def _agrees(step: Step, env: Unlimited) -> bool:
    """Whether random steps, also beyond the ends of joints and controls, are the simulator's."""
    model, rng = env.limited.physics.model, np.random.default_rng(0)
    limited = np.asarray(model.jnt_limited, dtype=np.bool_)
    low, high = np.where(limited, np.asarray(model.jnt_range).T, np.array([[-np.pi], [np.pi]]))
    shape = (_COMPARED, int(model.nq))
    places = 0.5 * (low + high) + 0.52 * (high - low) * rng.uniform(-1.0, 1.0, shape)
    states = np.concatenate([places, rng.uniform(-4.0, 4.0, shape)], axis=1)
    actions = rng.uniform(-1.2, 1.2, (_COMPARED, int(model.nu)))
    found = step(states, actions)
    for i in range(_COMPARED):
        env.state = states[i]
        reward, ended = env.limited.advance(actions[i])
        scale = _CLOSE * (1.0 + np.abs(found.state[i]))
        if not np.all(np.abs(env.state - found.state[i]) <= scale) or ended != found.terminated[i]:
            return False
        if not abs(reward - found.reward[i]) <= _CLOSE * (1.0 + abs(reward)):
            return False
    return True


def _shape(env: Unlimited, joints: tuple[int, ...], controls: int, integrator: int) -> bool:
    """Whether a model has joints of these kinds, so many controls, and is integrated so."""
    model = env.limited.physics.model
    kinds = tuple(np.asarray(model.jnt_type).tolist())
    return kinds == joints and int(model.nu) == controls and int(model.opt.integrator) == integrator


def _cart_pole(env: Unlimited) -> Step | None:
    model = env.limited.physics.model
    if not _shape(env, (_SLIDE, _HINGE), 1, _RK4):
        return None
    task = env.limited.task
    sparse, (left, right), (least, most) = task._sparse, task._CART_RANGE, task._ANGLE_COSINE_RANGE
    mass, inertia, middle = (np.asarray(array) for array in (model.body_mass, model.body_inertia, model.body_ipos))
    rail, hinge = np.asarray(model.dof_damping)
    second = inertia[2, 1] + mass[2] * middle[2, 2] ** 2
    body = np.array([mass[1] + mass[2], mass[2] * middle[2, 2], second, _gravity(model), rail, hinge])
    advance = _runge_kutta(env, CART_POLE, body, _limit(model, 0))

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        following = advance(states, actions)
        x, theta, _, omega = following.T
        if sparse:
            upright = (least <= np.cos(theta)) & (np.cos(theta) <= most)
            return _lasting(following, np.where((left <= x) & (x <= right) & upright, 1.0, 0.0))
        gentle = (4.0 + _small(actions[:, 0])) / 5.0
        slow, centred = (1.0 + _gaussian(omega / 5.0)) / 2.0, (1.0 + _gaussian(x / 2.0)) / 2.0
        return _lasting(following, (np.cos(theta) + 1.0) / 2.0 * gentle * slow * centred)

    return step


def _acrobot(env: Unlimited) -> Step | None:
    physics = env.limited.physics
    model = physics.model
    if not _shape(env, (_HINGE, _HINGE), 1, _RK4):
        return None
    mass, inertia, middle = (np.asarray(array) for array in (model.body_mass, model.body_inertia, model.body_ipos))
    arm, joint = float(np.asarray(model.body_pos)[2, 2]), np.asarray(model.body_pos)[1]
    c1, c2 = middle[1, 2], middle[2, 2]
    shoulder = inertia[1, 1] + mass[1] * c1**2 + mass[2] * arm**2
    elbow, first = inertia[2, 1] + mass[2] * c2**2, mass[1] * c1 + mass[2] * arm
    body = np.array([shoulder, elbow, first, mass[2] * c2, arm, _gravity(model), *np.asarray(model.dof_damping)])
    named = physics.named.model
    radius, reach = float(named.site_size["target", 0]), float(named.site_pos["tip", 2])
    across, _, above = named.site_pos["target"] - joint
    margin = 0.0 if env.limited.task._sparse else 1.0
    advance = _runge_kutta(env, ACROBOT, body, _NO_LIMIT)

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        following = advance(states, actions)
        first, both = following[:, 0], following[:, 0] + following[:, 1]
        x, z = arm * np.sin(first) + reach * np.sin(both), arm * np.cos(first) + reach * np.cos(both)
        return _lasting(following, _within(np.hypot(x - across, z - above), radius, margin))

    return step


def _pendulum(env: Unlimited) -> Step | None:
    model = env.limited.physics.model
    if not _shape(env, (_HINGE,), 1, _EULER):
        return None
    task = importlib.import_module("dm_control.suite.pendulum")
    mass, middle = float(np.asarray(model.body_mass)[1]), float(np.asarray(model.body_ipos)[1, 2])
    second = float(np.asarray(model.body_inertia)[1, 1]) + mass * middle**2
    weight, damping = mass * middle * _gravity(model), float(np.asarray(model.dof_damping)[0])
    dt, cosine, push = float(model.opt.timestep), float(task._COSINE_BOUND), _controls(env)

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        (theta, omega), torque = states.T, push(actions)[:, 0]
        for _ in range(env.limited.substeps):
            omega = omega + dt / (second + dt * damping) * (weight * np.sin(theta) - damping * omega + torque)
            theta = theta + dt * omega
        return _lasting(np.stack([theta, omega], axis=1), np.where(np.cos(theta) >= cosine, 1.0, 0.0))

    return step


def _point_mass(env: Unlimited) -> Step | None:
    physics = env.limited.physics
    if not _shape(env, (_SLIDE, _SLIDE), 2, _EULER) or env.limited.task._randomize_gains:
        return None
    advance, radius = _slides(env), float(physics.named.model.geom_size["target", 0])
    if advance is None:
        return None
    env.state = np.zeros(4)
    offset, along = np.asarray(physics.mass_to_target()).copy(), np.asarray(physics.model.jnt_axis)

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        following = advance(states, actions)
        distance = np.sqrt(((offset - following[:, :2] @ along) ** 2).sum(axis=1))
        gentle = (_small(actions).mean(axis=1) + 4.0) / 5.0
        return _lasting(following, _within(distance, radius, radius) * gentle)

    return step


def _springs(env: Unlimited) -> Step | None:
    task, joints = env.limited.task, int(env.limited.physics.model.njnt)
    if not _shape(env, (_SLIDE,) * joints, int(env.limited.physics.model.nu), _EULER):
        return None
    advance, price, least = _slides(env), float(task._control_cost_coef), float(task._TERMINAL_TOL)
    if advance is None:
        return None

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        following = advance(states, actions)
        places = following[:, :joints]
        cost = 0.5 * (places**2).sum(axis=1) + 0.5 * price * (actions**2).sum(axis=1)
        return Steps(following, 1.0 - cost, np.sqrt((following**2).sum(axis=1)) < least)

    return step


def _runge_kutta(env: Unlimited, system: int, body: FloatArray, limit: FloatArray) -> Advance:
    push, dt = _controls(env), float(env.limited.physics.model.opt.timestep)

    def advance(states: FloatArray, actions: FloatArray) -> FloatArray:
        following = np.empty(states.shape)
        force = np.ascontiguousarray(push(actions)[:, -1] if system == ACROBOT else push(actions)[:, 0])
        runge_kutta_steps(system, np.ascontiguousarray(states), force, body, limit, dt, env.limited.substeps, following)
        return following

    return advance


def _slides(env: Unlimited) -> Advance | None:
    """Slides of a constant mass matrix; None where limited ones are coupled by it."""
    mujoco, physics = importlib.import_module("mujoco"), env.limited.physics
    model, joints = physics.model, int(physics.model.nv)
    env.state = np.zeros(2 * joints)
    mass = np.empty((joints, joints))
    for j, unit in enumerate(np.eye(joints)):
        mujoco.mj_mulM(model.ptr, physics.data.ptr, mass[j], unit)
    bias, damping = np.array(physics.data.qfrc_bias), np.array(model.dof_damping)
    limits = np.stack([_limit(model, j) for j in range(joints)])
    if np.isfinite(limits[:, :2]).any() and np.any(mass != np.diag(mass.diagonal())):
        return None
    stiffness, rest = np.array(model.jnt_stiffness, dtype=np.float64).ravel(), np.array(model.qpos_spring)
    dt, push = float(model.opt.timestep), _controls(env)
    inverse: FloatArray = np.linalg.inv(mass + dt * np.diag(damping)).astype(np.float64)
    mobility = 1.0 / mass.diagonal()

    def advance(states: FloatArray, actions: FloatArray) -> FloatArray:
        following, force = np.empty(states.shape), push(actions) - bias
        slide_steps(
            np.ascontiguousarray(states), force, damping, stiffness, rest, mobility, inverse, limits, dt,
            env.limited.substeps, following,
        )  # fmt: skip
        return following

    return advance


def _controls(env: Unlimited) -> Callable[[FloatArray], FloatArray]:
    """Generalised forces (n, nv) of actions (n, nu), which are cut to their ranges: the simulator's own, one by one."""
    mujoco, physics = importlib.import_module("mujoco"), env.limited.physics
    model = physics.model
    env.state = np.zeros(2 * int(model.nv))
    forces = np.empty((int(model.nu), int(model.nv)))
    for j, unit in enumerate(np.eye(int(model.nu))):
        physics.data.ctrl[:] = unit
        mujoco.mj_forward(model.ptr, physics.data.ptr)
        forces[j] = physics.data.qfrc_actuator
    limited = np.asarray(model.actuator_ctrllimited, dtype=np.bool_)
    low, high = np.where(limited, np.asarray(model.actuator_ctrlrange).T, np.array([[-np.inf], [np.inf]]))
    return lambda actions: np.clip(actions, low, high) @ forces


def _limit(model: Any, joint: int) -> FloatArray:
    """What `control_kernels.limit_force` takes of a joint."""
    if not bool(np.asarray(model.jnt_limited)[joint]):
        return _NO_LIMIT
    low, high = np.asarray(model.jnt_range)[joint] + np.asarray(model.jnt_margin)[joint] * np.array([1.0, -1.0])
    constant, ratio = np.asarray(model.jnt_solref)[joint]
    least, most, width, middle, power = np.asarray(model.jnt_solimp)[joint]
    least, most = np.clip([least, most], _LEAST_IMPEDANCE, _MOST_IMPEDANCE)
    constant = max(constant, 2.0 * float(model.opt.timestep))
    stiffness, damping = 1.0 / (most * constant * ratio) ** 2, 2.0 / (most * constant)
    weight = float(np.asarray(model.dof_invweight0)[joint])
    return np.array([low, high, stiffness, damping, least, most, width, middle, power, weight])


def _gravity(model: Any) -> float:
    return -float(np.asarray(model.opt.gravity)[2])


def _lasting(following: FloatArray, reward: FloatArray) -> Steps:
    """Steps that end nothing."""
    never: BoolArray = np.zeros(len(following), dtype=np.bool_)
    return Steps(following, np.asarray(reward), never)


def _gaussian(x: FloatArray) -> FloatArray:
    """dm_control.utils.rewards.tolerance at x margins from its bounds: 0.1 at one."""
    return np.asarray(np.exp(np.log(0.1) * x**2))


def _within(distance: FloatArray, radius: float, margin: float) -> FloatArray:
    """The same of a distance that may be as large as a radius."""
    if margin == 0.0:
        return np.where(distance <= radius, 1.0, 0.0)
    return _gaussian(np.maximum(distance - radius, 0.0) / margin)


def _small(control: FloatArray) -> FloatArray:
    """Its quadratic kind, of a control with the margin 1."""
    return np.maximum(1.0 - control**2, 0.0)
