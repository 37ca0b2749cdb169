"""Negative controls of the flows beside the Wasserstein flow: wrong weights, frozen values, parts left out.

Each fault is one of 2 % where a claim has a tolerance, or leaves out a part of the flow.  Those that inequalities must
see are run where the inequality is an equality: a flat cost, and a first policy one cell of which is so small that
KL(p*|p) is all but its part.
"""

from __future__ import annotations

from dataclasses import replace

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.flows.fisher_rao import FisherRaoFlow
from wpoflow.solver.flows.mirror import MirrorDescent
from wpoflow.solver.flows.mixture import MixtureFlow
from wpoflow.solver.flows.proximal import ProximalFlow
from wpoflow.solver.flows.wasserstein_fisher_rao import WassersteinFisherRaoFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.control import (
    CONTROLLED,
    FAILS,
    LOGARITHMIC,
    OWN_STEPS,
    TWO_PERCENT,
    Control,
    flat_cost,
)
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.sharp_cases.problems import starved

LATE = 40.0


class SlowFisherRao(FisherRaoFlow):
    """Its logarithms decay 2 % too slowly."""

    def __init__(self, mdp: GridMDP) -> None:
        super().__init__(mdp)
        self.decay /= TWO_PERCENT


class Stale(MixtureFlow):
    """Its advantage is that of the first policy for ever."""

    def log_step(self, log_p: FloatArray, q: FloatArray, dt: float, log_out: FloatArray, out: FloatArray) -> FloatArray:
        """See `Flow.log_step`."""
        return super().log_step(log_p, _first_q(self.mdp), dt, log_out, out)

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return super().step(p, _first_q(self.mdp), dt, out)


class StaleFisherRao(Stale, FisherRaoFlow):
    """Fisher-Rao of that kind."""


class ShortMirror(MirrorDescent):
    """Steps 2 % shorter than they say."""

    def weights(self, dt: float) -> tuple[float, float]:
        """See `MixtureFlow.weights`."""
        return super().weights(dt / TWO_PERCENT)


class StaleMirror(Stale, MirrorDescent):
    """Mirror descent of that kind."""


class TransportAlone(WassersteinFisherRaoFlow):
    """Leaves out the growth in its steps, and states it in its dissipation."""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return self._transport.step(p, q, dt, out)


class FastGrowth(WassersteinFisherRaoFlow):
    """Grows 2 % too fast."""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        self._transport.step(p, q, dt, out)
        return self._growth.step(out, q, TWO_PERCENT * self.beta * dt, out)


class GrowthNotStated(WassersteinFisherRaoFlow):
    """Leaves out the growth in its dissipation, and grows."""

    def dissipation(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """See `Flow.dissipation`."""
        return self._transport.dissipation(p, q)


class LongerProximal(ProximalFlow):
    """Steps so many times as long as they say."""

    factor = TWO_PERCENT

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return super().step(p, q, self.factor * dt, out)


class FourfoldProximal(LongerProximal):
    """At twice the step what is moved costs as much as is lost; here it costs twice."""

    factor = 4.0


class DenserDivergence(Evidence):
    """Relative entropies to the power 1.02: the part that a step removes seems larger than it is."""

    def divergence(self, policy: FloatArray, q: FloatArray) -> FloatArray:
        """See `Evidence.divergence`."""
        return super().divergence(policy, q) ** TWO_PERCENT


def _first_q(mdp: GridMDP) -> FloatArray:
    return evaluate(mdp, mdp.initial_policy).q


def _starved(mdp: GridMDP) -> GridMDP:
    """Instead of the problem."""
    return starved()


RELATIVES = (
    Control(
        "Fisher–Rao 2 % too slow",
        "its logarithms decay at 0.98 of tau, its dissipation is as it should be",
        SlowFisherRao,
        {"trajectory": FAILS, "dissipation_identity": FAILS, "fisher_rao_identity": FAILS},
        how=LOGARITHMIC,
        sound=FisherRaoFlow,
    ),
    Control(
        "Fisher–Rao 2 % too slow, one cell starved",
        "a flat cost, where KL(p*|p) falls at tau and nothing helps",
        SlowFisherRao,
        {"fisher_rao_bound": FAILS, "fisher_rao_identity": FAILS},
        _starved,
        how=LOGARITHMIC,
        sound=FisherRaoFlow,
    ),
    Control(
        "Fisher–Rao with a frozen advantage",
        "its steps see the Q of the first policy for ever",
        StaleFisherRao,
        {"fisher_rao_identity": FAILS},
        sound=FisherRaoFlow,
    ),
    Control(
        "mirror steps 2 % short",
        "the weight 1/(1 + tau eta) is that of 0.98 eta",
        ShortMirror,
        {"trajectory": FAILS, "mirror_identity": FAILS},
        how=OWN_STEPS,
        sound=MirrorDescent,
    ),
    Control(
        "mirror steps 2 % short, a flat cost",
        "one state, where short steps contract by just 1/(1 + tau eta)",
        ShortMirror,
        {"mirror_contraction": FAILS},
        flat_cost,
        how=OWN_STEPS,
        sound=MirrorDescent,
    ),
    Control(
        "mirror descent with a frozen advantage",
        "its steps see the Q of the first policy for ever",
        StaleMirror,
        {"mirror_identity": FAILS, "pointwise_descent": FAILS},
        how=OWN_STEPS,
        sound=MirrorDescent,
    ),
    Control(
        "Wasserstein–Fisher–Rao without growth",
        "its steps are those of transport, its dissipation is of both",
        TransportAlone,
        {"trajectory": FAILS, "dissipation_identity": FAILS},
        how=CONTROLLED,
        sound=WassersteinFisherRaoFlow,
    ),
    *(
        Control(
            f"late decay of {sound.name} at another rate",
            f"a flat cost, {what}",
            broken,
            {"late_rate": FAILS},
            flat_cost,
            how=how,
            sound=sound,
        )
        for sound, broken, how, what in (
            (FisherRaoFlow, SlowFisherRao, replace(LOGARITHMIC, until=LATE), "0.98 of 2 tau"),
            (MirrorDescent, ShortMirror, replace(OWN_STEPS, until=LATE), "(1 + 0.98 tau eta)^-2 a step"),
            (WassersteinFisherRaoFlow, FastGrowth, replace(CONTROLLED, until=LATE), "2 (lambda + 1.02 beta tau)"),
        )
    ),
    Control(
        "growth 2 % too fast",
        "beside transport, by steps of fixed size",
        FastGrowth,
        {"trajectory": FAILS},
        sound=WassersteinFisherRaoFlow,
    ),
    Control(
        "growth not in the dissipation",
        "its steps are of both, its dissipation is that of transport",
        GrowthNotStated,
        {"dissipation_identity": FAILS, "recomputed": FAILS},
        how=CONTROLLED,
        sound=WassersteinFisherRaoFlow,
    ),
    Control(
        "proximal steps 2 % long",
        "minima for 1.02 of eta",
        LongerProximal,
        {"trajectory": FAILS, "proximal_late": FAILS},
        how=replace(OWN_STEPS, until=LATE),
        sound=ProximalFlow,
    ),
    Control(
        "proximal steps of four times the length",
        "what is moved costs twice what is lost",
        FourfoldProximal,
        {"trajectory": FAILS, "proximal_descent": FAILS},
        how=OWN_STEPS,
        sound=ProximalFlow,
    ),
    Control(
        "theta 2 % too large",
        "KL counts as its power 1.02, on a flat cost",
        MirrorDescent,
        {"measured_contraction": FAILS},
        flat_cost,
        DenserDivergence,
        how=OWN_STEPS,
        sound=MirrorDescent,
    ),
)
