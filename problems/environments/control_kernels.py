"""Kernels of dm_control's models: Runge-Kutta steps of two hinged bodies, Euler steps of slides, soft joint limits.

A joint beyond an end of its range is pushed back by a force f >= 0 of the constraint that MuJoCo solves for
(mujoco.readthedocs.io, Computation, "Constraint model"), which for a single joint has the closed form

    f = max(0, (w - a)/(A + R)),    w = -b v - k d r,    R = (1 - d)/d R0

along the way back, with the depth r < 0 below the end, the velocity v, the acceleration a without the force and A what
a unit of force adds to it; the impedance d(r) rises from ``limit[4]`` to ``limit[5]`` over the width ``limit[6]``.
"""

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel

CART_POLE, ACROBOT = 0, 1


@kernel()
def limit_force(place: float, speed: float, free: float, admittance: float, limit: FloatArray) -> float:
    """Force of a joint's limit; ``limit``: low, high, k, b, least and most d, width, midpoint, power, R0."""
    side, depth = 0.0, 0.0
    if place < limit[0]:
        side, depth = 1.0, place - limit[0]
    elif place > limit[1]:
        side, depth = -1.0, limit[1] - place
    force = 0.0
    if side != 0.0:
        along, share = min(-depth / limit[6], 1.0), 0.0
        if along <= limit[7]:
            share = along ** limit[8] / limit[7] ** (limit[8] - 1.0)
        else:
            share = 1.0 - (1.0 - along) ** limit[8] / (1.0 - limit[7]) ** (limit[8] - 1.0)
        d = limit[4] + share * (limit[5] - limit[4])
        wanted = -limit[3] * side * speed - limit[2] * d * depth
        force = side * max(0.0, (wanted - side * free) / (admittance + (1.0 - d) / d * limit[9]))
    return force


@kernel()
def cart_pole_rates(at: FloatArray, push: float, body: FloatArray, limit: FloatArray, out: FloatArray) -> None:
    """Rates of (x, theta, v, omega); ``body``: mass, first and second moment, g, damping of rail and hinge."""
    sine, across = math.sin(at[1]), body[1] * math.cos(at[1])
    force = push - body[4] * at[2] + body[1] * at[3] * at[3] * sine
    torque = body[1] * body[3] * sine - body[5] * at[3]
    volume = body[0] * body[2] - across * across
    free = (body[2] * force - across * torque) / volume
    force += limit_force(at[0], at[2], free, body[2] / volume, limit)
    out[0], out[1] = at[2], at[3]
    out[2], out[3] = (body[2] * force - across * torque) / volume, (body[0] * torque - across * force) / volume


@kernel()
def acrobot_rates(at: FloatArray, push: float, body: FloatArray, out: FloatArray) -> None:
    """Rates of two angles and their speeds, the second relative to the first arm.

    ``body``: second moment about the shoulder of the first arm with the mass of the second at its end, second moment
    of the second arm about the elbow, first moments of the arms about the shoulder (likewise) and the elbow, length of
    the first arm, g, damping of shoulder and elbow.
    """
    coupling = body[3] * body[4]
    across, sine = coupling * math.cos(at[1]), coupling * math.sin(at[1])
    m12 = body[1] + across
    m11 = body[0] + body[1] + 2.0 * across
    below = body[3] * body[5] * math.sin(at[0] + at[1])
    first = sine * (2.0 * at[2] + at[3]) * at[3] + body[2] * body[5] * math.sin(at[0]) + below - body[6] * at[2]
    second = push - sine * at[2] * at[2] + below - body[7] * at[3]
    volume = m11 * body[1] - m12 * m12
    out[0], out[1] = at[2], at[3]
    out[2], out[3] = (body[1] * first - m12 * second) / volume, (m11 * second - m12 * first) / volume


@kernel()
def runge_kutta_steps(
    system: int, state: FloatArray, push: FloatArray, body: FloatArray, limit: FloatArray, dt: float, steps: int,
    out: FloatArray,
) -> None:  # fmt: skip
    """Steps of the method of order four from states (n, 4), each by one force or torque."""
    at, slope, total = np.empty(4), np.zeros(4), np.empty(4)
    for i in range(state.shape[0]):
        out[i] = state[i]
        for _ in range(steps):
            total[:] = 0.0
            for stage in range(4):
                reach = 0.0 if stage == 0 else dt if stage == 3 else 0.5 * dt
                for j in range(4):
                    at[j] = out[i, j] + reach * slope[j]
                if system == CART_POLE:
                    cart_pole_rates(at, push[i], body, limit, slope)
                else:
                    acrobot_rates(at, push[i], body, slope)
                for j in range(4):
                    total[j] += slope[j] if stage in (0, 3) else 2.0 * slope[j]
            for j in range(4):
                out[i, j] += dt / 6.0 * total[j]


@kernel()
def slide_steps(
    state: FloatArray, force: FloatArray, damping: FloatArray, stiffness: FloatArray, rest: FloatArray,
    mobility: FloatArray, inverse: FloatArray, limits: FloatArray, dt: float, steps: int, out: FloatArray,
) -> None:  # fmt: skip
    """Semi-implicit Euler steps of n slides from (q, v), (rows, 2n): v' = v + dt (M + dt D)^-1 F,  q' = q + dt v'.

    ``force``: what does not depend on (q, v); ``mobility``: inverse of the diagonal mass of limited slides;
    ``inverse``: of M + dt D.
    """
    n = state.shape[1] // 2
    total = np.empty(n)
    for i in range(state.shape[0]):
        out[i] = state[i]
        for _ in range(steps):
            for j in range(n):
                place, speed = out[i, j], out[i, n + j]
                total[j] = force[i, j] - damping[j] * speed - stiffness[j] * (place - rest[j])
                total[j] += limit_force(place, speed, total[j] * mobility[j], mobility[j], limits[j])
            for j in range(n):
                for k in range(n):
                    out[i, n + j] += dt * inverse[j, k] * total[k]
            for j in range(n):
                out[i, j] += dt * out[i, n + j]


def take_steps() -> None:
    """One step of each kind: to compile what the steps of all models need."""
    limit, two, four = np.array([-1.0, 1.0, 1.0, 1.0, 0.9, 0.95, 0.001, 0.5, 2.0, 1.0]), np.zeros(2), np.zeros((1, 4))
    runge_kutta_steps(CART_POLE, four, np.zeros(1), np.full(8, 2.0), limit, 0.01, 1, np.empty((1, 4)))
    slide_steps(four, two[None], two, two, two, two, np.eye(2), np.stack([limit, limit]), 0.01, 1, np.empty((1, 4)))
