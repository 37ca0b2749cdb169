"""Negative controls of what is claimed of other flows than the Wasserstein flow; see `validation.controls`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flows.fisher_rao import FisherRaoFlow
from wpoflow.solver.flows.policy_iteration import PolicyIteration
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import evolve_to_the_end
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.control import FAILS, NOT_CERTIFIED, Control, as_it_is, recorded
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Finding, Verdict

ANNEAL = {"schedule": "harmonic", "rate": 0.3}
ANNEALED = {"anneal": ANNEAL, "until": 40.0, "accuracy": 1e-4}
STEPPED = {"anneal": ANNEAL, "until": 40.0, "step": 0.5, "scheme": "euler"}
ITERATED = {"until": 12.0, "step": 1.0}
SMALLER = 10.0
DAMPED = 0.05  # of the way to the Gibbs policy


class SlowerCosts(FisherRaoFlow):
    """B too small: costs act on ln p with a tenth of their weight, while the past decays as it does."""

    def log_step(self, log_p: FloatArray, q: FloatArray, dt: float, log_out: FloatArray, out: FloatArray) -> FloatArray:
        """See `Flow.log_step`."""
        return super().log_step(log_p, q / SMALLER, dt, log_out, out)


class RisingTemperature(FisherRaoFlow):
    """Its steps are made at tau0^2/tau(t), which rises as tau(t) falls."""

    def __init__(self, mdp: GridMDP, first: float | None = None) -> None:
        super().__init__(mdp)
        self._first = mdp.temperature if first is None else first
        self._hot = FisherRaoFlow(mdp.at_temperature(self._first**2 / mdp.temperature))

    def log_step(self, log_p: FloatArray, q: FloatArray, dt: float, log_out: FloatArray, out: FloatArray) -> FloatArray:
        """See `Flow.log_step`."""
        return self._hot.log_step(log_p, q, dt, log_out, out)

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return self._hot.step(p, q, dt, out)

    def at_temperature_of(self, mdp: GridMDP) -> RisingTemperature:
        """See `Flow.at_temperature_of`."""
        return RisingTemperature(mdp, self._first)


class DampedIteration(PolicyIteration):
    """Moves a twentieth of the way, in place of all of it."""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        gibbs = np.empty_like(q)
        gibbs_policy(q, self.mdp.log_mass, self.mdp.temperature, gibbs)
        out[:] = p + DAMPED * (gibbs - p)
        return out


@dataclass(frozen=True)
class OtherControl(Control):
    """A control with its own way of running.

    Attributes
    ----------
    how : dict
        Arguments of `evolve`.
    """

    how: dict[str, Any] = field(default_factory=dict)


def _control(
    name: str,
    what: str,
    broken: Callable[[GridMDP], FisherRaoFlow | PolicyIteration],
    expected: dict[str, Verdict],
    how: dict[str, Any],
    falsify: Callable[[Run], Run] = as_it_is,
) -> OtherControl:
    return OtherControl(name, what, broken, expected, falsify=falsify, how=how)


OTHER_CONTROLS: dict[str, OtherControl] = {
    control.name: control
    for control in (
        _control("annealed, B too small", "costs act with a tenth of their weight", SlowerCosts,
                 {"annealed_cost": FAILS}, ANNEALED),
        _control("annealed, steps of a rising temperature", "the steps are made at tau0^2/tau(t)", RisingTemperature,
                 {"annealed_descent": FAILS}, STEPPED),
        _control("annealed, a temperature that rises", "recorded in the opposite order", FisherRaoFlow,
                 {"annealed_descent": NOT_CERTIFIED}, ANNEALED,
                 recorded(temperature=lambda values: values[::-1])),
        _control("annealed, value rises by 1e-9", "as recorded", FisherRaoFlow,
                 {"annealed_descent": FAILS}, ANNEALED,
                 recorded(descent_defect=lambda values: values + 1e-9)),
        _control("policy iteration, damped", "a twentieth of the way to the Gibbs policy", DampedIteration,
                 {"iteration_contraction": FAILS}, ITERATED),
    )
}  # fmt: skip


def run_other_control(control: OtherControl, mdp: GridMDP) -> list[Finding]:
    """Findings of the claims a control speaks of."""
    assert control.broken is not None
    flow = control.broken(mdp)
    run = evolve_to_the_end(mdp, flow=flow, snapshots=2, **control.how)
    evidence = Evidence(control.name, control.falsify(run), mdp, flow)
    return [CLAIMS[name].finding(evidence) for name in control.expected]
