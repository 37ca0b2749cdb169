"""Time schemes, and the one integrator that accepts and rejects their trials.

    multistep     backward differentiation, orders one to five, one Bellman evaluation a step; one action axis
    exponential   steps of any length; one action axis with two ends, next states that do not depend on the action
    extrapolated  extrapolation of (split) descent steps, orders two to six; any flow, fixed steps, several action axes
    euler         descent steps, order one; any flow

This is the only list of them: options, problem files, estimates, checks and the manual take names from here.  A new
scheme is a file beside this one with a subclass of `solver.schemes.scheme.Scheme`, and one line here.  The automatic
choice is the first in this order that says it may be chosen so and applies to the problem.
"""

from __future__ import annotations

from dataclasses import dataclass

AUTOMATIC = "automatic"


@dataclass(frozen=True)
class Registered:
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


SCHEMES: dict[str, Registered] = {
    "multistep": Registered("wpoflow.solver.schemes.multistep:MultistepScheme"),
    "exponential": Registered("wpoflow.solver.schemes.exponential:ExponentialScheme"),
    "extrapolated": Registered("wpoflow.solver.schemes.extrapolated:ExtrapolatedScheme", fixed_steps=True),
    # of order one: an accuracy of 1e-6 would take it a million steps
    "euler": Registered("wpoflow.solver.schemes.euler:EulerScheme", fixed_steps=True, accuracy=1e-3),
}


def default_accuracy(scheme: str) -> float:
    """Accuracy of a scheme, or of the automatic choice, where neither accuracy nor step is given."""
    return SCHEMES[scheme].accuracy if scheme in SCHEMES else Registered.accuracy
