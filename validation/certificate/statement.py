r"""What a certificate says: a suboptimality y falls at a rate, from now on and for ever, down to a level.

    flow       (y(t) - level)_+ <= (y(0) - level)_+ e^(-rate t),        rate = 2 beta share,  level = excess/share
    steps      (y' - level)_+ <= (1 - theta share) (y - level)_+,       theta = 2 beta dt/(1 + 2 beta dt)

beta is a proven constant of the frozen flows (a rate), share what of it reaches y, excess the part that no rate can be
said of.  The first line is the solution of -dy/dt >= 2 beta (share y - excess), the second that of one unsplit
backward Euler step, and share may differ between the two.  After steps of total length t at most 1 - theta share of
y - level is left, with theta of dt = t (`validation.rates.backward_euler_factor`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wpoflow.validation.constants.proven import ProvenBound, proven
from wpoflow.validation.rates import backward_euler_factor, flow_factor

MARGIN = 1e-2
TARGETS = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4)
"""Where certificates are to be worth most, in units of what is left now; tails may hold `MARGIN` of that.

A policy allows less rate the lower the level: one certificate is issued for each.
"""
SUP_NORM, ALONG_RHO = "|V - V*|_sup", "gap(rho)"


@dataclass(frozen=True, eq=False)
class Certificate:
    """A rate for the whole future, and how far down it holds.

    Parameters
    ----------
    quantity : str
        `SUP_NORM` or `ALONG_RHO`: what falls.
    time : float
        When it was issued.
    now : float
        Upper bound of the quantity then.
    beta : ProvenBound
        Of shape (): the constant of the state that decides, and what it was proven by.
    share, share_of_steps : float
        In (0, 1], of the flow and of backward Euler steps.
    excess : float
        In the units of the quantity.
    state : int
        That which decides.
    set_apart : int
        Number of states whose own constants do not enter.
    reach : float
        Of `SUP_NORM`: r of `sup_norm`, by which the share of a later row may be larger.
    """

    quantity: str
    time: float
    now: float
    beta: ProvenBound
    share: float
    share_of_steps: float
    excess: float
    state: int
    set_apart: int = 0
    reach: float = math.inf

    @property
    def rate(self) -> float:
        """Rate of the flow, in units of 1/time."""
        return 2.0 * float(proven(self.beta)) * self.share

    @property
    def level(self) -> float:
        """Down to which the flow falls at that rate."""
        return self.excess / self.share

    def worth(self, quantity: float) -> float:
        """What it says of the local rate when the quantity has a value: rate (1 - level/quantity)."""
        return self.rate * (1.0 - self.level / quantity)

    def allowed(self, now: float, time: float, *, steps: bool) -> float:
        """What may be left of ``now`` after ``time``, at most: of backward Euler steps if ``steps``, or of the flow."""
        beta = float(proven(self.beta))
        share = self.share_of_steps if steps else self.share
        factor = backward_euler_factor(beta, share, time) if steps else flow_factor(2.0 * beta * share, time)
        level = self.excess / share
        return level + max(now - level, 0.0) * factor


def best(certificates: Sequence[Certificate]) -> Certificate | None:
    """That which is worth most at once; None of none."""
    return max(certificates, key=lambda entry: entry.worth(entry.now), default=None)
