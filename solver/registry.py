"""The flows and the time schemes by name: the only list of either.

Options, problem files, estimates, checks and the manual take names from here.  A new flow is a file in `solver.flows`
with a subclass of `solver.flows.flow.Flow`, and one line here; a new scheme a file in `solver.schemes` with a subclass
of `solver.schemes.scheme.Scheme`, and one line here.

    multistep     backward differentiation, orders one to five, one Bellman evaluation a step; one action axis
    exponential   steps of any length; one action axis with two ends, next states that do not depend on the action
    extrapolated  extrapolation of (split) descent steps, orders two to six; any flow, fixed steps, several action axes
    euler         descent steps, order one; any flow

The automatic choice is the first scheme in this order that says it may be chosen so and applies to the problem.
``exponential`` has to be asked for: it is by far the fastest, but accurate relative to the bulk of a policy and not, as
the others are, in its far tails, where gaps far below 1e-16 of the start and their dissipation are made.
"""

from __future__ import annotations

from dataclasses import dataclass

AUTOMATIC = "automatic"


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


FLOWS: dict[str, str] = {
    "wasserstein": "wpoflow.solver.flows.wasserstein:WassersteinFlow",
}
"""Where each flow is defined; imported only when it is used."""
SCHEMES: dict[str, SchemeEntry] = {
    "multistep": SchemeEntry("wpoflow.solver.schemes.multistep:MultistepScheme"),
    "exponential": SchemeEntry("wpoflow.solver.schemes.exponential:ExponentialScheme"),
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
