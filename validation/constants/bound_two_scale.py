r"""Two-scale bound for several action axes with any coupling (a *grid* bound of the log-Sobolev constant).

The last axis l is the *fibre*, the others, k, are the *base*, itself a graph.  With the law g: gbar_k = sum_l g_kl, p^k
= g(.|k); over an edge e = (k, k') of the base the faces have conductances c_el, C_e = sum_l c_el and r^e = c_e./C_e, a
law on the fibre; c_kl are the conductances inside fibre k.  For two laws p, r on a line put

    F_l = sum_{j<=l} (p_j - r_j),   s_l = min(p_l + r_l, p_{l+1} + r_{l+1})/2,   t = (R - 1)/(R + 1),
    R = max over l of sqrt(max(p_l/r_l, r_l/p_l)).

**Lemma.**  | |f|_p - |f|_r |^2 <= (1 + t^2) sum_l (F_l^2/s_l) (f_{l+1} - f_l)^2,  |f|_p^2 = sum p f^2.  Proof: with T
the left side's root and S = |f|_p + |f|_r, T S = |sum F_l (f_l^2 - f_{l+1}^2)| <= X (sum s_l (f_l + f_{l+1})^2)^(1/2),
X^2 = sum F^2/s (f_{l+1} - f_l)^2.  As s_l + s_{l-1} <= p_l + r_l the last sum is at most 2 (|f|_p^2 + |f|_r^2) =
S^2 + T^2, and T/S <= t.  On a circle F may be changed by a constant: it is chosen to vanish on one face.

**Bound.**  Let betabar be a log-Sobolev constant of the base (gbar, C), beta_k that of fibre k (p^k, c_k./gbar_k), and

    R_k = max_l sum_{e at k} 2 C_e (1 + t_e^2) F_el^2/(s_el c_kl)

for the two flows p^k -> r^e and r^e -> p^k' of each edge.  Then for any eps > 0

    alpha >= beta >= min( betabar/(1 + eps),  min_k [ 1/beta_k + (1 + 1/eps) R_k/betabar ]^{-1} ).

**Proof.**  Ent(f^2) = Ent_gbar(fbar^2) + sum_k gbar_k Ent_{p^k}(f_k^2), fbar_k = |f_k|_{p^k}.  Minkowski's inequality
and the lemma give |fbar_k - fbar_k'| <= (sum_l r_l (f_kl - f_k'l)^2)^(1/2) + T_- + T_+.  As (T_- + T_+)^2 <= 2 T_-^2 +
2 T_+^2 and (a + b)^2 <= (1 + eps) a^2 + (1 + 1/eps) b^2, the energy of fbar in the conductances C/(1 + eps) is at most
that of f across the base plus sum_kl (R_k/eps) c_kl (f_{k,l+1} - f_kl)^2.  Insert the log-Sobolev inequalities,
betabar/(1 + eps) being the constant of the base for C/(1 + eps).

**Choice of eps.**  The first number falls with eps and the second rises; for fibre k they meet at the positive root of
eps^2 + (1 - b_k - R_k) eps - R_k = 0, b_k = betabar/beta_k.  The largest root over k gives betabar/(1 + eps).

**Use.**  Every axis is tried as the fibre, and the base of a grid of three axes is bounded in the same way: all orders.
The constants of one axis are those of `log_sobolev_lines`, or any others given, as the dearer `log_sobolev_sharp`.  An
additive potential has F = 0 and the least constant of its axes; sup |d_k d_l Phi| of Otto and Reznikoff is the limit
of fine cells.

**Never fails**: 0.3–0.9 of alpha, about the share that the constants of one axis keep; 0.5–0.95 with sharp ones.
**Rounding**: sums of positive terms in logarithms; differences of partial sums are raised by their error before they
are squared, and the price by its own.

Sources: Otto & Reznikoff, A new criterion for the logarithmic Sobolev inequality and two applications, J. Funct. Anal.
243 (2007) 121, doi:10.1016/j.jfa.2006.10.002; Grunewald, Otto, Villani & Westdickenberg, A two-scale approach to
logarithmic Sobolev inequalities, Ann. Inst. H. Poincare 45 (2009) 302, doi:10.1214/07-AIHP200.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev_lines import log_sobolev_lines
from wpoflow.validation.constants.rounding import allowance
from wpoflow.validation.constants.two_scale_kernels import transport_prices

Constants = Callable[[FloatArray, FloatArray], FloatArray]
_MARGIN = 2.0**-48


def bound_two_scale(generators: Generators, constants: Constants = log_sobolev_lines) -> FloatArray:
    """Bound of alpha by conditional laws, (S,); for several action axes.

    Parameters
    ----------
    generators : Generators
        Of S states.
    constants : callable
        Lower bounds of the log-Sobolev (not the modified) constants of paths and circles, from logarithms of laws
        and of conductances, as `log_sobolev_lines`.
    """
    shape = [axis.size for axis in generators.axes]
    rates, faces, first = generators.rates, [], 0
    for j, axis in enumerate(generators.axes):
        across = [*shape[:j], axis.distances.size, *shape[j + 1 :]]
        last = first + int(np.prod(across))
        faces.append(rates.log_conductance[:, first:last].reshape(-1, *across))
        first = last
    return _bound(rates.log_gibbs.reshape(-1, *shape), faces, constants)


def _bound(log_law: FloatArray, faces: Sequence[FloatArray], constants: Constants) -> FloatArray:
    """The bound of laws (P, n_1, .., n_d) with conductances (P, n_1, .., m_j, .., n_d) along each axis, (P,)."""
    if len(faces) == 1:
        return constants(log_law, faces[0])
    return np.asarray(np.max([_with_fibre(log_law, faces, j, constants) for j in range(len(faces))], axis=0))


def _with_fibre(log_law: FloatArray, faces: Sequence[FloatArray], fibre: int, constants: Constants) -> FloatArray:
    """The bound with one of the axes as the fibre, (P,)."""
    law = np.moveaxis(log_law, fibre + 1, -1)
    across = [np.moveaxis(values, fibre + 1, -1) for j, values in enumerate(faces) if j != fibre]
    inside = np.moveaxis(faces[fibre], fibre + 1, -1)
    many, cells = len(law), law.shape[-1]
    base = _bound(_log_sum(law), [_log_sum(values) for values in across], constants)
    shape = law.shape[1:-1]
    first, second = _edges(shape, [values.shape[1:-1] for values in across])
    laws = np.ascontiguousarray(law.reshape(many, -1, cells))
    fibres = np.ascontiguousarray(inside.reshape(many, laws.shape[1], -1))
    between = np.ascontiguousarray(np.concatenate([values.reshape(many, -1, cells) for values in across], axis=1))
    spare = allowance(log_law.reshape(many, -1), np.concatenate([values.reshape(many, -1) for values in faces], axis=1))
    prices = np.empty(laws.shape[:2])
    transport_prices(laws, fibres, first, second, between, spare, prices)
    masses = _log_sum(laws)[..., None]
    flat = (np.ascontiguousarray(values.reshape(-1, values.shape[-1])) for values in (laws - masses, fibres - masses))
    inner = constants(*flat).reshape(many, -1)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        price = np.exp(prices + 2.0 * spare[:, None])
        excess = base[:, None] / inner - 1.0 + price
        root = np.hypot(excess, 2.0 * np.sqrt(price))
        crossing = np.where(excess > 0.0, 0.5 * (excess + root), 2.0 * price / (root - excess))
        bound = base / (1.0 + np.max(crossing, axis=1)) * (1.0 - _MARGIN)
    return np.where(bound > 0.0, bound, 0.0)


def _log_sum(values: FloatArray) -> FloatArray:
    """ln of the sum of exponentials over the last axis."""
    top = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(axis=-1)) + top[..., 0])


def _edges(shape: tuple[int, ...], across: Sequence[tuple[int, ...]]) -> tuple[IntArray, IntArray]:
    """Cells of the base on the two sides of its edges, axis by axis; on a circle the last edge closes it."""
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    firsts, seconds = [], []
    for j, faces in enumerate(across):
        kept = np.arange(faces[j])
        firsts.append(np.take(cells, kept, axis=j).ravel())
        seconds.append(np.take(cells, (kept + 1) % shape[j], axis=j).ravel())
    return np.concatenate(firsts), np.concatenate(seconds)
