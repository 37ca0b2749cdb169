"""The time schemes by name, and the best one for a problem.

    euler         descent steps, order one; any flow
    extrapolated  extrapolation of (split) descent steps, orders two to six; any flow, fixed steps, several action axes
    multistep     backward differentiation, orders one to five, one Bellman evaluation a step; one action axis
    exponential   steps of any length; one action axis with two ends, next states that do not depend on the action

The automatic choice is multistep where it applies and extrapolated elsewhere.  ``exponential`` has to be asked for: it
is by far the fastest, but accurate relative to the bulk of a policy and not, as the others are, in its far tails, where
gaps far below 1e-16 of the start and their dissipation are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.flows.wasserstein import DescentStep, WassersteinStep, descent_step
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.schemes.attempts import no_watch
from wpoflow.solver.schemes.error_control import ErrorControl
from wpoflow.solver.schemes.euler import EulerScheme
from wpoflow.solver.schemes.exponential import LEAST_ACCURACY, ExponentialScheme, exponential_applies
from wpoflow.solver.schemes.extrapolated import ExtrapolatedScheme
from wpoflow.solver.schemes.multistep import MultistepScheme
from wpoflow.solver.schemes.scheme import Scheme, Substeps

AUTOMATIC = "automatic"
FIXED_STEP_SCHEMES: dict[str, Callable[..., Scheme]] = {"extrapolated": ExtrapolatedScheme, "euler": EulerScheme}
CONTROLLED_SCHEMES: dict[str, Callable[..., Scheme]] = {"multistep": MultistepScheme, "exponential": ExponentialScheme}
SCHEMES = (AUTOMATIC, *CONTROLLED_SCHEMES, *FIXED_STEP_SCHEMES)
DEFAULT_ACCURACY = {name: 1e-3 if name == "euler" else 1e-6 for name in SCHEMES}
"""Euler is of order one: 1e-6 would take it a million steps."""
FIRST_STEP = 0.01  # of the time in which diffusion crosses the narrowest cell


def chosen_scheme(
    mdp: GridMDP, scheme: str, step: float | None, flow: str | DescentStep, accuracy: float | None = None
) -> str:
    """Name of the scheme that is used where this one is asked for.

    Raises
    ------
    ValueError
        An unknown scheme, or one that does not apply to this problem; says why.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme {scheme!r}; choose one of {', '.join(SCHEMES)}")
    if scheme in FIXED_STEP_SCHEMES:
        return scheme
    obstacle = _obstacle(mdp, step, flow)
    if scheme == "multistep" and obstacle:
        raise ValueError(f"scheme 'multistep' {obstacle}; choose extrapolated or euler")
    if scheme == "exponential" and (obstacle or not exponential_applies(mdp)):
        words = obstacle or "is for next states that do not depend on the action, and an action axis with two ends"
        raise ValueError(f"scheme 'exponential' {words}; choose {'extrapolated' if obstacle else 'multistep'} or euler")
    if scheme == "exponential" and accuracy is not None and accuracy < LEAST_ACCURACY:
        raise ValueError(
            f"scheme 'exponential' reaches an accuracy of {LEAST_ACCURACY:g} at best, not {accuracy:g}; "
            "choose multistep or extrapolated"
        )
    if scheme != AUTOMATIC:
        return scheme
    return "extrapolated" if obstacle else "multistep"


def _obstacle(mdp: GridMDP, step: float | None, flow: str | DescentStep) -> str:
    """Why a scheme that solves for the flow of one action axis under error control cannot be used; empty if it can."""
    if step is not None:
        return "chooses its own steps"
    if not (flow == "wasserstein" or isinstance(flow, WassersteinStep)):
        return "is for the Wasserstein flow"
    if sum(axis.size > 1 for axis in mdp.actions.axes) > 1:
        return "is for one action axis"
    return ""


def make_scheme(
    mdp: GridMDP,
    scheme: str,
    step: float | None,
    accuracy: float | None,
    flow: str | DescentStep,
    solver: str,
    weights: FloatArray | None,
    watch: Callable[[], None] = no_watch,
) -> Scheme:
    """A time scheme by name, of fixed step or controlled by an accuracy (`DEFAULT_ACCURACY` if neither).

    Raises
    ------
    ValueError
        Unknown scheme or flow, a scheme that does not apply, both a step and an accuracy, or one that is not positive.
    """
    if step is not None and accuracy is not None:
        raise ValueError("give either a step or an accuracy, not both")
    for name, number in (("step", step), ("accuracy", accuracy)):
        if number is not None and not (math.isfinite(number) and number > 0.0):
            raise ValueError(f"{name} = {number} must be positive and finite")
    substeps = Substeps(mdp, descent_step(mdp, flow) if isinstance(flow, str) else flow, solver, watch)
    scheme = chosen_scheme(mdp, scheme, step, flow, accuracy)
    control = None
    if step is None:
        control = ErrorControl(mdp, DEFAULT_ACCURACY[scheme] if accuracy is None else accuracy, weights)
        if scheme in CONTROLLED_SCHEMES:
            return CONTROLLED_SCHEMES[scheme](mdp, substeps, control)
    narrowest = min(float(axis.widths.min()) for axis in mdp.actions.axes)
    first = FIRST_STEP * narrowest**2 / mdp.temperature
    return FIXED_STEP_SCHEMES[scheme](mdp, substeps, step, control, first)
