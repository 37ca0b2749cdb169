"""Constants of two small problems, so that their kernels are in the cache before several workers would compile them."""

from __future__ import annotations

import numpy as np

from wpoflow.problems.load import load_problem
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.constants.verified_gap import proven_gap

SMALL = {"lqr": {"x": 4, "u": 9}, "torus": {"s": 4, "a": 9}, "navigation": {"x": 3, "y": 3, "vx": 4, "vy": 4}}


def main() -> None:
    """Of the generators of the costs, which need no flow to be run."""
    for name, cells in SMALL.items():
        mdp = load_problem(name, cells=cells)
        generators = Generators(mdp.actions, mdp.cost, np.log(mdp.reference_mass), mdp.temperature)
        spectral_gap(generators)
        proven_gap(generators)
        minimise_log_sobolev(generators)
        lower_bounds(generators, "full")


if __name__ == "__main__":
    main()
