r"""Barthe–Roberto bounds of birth–death chains, for any measure (*grid* bounds of the log-Sobolev constant).

For a path with law g, conductances c_k (cells k, k+1) and any centre m,

    plain:      alpha >= 1/(2 max(B_-, B_+)),   B_+ = max_{k>m} T_k ln(1 + e^2/T_k) sum_{j=m}^{k-1} 1/c_j,
    sharpened:  alpha >= 2/max(C_-, C_+),       C_+ = max_{i>=m} N_i / (c_i (phi_{i+1} - phi_i)),

T_k the mass of the cells from k on, phi any increasing function with phi_m = 0 and

    N_i = sup { sum_{j>i} g_j phi_j h_j :  h >= 0,  sum_{j>i} g_j (e^{h_j} - 1) <= e^2 }
       <= [ sum_{j>i} g_j (t phi_j ln t phi_j - t phi_j + 1)_{t phi_j > 1} + e^2 ] / t       for any t > 0,

with equality for sum_{j>i} g_j (t phi_j - 1)_+ = e^2; there N_i = sum_{j>i} g_j phi_j ln max(1, t phi_j).  B_- and C_-
are those of the mirrored chain.  The centre is the best of the plain bound (where B_- and B_+ cross), and for the
sharpened one its neighbours too; phi starts as sqrt(sum 1/c) and its increments are then replaced by N_i/c_i ten times,
the best iterate of each side being kept: every one is valid.

**Proof.**  Rothaus' lemma and the variational form of the entropy give, with F = f - f_m,

    Ent(f^2) <= Ent(F^2) + 2 E F^2 <= sup { E[F^2 h] : h >= 0, E e^h <= 1 + e^2 },

at most the sum of the same two suprema over the cells j < m and j > m alone.

By Cauchy–Schwarz F_j^2 <= phi_j sum_{m<=i<j} (f_{i+1} - f_i)^2/(phi_{i+1} - phi_i); exchanging sums,
E[F^2 h 1_{j>m}] <= C_+ sum_i c_i (f_{i+1} - f_i)^2.  So Ent(f^2) <= max(C_-, C_+) E(f, f), and as
(x - y)(ln x - ln y) >= 4 (sqrt x - sqrt y)^2 the modified constant is at least 2/max(C_-, C_+).  The bound of N_i is
Young's inequality a h <= a ln a - a + e^h with a = t phi_j.  The plain form: Hardy's inequality on the integers with
weight g h has a constant of at most 4 sup_k (sum_{j>=k} g_j h_j) sum 1/c (Miclo), and Jensen's inequality bounds the
first factor by T_k ln(1 + e^2/T_k).

**Never fails**, and needs no convexity: 0.1–0.4 (plain) and 0.35–0.75 (sharpened) of alpha.  **Rounding**: sums of
positive terms in logarithms throughout.  A misjudged t is harmless: the bound of N_i holds for any t, and at the
minimising one errors are of second order.

Sources: Barthe & Roberto, Sobolev inequalities for probability measures on the real line, Studia Math. 159 (2003) 481,
doi:10.4064/sm159-3-9; Miclo, An example of application of discrete Hardy's inequalities, Markov Process. Related
Fields 5 (1999) 319; Rothaus, J. Funct. Anal. 64 (1985) 296, doi:10.1016/0022-1236(85)90079-5; Bobkov & Tetali,
J. Theoret. Probab. 19 (2006) 289, doi:10.1007/s10959-006-0016-3 (modified against plain constants).
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.barthe_roberto_kernels import barthe_roberto_paths
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.rounding import rounded_down


def _bound(generators: Generators, sharpen: bool) -> FloatArray:
    rates, out = generators.rates, np.empty(generators.size)
    barthe_roberto_paths(rates.log_gibbs, rates.log_conductance, sharpen, out)
    return rounded_down(out, generators)


def bound_barthe_roberto_plain(generators: Generators) -> FloatArray:
    """Plain bound of alpha of paths, (S,)."""
    return _bound(generators, sharpen=False)


def bound_barthe_roberto(generators: Generators) -> FloatArray:
    """Sharpened bound of alpha of paths, (S,)."""
    return _bound(generators, sharpen=True)
