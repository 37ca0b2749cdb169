"""Which flow a run is judged as, what theory knows of it, and why claims of transport are not made of others.

Claims of contraction, of rates and of constants are theorems of the Wasserstein flow, by a log-Sobolev inequality along
the action.  They hold of every flow that dissipates at least as much (`Flow.transports`): Wasserstein–Fisher–Rao, with
the same constants.  Fisher–Rao and mirror descent move no mass along the action, and have theorems of their own, which
need no such constant; of proximal descent the constants would have to be those of W2 between cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wpoflow.solver.flows.flow import Flow, flow_class
from wpoflow.solver.registry import FLOWS

WASSERSTEIN = "wasserstein"
NO_TRANSPORT = {
    "gaussian": "moves parameters, and its limit is not the optimum; gaussian_contraction judges its rate",
    "fisher-rao": "moves no mass along the action, so no log-Sobolev constant enters; fisher_rao_bound judges its rate",
    "mirror": "mixes p with its target, so no log-Sobolev constant enters; mirror_contraction judges its rate",
    "policy-iteration": "puts the Gibbs policy in place of p, whatever lies between; iteration_contraction judges it",
    "particles": "moves finitely many particles at random; particle_steps judges each of their steps",
    "proximal": "has constants of W2 between cells, not those of fluxes; proximal_descent and measured_contraction "
    "judge its steps",
}
NO_CERTIFICATE = {"wasserstein-fisher-rao": "has growth besides, for which certificates by lambda are not proven"}
NO_MIXTURE = {
    "fisher-rao": "relaxes at one rate in all states, which late_rate judges",
    "mirror": "relaxes at one rate in all states, which late_rate judges",
    "wasserstein-fisher-rao": "relaxes by growth besides; late_rate judges it state by state",
    "policy-iteration": "has steps of infinite length; iteration_contraction judges them",
    "particles": "ends in fluctuations, not at a rate",
    "proximal": "states no dissipation; proximal_late judges it state by state",
    "gaussian": "has a limit of its own, from which the gap keeps apart",
}
UNKNOWN = "a flow of which no theorem is known"


@dataclass(frozen=True, eq=False)
class JudgedFlow:
    """A flow by what was recorded of it, or as an object.

    Parameters
    ----------
    name : str
        Of the registry, or of a class.
    parameters : mapping
        As a run file keeps them, the ``step`` of a flow that has its own among them.
    temperature : float
    """

    name: str
    parameters: Mapping[str, Any]
    temperature: float

    @property
    def kind(self) -> type[Flow]:
        """Its class; of a flow that is not known, the class of all."""
        return flow_class(self.name) if self.name in FLOWS else Flow

    @property
    def wasserstein(self) -> bool:
        """Whether it is the Wasserstein flow."""
        return self.name == WASSERSTEIN

    @property
    def transports(self) -> bool:
        """Whether it dissipates at least as much as the Wasserstein flow."""
        return self.kind.transports

    @property
    def descends(self) -> bool:
        """Whether V falls in every step."""
        return self.kind.descends

    @property
    def weights(self) -> tuple[float, float] | None:
        """Those of transport, and of Fisher–Rao growth, in its equation; None of discrete steps and unknown flows.

        d/dt p = transport L_Q p - growth p (delta - V).
        """
        if self.name not in FLOWS or self.kind.own_step or self.kind.parametric:
            return None
        if self.name == "fisher-rao":
            return 0.0, 1.0
        return 1.0, self.parameters.get("beta", 0.0)

    def late_rate(self, frozen: float) -> float:
        """The rate at which a state's KL falls in the end where that of frozen transport alone is ``frozen``."""
        return self.kind.late_rate(frozen, self.temperature, **self.parameters)

    def without(self, reasons: Mapping[str, str]) -> str:
        """Why a claim is not made of it, after its name: one of the tables above, or those of no transport."""
        if self.name in reasons:
            return f"{self.name} {reasons[self.name]}"
        return f"{self.name} {NO_TRANSPORT[self.name]}" if self.name in NO_TRANSPORT else f"{self.name}: {UNKNOWN}"
