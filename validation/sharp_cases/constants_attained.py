r"""Constants of laws on few cells, against closed forms.

On **two equal cells** with a flat Q the rate to either side is r = tau/h^2, and alpha = lambda = 2 r.  The bounds
there:

    Bakry–Émery, references, Holley–Stroock      2 r, alpha itself (kappa = 2 r + min_z r (e^z - e^-z)/z = 4 r)
    Barthe–Roberto as in the literature          1/(2 B), B = T ln(1 + e^2/T)/c = ln(1 + 2 e^2)/r with T = 1/2, c = r/2
    sharpened                                    2/C, C = N/c, N = ln(t)/2, t = 1 + 2 e^2: four times as much

On a **flat** path, circle or box lambda = alpha in closed form (`validation.sharp_cases.problems`), and the best bound
attains it; on a **tilted** path lambda is known, and the end mass of p*.  A bound that is not in this list is held
below alpha.
"""

from __future__ import annotations

import numpy as np

from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.finding import Finding, Hypothesis, Measurement
from wpoflow.validation.sharp_cases.problems import TEMPERATURE, flat, flat_rate, tilt, tilt_numbers

NAME = "constants_attained"
STATEMENT = "lower bounds, alpha and lambda take their closed forms on flat, tilted and two-celled problems"
SOURCE = "Chen & Sheu 2003, doi:10.1016/S0022-1236(03)00112-4; the definitions of the bounds"
RELATIVE = 1e-8  # the bounds are rounded downwards by an argued allowance
SHAPES = (((6,), False), ((8,), True), ((4, 6), False))
TILTED = (8, 1.5)
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
        "barthe_roberto": 2.0 * hardy,
        "barthe_roberto_plain": hardy / 2.0,
    }


def finding() -> Finding:
    """Bounds on two cells by name; best bounds and spectral gaps of the flat and tilted problems."""
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
    for shape, circle in SHAPES:
        words = f"{'circle' if circle else 'box'} of {' x '.join(map(str, shape))} cells"
        generators, expected = _generators(flat(shape, circle=circle)), flat_rate(shape, circle=circle)
        for what, value in (
            ("best bound", lower_bounds(generators).best[0]),
            ("lambda", spectral_gap(generators)[0]),
        ):
            measurements.append(
                Measurement(f"{what}, flat", float(value), expected, "=", words, rounding=RELATIVE * expected)
            )
    mdp = tilt(*TILTED)
    walls, rate = tilt_numbers(*TILTED)
    policy = solve_optimum(mdp).policy[0]
    gap = float(spectral_gap(_generators(mdp))[0])
    measurements.append(
        Measurement("mass of p* at the walls, tilted", policy[0] + policy[-1], walls, "=", rounding=1e-12)
    )
    measurements.append(Measurement("lambda, tilted", gap, rate, "=", rounding=1e-12 * rate))
    return Finding(
        NAME, "sharp: constants", STATEMENT, SOURCE, (Hypothesis("closed forms", True),), tuple(measurements)
    )
