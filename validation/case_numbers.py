"""Constants and rates of one case, side by side: guaranteed <= observed, observed -> sharp."""

from __future__ import annotations

from typing import Any

import numpy as np

from wpoflow.validation.constants.coefficients import slopes
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import json_ready
from wpoflow.validation.rates import paper_rate, sup_norm_rate


def case_numbers(evidence: Evidence) -> dict[str, Any]:
    """Numbers of a case, ready for JSON.

    ``rates`` holds one entry a row of the run: ``guaranteed`` 2 alpha/kappa, ``sup_norm`` 2 alpha (1 - gamma),
    ``paper`` 2 alpha (1 - gamma)/|d*/rho|_sup, all with the alpha certified from that row on, ``observed``
    dissipation/gap, and the number ``sharp``, the late rate of the slowest state visited: 2 lambda of the Wasserstein
    flow.  Of flows that are not known to dissipate as much as that one, the guarantees are zero.
    """
    run, series = evidence.run, evidence.run.series
    gaps = evidence.spectral_gaps[evidence.reached]
    now, ratio = evidence.alpha_now, evidence.density_ratio
    kappa = series["occupancy_ratio"]
    lower = evidence.bounds.best
    axes_slopes = slopes(evidence.optimum.q, run.actions)
    numbers = {
        "title": run.title,
        "states": list(run.states.shape),
        "actions": list(run.actions.shape),
        "grid": evidence.grid,
        "own_grid": evidence.grid if evidence.own_grid is None else dict(evidence.own_grid),
        "discount": evidence.discount,
        "temperature": evidence.temperature,
        "stop_reason": run.stop_reason,
        "constants": {
            "alpha_lower_bound": evidence.alpha,
            "alpha_bound_used": str(evidence.bounds.best_name[int(np.argmin(lower))]),
            "alpha_bounds_label": "grid",  # of the generators on these cells, not of the continuum alone
            "alpha_bounds_least": {name: float(v.min()) for name, v in evidence.bounds.values.items()},
            "spectral_gap_least": float(gaps.min()),
            "spectral_gap_largest": float(gaps.max()),
            "density_ratio": ratio,
            "concentrability_last": float(kappa[-1]),
            "oscillation_q": float(np.ptp(evidence.optimum.q, axis=1).max()),
            "slope_q": [float(value) for value in axes_slopes.max(axis=0)],
            "gap_floor": evidence.optimum.gap_floor,
        },
        "rates": {
            "time": series["time"].tolist(),
            "gap": series["gap"].tolist(),
            "guaranteed": evidence.guaranteed_rate.tolist(),
            "sup_norm": [sup_norm_rate(float(alpha), evidence.discount) for alpha in now],
            "paper": [paper_rate(float(alpha), evidence.discount, ratio) for alpha in now],
            "observed": series["rate_observed"].tolist(),
            "judged": evidence.judged.tolist(),
            "sharp": evidence.sharp_rate,
        },
    }
    return {name: json_ready(entry) for name, entry in numbers.items()}
