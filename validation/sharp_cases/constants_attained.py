r"""Constants of laws on few cells, against closed forms.

On **two equal cells** with a flat Q the rate to either side is r = tau/h^2, and alpha = lambda = 2 r.  The bounds
there:

    Bakry–Émery, references, Holley–Stroock      2 r, alpha itself (kappa = 2 r + min_z r (e^z - e^-z)/z = 4 r)
    Barthe–Roberto as in the literature          1/(2 B), B = T ln(1 + e^2/T)/c = ln(1 + 2 e^2)/r with T = 1/2, c = r/2
    sharpened                                    2/C, C = N/c, N = ln(t)/2, t = 1 + 2 e^2: four times as much

    Diaconis–Saloff-Coste (weighted gap)         lambda = 2 r, the limit of its quotient at min g = 1/2

On a **circle** of two cells, of three and of 2 m + 1 > 21 the unit chain gives 4 r, 2 r/ln 2 and 2 (1 - cos(2 pi/(2 m
+ 2))) r; a circle of three cells less one face is a path of three, of alpha r.  On a **flat** path, circle or box
lambda = alpha in closed form (`validation.sharp_cases.problems`), which the best bound, the product, the two-scale
bound (nothing is transported) and the verified lambda attain.

On the flat **box of 8 x 8** the weighted gap takes four blocks of 4 x 4: with lambda(n) = 2 (1 - cos(pi/n)) r inside a
block C = 2/lambda(4), and all masses are g (2 + ln 4), so that the bound is 2/(2/lambda(4) + (2 + ln 4)/lambda(8)).
The whole box would have C = 2/lambda(8) > .6/lambda(8), 2 x 2 blocks or single cells give less.

On two **tilted** cells alpha is the least of a function of one number (`two_cells`): every bound is below it, dynamic
programming within its resolution.  On a tilted path lambda is known, and the end mass of p*.

On **two coupled axes** of two cells, cost -x y, let a be the mass of the better cell of a fibre and c the conductance
of every face.  Base and fibres have the log-Sobolev constants betabar = 8 c and beta = 2 lambda (2 a - 1)/ln(a/(1 -
a)), lambda = 2 c/(a (1 - a)) (Diaconis & Saloff-Coste); the one flow of a fibre, from (a, 1 - a) to equal halves, has F
= a - 1/2, s = (3/2 - a)/2 and t of R = (2 (1 - a))^(-1/2), so that the price is 4 (1 + t^2) F^2/s and the two-scale
bound a closed form.  The product with the flat reference is exact there: no other bound exceeds the minimised alpha.

A bound that is not in this list is held below alpha.
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.proven import proven
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.constants.verified_gap import proven_gap
from wpoflow.validation.finding import Finding, Hypothesis, Measurement
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.sharp_cases.problems import TEMPERATURE, coupled, flat, flat_rate, tilt, tilt_numbers
from wpoflow.validation.sharp_cases.two_cells import exact_alpha

NAME = "constants_attained"
STATEMENT = "lower bounds, alpha and lambda take their closed forms on flat, tilted and two-celled problems"
SOURCE = "Chen & Sheu 2003, doi:10.1016/S0022-1236(03)00112-4; the definitions of the bounds"
RELATIVE = 1e-8  # the bounds are rounded downwards by an argued allowance
SHAPES = (((6,), False), ((8,), True), ((4, 6), False))
TILTED = (8, 1.5)
TWO_TILTED = (0.6, 4.0)
LONG_CIRCLE = 23
COUNTED = 1e-5  # what inertia counts give away
PROGRAMMED = 4e-3  # what dynamic programming does: its resolution and its chords
E2 = float(np.exp(2.0))


def _generators(mdp: GridMDP) -> Generators:
    return Generators.of(mdp, mdp.cost)


def closed_forms() -> dict[str, float]:
    """The bounds on two equal cells of the unit box with a flat Q, by name."""
    rate = 4.0 * TEMPERATURE
    alpha, hardy = 2.0 * rate, rate / np.log1p(2.0 * E2)
    return {
        "bakry_emery": alpha,
        "reference": alpha,
        "holley_stroock": alpha,
        "holley_stroock_flat": alpha,
        "weighted_gap": alpha,
        "barthe_roberto": 2.0 * hardy,
        "barthe_roberto_plain": hardy / 2.0,
    }


def closed_forms_elsewhere() -> list[tuple[str, tuple[int, ...], bool, float]]:
    """Bounds on flat circles and boxes: name, shape, whether it is a circle, value."""
    three, many = 9.0 * TEMPERATURE, LONG_CIRCLE**2 * TEMPERATURE
    inner, outer = (2.0 * (1.0 - np.cos(np.pi / n)) * 64.0 * TEMPERATURE for n in (4, 8))
    return [
        ("circle", (2,), True, flat_rate((2,), circle=True)),
        ("weighted_gap", (2,), True, flat_rate((2,), circle=True)),
        ("circle", (3,), True, three),
        ("reference", (3,), True, 2.0 / np.log(2.0) * three),
        ("reference", (5,), True, flat_rate((5,), circle=True)),
        ("reference", (LONG_CIRCLE,), True, 2.0 * (1.0 - np.cos(2.0 * np.pi / (LONG_CIRCLE + 1))) * many),
        ("product", (4, 6), False, flat_rate((4, 6))),
        ("two_scale", (4, 6), False, flat_rate((4, 6))),
        ("holley_stroock_flat", (4, 6), False, flat_rate((4, 6))),
        ("weighted_gap", (8, 8), False, 2.0 / (2.0 / inner + (2.0 + np.log(4.0)) / outer)),
    ]


def _words(shape: tuple[int, ...], circle: bool) -> str:
    return f"{'circle' if circle else 'box'} of {' x '.join(map(str, shape))} cells"


def finding() -> Finding:
    """Bounds by name against closed forms; best bounds and spectral gaps of the flat and tilted problems."""
    measurements = []
    known, alpha = closed_forms(), flat_rate((2,))
    for name, values in lower_bounds(_generators(flat((2,)))).values.items():
        expected = known.get(name, alpha)
        measurements.append(
            Measurement(
                f"{name} on two cells",
                float(values[0]),
                expected,
                "=" if name in known else "<=",
                rounding=RELATIVE * alpha,
            )
        )
    for name, shape, circle, expected in closed_forms_elsewhere():
        value = float(lower_bounds(_generators(flat(shape, circle=circle))).values[name][0])
        words, allowed = _words(shape, circle), (COUNTED if name == "weighted_gap" else RELATIVE) * expected
        measurements.append(Measurement(f"{name}, flat", value, expected, "=", words, rounding=allowed))
    for shape, circle in SHAPES:
        generators, expected = _generators(flat(shape, circle=circle)), flat_rate(shape, circle=circle)
        for what, value, allowed in (
            ("best bound", lower_bounds(generators).best[0], RELATIVE),
            ("lambda", spectral_gap(generators)[0], RELATIVE),
            ("verified lambda", proven(proven_gap(generators))[0], COUNTED),
        ):
            words = _words(shape, circle)
            measurements.append(
                Measurement(f"{what}, flat", float(value), expected, "=", words, rounding=allowed * expected)
            )
    return Finding(
        NAME,
        "sharp: constants",
        STATEMENT,
        SOURCE,
        (Hypothesis("closed forms", True),),
        (*measurements, *_tilted(), *_two_tilted_cells(), *_coupled()),
    )


def _tilted() -> list[Measurement]:
    """End mass and lambda of a tilted path, and the verified lambda."""
    mdp = tilt(*TILTED)
    walls, rate = tilt_numbers(*TILTED)
    policy = solve_optimum(mdp).policy[0]
    generators = _generators(mdp)
    gap, verified = float(spectral_gap(generators)[0]), float(proven(proven_gap(generators))[0])
    return [
        Measurement("mass of p* at the walls, tilted", policy[0] + policy[-1], walls, "=", rounding=1e-12),
        Measurement("lambda, tilted", gap, rate, "=", rounding=1e-12 * rate),
        Measurement("verified lambda, tilted", verified, rate, "=", rounding=1e-11 * rate),
    ]


def _two_tilted_cells() -> list[Measurement]:
    """Every bound of level full below alpha; dynamic programming within its resolution of it."""
    found = []
    for slope in TWO_TILTED:
        mdp = tilt(2, slope)
        frozen = Frozen.of(Geometry.of(mdp.actions), mdp.cost, mdp.reference_mass, mdp.temperature)
        alpha, where = exact_alpha(frozen, 0), f"two cells, slope {slope:g}"
        for name, values in lower_bounds(_generators(mdp), "full").values.items():
            value, allowed = float(values[0]), RELATIVE * alpha
            found.append(Measurement(f"{name}, tilted", value, alpha, "<=", where, rounding=allowed))
            if name == "dynamic_programming":
                least = alpha * (1.0 - PROGRAMMED)
                found.append(Measurement(f"{name}, tilted, at least", value, least, ">=", where, rounding=allowed))
    return found


def _coupled() -> list[Measurement]:
    """No bound on a box with coupled axes above the minimised alpha, and the two-scale bound near it."""
    generators = _generators(coupled())
    alpha = float(minimise_log_sobolev(generators)[0])
    found = []
    for name, values in lower_bounds(generators).values.items():
        value, where = float(values[0]), "two coupled axes"
        found.append(Measurement(f"{name}, coupled", value, alpha, "<=", where, rounding=RELATIVE * alpha))
        if name == "two_scale":
            found.append(Measurement("two scales", value, _two_scales(), "=", where, rounding=RELATIVE * alpha))
    return found


def _two_scales() -> float:
    """The two-scale bound of the coupled axes, in closed form."""
    mdp = coupled()
    frozen = Frozen.of(Geometry.of(mdp.actions), mdp.cost, mdp.reference_mass, mdp.temperature)
    law = np.exp(frozen.log_g[0])
    conductance = float(frozen.right[0, 0] * law[frozen.geometry.here[0]])
    most = 2.0 * float(law.max())
    base = 8.0 * conductance
    gap = 2.0 * conductance / (most * (1.0 - most))
    fibre = 2.0 * gap * (2.0 * most - 1.0) / np.log(most / (1.0 - most))
    ratio = (2.0 * (1.0 - most)) ** -0.5
    price = 4.0 * (1.0 + ((ratio - 1.0) / (ratio + 1.0)) ** 2) * (most - 0.5) ** 2 / ((1.5 - most) / 2.0)
    linear = 1.0 - base / fibre - price  # eps^2 + linear eps - price = 0
    return float(base / (1.0 + (-linear + np.sqrt(linear**2 + 4.0 * price)) / 2.0))
