"""What a case gives: right numbers, a clear line, or a defect; and how well the theorems hold on it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.extremes.cases import Case
from tests.fuzz.answers import BadAnswerError, check_lines
from wpoflow.exits import Exit, describe, exit_status
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, parse_problem
from wpoflow.solver.bellman.evaluation import bellman_residual, evaluate
from wpoflow.solver.entropy import relative_entropy_to_gibbs
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.writer import open_run

EPS = float(np.finfo(np.float64).eps)
INFINITE_FOR_ZEROS = ("dissipation", "rate_observed")
"""Series that are infinite where the policy has zeros; the rate is not known either where the gap is zero."""


@dataclass
class Finding:
    """The answer to one case.

    Attributes
    ----------
    gives : str
        "right", "short" (the run says why it ended early, and what it recorded is right), "refused" or "DEFECT".
    detail : str
        The sentence of a run or of a refusal, or what is wrong.
    mass, descent, identity, optimum : float
        Errors of mass, of descent, of (I3) and of the optimum's Bellman equation over what rounding allows: at most 1.
    least : float
        The least probability of all policies kept.
    """

    name: str
    gives: str = "right"
    detail: str = ""
    mass: float = math.nan
    least: float = math.nan
    descent: float = math.nan
    identity: float = math.nan
    optimum: float = math.nan
    warnings: list[str] = field(default_factory=list)

    def wrong(self, what: str) -> None:
        """Note a defect."""
        self.detail = f"{self.detail}; {what}" if self.gives == "DEFECT" else what
        self.gives = "DEFECT"


def examine(case: Case, folder: Path) -> Finding:
    """Build, run and check one case; nothing is raised."""
    found = Finding(case.name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            problem = parse_problem(case.text, "case.toml")
            mdp = build_problem(problem)
            path = folder / "run.h5"
            _run(mdp, problem, path)
            _check(found, mdp, open_run(path))
        except ProblemError as error:
            _refused(found, error, error.lines)
        except Exception as error:  # as the command line would end
            status = exit_status(error)
            if status is Exit.INTERNAL and not (isinstance(error, ValueError) and str(error).startswith("until: ")):
                found.wrong(describe(error))
            else:
                _refused(found, error, [describe(error)])
    said = {f"{one.category.__name__}: {one.message} ({Path(one.filename).name}:{one.lineno})" for one in caught}
    found.warnings = sorted(said)
    return found


def _run(mdp: GridMDP, problem: ProblemFile, path: Path) -> None:
    flow, record = problem.flow, problem.record.model_dump(exclude_none=True)
    evolve(
        mdp,
        until=flow.until.criteria,
        step=flow.step,
        accuracy=flow.accuracy,
        scheme=flow.scheme,
        series=record["series"],
        snapshots=record["snapshots"],
        output=path,
        force=True,
    )


def _refused(found: Finding, error: Exception, lines: tuple[str, ...] | list[str]) -> None:
    try:
        check_lines(lines, "case.toml" if isinstance(error, ProblemError) else "")
    except BadAnswerError as bad:
        found.wrong(str(bad))
    else:
        found.gives, found.detail = "refused", lines[0].removeprefix("case.toml: ")


def _check(found: Finding, mdp: GridMDP, run: Run) -> None:
    found.detail = run.stop_reason
    if run.status != "complete" or not run.attributes["reached_goal"]:
        found.gives = "short"
    for name, values in run.series.items():
        wrong = ~np.isfinite(values)
        if name in INFINITE_FOR_ZEROS:
            wrong &= (run.series["density_min"] > 0.0) | np.isnan(values)
        if name == "rate_observed":
            wrong &= run.series["gap"] > 0.0
        if np.any(wrong):
            found.wrong(f"{name} is {values[wrong][0]}")
    if run.status == "failed" and run.snapshots is None:
        return
    if run.optimum is None or run.snapshots is None:
        found.wrong("the run holds no optimum or no snapshot")
        return
    best, kept = run.optimum, run.snapshots
    arrays = {"V*": best.value, "Q*": best.q, "p*": best.policy, "occupancy": best.occupancy}
    arrays |= {"snapshot values": kept.value, "snapshot policies": kept.policy}
    for name, array in arrays.items():
        if not np.all(np.isfinite(array)):
            found.wrong(f"{name} not finite")
            return
    policies = np.concatenate([kept.policy, best.policy[None]])
    steps = float(run.attributes["steps"])
    allowed_mass = 2e-15 * mdp.actions.size * (8.0 * steps + 1.0)
    found.mass = float(np.abs(policies.sum(axis=2) - 1.0).max()) / allowed_mass
    found.least = float(policies.min())
    if found.least < 0.0:
        found.wrong(f"a probability of {found.least:g}")
        return
    terms = max(float(np.abs(kept.value).max()), float(np.abs(best.q).max()), float(np.abs(mdp.cost).max()))
    terms = max(terms, mdp.temperature * float(np.abs(mdp.log_mass).max()))
    rounding = 64.0 * EPS * terms / (1.0 - mdp.discount) + 1e-12 * terms + 1e-300
    rises = [float(np.diff(kept.value, axis=0).max(initial=0.0)), float(run.series["descent_defect"].max())]
    below = float((best.value - kept.value).max())
    found.descent = max(*rises, below) / rounding
    found.identity = max(_identity(mdp, policy) for policy in policies)
    found.optimum = float(np.abs(best.value - _soft_minima(mdp, best.q)).max()) / rounding
    for name in ("mass", "descent", "identity", "optimum"):
        if not getattr(found, name) <= 1.0:
            found.wrong(f"{name} off by {getattr(found, name):.3g} times what rounding allows")


def _soft_minima(mdp: GridMDP, q: np.ndarray) -> np.ndarray:
    """-tau ln sum m exp(-Q/tau) of every state, in plain NumPy."""
    with np.errstate(under="ignore"):
        least = q.min(axis=1)
        weights = np.exp(-(q - least[:, None]) / mdp.temperature)
        return np.asarray(least - mdp.temperature * np.log(weights @ mdp.reference_mass))


def _identity(mdp: GridMDP, policy: np.ndarray) -> float:
    """Error of (I3), V - TV = tau KL(p|g), and of the residual reported, over what rounding allows."""
    now = evaluate(mdp, policy)
    kl = np.empty(mdp.states.size)
    relative_entropy_to_gibbs(policy, now.q, mdp.log_mass, mdp.temperature, kl)
    entropy = mdp.temperature * kl
    terms = max(float(np.abs(now.value).max()), float(np.abs(now.q).max()), float(np.abs(entropy).max()))
    terms = max(terms, mdp.temperature * float(-mdp.log_mass.min()))
    error = np.abs(now.value - _soft_minima(mdp, now.q) - entropy).max()
    error = max(float(error), abs(bellman_residual(mdp, now) - float(entropy.max())))
    return float(error / (1e-11 * terms + 64.0 * EPS * terms / (1.0 - mdp.discount) + 1e-300))
