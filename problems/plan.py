"""Which transition a problem will use, and its sizes, known before any array exists.

Constant noise: an interpolated map, the noise smoothed along each axis.  Noise that varies with
state or action: rows integrated over cells on one state axis, Gauss-Hermite nodes with an
interpolated map each on more.  Several outcomes: a mixture, each outcome one of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["interpolated", "cell-integrated", "gauss-hermite"]

HERMITE_NODES = 7


def transition_kind(n_axes: int, varying: bool) -> Kind:
    """Kind of transition for one outcome on ``n_axes`` state axes, by whether its noise varies."""
    if not varying:
        return "interpolated"
    return "cell-integrated" if n_axes == 1 else "gauss-hermite"


@dataclass(frozen=True)
class Plan:
    """Sizes of a problem and the transition it will have.

    Attributes
    ----------
    states, actions : tuple of int
        Points on each axis.
    outcomes : tuple of str
        Kind of every outcome; one outcome unless the problem is a mixture.
    clamped : bool
        Whether some state axis is clamped, so that the probability of clamping may be kept.
    mixed : bool
        Whether the terminal set mixes noisy coordinates of some outcome with certain ones.
    noisy_axes : int
        Most axes of more than one point with constant noise that an outcome has.
    """

    states: tuple[int, ...]
    actions: tuple[int, ...]
    outcomes: tuple[Kind, ...]
    clamped: bool
    mixed: bool = False
    noisy_axes: int = 0

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return math.prod(self.states)

    @property
    def n_actions(self) -> int:
        """Number of action cells A."""
        return math.prod(self.actions)

    @property
    def pairs(self) -> int:
        """Number of pairs of state and action."""
        return self.n_states * self.n_actions

    @property
    def kind(self) -> str:
        """Kind of the transition in one word."""
        return self.outcomes[0] if len(self.outcomes) == 1 else "mixture"
