"""Time schemes reach the order they claim, on this problem's own grid.

The semi-discrete flow is a smooth system of ordinary differential equations, whatever the cost and the dynamics: on a
fixed grid the error in time must fall with the order of the scheme; a small grid shows it as well as a large one.
Three differences of values at four steps give two observed orders (`studies.refinement.study`).  Hypothesis: the
steps resolve the flow, so that the differences shrink monotonically and the two orders agree; stiff starts do not
allow that at any affordable step.

Of a flow whose step belongs to the algorithm the claim is that its steps follow a continuous flow to first order as
they are made shorter: mirror descent that of Fisher and Rao, for p^x with x = 1/(1 + tau eta) differs from that with
x = e^{-tau eta} by O(eta^2) (and its extrapolated value must be that flow's own), proximal descent the gradient flow of
W2 between laws uniform within cells.  Five steps are taken, down to a short time, before fast modes have gone: three
orders must agree.

Order in space is judged against exact solutions (claim ``exact_solution``), since costs and dynamics of a problem need
not be smooth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from wpoflow.solver.registry import FLOWS
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.studies.refinement.result import QuantityStudy
from wpoflow.studies.refinement.study import RefinementError, refine
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence, Family
from wpoflow.validation.finding import Hypothesis, Measurement

MOST_PAIRS = 2000.0
LEVELS = 4
SCHEME, ORDER = "euler", 1.0
SETTLED = 0.15
STEPS, OWN_STEPS = 64, 16
SHORT = 0.05  # part of the slowest time of relaxation
FINE = 1e-8


@claim(
    "orders",
    "descent steps are of order one in time, mirror and proximal steps in their step",
    "consistency and stability of the implicit Euler method; Hairer & Wanner, Solving ODEs II",
    needs_family=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Backward Euler at four steps on a small grid, up to the time of the middle row."""
    family = evidence.family
    assert family is not None
    only = FLOWS[evidence.flow_name].step if evidence.flow_name in FLOWS else None
    if only is not None:
        words = f"the step of {evidence.flow_name} is {only:g}"
        return (Hypothesis("steps that can be refined", False, words, scope=True),), (), {}
    if evidence.judged_as.name == "particles":
        words = "particles move at random; particle_law judges their weak order"
        return (Hypothesis("steps without chance", False, words, scope=True),), (), {}
    series = evidence.run.series
    end = float(series["time"][len(series["time"]) // 2])
    own = evidence.judged_as.kind.own_step
    first_step, levels = end / STEPS, LEVELS
    if own and evidence.sharp_rate > 0.0:
        end = 2.0 ** math.floor(math.log2(SHORT / evidence.sharp_rate))  # so that whole steps lead to it
        first_step, levels = end / OWN_STEPS, LEVELS + 1
    if end <= 0.0:
        return (Hypothesis("a run of some length", False, "the run did not advance"),), (), {}
    try:
        study = refine(
            family.make_mdp,
            family.coarsened(MOST_PAIRS),
            levels,
            ("value_rho",),
            times=(end,),
            directions=("time",),
            scheme=SCHEME,
            flow=evidence.flow_name,
            parameters=evidence.flow_parameters,
            step=first_step,
        )
    except RefinementError as error:
        return (Hypothesis("every run of the study ends", False, str(error)),), (), {}
    found = study.find("time", "value_rho")
    seen = found.orders[2:]
    last = seen[-1]
    settled = all(map(math.isfinite, seen)) and max(seen) - min(seen) <= SETTLED
    smallest = min(map(abs, found.differences[1:]))
    hypotheses = (
        Hypothesis(
            "differences stand above rounding",
            smallest > found.noise,
            f"the least difference is {smallest:.1e}, and rounding makes {found.noise:.1e}",
            scope=evidence.judged_as.kind.logarithmic,  # whose steps are exact where Q is frozen
        ),
        Hypothesis("steps resolve the flow", settled, f"observed orders {_listed(seen)} do not agree"),
    )
    measurement = Measurement(
        f"order of {SCHEME} in time" if not own else "order in the step",
        last,
        ORDER,
        "=",
        f"steps down to {first_step / 2 ** (levels - 1):.3g}",
        theory=SETTLED,
    )
    limit = (
        _limit(family, study.directions[0].levels[-1].cells, end, found) if evidence.judged_as.name == "mirror" else ()
    )
    return hypotheses, (measurement, *limit), {"orders": list(seen)}


def _listed(orders: Sequence[float]) -> str:
    return ", ".join(f"{order:.3f}" for order in orders)


def _limit(family: Family, cells: Mapping[str, int], end: float, found: QuantityStudy) -> tuple[Measurement, ...]:
    """What steps of mirror descent come to, against the Fisher–Rao flow."""
    flow = evolve_to_the_end(family.make_mdp(cells), until=end, flow="fisher-rao", accuracy=FINE, snapshots=0)
    change = found.differences[-1]
    value, last = float(flow.series["value_rho"][-1]), found.values[-1] + change
    moved = abs(value - float(flow.series["value_rho"][0]))
    return (
        Measurement(
            "V(rho) as the step goes to zero, against the Fisher-Rao flow", last, value, "=", f"t = {end:g}",
            theory=SETTLED * abs(change), discretisation=4.0 * FINE * moved, rounding=found.noise,
        ),
    )  # fmt: skip
