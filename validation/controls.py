"""Negative controls: solvers broken on purpose, records falsified, and problems outside the hypotheses.

What a control is and how it is run is in `validation.control`; those of flows other than the Wasserstein flow are in
`validation.controls_of_relatives`, those of annealing, policy iteration and corrected values in
`validation.other_controls`.  Each broken solver must be caught by the claims named beside it, and each problem outside
the theory must come out as not certified.  A suite in which all controls pass is itself a failure.

Gross faults show that a claim can fail; those of 2 % and less, on a problem where inequalities are equalities where the
claim is one (`validation.sharp_cases`), that it can fail narrowly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.validation.constants.lower_bounds import LowerBounds, lower_bounds
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.control import (
    CONTROLLED,
    EMPTY,
    FAILS,
    NOT_CERTIFIED,
    TWO_PERCENT,
    Control,
    flat_cost,
    recorded,
    scaled,
)
from wpoflow.validation.controls_of_gaussians import GAUSSIANS
from wpoflow.validation.controls_of_particles import PARTICLES
from wpoflow.validation.controls_of_relatives import RELATIVES
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.other_controls import OTHERS

RECORDED = (
    "gap",
    "gap_sup",
    "kl_sup",
    "occupancy_ratio",
    "bellman_residual",
    "entropy",
    "density_max",
    "score_max",
    "q_slope_max",
    "q_curvature_max",
    "end_mass",
    "clamped_mass",
)
"""Series that are falsified one by one."""


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
    def bounds(self) -> LowerBounds:
        """Four times the spectral gap, in the states that are visited."""
        return LowerBounds({"inflated": 4.0 * np.where(self.reached, self.spectral_gaps, np.inf)})


class FaintEvidence(Evidence):
    """Knows next to nothing of the log-Sobolev constant."""

    @cached_property
    def bounds(self) -> LowerBounds:
        """A ten millionth of the spectral gap."""
        return LowerBounds({"faint": 1e-7 * self.spectral_gaps})


class LargerConstants(Evidence):
    """All constants 2 % too large."""

    @cached_property
    def bounds(self) -> LowerBounds:
        """The lower bounds of alpha."""
        values = lower_bounds(self.optimal_generators).values
        return LowerBounds({name: TWO_PERCENT * value for name, value in values.items()})

    @cached_property
    def spectral_gaps(self) -> FloatArray:
        """lambda."""
        return np.asarray(TWO_PERCENT * spectral_gap(self.optimal_generators))


class OneStateRises(WassersteinFlow):
    """Its steps lead away from the Gibbs policy in one state, hardly ever visited, and V(rho) falls all the same."""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        away = 0.99 * p[0]
        away[0] += 1.0 - away.sum()
        super().step(p, q, dt, out)
        out[0] = away
        return out


def by_the_run_alone(name: str, run: Run, mdp: GridMDP, flow: Flow | None) -> Evidence:
    """What a run file says without the problem: nothing is evaluated, and the records must tell."""
    return Evidence(name, run, flow=flow)


def _unreachable(mdp: GridMDP) -> GridMDP:
    """rho on the first state alone: the others are visited and not held by rho."""
    rho = np.zeros_like(mdp.rho)
    rho[0] = 1.0
    return replace(mdp, rho=rho)


def _slowed(values: FloatArray) -> FloatArray:
    """A decay 2 % slower than recorded."""
    return np.asarray(values[0] * (values / values[0]) ** (1.0 / TWO_PERCENT))


def _time(share: float) -> Callable[[GridMDP], Flow]:
    """A flow whose steps are longer, or shorter, than they say."""
    return lambda mdp: BrokenFlow(mdp, lambda q, dt: (q, share * dt))


_SLOWER, _FASTER = _time(1.0 / TWO_PERCENT), _time(1.01)
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
            "one state that rises",
            "the policy of one state moves away from its target; judged by the records alone",
            OneStateRises,
            {"pointwise_descent": FAILS},
            evidence=by_the_run_alone,
        ),
        Control(
            "faint constant",
            "a ten millionth of the spectral gap stands for alpha, on a flat cost",
            None,
            {"static_inequality": EMPTY, "constants_ordered": EMPTY},
            flat_cost,
            evidence=FaintEvidence,
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
            how=CONTROLLED,
        ),
        Control(
            "unreachable states",
            "rho leaves out states that the optimal policy visits",
            None,
            {"decay_paper": NOT_CERTIFIED},
            _unreachable,
        ),
        Control("flux 1 % too large", "all rates are 1.01 of what they should be", _FASTER, {"trajectory": FAILS}),
        Control(
            "time 2 % too slow",
            "the flow runs at 0.98 of the speed that its dissipation says",
            _SLOWER,
            {"trajectory": FAILS, "dissipation_identity": FAILS},
            how=CONTROLLED,
        ),
        Control(
            "temperature 2 % too high",
            "the flux diffuses 2 % more",
            lambda mdp: HotterFlow(mdp, TWO_PERCENT),
            {"trajectory": FAILS, "structure": FAILS},
        ),
        Control(
            "steps 2 % short", "a flat cost, steps 0.98 of what they say", _SLOWER, {"kl_contraction": FAILS}, flat_cost
        ),
        Control(
            "late decay 2 % too slow",
            "a flat cost, the flow runs at 0.98 of its speed",
            _SLOWER,
            {"late_rate": FAILS},
            flat_cost,
            how=CONTROLLED,
        ),
        Control(
            "constants 2 % too large",
            "a flat cost, where alpha's bound is alpha",
            None,
            {
                "static_inequality": FAILS,
                "constants_ordered": FAILS,
                "decay_weighted": FAILS,
                "decay_paper": FAILS,
                "decay_sup_norm": FAILS,
                "certificate": FAILS,
                "late_rate": FAILS,
                "late_mixture": FAILS,
                "recomputed": FAILS,
            },
            flat_cost,
            LargerConstants,
            how=CONTROLLED,
        ),
        Control(
            "decay 2 % slower",
            "a flat cost, the recorded gap falls at 0.98 of its rate",
            None,
            {"decay_weighted": FAILS, "decay_paper": FAILS, "decay_sup_norm": FAILS, "certificate": FAILS},
            flat_cost,
            how=CONTROLLED,
            falsify=recorded(gap=_slowed, gap_sup=_slowed),
        ),
        Control(
            "dissipation 2 % too large",
            "as recorded",
            None,
            {"dissipation_identity": FAILS, "recomputed": FAILS, "late_mixture": FAILS},
            how=CONTROLLED,
            falsify=recorded(dissipation=scaled, rate_observed=scaled),
        ),
        Control(
            "value off by 1e-9",
            "as recorded",
            None,
            {"identities": FAILS, "recomputed": FAILS},
            how=CONTROLLED,
            falsify=recorded(value_rho=lambda values: values + 1e-9 * np.abs(values).max()),
        ),
        Control(
            "value rises by 1e-9",
            "as recorded",
            None,
            {"pointwise_descent": FAILS},
            how=CONTROLLED,
            falsify=recorded(descent_defect=lambda values: values + 1e-9),
        ),
        Control(
            "largest kappa of the steps too small",
            "as recorded",
            None,
            {"recomputed": FAILS},
            how=CONTROLLED,
            falsify=recorded(occupancy_ratio_largest=lambda values: 0.98 * values),
        ),
        *(
            Control(
                f"{name} 2 % too large",
                "as recorded",
                None,
                {"recomputed": FAILS},
                how=CONTROLLED,
                falsify=recorded(**{name: scaled}),
            )
            for name in RECORDED
        ),
    )
} | {control.name: control for control in (*RELATIVES, *GAUSSIANS, *PARTICLES, *OTHERS)}
