r"""The modified log-Sobolev constant of a path to within a per cent, by dynamic programming on one number.

A path of cells 0..n-1 with law g and conductances c_k (cells k, k+1); for x > 0 on the cells

    D(x) = sum_k c_k psi(x_k, x_{k+1}),   psi(X, y) = (y - X)(ln y - ln X),   Ent(x) = sum_k g_k M h(x_k/M),

h(s) = s ln s - s + 1, M = sum g x.  A rate alpha is tested: does D >= 2 alpha Ent hold for every x?

**Reduction.**  Let G_k be the mass of the cells up to k, M_k the mean of x over them, X_k = x_k/M_k, theta =
g_{k+1}/G_{k+1} and kappa = c_k/G_k.  The entropy of the cells up to k+1 is that of the cells up to k plus that of two
cells, of values M_k and x_{k+1} and masses G_k and g_{k+1}; everything is homogeneous of degree one.  So the least of
D - 2 alpha Ent, both of the cells up to k alone, at given x_k and M_k is G_k M_k v_k(X_k), where v_0(1) = 0 and, with
y = x_{k+1}/M_k,

    w_k(y) = min_X [ v_k(X) + kappa psi(X, y) ],      rho = 1 - theta + theta y,      X' = y/rho <= 1/theta,
    v_{k+1}(X') = (1 - theta) w_k(y)/rho - 2 alpha e(y),      e = (1 - theta) h(1/rho) + theta h(y/rho),

and D >= 2 alpha Ent for all x if and only if v_{n-1} >= 0.  Then all v_k >= 0: an x that is constant from cell k on
has the D of the cells up to k and no less entropy.  A v_k that is not positive ends the test.  Any v_k *below* its
own recursion gives v_{n-1} below the true one: all errors below are to that side, and alpha is certified if it stays
positive.

**Between nodes.**  v_k is kept as linear pieces.  w_k is computed at nodes y_i, exactly for those pieces, and lies
above its chords less some depths (`lower_envelope_kernels`, with the proof).  The map from y to X' takes a linear a +
b y to the linear function (a (1 - theta X') + b (1 - theta) X'), and -e is concave in X' (so above its chords): in
w/rho the first term is a perspective, and e is the relative entropy, in X', of two cells of mean one.  Hence v_{k+1}
is above the chord of its values at y_i/rho_i less (1 - theta) depth/rho_i.

**Near X = 1** v is bounded by a square: v >= q (X - 1)^2 for |X - 1| <= eps, and v >= q eps^2 beyond.  As psi >= (y -
X)^2/ max(X, y), for |y - 1| <= eps

    w >= r (y - 1)^2,   r = q c/(q + c),   c = kappa/(1 + eps):

for X in between as the minimum over all X, for X beyond since psi grows with the distance to y, so that the end 1 +-
eps is no worse.  X' - 1 = (1 - theta)(y - 1)/rho, rho >= 1 - theta eps and h(1 + u) <= u^2 (1 + |u|)/2 for |u| <= 1/2
give

    v_{k+1} >= q' (X' - 1)^2,   q' = [ r (1 - theta eps) - alpha theta (1 + 3 eps) ]/(1 - theta),

on the image of |y - 1| <= eps, an interval about 1 inside |X' - 1| <= eps; and q' is lowered until the pieces outside
it obey the condition as well.  For y outside, the minimum over the X of that interval is at least the larger of the
minimum of q' (X - 1)^2 + kappa (y - X)^2/max(X, y) over all X, and of kappa psi(nearest X, y).  The first is sharp
near 1, the second far away.  Both are convex in y, so above their tangents, and where these meet is the depth below
the chord of the values.

The square r (y - 1)^2 of y near 1 exceeds kappa psi far above and is no bound there.  Put in for every y it mostly
certifies less: it is below kappa psi for y < 1, and w is also at most v + kappa psi at the knot beside the inner
interval, where v is q eps^2.  It certifies too much, 1.1 alpha, where q exceeds kappa by more than eps^-2 and alpha is
that of a spike on a far light cell which a cell of next to no mass leads to: (1, 1e-6, 1e-3) with equal conductances,
the first split in two cells by one 1e13 times as large.

**Ends.**  Nodes reach from e^-30 (1 - theta) to e^30/min(theta, theta of the step before).  For y below the first
node y_0, w(y) >= min(w(y_0), inf of v below y_0): psi(X, y) falls in y < X.  For y above the last, Y, the derivative
of [v + kappa psi(X, .)]/rho is at least theta [kappa (y - X) - v(X)]/rho^2, positive if v <= kappa (Y - 1/theta_k),
which is tested: w/rho >= w(Y)/rho(Y).  With e at most its limits -ln(1 - theta) and -ln theta v is bounded there by
constants.  No x is left out, so a spike on the cell of least mass is seen however light that is.

**Rounding.**  Every value of w is a minimum over pieces of sums of v(X), relative error a few eps = 2^-53, and kappa
psi, whose factor ln y - ln X errs by eps (|ln y| + |ln X|): X - 1, ln X and X are each kept to relative accuracy.
The search by bisection adds at most the errors of its log2 N < 14 rounds.  Together less than 300 eps of |v(X)| +
kappa psi + 2 kappa |y - X| |ln y|; e is a sum of positive terms.  In every step v is lowered by 1e-13 > 900 eps of
these sums, and q' by 1e-13 of the sum of its terms.  theta/(1 - theta) = g_{k+1}/G_k and kappa are exact for masses
and conductances that differ from the given ones relatively by less than 8 n eps (2 + L), L as in `rounding`: G_k,
kept as a logarithm, errs by 3 eps (1 + L) more in each step.  As D and Ent change by no larger factors than c and g,
alpha changes by less than the allowance of `rounding`, by which the tested rate is higher than the certified one.

**Shares.**  0.99 to 0.9999 of alpha, spikes over masses of e^-130 and metastable splits included; a test takes 2 ms
for 7 cells and 35 ms for 64, the bound of a state about ten of them.  Chords lose about (ratio of nodes)^2/4 a step
near X = 1, therefore nodes are closer for longer paths.

**The log-Sobolev constant.**  With psi = 4 (sqrt y - sqrt X)^2, which is not larger, D = 4 E(sqrt x, sqrt x), and what
is certified is beta with Ent(f^2) <= (2/beta) E(f, f): 0.7 to 0.99 of alpha, and what the bounds by several scales ask
for. Convexity, homogeneity and Monge's condition hold as before, psi >= (y - X)^2/max(X, y) does since (sqrt X +
sqrt y)^2 <= 4 max(X, y), and so everything above, but for y beyond the last node Y: there, v being not negative and
X at most Xm = 1/theta_k (1 at first), w(y)/rho >= 4 kappa (sqrt y - sqrt Xm)^2/rho, which rises with y, as (sqrt y -
a)^2/(1 - theta + theta y) has a derivative of the sign of 1 - theta + theta a sqrt y; its value at Y, e^-15 less than
w(Y)/rho(Y) at most, is taken.  The ratio of the minimiser to y, 1/(1 + s/(4 kappa))^2, loses digits where it is large;
an error e of its root, relatively, moves the minimum by e^2 of kappa psi only, below 1e-18.

**Says nothing** (0) where a cell holds less than e^-570 of the mass of the cells before it or of these together with
it: nodes would leave the range of double precision.

Sources: Bellman, Dynamic Programming (1957); chain rule of the entropy; Monge's condition and monotone minimisers:
Aggarwal, Klawe, Moran, Shor & Wilber, Algorithmica 2 (1987) 195, doi:10.1007/BF01840359; Bobkov & Tetali, J. Theoret.
Probab. 19 (2006) 289, doi:10.1007/s10959-006-0016-3, whose rho_0 is 2 alpha.
"""

from __future__ import annotations

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray
from wpoflow.validation.constants.bound_barthe_roberto import bound_barthe_roberto
from wpoflow.validation.constants.dynamic_programming_kernels import RESOLUTION, certify_paths, largest_certified
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.rounding import rounded_down
from wpoflow.validation.constants.spectral_gap import spectral_gap


def certifies(generators: Generators, alpha: FloatArray | float) -> BoolArray:
    """Whether alpha is proven to be a lower bound of the modified log-Sobolev constant of paths, (S,).

    Parameters
    ----------
    generators : Generators
        Of one no-flux axis.
    alpha : float or array (S,)
        Positive rates.

    Raises
    ------
    ValueError
        A rate is not positive and finite, or the generators are no paths.
    """
    _refuse_other_than_paths(generators)
    wanted = np.broadcast_to(np.asarray(alpha, dtype=np.float64), generators.size)
    if not np.all((wanted > 0.0) & np.isfinite(wanted)):
        raise ValueError(f"alpha: rates must be positive and finite; got {wanted.min():g} to {wanted.max():g}")
    out = np.zeros(generators.size, dtype=np.bool_)
    raised = wanted * (wanted / rounded_down(np.log(wanted), generators))
    certify_paths(generators.rates.log_gibbs, generators.rates.log_conductance, raised, False, out)
    return out


def bound_dynamic_programming(generators: Generators, at_most: FloatArray | float = np.inf) -> FloatArray:
    """Largest certified rate of paths, to 0.2 %, between the sharpened Barthe–Roberto bound and the spectral gap.

    Parameters
    ----------
    generators : Generators
        Of one no-flux axis.
    at_most : float or array (S,)
        Rates above it are not asked for: where it is certified, by the first test, it is the bound.

    Returns
    -------
    array (S,)
        Rates, in units of 1/time; 0 where nothing above the Barthe–Roberto bound is certified.

    Raises
    ------
    ValueError
        The generators are no paths.
    """
    _refuse_other_than_paths(generators)
    rates, out = generators.rates, np.empty(generators.size)
    high = np.minimum(spectral_gap(generators), np.asarray(at_most) * (1.0 + RESOLUTION))
    low = bound_barthe_roberto(generators)
    largest_certified(rates.log_gibbs, rates.log_conductance, low, high, False, RESOLUTION, out)
    with np.errstate(divide="ignore"):  # ln 0: nothing certified
        return rounded_down(np.log(out), generators)


def _refuse_other_than_paths(generators: Generators) -> None:
    if not generators.is_path:
        axes = ", ".join(f"{axis.name} ({'periodic' if axis.periodic else 'no-flux'})" for axis in generators.axes)
        raise ValueError(
            f"dynamic programming takes one no-flux action axis of two cells or more; got {axes or 'one cell'}"
        )
