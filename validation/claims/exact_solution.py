"""The grid solver converges to exact solutions, with order two in space.

On three or four grids with cell Peclet numbers below one the errors of policy moments, value and suboptimality are
measured against solutions computed without any grid flux (`validation.exact`).  Every observed order of consecutive
grids must be two within 0.15 (0.1 below and 0.2 above is what design order two shows with four grids in the
asymptotic range), and the error of the finest grid below the case's bound.  The time error, 3e-7 of the progress, is
in the budget.
"""

from __future__ import annotations

import numpy as np

from wpoflow.studies.refinement.orders import observed_orders
from wpoflow.validation.exact_cases.cases import ACCURACY, ExactCase
from wpoflow.validation.finding import Finding, Hypothesis, Measurement

NAME = "exact_solution"
STATEMENT = "values, policies and suboptimality converge to the exact solution with order two"
SOURCE = "closed and spectral solutions of validation.exact"
ORDER = 2.0
BRACKET = 0.15
RESOLVED = 0.25  # an allowance that could not tell order two from one and a half says nothing


def finding(case: ExactCase, levels: int) -> Finding:
    """Judge one case on its first ``levels`` grids."""
    sizes = case.sizes[:levels]
    errors = [case.errors(n) for n in sizes]
    measurements = []
    for name, last in errors[-1].items():
        found = [entry[name] for entry in errors]
        # a bound stated for the finest grid grows with the square of the mesh size
        bound = case.largest * (case.sizes[-1] / sizes[-1]) ** 2
        where = f"{sizes[-1]} cells"
        measurements.append(Measurement(f"error of {name}", abs(last), bound, "<=", where))
        if name not in case.irregular:
            orders = observed_orders(1.0 / np.array(sizes), found)
            worst = float(orders[np.argmax(np.abs(orders - ORDER))])
            measurements.append(
                Measurement(
                    f"order of {name}",
                    worst,
                    ORDER,
                    "=",
                    f"{sizes[0]} to {sizes[-1]} cells",
                    theory=BRACKET,
                    discretisation=2.0 * ACCURACY / max(abs(last), ACCURACY),
                )
            )
    measurements.append(Measurement("allowance of an order", BRACKET, RESOLVED, "<="))
    notes = {"sizes": list(sizes), "errors": {name: [entry[name] for entry in errors] for name in errors[-1]}}
    smooth = Hypothesis("a smooth problem with a known solution", True, case.solution)
    return Finding(NAME, case.name, STATEMENT, SOURCE, (smooth,), tuple(measurements), notes)
