r"""Discrete Bakry–Émery bound of birth–death chains (a *grid* bound of the modified log-Sobolev constant).

For a path with rates u_k (k -> k+1), w_k (k+1 -> k), u_{n-1} = 0 = w_{-1}, put A_k = u_k - u_{k+1} and
B_k = w_k - w_{k-1}.  If all A_k, B_k >= 0, then

    alpha >= (1/2) min_k kappa_k,    kappa_k = A_k + B_k + min_{z != 0} [A_k (e^z - 1) + B_k (1 - e^{-z})] / z
                                             >= (sqrt(A_k) + sqrt(B_k))^2.

On uniform cells the hypothesis is convexity of the cells' potential, and kappa_k/2 -> tau Phi'' as cells shrink.

**Proof.**  Let x = p/g along dp/dt = L p, z_k = ln(x_{k+1}/x_k) and D = sum_k c_k (x_{k+1} - x_k) z_k.
Detailed balance c_{k+1} w_k = c_k u_{k+1} collects the derivative face by face:

    -dD/dt = sum_k c_k (x_{k+1} - x_k) [(A_k + B_k) z_k + A_k (e^{z_k} - 1) + B_k (1 - e^{-z_k})]
             + sum_k c_k u_{k+1} x_{k+1} R_k,     R = s (ln v - 1 + 1/v) + 2 (v - 1 - ln v) >= 0,

with s = (x_k + x_{k+2})/x_{k+1} and v = x_k x_{k+2}/x_{k+1}^2.  So -dD/dt >= min kappa D, and integrating from t to
infinity, where D = -dEnt/dt and Ent -> 0, gives D >= min kappa Ent = 2 alpha Ent.

**Failure.**  A non-convex potential, or widths that alternate; the value is then zero.  The continuum's constant
tau inf Phi'' is not a lower bound on the grid.

**Rounding.**  A_k and B_k are differences of rates, whose relative error is `rate_slack`.  They are taken with the
larger rate lowered and the smaller one raised by as much, so one that drowns in rounding fails the hypothesis.

Sources: Mielke, Geodesic convexity of the relative entropy in reversible Markov chains, Calc. Var. 48 (2013) 1,
doi:10.1007/s00526-012-0538-8; Caputo, Dai Pra & Posta, Convex entropy decay via the Bochner-Bakry-Emery approach,
Ann. Inst. H. Poincare 45 (2009) 734, doi:10.1214/08-AIHP183 (their constant is min(A + B)/2).
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.constants.bakry_emery_kernels import bakry_emery_paths
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.rounding import rate_slack, rounded_down


def bound_bakry_emery(generators: Generators) -> FloatArray:
    """Discrete Bakry–Émery bound of alpha of paths, (S,); zero where its hypothesis fails."""
    rates, out = generators.rates, np.empty(generators.size)
    bakry_emery_paths(rates.right, rates.left, np.ascontiguousarray(rate_slack(generators)), out)
    with np.errstate(divide="ignore"):
        return rounded_down(np.log(out), generators)
