"""Vectorised models of dm_control's tasks, equal to their ``step`` to rounding: the cart with one pole.

    M ẍ + p cos θ θ̈ = gear u − b_x ẋ + p sin θ θ̇²,      p cos θ ẍ + I θ̈ = p g sin θ − b_θ θ̇

with the mass M of cart and pole, and the first and second moments p, I of the pole about its hinge; θ = 0 is upright.
A step is one of Runge and Kutta's method of order four, as in MuJoCo, and its reward that of the state it leads to
(dm_control/suite/cartpole.py, swing-up and balance, not sparse).  All numbers are read from the compiled model.

Where a stage of a step lies at an end of the rail, whose soft force is none of the equations', the simulator itself is
called.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.environments.control import Unlimited
from wpoflow.problems.environments.models import Step, Steps

_RK4 = 1  # mjINT_RK4
_NEAR = 1e-9  # to an end of the rail


def control_step(env: Any) -> Step | None:
    """The vectorised steps of an environment of dm_control; None where there are none and it must be called."""
    if not isinstance(env, Unlimited):
        return None
    task, physics = env.limited.task, env.limited.physics
    kind, model = type(task), physics.model
    if f"{kind.__module__}.{kind.__qualname__}" != "dm_control.suite.cartpole.Balance" or task._sparse:
        return None
    one_pole = (int(model.nq), int(model.nv), int(model.nu)) == (2, 2, 1)
    if not one_pole or int(model.opt.integrator) != _RK4 or env.limited.substeps != 1:
        return None
    return _cart_pole(env, model)


def _cart_pole(env: Unlimited, model: Any) -> Step:
    mass, inertia, middle = (np.asarray(array) for array in (model.body_mass, model.body_inertia, model.body_ipos))
    whole, first = float(mass[1] + mass[2]), float(mass[2] * middle[2, 2])
    second = float(inertia[2, 1] + mass[2] * middle[2, 2] ** 2)
    (rail, hinge), gravity = np.asarray(model.dof_damping), -float(np.asarray(model.opt.gravity)[2])
    gear, dt = float(np.asarray(model.actuator_gear)[0, 0]), float(model.opt.timestep)
    (low, high), (least, most) = np.asarray(model.jnt_range)[0], np.asarray(model.actuator_ctrlrange)[0]

    def rates(state: FloatArray, push: FloatArray) -> FloatArray:
        _, theta, v, omega = state
        sine, across = np.sin(theta), first * np.cos(theta)
        force = push - rail * v + first * omega**2 * sine
        torque = first * gravity * sine - hinge * omega
        volume = whole * second - across**2
        return np.stack(
            [v, omega, (second * force - across * torque) / volume, (whole * torque - across * force) / volume]
        )

    def step(states: FloatArray, actions: FloatArray) -> Steps:
        start, push = states.T, gear * np.clip(actions[:, 0], least, most)
        k1 = rates(start, push)
        second_stage = start + 0.5 * dt * k1
        k2 = rates(second_stage, push)
        third_stage = start + 0.5 * dt * k2
        k3 = rates(third_stage, push)
        fourth_stage = start + dt * k3
        state = start + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + rates(fourth_stage, push))
        found = Steps(state.T.copy(), _reward(state, actions[:, 0]), np.zeros(len(states), dtype=np.bool_))
        places = np.stack([stage[0] for stage in (start, second_stage, third_stage, fourth_stage)])
        touching = np.flatnonzero(((places < low + _NEAR) | (places > high - _NEAR)).any(axis=0))
        for i in touching:
            env.state = states[i]
            found.state[i], found.reward[i], _, _, _ = env.step(actions[i])
        return found

    return step


def _reward(state: FloatArray, control: FloatArray) -> FloatArray:
    """upright × small control × small velocity × centred, each as dm_control.utils.rewards.tolerance has it."""
    x, theta, _, omega = state
    gentle = (4.0 + np.maximum(1.0 - control**2, 0.0)) / 5.0
    slow, centred = (1.0 + 0.1 ** ((omega / 5.0) ** 2)) / 2.0, (1.0 + 0.1 ** ((x / 2.0) ** 2)) / 2.0
    return np.asarray((np.cos(theta) + 1.0) / 2.0 * gentle * slow * centred)
