"""Jump rates of the frozen flow over a list of faces, for many states at once."""

from __future__ import annotations

import math

import numba

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.flux.bernoulli import bernoulli_pair


@kernel(parallel=True)
def face_rates(
    q: FloatArray,
    log_density: FloatArray,
    log_gibbs: FloatArray,
    here: IntArray,
    there: IntArray,
    forward_scale: FloatArray,
    backward_scale: FloatArray,
    temperature: float,
    right: FloatArray,
    left: FloatArray,
    log_conductance: FloatArray,
) -> None:
    """Fill the rates here -> there (right) and there -> here (left), and ln(right g_here), in every state.

    Parameters
    ----------
    q, log_gibbs : arrays (S, A)
        Q, and the logarithm of its Gibbs policy.
    log_density : array (A,)
        ln(m/vol).
    here, there : arrays (F,) of int
        The two cells of each face.
    forward_scale, backward_scale : arrays (F,)
        temperature / (distance * width along the axis) of the cell left by the jump.
    right, left, log_conductance : arrays (S, F)
        Filled.  The conductance is taken from the larger of the two rates: neither may underflow.
    """
    for i in numba.prange(q.shape[0]):
        for f in range(here.size):
            a, b = here[f], there[f]
            z = (q[i, b] - q[i, a]) / temperature - (log_density[b] - log_density[a])
            forward, backward = bernoulli_pair(z)
            right[i, f] = forward_scale[f] * forward
            left[i, f] = backward_scale[f] * backward
            if z <= 0.0:
                log_conductance[i, f] = math.log(right[i, f]) + log_gibbs[i, a]
            else:
                log_conductance[i, f] = math.log(left[i, f]) + log_gibbs[i, b]
