"""Constants and rates of one case, side by side: guaranteed <= observed, observed -> sharp."""

from __future__ import annotations

from typing import Any

import numpy as np

from validation.constants.coefficients import oscillation, slopes
from validation.evidence import Evidence
from validation.rates import paper_rate, static_rate, sup_norm_rate


def case_numbers(evidence: Evidence) -> dict[str, Any]:
    """Numbers of a case, ready for JSON.

    ``rates`` holds one entry a row of the run: ``guaranteed`` 2 alpha/kappa, ``sup_norm`` 2 alpha (1 - gamma),
    ``paper`` 2 alpha (1 - gamma)/|d*/rho|_sup, all with the alpha certified from that row on, ``observed``
    dissipation/gap, and the number ``sharp``, 2 lambda of the slowest state visited.
    """
    run, series = evidence.run, evidence.run.series
    gaps = evidence.spectral_gaps[evidence.reached]
    now, ratio = evidence.alpha_now, evidence.density_ratio
    kappa = series["occupancy_ratio"]
    lower = evidence.bounds.best
    axes_slopes = slopes(evidence.optimum.q, run.actions)
    return {
        "title": run.title,
        "states": list(run.states.shape),
        "actions": list(run.actions.shape),
        "discount": evidence.discount,
        "temperature": evidence.temperature,
        "stop_reason": run.stop_reason,
        "constants": {
            "alpha_lower_bound": _number(evidence.alpha),
            "alpha_bound_used": str(evidence.bounds.best_name[int(np.argmin(lower))]),
            "alpha_bounds_least": {name: _number(float(v.min())) for name, v in evidence.bounds.values.items()},
            "spectral_gap_least": _number(float(gaps.min())),
            "spectral_gap_largest": _number(float(gaps.max())),
            "density_ratio": _number(ratio),
            "concentrability_last": _number(float(kappa[-1])),
            "oscillation_q": float(oscillation(evidence.optimum.q).max()),
            "slope_q": [float(value) for value in axes_slopes.max(axis=0)],
            "gap_floor": evidence.optimum.gap_floor,
        },
        "rates": {
            "time": series["time"].tolist(),
            "gap": series["gap"].tolist(),
            "guaranteed": [_number(float(x)) for x in static_rate(1.0, kappa) * now],
            "sup_norm": [_number(sup_norm_rate(float(alpha), evidence.discount)) for alpha in now],
            "paper": [_number(paper_rate(float(alpha), evidence.discount, ratio)) for alpha in now],
            "observed": [_number(float(x)) for x in series["rate_observed"]],
            "judged": evidence.judged.tolist(),
            "sharp": _number(2.0 * float(evidence.spectral_gaps[evidence.slowest])),
        },
    }


def _number(value: float) -> float | str:
    """JSON knows no infinities and no NaN; they are written as text."""
    return value if np.isfinite(value) else str(value)
