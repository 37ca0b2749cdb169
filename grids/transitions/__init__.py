"""Markov transitions from pairs of state and action to states, behind one small interface."""

from grids.transitions.base import PolicyTransition, StateFunction, StateSet, Transition, alive_states
from grids.transitions.interpolated import InterpolatedTransition, interpolated_transition
from grids.transitions.tabulated import TabulatedTransition, tabulated_transition

__all__ = [
    "InterpolatedTransition",
    "PolicyTransition",
    "StateFunction",
    "StateSet",
    "TabulatedTransition",
    "Transition",
    "alive_states",
    "interpolated_transition",
    "tabulated_transition",
]
