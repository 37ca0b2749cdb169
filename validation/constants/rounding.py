"""Rounding downwards of bounds that are computed as logarithms.

A lower bound is guaranteed only if its own rounding errors cannot lift it above the true value.  The bounds of this
folder are sums of logarithms of masses and conductances, accumulated over n cells by running log-sum-exp.  With the
unit roundoff eps = 2^-53, each of the steps

    l <- l_0 + ln(1 + e^{l_1 - l_0}),   l <- l + ln rate

errs by at most 3 eps (1 + |l|), since exp, log and log1p are accurate to one unit in the last place and |l| stays below
the span L = max |ln g| + max |ln c| of the data, up to a few units.  The data themselves, ln g and ln c, err by at most
4 eps (1 + L) of the exact functions of Q and the reference masses.  No bound takes more than 8 such steps for
each cell, so its logarithm errs by less than 32 n eps (2 + L), which is subtracted: 1e-11 for a hundred cells and
L = 30.

Where rates themselves are used, not their logarithms' sums, their own error counts: `rate_slack`.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.generators import Generators

_UNIT = 2.0**-53
_STEPS = 32.0
_RATE_ERROR = 2.0**-50


def rounded_down(log_bound: FloatArray, generators: Generators) -> FloatArray:
    """exp(log_bound) less the allowance for rounding, (S,).

    Parameters
    ----------
    log_bound : array (S,)
        Logarithms of the bounds; -inf where a bound does not apply.
    generators : Generators
        Those bounded; the extremes of their rates and the number of cells size the allowance.

    Returns
    -------
    array (S,)
        Zero where the bound does not apply or underflows.
    """
    return lowered(log_bound, generators.rates.log_gibbs, generators.rates.log_conductance)


def lowered(log_bound: FloatArray, log_law: FloatArray, log_conductance: FloatArray) -> FloatArray:
    """The same for chains given by the logarithms of their laws, (S, n), and conductances, (S, F)."""
    return np.asarray(np.exp(log_bound - allowance(log_law, log_conductance)))


def allowance(log_law: FloatArray, log_conductance: FloatArray) -> FloatArray:
    """Error of the logarithms of the bounds, 32 n eps (2 + L), (S,)."""
    span = np.max(np.abs(log_law), axis=1) + np.max(np.abs(log_conductance), axis=1)
    return np.asarray(_STEPS * log_law.shape[1] * _UNIT * (2.0 + span))


def rate_slack(generators: Generators) -> FloatArray:
    """Relative error of the rates over each face, (S, F): 8 eps (1 + |dQ|/tau + |d ln m/vol|).

    The Bernoulli function is accurate to 4 eps, and |B'| <= B passes on the error of its argument.  Rates that
    underflow err by the smallest normal number more.
    """
    faces = generators.faces
    energy = np.abs(generators.q[:, faces.there] - generators.q[:, faces.here]) / generators.temperature
    reference = np.abs(generators.log_density[faces.there] - generators.log_density[faces.here])
    return np.asarray(_RATE_ERROR * (1.0 + energy + reference))
