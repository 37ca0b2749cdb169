"""Series, optimum and attributes are what independent code makes of the problem and the snapshots.

At a few snapshots that are rows as well, every series that depends on the policy alone is computed again by dense NumPy
code that shares none of the solver's (`validation.independent`): values and occupancy by elimination or by their
Neumann series, relative entropies and dissipation by their definitions, with widths of cells and distances of faces
taken from the edges.  So are V* and its Gibbs policy (one application of T, whose fixed point it must be), d*, and the
spectral gaps of a few states by a dense eigensolver.  Where each row is one step from the row before and both are
snapshots, the series of steps are judged, too.  The rates that follow from the series are formed again from their
formulae.

Rounding: values err by eps (64 + max|Q|/tau) max|V|/(1 - gamma), the latter as ln p* does, and with them Q;
suboptimalities, dissipation and rates by the shares of `Evidence.rounding_share` and `rate_rounding_share`, a relative
entropy to the Gibbs policy of Q by what an error e of Q/tau makes of it, sqrt(2 KL) e + e^2/2; everything else by 1e-9
of itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import EPS, Evidence
from wpoflow.validation.finding import Hypothesis, Measurement
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.independent.policy import PolicyValues, relative_entropy
from wpoflow.validation.independent.series import recomputed_series, soft_optimal

SNAPSHOTS = 4
RELATIVE = 1e-9
STATES = 8
MEANT = 1e-10
ROUNDED = 1e-3  # share of a tolerance below which last digits, of one machine or another, decide which is larger
MOST_ACTIONS = 600  # cells that dense eigenvalues are computed of


@claim(
    "recomputed",
    "every series, the optimum and the spectral gaps are what independent dense code makes of them",
    "definitions: theory, sections 1, 2 and 4",
    needs_problem=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Series at a few snapshots; optimum and constants once."""
    mdp = evidence.mdp
    assert mdp is not None
    geometry = Geometry.of(mdp.actions)
    q, best_log, improved = soft_optimal(mdp, evidence.optimum.value)
    best = PolicyValues(mdp, np.exp(best_log))
    size = float(np.abs(evidence.optimum.value).max()) + float(np.abs(best.value).max())
    noise = 64.0 * EPS * max(size, float(np.abs(mdp.cost).max()), mdp.temperature) / (1.0 - mdp.discount)
    noise += EPS * size * float(np.abs(q).max()) / mdp.temperature / (1.0 - mdp.discount)
    measurements = _of_optimum(evidence, mdp, (q, best_log, improved), best, noise)
    measurements += _spectral_gaps(evidence, mdp, geometry, q)
    snapshots, time = evidence.run.snapshots, evidence.run.series["time"]
    shared = [] if snapshots is None else [j for j, t in enumerate(snapshots.time) if np.any(time == t)]
    chosen = [shared[k] for k in np.unique(np.linspace(0, len(shared) - 1, SNAPSHOTS).astype(int))] if shared else []
    weights = evidence.judged_as.weights
    worst: dict[str, Measurement] = {}
    for j in chosen:
        assert snapshots is not None
        row = int(np.flatnonzero(time == snapshots.time[j])[0])
        policy = snapshots.policy_at(j)
        found, now = recomputed_series(mdp, geometry, policy, best_log, best.occupancy, weights or (1.0, 0.0))
        allowed = _allowances(evidence, found, row, noise)
        largest = float(evidence.run.series["occupancy_ratio_largest"][row])
        if not np.isnan(largest):  # of the steps since the row before as well
            ratio = found["occupancy_ratio"]
            quantity, allowed_below = "occupancy_ratio_largest", RELATIVE * ratio
            _keep(worst, Measurement(quantity, largest, ratio, ">=", evidence.when(row), rounding=allowed_below))
        for name, number in found.items():
            entry = _entry(evidence, name, row, number, allowed.get(name, RELATIVE * abs(number)))
            _keep(worst, entry)
        error = float(np.abs(now.value - snapshots.value_at(j)).max())
        _keep(worst, Measurement("snapshot/value", error, 0.0, "<=", evidence.when(row), rounding=noise))
        states = _few(evidence)
        present = Frozen.of(geometry, np.ascontiguousarray(now.q[states]), mdp.reference_mass, mdp.temperature)
        if geometry.here.size and mdp.actions.size <= MOST_ACTIONS:
            _keep(worst, _certified(evidence, present, row))
        if row and j and snapshots.time[j - 1] == time[row - 1]:
            for entry in _of_step(evidence, mdp, snapshots.policy_at(j - 1), policy, row, noise):
                _keep(worst, entry)
    compared = Hypothesis("snapshots that are rows", bool(chosen), "none in the run")
    return (compared,), (*measurements, *worst.values(), *_rates(evidence)), {"snapshots compared": len(chosen)}


def _keep(worst: dict[str, Measurement], entry: Measurement) -> None:
    """The less favourable of two measurements of one quantity; the sharper where both are of rounding alone."""

    def used(one: Measurement) -> float:
        share = (
            one.excess / one.tolerance if one.tolerance > 0.0 else np.inf * max(one.excess, 0.0) if one.excess else 0.0
        )
        return np.inf if np.isnan(share) else share

    before = worst.get(entry.quantity)
    if before is None:
        replaced = True
    elif max(used(entry), used(before)) < ROUNDED:
        replaced = entry.relative_tolerance < before.relative_tolerance
    else:
        replaced = used(entry) > used(before)
    if replaced:
        worst[entry.quantity] = entry


def _entry(evidence: Evidence, name: str, row: int, number: float, rounding: float) -> Measurement:
    recorded = float(evidence.run.series[name][row])
    if name == "mass_error":  # the worst of the substeps since the last row as well
        return Measurement(name, recorded, number, ">=", evidence.when(row), rounding=1e-13)
    unknown = name in ("dissipation", "rate_observed") and evidence.judged_as.weights is None
    if not np.isfinite(number) or unknown:
        same = recorded == number or np.isnan(recorded) or unknown
        return Measurement(name, float(same), 1.0, "=", evidence.when(row))
    return Measurement(name, recorded, number, "=", evidence.when(row), rounding=rounding)


def _allowances(evidence: Evidence, found: dict[str, float], row: int, noise: float) -> dict[str, float]:
    """Rounding of the series that are differences or squares, by name."""
    tau, gamma, floor = evidence.temperature, evidence.discount, evidence.optimum.gap_floor
    error = 2.0 * noise / tau
    shift = RELATIVE + 2.0 * error
    residual = found["bellman_residual"] / tau
    gap, rate = np.array([found["gap"]]), np.array([found["rate_observed"]])
    share = float(evidence.rounding_share(gap)[0])
    rate_share = float(evidence.rate_rounding_share(gap, rate)[0]) if np.isfinite(rate[0]) else np.inf
    scale = floor * (1.0 - gamma) / tau
    spread = 1.0 + float(np.abs(evidence.log_mass).max())
    return {
        "value_rho": noise,
        "cost_rho": noise,
        "gap": (share + RELATIVE) * found["gap"] + floor,
        "gap_sup": (2.0 * np.sqrt(floor / max(found["gap_sup"], floor)) + RELATIVE) * found["gap_sup"] + floor,
        "kl_sup": (2.0 * np.sqrt(scale / max(found["kl_sup"], scale)) + shift) * found["kl_sup"] + scale,
        "dissipation": (rate_share + RELATIVE) * found["dissipation"] if found["dissipation"] != 0.0 else 0.0,
        "rate_observed": (rate_share + share + RELATIVE) * found["rate_observed"] if gap[0] > 0.0 else np.inf,
        "bellman_residual": tau * (2.0 * np.sqrt(residual) * error + error**2) + RELATIVE * found["bellman_residual"],
        "q_slope_max": RELATIVE * found["q_slope_max"] + _quotient(evidence, noise, 1),
        "q_curvature_max": RELATIVE * found["q_curvature_max"] + _quotient(evidence, noise, 2),
        "entropy": RELATIVE * found["entropy"] + 16.0 * EPS,
        "score_max": RELATIVE * found["score_max"] + _quotient(evidence, 4.0 * EPS * spread, 1),
        "clamped_mass": RELATIVE * found["clamped_mass"] + 64.0 * EPS,
    }


def _quotient(evidence: Evidence, noise: float, order: int) -> float:
    """Error of a difference quotient of values with an error."""
    widths = [float(np.diff(axis.edges).min()) for axis in evidence.run.actions.axes if axis.edges.size > 2]
    return 4.0 * noise / min(widths) ** order if widths else 0.0


def _of_optimum(
    evidence: Evidence,
    mdp: GridMDP,
    soft: tuple[FloatArray, FloatArray, FloatArray],
    best: PolicyValues,
    noise: float,
) -> list[Measurement]:
    q, best_log, improved = soft
    optimum, run = evidence.optimum, evidence.run
    residual = float(np.abs(optimum.value - improved)[mdp.counted].max())
    spread = 1.0 + float(np.abs(best_log).max())
    attributes = abs(evidence.number("discount") - mdp.discount) + abs(evidence.temperature - mdp.temperature)
    masses = float(np.abs(run.reference_mass - mdp.reference_mass).max() + np.abs(run.rho - mdp.rho).max())
    return [
        Measurement("discount and temperature", attributes, 0.0, "="),
        Measurement("reference_mass and rho", masses, 0.0, "="),
        Measurement("optimum: |V* - TV*|", residual, 0.0, "<=", rounding=noise),
        Measurement("optimum: |V* - V of p*|", _largest(optimum.value - best.value), 0.0, "<=", rounding=noise),
        Measurement("gap_floor", optimum.gap_floor, _floor(mdp, noise), "<="),
        Measurement("optimum/q", _largest(optimum.q - q), 0.0, "<=", rounding=noise),
        Measurement(
            "optimum/policy",
            _largest(optimum.policy - np.exp(best_log)),
            0.0,
            "<=",
            rounding=2.0 * noise / mdp.temperature + 16.0 * EPS * spread,
        ),
        Measurement(
            "optimum/occupancy", _largest(optimum.occupancy - best.occupancy), 0.0, "<=", rounding=_visits(mdp, noise)
        ),
    ]


def _visits(mdp: GridMDP, noise: float) -> float:
    """Of an occupancy: its linear system's, and what an error of Q* makes of p*."""
    return (64.0 * EPS + 2.0 * noise / mdp.temperature) / (1.0 - mdp.discount)


def _floor(mdp: GridMDP, noise: float) -> float:
    """The gap that an error of Q* as large as that of values makes: tau/(2 (1 - gamma)) (dQ/tau)^2."""
    return 2.0 * noise**2 / mdp.temperature / (1.0 - mdp.discount)


def _largest(values: FloatArray) -> float:
    return float(np.abs(values).max())


def _few(evidence: Evidence) -> IntArray:
    """The slowest state, and a few others."""
    return np.unique(np.append(np.linspace(0, evidence.run.states.size - 1, STATES).astype(np.int64), evidence.slowest))


def _certified(evidence: Evidence, present: Frozen, row: int) -> Measurement:
    """The alpha certified from a row on is no larger than lambda of that row's own Gibbs policies."""
    gaps, errors = present.spectral_gaps()
    least = int(np.argmin(gaps))
    dense, now = float(gaps[least]), float(evidence.alpha_now[row])
    allowed = 1e-10 * dense + float(errors[least])
    return Measurement(
        "certified alpha, below the present lambda", now, dense, "<=", evidence.when(row), rounding=allowed
    )


def _spectral_gaps(evidence: Evidence, mdp: GridMDP, geometry: Geometry, q: FloatArray) -> list[Measurement]:
    """lambda of the slowest state and a few others, and alpha's bound below it."""
    if geometry.here.size == 0 or mdp.actions.size > MOST_ACTIONS:
        return []
    states = _few(evidence)
    frozen = Frozen.of(geometry, np.ascontiguousarray(q[states]), mdp.reference_mass, mdp.temperature)
    slowest = float(np.min(evidence.spectral_gaps[evidence.optimum.occupancy > 0.0]))
    found = float(evidence.spectral_gaps[evidence.slowest])
    measurements = {"slowest": Measurement("lambda of the slowest state visited", found, slowest, "=")}
    for state, dense, error in zip(states, *frozen.spectral_gaps(), strict=True):
        allowed = 1e-10 * dense + error
        found, bound = float(evidence.spectral_gaps[state]), float(evidence.bounds.best[state])
        where = mdp.states.describe(int(state)) or "the only state"
        _keep(measurements, Measurement("lambda", found, dense, "=", where, rounding=allowed))
        _keep(measurements, Measurement("alpha's bound, below lambda", bound, dense, "<=", where, rounding=allowed))
    return list(measurements.values())


def _of_step(
    evidence: Evidence, mdp: GridMDP, before: FloatArray, after: FloatArray, row: int, noise: float
) -> list[Measurement]:
    """The series of steps, where one step leads from a snapshot to the next: both are rows."""
    series = evidence.run.series
    dt = float(series["time"][row] - series["time"][row - 1])
    size = float(series["step_size"][row])
    if not np.isclose(dt, float(evidence.run.attributes.get("step", dt)), rtol=1e-9):
        return []
    if evidence.accuracy is not None and not np.isclose(dt, size, rtol=1e-9):
        return []
    solved = float(series["bellman_evaluations"][row])
    then, now = PolicyValues(mdp, before), PolicyValues(mdp, after)
    _, log_g, _ = soft_optimal(mdp, then.value)
    kl_before, kl_after = relative_entropy(before, log_g), relative_entropy(after, log_g)
    meant = mdp.counted
    rise = max(0.0, float((now.value - then.value)[mdp.counted].max()))
    where = evidence.when(row)
    ratio = _concentrability(evidence, now.occupancy)
    largest = float(series["occupancy_ratio_largest"][row])
    if evidence.run.attributes["bellman_solver"] == "krylov":  # then the a-priori bound may stand for it
        ratio = max(ratio, _concentrability(evidence, (1.0 - evidence.discount) * evidence.run.rho))
    found = [
        Measurement("occupancy_ratio_largest, one step", largest, ratio, "<=", where, rounding=RELATIVE * ratio),
        Measurement("step_size", size, dt, "=", where, rounding=1e-9 * dt),
        Measurement("bellman_evaluations", solved, 1.0, ">=", where),
        Measurement("limited_cells", float(series["limited_cells"][row]), 0.0, ">=", where),
        Measurement("descent_defect", series["descent_defect"][row], rise, "=", where, rounding=2.0 * noise),
    ]
    if np.all(kl_before[meant] > MEANT):  # smaller ones are known to fewer digits than their ratio is asked for
        ratio = float((kl_after[meant] / kl_before[meant]).max()) - 1.0
        found.append(Measurement("kl_ratio_excess", series["kl_ratio_excess"][row], ratio, "=", where, rounding=1e-9))
    return found


def _concentrability(evidence: Evidence, visits: FloatArray) -> float:
    """max d*/d; infinite where d is zero in a state that the optimal policy visits."""
    best = evidence.optimum.occupancy
    with np.errstate(divide="ignore", over="ignore"):
        return float((best[best > 0.0] / visits[best > 0.0]).max())


def _sharp(evidence: Evidence) -> list[Measurement]:
    """The sharp rate from lambda, tau, the weights of the flow's equation, or the step of a discrete one."""
    judged, tau, slowest = evidence.judged_as, evidence.temperature, float(evidence.spectral_gaps[evidence.slowest])
    if evidence.annealing is not None or not np.isfinite(slowest):
        return []
    if judged.name in ("mirror", "proximal"):
        step = judged.parameters["step"]
        expected = 2.0 * float(np.log(1.0 + step * (tau if judged.name == "mirror" else slowest))) / step
    elif judged.weights is not None:
        expected = 2.0 * (judged.weights[0] * slowest + judged.weights[1] * tau)
    else:
        return []
    found = evidence.sharp_rate
    return [Measurement("rate: sharp", found, expected, "=", rounding=1e-9 * expected)]


def _rates(evidence: Evidence) -> list[Measurement]:
    """Guaranteed rates of three rows from alpha, kappa, gamma and the ratio of occupancy to rho, formed again."""
    from wpoflow.validation.case_numbers import case_numbers

    numbers, run = case_numbers(evidence), evidence.run
    rates = numbers["rates"]
    if not np.isfinite(evidence.alpha):
        return []
    visited = evidence.optimum.occupancy > 0.0
    with np.errstate(all="ignore"):
        ratio = float((evidence.optimum.occupancy[visited] / run.rho[visited]).max())
    worst: dict[str, Measurement] = {}
    for row in (0, run.series["time"].size // 2, run.series["time"].size - 1):
        alpha = float(evidence.alpha_now[row])
        expected = {
            "guaranteed": 2.0 * alpha / float(run.series["occupancy_ratio"][row]),
            "sup_norm": 2.0 * alpha * (1.0 - evidence.discount),
            "paper": 2.0 * alpha * (1.0 - evidence.discount) / ratio,
        }
        for name, number in expected.items():
            found, where = float(rates[name][row]), evidence.when(row)
            _keep(worst, Measurement(f"rate: {name}", found, number, "=", where, rounding=1e-9 * number))
    return [*worst.values(), *_sharp(evidence), *_from_when(evidence, numbers)]


def _from_when(evidence: Evidence, numbers: dict[str, Any]) -> list[Measurement]:
    """The gaps from which on rates certified exceed half of another, in every later row."""
    rates, rows = numbers["rates"], np.flatnonzero(evidence.judged)
    half = {
        "certified_above_half_sharp": ("certified", [float(rates["sharp"])] * evidence.judged.size),
        "certified_rho_above_half_observed": ("certified_rho", rates["observed"]),
    }
    found = []
    for name, (certified, other) in half.items():
        kept = math.nan
        for row in rows[::-1].tolist():
            if not 2.0 * float(rates[certified][row]) >= float(other[row]):
                break
            kept = float(rates["gap"][row])
        said = float(numbers["from_when"][name])
        same = said == kept or (math.isnan(said) and math.isnan(kept))
        found.append(Measurement(f"from when: {name}", float(same), 1.0, "=", f"{said:.3g}, formed again {kept:.3g}"))
    return found
