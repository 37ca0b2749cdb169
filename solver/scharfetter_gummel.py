"""The Scharfetter–Gummel flux of the policy, its backward Euler step and its dissipation.

With Phi_k = Q_k/tau - ln(m_k/vol_k), so that the Gibbs policy is g_k ~ vol_k exp(-Phi_k), and the
Bernoulli function B(z) = z/(e^z - 1), the flux from cell k to k + 1 along one axis is

    J_{k+1/2} = (tau/Delta) [ B(Phi_{k+1} - Phi_k) p_k/h_k - B(Phi_k - Phi_{k+1}) p_{k+1}/h_{k+1} ],

h the width *along that axis* and Delta the distance of the centres; dp_k/dt = J_{k-1/2} - J_{k+1/2},
summed over the axes.  This is a reversible Markov generator with invariant law g: mass is kept, the
flow is positive and J = 0 at p = g, exactly.  Second order while |Phi_{k+1} - Phi_k| is at most
about one, first-order upwind beyond.  Scharfetter & Gummel 1969, doi:10.1109/T-ED.1969.16566;
Chang & Cooper 1970, doi:10.1016/0021-9991(70)90001-X.

Layout: a policy row holds the action cells in C order.  Along one axis of n cells it splits into
``lines``: entry k of a line sits at ``first + k * stride``.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from grids.arrays import FloatArray
from grids.compile import kernel
from solver.tridiagonal import solve_circle, solve_path


@kernel()
def bernoulli_pair(z: float) -> tuple[float, float]:
    """B(z) and B(-z) to full relative precision, from B(-|z|) = B(|z|) + |z| without subtraction."""
    if z == 0.0:
        return 1.0, 1.0
    size = abs(z)
    small = size / math.expm1(size)
    if z > 0.0:
        return small, small + size
    return small + size, small


@kernel()
def axis_rates(
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    scale: float,
    temperature: float,
    first: int,
    stride: int,
    right: FloatArray,
    left: FloatArray,
) -> None:
    """``scale`` times the rates k -> k+1 (right) and k+1 -> k (left) on all faces of one line.

    Parameters
    ----------
    q, log_density : arrays (A,)
        Q of one state, and ln(m/vol).
    widths, distances : arrays (n,), (n - 1,) or (n,)
        Of the axis; as many distances as faces, n of them on a periodic axis.
    first, stride : int
        Where the line lies in the row.
    right, left : arrays
        Filled, one entry for each face.
    """
    n = widths.size
    for k in range(distances.size):
        after = k + 1 if k + 1 < n else 0
        here, there = first + k * stride, first + after * stride
        z = (q[there] - q[here]) / temperature - (log_density[there] - log_density[here])
        forward, backward = bernoulli_pair(z)
        factor = scale * temperature / distances[k]
        right[k] = factor * forward / widths[k]
        left[k] = factor * backward / widths[after]


@kernel(parallel=True)
def backward_euler_axis(
    p: FloatArray,
    q: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    dt: float,
    temperature: float,
    out: FloatArray,
) -> None:
    """out = (I - dt L)^{-1} p for the generator L of one action axis, Q frozen, in every state.

    Parameters
    ----------
    p, q, out : arrays (S, A)
        ``out`` may be ``p`` itself.
    log_density : array (A,)
        ln(m/vol).
    widths, distances : arrays
        Of the axis; it is periodic if and only if there are as many distances as widths.
    stride : int
        Number of cells of all later axes together.
    """
    n_states, n_actions = p.shape
    n = widths.size
    block = n * stride
    for i in numba.prange(n_states):
        right, left = np.empty(n), np.empty(n)
        line, ratio, closing = np.empty(n), np.empty(n), np.empty(n)
        for start in range(0, n_actions, block):
            for first in range(start, start + stride):
                axis_rates(q[i], log_density, widths, distances, dt, temperature, first, stride, right, left)
                for k in range(n):
                    line[k] = p[i, first + k * stride]
                if distances.size == n:
                    solve_circle(right, left, line, ratio, closing, n)
                else:
                    solve_path(right, left, line, ratio, n)
                for k in range(n):
                    out[i, first + k * stride] = line[k]


@kernel(parallel=True)
def add_axis_dissipation(
    p: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    log_density: FloatArray,
    widths: FloatArray,
    distances: FloatArray,
    stride: int,
    temperature: float,
    out: FloatArray,
) -> None:
    """out[i] += tau sum over the faces of one axis of J (ln x_k - ln x_{k+1}), x = p/g, in every state.

    With d = ln x_k - ln x_{k+1} the face adds (rate k+1 -> k) p_{k+1} (e^d - 1) d: no term is negative
    and nothing cancels near equilibrium.  A face between a cell of mass zero and one of positive
    mass makes the sum infinite, as it is in the limit.

    Parameters
    ----------
    p, q : arrays (S, A)
    log_mass, log_density : arrays (A,)
        ln m and ln(m/vol).
    out : array (S,)
    """
    n_states, n_actions = p.shape
    n = widths.size
    block = n * stride
    for i in numba.prange(n_states):
        right, left = np.empty(n), np.empty(n)
        total = 0.0
        for start in range(0, n_actions, block):
            for first in range(start, start + stride):
                axis_rates(q[i], log_density, widths, distances, 1.0, temperature, first, stride, right, left)
                for k in range(distances.size):
                    here = first + k * stride
                    there = first + (k + 1 if k + 1 < n else 0) * stride
                    a, b = p[i, here], p[i, there]
                    if a == 0.0 and b == 0.0:
                        continue
                    if a == 0.0 or b == 0.0:
                        total = math.inf
                        continue
                    d = math.log(a) - log_mass[here] - (math.log(b) - log_mass[there])
                    d += (q[i, here] - q[i, there]) / temperature
                    if abs(d) < 1.0:
                        total += left[k] * b * math.expm1(d) * d
                    else:
                        total += (right[k] * a - left[k] * b) * d
        out[i] += temperature * total
