from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import exp, log
from wpoflow.solver.flux.transport import cell_terms, old_position

MOST = 400
FLOOR = 1e-280


@kernel()
def newton_direction(p, lower, upper, new_upper, widths, log_gibbs, inverse, temperature, new, log_new, moved, work, direction, shift):
    """Energy, and the Newton direction: d ln p' in direction, d D in shift. work (n,4)"""
    n = widths.size
    kl, transport = 0.0, 0.0
    surplus, force, before, passed = 0.0, 0.0, 0.0, 0.0
    low, cell = 0.0, 0
    new_upper[n] = 0.0
    for k in range(n - 1, -1, -1):
        new_upper[k] = new_upper[k + 1] + new[k]
    for k in range(n):
        h, mass = widths[k], new[k]
        excess = log_new[k] - log_gibbs[k]
        if k:
            cell, beyond, displacement = old_position(p, lower, upper, widths, k, low, new_upper[k], moved[k], cell)
        else:
            cell, beyond, displacement = 0, p[0], 0.0
        left, right, square, first, mixed, second, determinant = cell_terms(p, widths, mass, h, cell, beyond, displacement)
        low += mass
        kl += mass * excess
        transport += mass * square
        scale = h * inverse
        a, b, d, det = scale * first, scale * mixed, scale * second, scale * scale * determinant
        if k:
            # gradient of edge k
            ratio = mass / new[k - 1]
            surplus *= ratio
            force += temperature * (before - excess) - inverse * (h * left + passed)
            pivot = 1.0 / (surplus + a + temperature)
            work[k, 0] = (temperature - b) * pivot * ratio
            work[k, 1] = -force * pivot * ratio
            work[k, 2] = (surplus + a + b) * pivot
            work[k, 3] = force * pivot
            force *= (temperature - b) * pivot
            surplus = (d * surplus + det + temperature * (surplus + a + d + 2.0 * b)) * pivot
        else:
            surplus = d + temperature
        before, passed = excess, h * right
    there = 0.0
    largest = 0.0
    for k in range(n - 1, 0, -1):
        direction[k] = work[k, 2] * there + work[k, 3]
        if log_new[k] > -640.0:
            largest = max(largest, abs(direction[k]))
        there = work[k, 0] * there + work[k, 1]
        shift[k] = there * new[k - 1]
    direction[0] = there
    if log_new[0] > -640.0:
        largest = max(largest, abs(direction[0]))
    shift[0] = 0.0
    return temperature * kl + 0.5 * inverse * transport, largest


@kernel()
def proximal_line(p, log_gibbs, widths, step, temperature, work, new, log_new, moved, direction, shift, out, history, most=400):
    n = widths.size
    inverse = 1.0 / step
    total = 0.0
    lower = np.zeros(n + 1)
    upper = np.zeros(n + 1)
    new_upper = np.zeros(n + 1)
    for k in range(n):
        lower[k + 1] = lower[k] + p[k]
    for k in range(n - 1, -1, -1):
        upper[k] = upper[k + 1] + p[k]
    for k in range(n):
        total += p[k]
    for k in range(n):
        new[k] = max(p[k], FLOOR)
        log_new[k] = log(new[k])
        moved[k] = 0.0
    energy, largest = newton_direction(p, lower, upper, new_upper, widths, log_gibbs, inverse, temperature, new, log_new, moved, work, direction, shift)
    first_energy = energy
    count = 0
    applied = np.zeros(n)
    lim = np.full(n, np.inf)
    for it in range(most):
        history[it, 0], history[it, 1] = energy, largest
        count = it + 1
        if largest < 1e-9:
            break
        if largest <= 0.5:
            for k in range(n):
                change = 1.0 + direction[k]
                new[k] *= change
                log_new[k] += np.log1p(direction[k])
                moved[k] += shift[k]
            history[it, 2] = 1.0
            energy, largest = newton_direction(p, lower, upper, new_upper, widths, log_gibbs, inverse, temperature, new, log_new, moved, work, direction, shift)
        else:
            for k in range(n):
                if direction[k] * applied[k] < 0.0:
                    lim[k] = max(0.5, 0.5 * min(abs(applied[k]), abs(direction[k])))
                else:
                    lim[k] *= 2.0
                direction[k] = min(max(direction[k], -lim[k]), lim[k])
                applied[k] = direction[k]
            s = 1.0
            old_log = log_new.copy()
            d = direction.copy()
            while True:
                top = -np.inf
                for k in range(n):
                    x = s * d[k]
                    log_new[k] = old_log[k] + (x if abs(x) > 0.5 else np.log1p(x))
                    top = max(top, log_new[k])
                z = 0.0
                for k in range(n):
                    z += exp(log_new[k] - top)
                lz = top + np.log(z) - np.log(total)
                big = 0
                for k in range(n):
                    log_new[k] -= lz
                    new[k] = max(exp(log_new[k]), FLOOR)
                    if new[k] > new[big]:
                        big = k
                moved[0] = 0.0
                for k in range(big):
                    moved[k + 1] = moved[k] + (new[k] - p[k])
                acc = 0.0
                for k in range(n - 1, big, -1):
                    acc += new[k] - p[k]
                    moved[k] = -acc
                e, l = newton_direction(p, lower, upper, new_upper, widths, log_gibbs, inverse, temperature, new, log_new, moved, work, direction, shift)
                if e <= energy + 1e-14 * abs(first_energy) or s < 1e-10:
                    history[it, 2] = s
                    energy, largest = e, l
                    break
                s *= 0.5
    for k in range(n):
        out[k] = exp(log_new[k])
    return count
