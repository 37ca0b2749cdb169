"""Markov transitions from pairs of state and action to states, behind one small interface."""

from wpoflow.grids.transitions.base import PolicyTransition, StateFunction, StateSet, Transition, states_outside
from wpoflow.grids.transitions.cell_integrated import CellIntegratedTransition, cell_integrated_transition
from wpoflow.grids.transitions.interpolated import InterpolatedTransition, interpolated_transition
from wpoflow.grids.transitions.mixture import MixtureTransition, gauss_hermite_transition, mixture_transition
from wpoflow.grids.transitions.partly_noisy import PartlyNoisyTransition
from wpoflow.grids.transitions.slab_rows import spread_over
from wpoflow.grids.transitions.tabulated import TabulatedTransition, tabulated_transition

__all__ = [
    "CellIntegratedTransition",
    "InterpolatedTransition",
    "MixtureTransition",
    "PartlyNoisyTransition",
    "PolicyTransition",
    "StateFunction",
    "StateSet",
    "TabulatedTransition",
    "Transition",
    "states_outside",
    "cell_integrated_transition",
    "gauss_hermite_transition",
    "interpolated_transition",
    "mixture_transition",
    "spread_over",
    "tabulated_transition",
]
