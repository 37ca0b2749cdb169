r"""Comparison with chains whose constants are known exactly (*grid* bounds of the modified log-Sobolev constant).

**References.**  The path of n cells with unit rates has alpha = lambda = 2 (1 - cos(pi/n)); the cycle of n cells with
unit rates 2 (1 - cos(2 pi/n)) for even n, for n = 5 and for odd n up to 21 (exact sums of squares); of three cells it
is at least 2/ln 2, their log-Sobolev constant; else at least 2 (1 - cos(2 pi/(n+1))) for odd n.  All of these are
log-Sobolev constants as well.  The path follows from the even cycle of 2 n cells, of which it is the quotient by a
reflection.  The long odd cycle: repeat one of its cells.
Functions on it become functions on the even cycle of n + 1 cells with the same D, and with the entropy of the law
that counts the repeated cell twice, which is no smaller than that of the uniform one.

**Comparison.**  If two reversible chains live on the same faces, the one with law g and conductances c and the
other with law r and conductances b, then

    alpha(g, c) >= alpha(r, b) min_f (c_f/b_f) / max_k (g_k/r_k),

for D is linear in the conductances with terms >= 0, and Ent_g(x) = min_M sum_k g_k (x_k ln(x_k/M) - x_k + M) has
terms >= 0 too, so it is at most max(g/r) Ent_r(x).  With the unit chain: alpha >= alpha_ref min c/max g.  On equal
cells it is never below e^{-osc Phi} times the reference (Holley–Stroock), and exact for a flat density.

**Failure.**  Exponentially small where g is concentrated.

Sources: Chen & Sheu, On the log-Sobolev constant for the simple random walk on the n-cycle: the even cases,
J. Funct. Anal. 202 (2003) 473, doi:10.1016/S0022-1236(02)00077-0; Chen, Liu & Saloff-Coste, The logarithmic Sobolev
constant of some finite Markov chains, Ann. Fac. Sci. Toulouse 17 (2008) 239, doi:10.5802/afst.1183 (three and five
cells); Faust & Fawzi, Sum-of-squares proofs of logarithmic Sobolev inequalities on finite Markov chains,
arXiv:2101.04988 (5, 7, .., 21 cells); Diaconis & Saloff-Coste, Ann. Appl. Probab. 6 (1996)
695, doi:10.1214/aoap/1034968224 (comparison).
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.rounding import rounded_down

LARGEST_ODD_CYCLE = 21


def unit_path_constant(cells: int) -> float:
    """alpha = lambda of the path with unit rates, 2 (1 - cos(pi/n)) = 4 sin^2(pi/2n)."""
    return 4.0 * math.sin(0.5 * math.pi / cells) ** 2


def unit_cycle_constant(cells: int) -> float:
    """alpha of the cycle with unit rates; a lower bound for it if the number of cells is 3, or odd and above 21."""
    if cells == 3:
        return 2.0 / math.log(2.0)
    known = cells % 2 == 0 or cells <= LARGEST_ODD_CYCLE
    return 4.0 * math.sin(math.pi / (cells if known else cells + 1)) ** 2


def bound_reference(generators: Generators) -> FloatArray:
    """Bound of alpha of paths or circles by the chain of unit rates, (S,)."""
    cells = generators.actions.size
    constant = unit_cycle_constant(cells) if generators.is_circle else unit_path_constant(cells)
    least, most = np.min(generators.rates.log_conductance, axis=1), np.max(generators.log_gibbs, axis=1)
    return rounded_down(math.log(constant) + least - most, generators)
