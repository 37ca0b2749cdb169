r"""Metastability: lambda ~ exp(-barrier/tau) as the temperature falls.

A double-welled Q(s, .) lets mass leave the wrong well at the Eyring–Kramers rate only,

    lambda ~ sqrt(c''(well) |c''(top)|)/(2 pi) exp(-barrier/tau),

barrier from the shallower well (plus a smaller term from the deeper one).  All hypotheses hold, alpha > 0, and the
decay is linear: its constant collapses.  Along the flow V first falls fast, to the policy that is in equilibrium in
each well by itself, then hardly changes for a time of order 1/lambda.

Two problems: one state, c = (a^2 - 1)^2/4 + a/10 on [-2.5, 2.5], started in the shallower well; and Gymnasium's
pendulum on a coarse grid at tau = 0.1, started from the uniform policy.  On the latter soft policy iteration starts
where the flow is stuck: p' = g needs no mass to cross the barrier.

Source: Bovier, Eckhoff, Gayrard & Klein, J. Eur. Math. Soc. 6 (2004) 399, doi:10.4171/JEMS/14 (the prefactor).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from wpoflow.core.arrays import FloatArray
from wpoflow.problems.load import load_problem
from wpoflow.solver.bellman.evaluation import evaluate, suboptimality
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.validation.exact_cases.bandits import double_well
from wpoflow.validation.limits.measures import (
    agreement,
    at_time,
    certified,
    decay,
    followed,
    linear,
    monitored,
    monitors_sentence,
)
from wpoflow.validation.limits.study import Limit, Row, Table

STALL = 100.0
SMALL = 1e-8
MOST_ITERATIONS = 30


def double_well_barrier() -> tuple[float, float]:
    """Height of the top over the shallower well, and the factor sqrt(c''(well) |c''(top)|)/(2 pi) of Kramers' rate."""

    def slope(a: float) -> float:
        return a**3 - a + 0.1

    def cost(a: float) -> float:
        return (a * a - 1.0) ** 2 / 4.0 + a / 10.0

    top, well = brentq(slope, 0.0, 0.5, xtol=1e-14), brentq(slope, 0.6, 1.5, xtol=1e-14)
    curvatures = (3.0 * well**2 - 1.0) * (1.0 - 3.0 * top**2)
    return cost(top) - cost(well), float(np.sqrt(curvatures)) / (2.0 * np.pi)


def well_row(temperature: float, cells: int) -> Row:
    """The double well at one temperature."""
    mdp = double_well(temperature).grid(cells)
    series = {"first": 1e-2, "per_decade": 10}
    evidence = followed(mdp, f"double well, tau {temperature:g}", gap=1e-10, accuracy=1e-3, series=series)
    run, rates = evidence.run, decay(evidence)
    barrier, factor = double_well_barrier()
    late, middle = at_time(run, STALL), at_time(run, STALL / 2.0)
    gap, value = run.series["gap"], run.series["value_rho"]
    return {
        "tau": temperature,
        "barrier/tau": barrier / temperature,
        "lambda": rates["2 lambda"] / 2.0,
        "Kramers": factor * float(np.exp(-barrier / temperature)),
        "2 alpha": 2.0 * evidence.alpha,
        "least rate": float(run.series["rate_observed"][evidence.judged].min()),
        "late rate": rates["observed"],
        "2 lambda": rates["2 lambda"],
        "ratio": rates["ratio"],
        "gap(100)": float(gap[late]),
        "V(50)-V(100)": float(value[middle] - value[late]),
        "residual(100)": float(run.series["bellman_residual"][late]),
    }


def barrier_slope(temperatures: Sequence[float], spectral_gaps: Sequence[float]) -> float:
    """Minus the least-squares slope of ln lambda against 1/tau."""
    return -float(np.polyfit(1.0 / np.asarray(temperatures), np.log(spectral_gaps), 1)[0])


def soft_policy_iteration(mdp: GridMDP, optimum: Optimum, policy: FloatArray) -> list[float]:
    """Suboptimality over rho of the policy and its iterates p' = g, until it is small."""
    policy = policy.copy()
    errors: list[float] = []
    while len(errors) <= MOST_ITERATIONS:
        now = evaluate(mdp, policy)
        errors.append(float(mdp.rho @ suboptimality(mdp, policy, optimum.q, now.system)))
        if errors[-1] <= SMALL:
            break
        gibbs_policy(now.q, mdp.log_mass, mdp.temperature, policy)
    return errors


def pendulum_tables(cells: int, time: float) -> tuple[Table, Table, float]:
    """The flow of the pendulum at tau = 0.1, soft policy iteration from where it stalls, and the flow's ratio."""
    mdp = load_problem(
        "pendulum", cells=dict.fromkeys(("theta", "speed", "torque"), cells), set={"problem.temperature": 0.1}
    )
    series = {"first": 1e-2, "per_decade": 8}
    evidence = followed(mdp, "pendulum", gap=SMALL, time=time, accuracy=1e-2, series=series)
    run, rates = evidence.run, decay(evidence)
    rows: list[Row] = []
    for at in np.geomspace(time * 1e-4, time, 5):
        row, half = at_time(run, float(at)), at_time(run, float(at) / 2.0)
        rows.append(
            {
                "time": float(run.series["time"][row]),
                "gap": float(run.series["gap"][row]),
                "gap_sup": float(run.series["gap_sup"][row]),
                "fall of V since t/2": float(run.series["value_rho"][half] - run.series["value_rho"][row]),
                "residual": float(run.series["bellman_residual"][row]),
                "guaranteed": float(evidence.guaranteed_rate[row]),
                "observed": float(run.series["rate_observed"][row]),
            }
        )
    errors = soft_policy_iteration(mdp, evidence.optimum, run.policy)
    return (
        Table(
            f"pendulum at tau = 0.1, {cells} x {cells} x {cells} cells; 2 lambda = {rates['2 lambda']:.3g}", tuple(rows)
        ),
        Table(
            "soft policy iteration from the pendulum's last policy",
            tuple({"iteration": k, "gap": error} for k, error in enumerate(errors)),
        ),
        rates["ratio"],
    )


def metastability(
    temperatures: Sequence[float] = (0.2, 0.1, 0.07, 0.05, 0.035, 0.025),
    cells: int = 320,
    sizes: Sequence[int] = (80, 160, 320),
    pendulum: int = 21,
    time: float = 1000.0,
) -> Limit:
    """Double well at falling temperature, and the pendulum at tau = 0.1."""
    wells = Table(
        f"double well, {cells} cells: tau falls", tuple(well_row(temperature, cells) for temperature in temperatures)
    )
    barrier, _ = double_well_barrier()
    coldest = min(3, len(temperatures))
    slope = barrier_slope(wells.column("tau")[-coldest:], wells.column("lambda")[-coldest:])
    middle = temperatures[len(temperatures) // 2]
    monitors, growing = monitored(
        f"monitors at tau = {middle:g}",
        sizes,
        lambda n: followed(double_well(middle).grid(n), "double well", gap=1e-8, accuracy=1e-3),
    )
    flow, iteration, ratio = pendulum_tables(pendulum, time)
    last, stuck, errors = wells.rows[-1], flow.rows[-1], iteration.column("gap")
    deviation = agreement(wells.column("late rate"), wells.column("2 lambda"))
    return Limit(
        name="metastability",
        fails="no hypothesis fails; lambda and alpha collapse like exp(-barrier/tau)",
        tables=(wells, monitors, flow, iteration),
        flow=f"at tau = {last['tau']:g} the gap is {last['gap(100)']:.3g} at t = 100 and V fell by "
        f"{last['V(50)-V(100)']:.2g} since t = 50, a relative change of the gap of "
        f"{float(last['V(50)-V(100)']) / float(last['gap(100)']):.2g}; the soft Bellman residual is "
        f"{last['residual(100)']:.3g}.  The pendulum's gap is {stuck['gap']:.3g} (largest {stuck['gap_sup']:.3g}) at "
        f"t = {stuck['time']:g}, V fell by {stuck['fall of V since t/2']:.2g} since half that time, the residual is "
        f"{stuck['residual']:.3g}; soft policy iteration needs {len(errors) - 1} iterations from there to "
        f"{errors[-1]:.1g}",
        growing=growing,
        monitors=monitors_sentence(growing),
        conclusion=f"ln lambda falls with slope {slope:.4f} against 1/tau over the {coldest} lowest temperatures, "
        f"the barrier is {barrier:.4f} (deviation {100.0 * abs(slope / barrier - 1.0):.2g} %); "
        f"{linear(deviation)}, and {certified([*wells.column('ratio'), ratio])}",
    )
