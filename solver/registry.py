"""The flows and the time schemes by name: the only list of either.

Options, problem files, estimates, checks and the manual take names from here.  A new flow is a file in `solver.flows`
with a subclass of `solver.flows.flow.Flow`, and one line here; a new scheme a file in `solver.schemes` with a subclass
of `solver.schemes.scheme.Scheme`, and one line here.

    multistep     backward differentiation, orders one to five, one Bellman evaluation a step; one action axis
    adams         exponential Adams formulas in ln p, orders one to six, one Bellman evaluation a step; of order four
                  with fixed steps; for flows whose steps are mixtures of logarithms
    exponential   steps of any length; one action axis with two ends, next states that do not depend on the action
    runge-kutta   Dormand and Prince's pair of orders five and four; flows of parameters, as Gaussians
    extrapolated  extrapolation of (split) descent steps, orders two to six; any flow whose state is p itself, fixed
                  steps, several action axes
    euler         descent steps, order one; any flow

The automatic choice is the first scheme in this order that says it may be chosen so and applies to the problem.
``exponential`` has to be asked for: it is by far the fastest, but accurate relative to the bulk of a policy and not, as
the others are, in its far tails, where gaps far below 1e-16 of the start and their dissipation are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AUTOMATIC = "automatic"
DESCENT = "euler"
"""The scheme that takes descent steps one after another, as they are."""
SCHEDULES = ("harmonic", "exponential", "logarithmic")
"""Of temperatures that fall."""
NOISES = ("independent", "shared")
"""Of particles: random numbers of each state's own, or the same in all."""
CONTROL = ("scheme", "accuracy", "step")
"""Keys of [flow] that say by which steps a flow is followed."""


@dataclass(frozen=True)
class FlowEntry:
    """Where a flow is defined, and what must be known of it before it is imported.

    Attributes
    ----------
    place : str
        For `core.registry.load`.
    parameters : mapping
        Keys of [flow] that are its own, which are arguments of its class, with their defaults.
    required : mapping
        Those that have none and must be given, with values that will do for a trial.
    options : tuple of str
        The same of keys that may be left out.
    own_step : bool
        Whether the step belongs to the algorithm: it must be given, and there is neither scheme nor accuracy.
    annealed : bool
        Whether it may be followed while the temperature falls.
    step : float or None
        The only step of a flow that counts its steps.
    """

    place: str
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    required: Mapping[str, float] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    own_step: bool = False
    annealed: bool = False
    step: float | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of [flow] that it knows."""
        control = ("step",) if self.own_step else CONTROL
        return ("kind", "until", *control, *(("anneal",) if self.annealed else ()), *self.own)

    @property
    def own(self) -> tuple[str, ...]:
        """Keys of [flow] that are its own."""
        return (*self.required, *self.parameters, *self.options)


@dataclass(frozen=True)
class SchemeEntry:
    """Where a scheme is defined, and what must be known of it before it is imported.

    Attributes
    ----------
    place : str
        For `core.registry.load`.
    fixed_steps : bool
        Whether it takes steps of fixed size as well as steps controlled by an accuracy.
    accuracy : float
        Where none is given.
    """

    place: str
    fixed_steps: bool = False
    accuracy: float = 1e-6


FLOWS: dict[str, FlowEntry] = {
    "wasserstein": FlowEntry("wpoflow.solver.flows.wasserstein:WassersteinFlow", annealed=True),
    "fisher-rao": FlowEntry("wpoflow.solver.flows.fisher_rao:FisherRaoFlow", annealed=True),
    "mirror": FlowEntry("wpoflow.solver.flows.mirror:MirrorDescent", own_step=True),
    "policy-iteration": FlowEntry("wpoflow.solver.flows.policy_iteration:PolicyIteration", own_step=True, step=1.0),
    "proximal": FlowEntry("wpoflow.solver.flows.proximal:ProximalFlow", own_step=True),
    "gaussian": FlowEntry(
        "wpoflow.solver.flows.parametric.gaussian:GaussianFlow",
        parameters={"components": 1, "beta": 1.0, "entropy": True},
        options=("trust_region",),
        annealed=True,
    ),
    "particles": FlowEntry(
        "wpoflow.solver.flows.parametric.particles:ParticleFlow",
        parameters={"noise": "independent", "bandwidth": 0.0},
        required={"particles": 64, "seed": 1},
        own_step=True,
    ),
    "wasserstein-fisher-rao": FlowEntry(
        "wpoflow.solver.flows.wasserstein_fisher_rao:WassersteinFisherRaoFlow", parameters={"beta": 1.0}, annealed=True
    ),
}
"""The flows; each is imported only when it is used."""
SCHEMES: dict[str, SchemeEntry] = {
    "multistep": SchemeEntry("wpoflow.solver.schemes.multistep:MultistepScheme"),
    "adams": SchemeEntry("wpoflow.solver.schemes.adams:AdamsScheme", fixed_steps=True),
    "exponential": SchemeEntry("wpoflow.solver.schemes.exponential:ExponentialScheme"),
    "runge-kutta": SchemeEntry("wpoflow.solver.schemes.parametric.runge_kutta:RungeKuttaScheme", fixed_steps=True),
    "extrapolated": SchemeEntry("wpoflow.solver.schemes.extrapolated:ExtrapolatedScheme", fixed_steps=True),
    # of order one: an accuracy of 1e-6 would take it a million steps
    "euler": SchemeEntry("wpoflow.solver.schemes.euler:EulerScheme", fixed_steps=True, accuracy=1e-3),
}


def scheme_names() -> tuple[str, ...]:
    """What may be asked for."""
    return (AUTOMATIC, *SCHEMES)


def fixed_step_schemes() -> tuple[str, ...]:
    """Schemes that take steps of fixed size."""
    return tuple(name for name, entry in SCHEMES.items() if entry.fixed_steps)


def default_accuracy(scheme: str) -> float:
    """Accuracy of a scheme, or of the automatic choice, where neither accuracy nor step is given."""
    return SCHEMES[scheme].accuracy if scheme in SCHEMES else SchemeEntry.accuracy


def own_step_flows() -> tuple[str, ...]:
    """Flows whose step belongs to the algorithm."""
    return tuple(name for name, entry in FLOWS.items() if entry.own_step)


def annealed_flows() -> tuple[str, ...]:
    """Flows that may be followed while the temperature falls."""
    return tuple(name for name, entry in FLOWS.items() if entry.annealed)


def parameter_keys() -> tuple[str, ...]:
    """Keys of [flow] that belong to some flows only."""
    return tuple(dict.fromkeys(key for entry in FLOWS.values() for key in entry.own))
