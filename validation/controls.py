"""Negative controls: solvers broken on purpose, and problems outside the hypotheses.

The real kernels are fed wrong inputs through a wrapper around the flow's step; no kernel is copied.  Each broken
solver must be caught by the claims named beside it, and each problem outside the theory must come out as not
certified.  A suite in which all controls pass is itself a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Verdict

TIME, STEP, ACCURACY = 12.0, 0.05, 1e-4


class BrokenFlow(WassersteinFlow):
    """Its steps see another Q or another step size than they are given.

    Parameters
    ----------
    mdp : GridMDP
    wrong : callable
        From Q and the step size to those that are seen.
    """

    def __init__(self, mdp: GridMDP, wrong: Callable[[FloatArray, float], tuple[FloatArray, float]]) -> None:
        super().__init__(mdp)
        self._wrong = wrong

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return super().step(p, *self._wrong(q, dt), out)


class HotterFlow(WassersteinFlow):
    """Diffuses, and dissipates, as at so many times the temperature."""

    def __init__(self, mdp: GridMDP, factor: float) -> None:
        super().__init__(mdp)
        self._temperature = factor * mdp.temperature


def _stale(mdp: GridMDP) -> Flow:
    """A flow whose values are never refreshed."""
    first = evaluate(mdp, mdp.initial_policy).q
    return BrokenFlow(mdp, lambda q, dt: (first, dt))


class InflatedEvidence(Evidence):
    """Claims to know a log-Sobolev constant that no generator has: alpha is at most lambda."""

    @cached_property
    def alpha(self) -> float:
        """Four times the least spectral gap."""
        return 4.0 * float(self.spectral_gaps[self.reached].min())


@dataclass(frozen=True)
class Control:
    """A broken case and what must come of it.

    Attributes
    ----------
    name, what : str
    broken : callable or None
        Makes the broken flow of a problem; None where the problem itself is outside the hypotheses.
    change : callable
        Changes the problem.
    evidence : type
        What the claims are judged on.
    expected : dict of claim to Verdict
    controlled : bool
        Whether the steps are of controlled error, and not of fixed size.
    """

    name: str
    what: str
    broken: Callable[[GridMDP], Flow] | None
    expected: dict[str, Verdict]
    change: Callable[[GridMDP], GridMDP] = lambda mdp: mdp
    evidence: type[Evidence] = Evidence
    controlled: bool = False


def _unreachable(mdp: GridMDP) -> GridMDP:
    """rho on the first state alone: the others are visited and not held by rho."""
    rho = np.zeros_like(mdp.rho)
    rho[0] = 1.0
    return replace(mdp, rho=rho)


FAILS, NOT_CERTIFIED = Verdict.FAILS, Verdict.NOT_CERTIFIED
CONTROLS: dict[str, Control] = {
    control.name: control
    for control in (
        Control(
            "negated potential",
            "the flux sees -Q",
            lambda mdp: BrokenFlow(mdp, lambda q, dt: (-q, dt)),
            {"structure": FAILS, "pointwise_descent": FAILS, "kl_contraction": FAILS, "decay_sup_norm": FAILS},
        ),
        Control(
            "twice the temperature",
            "the flux diffuses twice as much",
            lambda mdp: HotterFlow(mdp, 2.0),
            {"structure": FAILS, "kl_contraction": FAILS, "decay_sup_norm": FAILS, "decay_weighted": FAILS},
        ),
        Control(
            "shifted Q",
            "the flux sees the Q of the next cell",
            lambda mdp: BrokenFlow(mdp, lambda q, dt: (np.roll(q, 1, axis=1), dt)),
            {"structure": FAILS, "kl_contraction": FAILS, "decay_sup_norm": FAILS},
        ),
        Control(
            "stale Q",
            "the flux sees the Q of the first step for ever",
            _stale,
            {"kl_contraction": FAILS, "decay_sup_norm": FAILS, "decay_weighted": FAILS},
        ),
        Control(
            "inflated constant",
            "four times the spectral gap stands for alpha",
            None,
            {"static_inequality": FAILS, "decay_weighted": FAILS},
            evidence=InflatedEvidence,
        ),
        Control(
            "dissipation of another flow",
            "the flow runs at half the speed that its dissipation says",
            lambda mdp: BrokenFlow(mdp, lambda q, dt: (q, 0.5 * dt)),
            {"dissipation_identity": FAILS},
            controlled=True,
        ),
        Control(
            "unreachable states",
            "rho leaves out states that the optimal policy visits",
            None,
            {"decay_paper": NOT_CERTIFIED},
            _unreachable,
        ),
    )
}


def run_control(control: Control, mdp: GridMDP) -> list[Finding]:
    """Findings of the claims a control speaks of, on a problem with one action axis."""
    changed = control.change(mdp)
    optimum = solve_optimum(changed)
    flow = None if control.broken is None else control.broken(changed)
    run = evolve(
        changed,
        until=TIME,
        step=None if control.controlled else STEP,
        accuracy=ACCURACY if control.controlled else None,
        scheme="extrapolated" if control.controlled else "euler",
        flow="wasserstein" if flow is None else flow,
        optimum=optimum,
        series=None if control.controlled else {"every": STEP},
        snapshots=5,
    )
    evidence = control.evidence(control.name, run, changed, flow)
    return [CLAIMS[name].finding(evidence) for name in control.expected]


def caught(control: Control, findings: list[Finding]) -> bool:
    """Whether every claim named was judged and came out as it must."""
    return {finding.claim: finding.verdict for finding in findings} == control.expected
