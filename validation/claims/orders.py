"""Time schemes reach the order they claim, on this problem's own grid.

The semi-discrete flow is a smooth system of ordinary differential equations, whatever the cost and the dynamics: on a
fixed grid the error in time must fall with the order of the scheme; a small grid shows it as well as a large one.
Three differences of values at four steps give two observed orders (`studies.refinement.study`).  Hypothesis: the
steps resolve the flow, so that the differences shrink monotonically and the two orders agree; stiff starts do not
allow that at any affordable step.  Order in space is judged against exact solutions (claim ``exact_solution``), since
costs and dynamics of a problem need not be smooth.
"""

from __future__ import annotations

import math

from wpoflow.solver.registry import own_step_flows
from wpoflow.studies.refinement.study import RefinementError, refine
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Hypothesis, Measurement

MOST_PAIRS = 2000.0
LEVELS = 4
SCHEME, ORDER = "euler", 1.0
SETTLED = 0.15
STEPS = 64


@claim(
    "orders",
    "descent steps are of order one in time",
    "consistency and stability of the implicit Euler method; Hairer & Wanner, Solving ODEs II",
    needs_family=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Backward Euler at four steps on a small grid, up to the time of the middle row."""
    family = evidence.family
    assert family is not None
    series = evidence.run.series
    end = float(series["time"][len(series["time"]) // 2])
    if evidence.flow_name in own_step_flows():
        return (Hypothesis("a flow in continuous time", False, "the step belongs to the algorithm"),), (), {}
    if end <= 0.0:
        return (Hypothesis("a run of some length", False, "the run did not advance"),), (), {}
    try:
        study = refine(
            family.make_mdp,
            family.coarsened(MOST_PAIRS),
            LEVELS,
            ("value_rho",),
            times=(end,),
            directions=("time",),
            scheme=SCHEME,
            flow=evidence.flow_name,
            parameters=evidence.flow_parameters,
            step=end / STEPS,
        )
    except RefinementError as error:
        return (Hypothesis("every run of the study ends", False, str(error)),), (), {}
    found = study.find("time", "value_rho")
    first, last = found.orders[-2], found.orders[-1]
    settled = math.isfinite(first) and math.isfinite(last) and abs(last - first) <= SETTLED
    smallest = min(map(abs, found.differences[1:]))
    hypotheses = (
        Hypothesis(
            "differences stand above rounding",
            smallest > found.noise,
            f"the least difference is {smallest:.1e}, and rounding makes {found.noise:.1e}",
        ),
        Hypothesis("steps resolve the flow", settled, f"observed orders {first:.3f}, {last:.3f} do not agree"),
    )
    measurement = Measurement(
        f"order of {SCHEME} in time", last, ORDER, "=", f"steps down to {end / STEPS / 8:.3g}", theory=SETTLED
    )
    return hypotheses, (measurement,), {"orders": [first, last]}
