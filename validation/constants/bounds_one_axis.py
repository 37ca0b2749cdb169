"""All bounds for generators with one action axis, under the names by which they are reported.

The costly ones take seconds for a state instead of microseconds, and a rate above which they need not look.
"""

from __future__ import annotations

from wpoflow.validation.constants.bound_bakry_emery import bound_bakry_emery
from wpoflow.validation.constants.bound_barthe_roberto import bound_barthe_roberto, bound_barthe_roberto_plain
from wpoflow.validation.constants.bound_circle import bound_circle
from wpoflow.validation.constants.bound_dynamic_programming import bound_dynamic_programming
from wpoflow.validation.constants.bound_holley_stroock import bound_holley_stroock, bound_holley_stroock_flat
from wpoflow.validation.constants.bound_reference import bound_reference
from wpoflow.validation.constants.bound_weighted_gap import bound_weighted_gap

PATH_BOUNDS = {
    "bakry_emery": bound_bakry_emery,
    "barthe_roberto": bound_barthe_roberto,
    "barthe_roberto_plain": bound_barthe_roberto_plain,
    "holley_stroock": bound_holley_stroock,
    "holley_stroock_flat": bound_holley_stroock_flat,
    "reference": bound_reference,
    "weighted_gap": bound_weighted_gap,
}

COSTLY_PATH_BOUNDS = {"dynamic_programming": bound_dynamic_programming}

CIRCLE_BOUNDS = {
    "circle": bound_circle,
    "holley_stroock_flat": bound_holley_stroock_flat,
    "reference": bound_reference,
    "weighted_gap": bound_weighted_gap,
}
