r"""Classical bounds for the *continuum* constants of a smooth density on an interval or a circle.

Here the values Phi_k in the cells of one axis are samples of a smooth potential, the density is exp(-Phi), and the
constants are those of the diffusion with generator tau (d^2 - Phi' d): lambda = tau Poincare and alpha = tau LSI, with
KL <= Fisher/(2 LSI), i.e. Ent(f^2) <= (2/LSI) int f'^2.  None of these is guaranteed on the grid, and every
one carries a quadrature error O(h^2); the grid's own bounds are in `lower_bounds`.

    Bakry–Émery               alpha >= tau inf Phi''
    Holley–Stroock            alpha >= tau max_kappa kappa exp(-osc(Phi - Phi_kappa)),  Phi_kappa the largest
                              function below Phi with curvature >= kappa;
    and from the flat density alpha >= tau (pi/L)^2 exp(-osc Phi),  circle: tau (2 pi/L)^2 exp(-osc Phi)
    Muckenhoupt               tau/(4 B) <= lambda <= 2 tau/B,        B: weight T
    Barthe–Roberto            tau/(2 B) <= alpha,                    B: weight T ln(1 + e^2/T)
                              alpha <= 2 tau/b,                      b: weight T ln(1 + 1/(2 T))
    Bobkov–Götze              tau/(234 D) <= alpha <= 300 tau/D,     D: weight T ln(1/T)

B and b are the larger of sup_{x>m} weight(x) int_m^x e^Phi (Phi normalised) and its mirror image, D is the sum of
both; m is the median and T the mass beyond x.  Tails and integrals are sums over cells (midpoint rule) in logarithms,
suprema run over the cells' edges, and the median splits its cell in proportion.  At the ends of an interval Phi is
extrapolated by a parabola for its oscillation.  On a circle Bakry–Émery is vacuous (Phi'' has mean zero) and the last
three are not stated: their lower bounds are zero, and the upper ones infinite.

Sources: Bakry & Emery 1985, doi:10.1007/BFb0075847; Holley & Stroock 1987, doi:10.1007/BF01011161; Muckenhoupt,
Studia Math. 44 (1972) 31; Bobkov & Goetze, J. Funct. Anal. 163 (1999) 1, doi:10.1006/jfan.1998.3326 (468 and 150 of the
constant in Ent(f^2) <= C int f'^2); Barthe & Roberto, Studia Math. 159 (2003) 481, doi:10.4064/sm159-3-9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.validation.constants.bound_holley_stroock import centred
from wpoflow.validation.constants.coefficients import second_quotients
from wpoflow.validation.constants.convex_reference_kernels import perturbed_curvatures

Weight = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class ContinuumBounds:
    """Bounds of the continuum's rates, arrays (S,).

    Attributes
    ----------
    bakry_emery
        tau inf Phi''; vacuous if negative.
    holley_stroock, holley_stroock_flat, barthe_roberto, bobkov_goetze
        Lower bounds of alpha.
    barthe_roberto_upper, bobkov_goetze_upper
        Upper bounds of alpha.
    muckenhoupt, muckenhoupt_upper
        Lower and upper bounds of the spectral gap lambda.
    """

    bakry_emery: FloatArray
    holley_stroock: FloatArray
    holley_stroock_flat: FloatArray
    muckenhoupt: FloatArray
    muckenhoupt_upper: FloatArray
    barthe_roberto: FloatArray
    barthe_roberto_upper: FloatArray
    bobkov_goetze: FloatArray
    bobkov_goetze_upper: FloatArray


def bounds_continuum(axis: Axis, potential: FloatArray, temperature: float) -> ContinuumBounds:
    """Bounds of the continuum constants of the densities exp(-Phi).

    Parameters
    ----------
    axis : Axis
        At least three cells.
    potential : array (S, n)
        Phi at the cells' points, e.g. ``Generators.potential``.
    temperature : float

    Raises
    ------
    ValueError
        Fewer than three cells, or an array that does not fit the axis.
    """
    if axis.size < 3 or potential.ndim != 2 or potential.shape[1] != axis.size:
        raise ValueError(f"axis {axis.name}: potential of shape {potential.shape} on {axis.size} cells (at least 3)")
    lines = np.concatenate([potential, potential[:, :1]], axis=1) if axis.periodic else potential
    curvature = temperature * np.min(second_quotients(lines, axis), axis=1)
    first = 2.0 * np.pi / axis.length if axis.periodic else np.pi / axis.length
    flat = temperature * first**2 * np.exp(-_oscillation(axis, potential))
    if axis.periodic:
        zero, infinite = np.zeros(len(potential)), np.full(len(potential), np.inf)
        return ContinuumBounds(curvature, zero, flat, zero, infinite, zero, infinite, zero, infinite)
    log_perturbed = np.empty(len(potential))
    perturbed_curvatures(np.ascontiguousarray(potential), centred(axis.distances), log_perturbed)
    median = _Median.of(axis, potential)
    gap = median.hardy(lambda t: t).max(axis=0)
    entropy = median.hardy(lambda t: t + np.log(np.logaddexp(0.0, 2.0 - t))).max(axis=0)
    entropy_upper = median.hardy(lambda t: t + np.log(np.logaddexp(0.0, -np.log(2.0) - t))).max(axis=0)
    loose = np.logaddexp.reduce(median.hardy(lambda t: t + np.log(-t)), axis=0)
    return ContinuumBounds(
        bakry_emery=curvature,
        holley_stroock=temperature * np.exp(log_perturbed),
        holley_stroock_flat=flat,
        muckenhoupt=temperature / 4.0 * np.exp(-gap),
        muckenhoupt_upper=2.0 * temperature * np.exp(-gap),
        barthe_roberto=temperature / 2.0 * np.exp(-entropy),
        barthe_roberto_upper=2.0 * temperature * np.exp(-entropy_upper),
        bobkov_goetze=temperature / 234.0 * np.exp(-loose),
        bobkov_goetze_upper=300.0 * temperature * np.exp(-loose),
    )


def _oscillation(axis: Axis, potential: FloatArray) -> FloatArray:
    """Of the potential over the whole axis, (S,): with its values at the ends of an interval, extrapolated."""
    if axis.periodic:
        return np.asarray(np.ptp(potential, axis=1))
    ends = []
    for end, cells in ((axis.lower, [0, 1, 2]), (axis.upper, [-1, -2, -3])):
        x = axis.points[cells]
        weights = [np.prod([(end - x[j]) / (x[i] - x[j]) for j in range(3) if j != i]) for i in range(3)]
        ends.append(potential[:, cells] @ np.array(weights))
    return np.asarray(np.ptp(np.column_stack([potential, *ends]), axis=1))


@dataclass(frozen=True, eq=False)
class _Median:
    """Logarithms of tails and resistances on both sides of the medians, (S, n - 1) each, for the inner edges."""

    tails: tuple[FloatArray, FloatArray]
    resistances: tuple[FloatArray, FloatArray]

    @classmethod
    def of(cls, axis: Axis, potential: FloatArray) -> _Median:
        log_mass = np.log(axis.widths) - potential
        log_total = np.logaddexp.reduce(log_mass, axis=1)[:, None]
        log_mass = log_mass - log_total
        log_resistance = np.log(axis.widths) + potential + log_total
        below = np.cumsum(np.exp(log_mass), axis=1)
        cell = np.argmax(below >= 0.5, axis=1)
        states = np.arange(len(potential))
        mass = np.exp(log_mass[states, cell])
        share = np.clip((below[states, cell] - 0.5) / mass, 0.0, 1.0)  # of the median's cell, above the median
        right = cls._side(log_mass, log_resistance, cell, share)
        mirrored = len(log_mass[0]) - 1 - cell
        left = cls._side(log_mass[:, ::-1], log_resistance[:, ::-1], mirrored, 1.0 - share)
        return cls((right[0], left[0]), (right[1], left[1]))

    @staticmethod
    def _side(
        log_mass: FloatArray, log_resistance: FloatArray, cell: IntArray, share: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        places = np.arange(log_mass.shape[1])
        with np.errstate(divide="ignore"):
            first = log_resistance + np.log(share)[:, None]
        inner = np.where(places == cell[:, None], first, log_resistance)
        inner = np.where(places < cell[:, None], -np.inf, inner)
        resistance = np.logaddexp.accumulate(inner, axis=1)[:, :-1]
        tail = np.logaddexp.accumulate(log_mass[:, ::-1], axis=1)[:, ::-1][:, 1:]
        return np.minimum(tail, -np.finfo(np.float64).tiny), resistance

    def hardy(self, log_weight: Weight) -> FloatArray:
        """ln of the suprema of weight times resistance, (2, S); ``log_weight`` maps ln T to ln weight."""
        pairs = zip(self.tails, self.resistances, strict=True)
        return np.array([np.max(log_weight(tail) + r, axis=1) for tail, r in pairs])
