"""What is true of a problem at given states: V*, Q* and the optimal policy, corrected, with how far the grid is off.

Q* on the grid is the corrected one (`solver.corrected`); at a state it is interpolated by limited cubics action by
action, and V* and the policy are the soft minimum and the Gibbs policy of what comes out, so that they belong together
at every state.  The band is the difference to the same on a coarser grid, the largest around the state
(`solver.corrected.band`): it bounds the error where that falls in proportion to h or faster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray, underflow_to_zero
from wpoflow.core.brief import briefly
from wpoflow.grids.cubic.map import CubicMap
from wpoflow.grids.grid import Grid
from wpoflow.grids.halving import mirrored_cells
from wpoflow.problems.load import build_problem
from wpoflow.problems.problem_file import ProblemFile, read_problem
from wpoflow.solver.bellman.improvement import improve
from wpoflow.solver.corrected.band import at_points
from wpoflow.solver.corrected.value import CorrectedValue
from wpoflow.solver.mdp import GridMDP, check_problem
from wpoflow.studies.truth.coarse import Judged, judged
from wpoflow.studies.truth.files import dataset
from wpoflow.studies.truth.files import save as write
from wpoflow.studies.truth.places import checked_places, drawn_states, read_states


@briefly
@dataclass(frozen=True, eq=False)
class Truth:
    """V*, Q* and the optimal policy at n states.

    Attributes
    ----------
    mdp : GridMDP
    solution : CorrectedValue
        On the grid.
    states : array (n, dim)
    value, value_band : arrays (n,)
        V* and how far the grid may be off; the band is measured with a coarser grid and no certificate.
    markov_value, markov_band : arrays (n,)
        Of the Markov kernel, without the correction.
    q, policy : arrays (n, A)
        Q*, and probabilities of the action cells.
    mean, mean_band, std, mode : arrays (n, d)
        Of the optimal policy along each action axis; mean and std not a number where an axis is periodic or labels.
    band_axes : tuple of str
        Axes that have fewer points on the grid that the band is measured with.
    """

    mdp: GridMDP = field(repr=False)
    solution: CorrectedValue
    states: FloatArray
    value: FloatArray
    value_band: FloatArray
    markov_value: FloatArray
    markov_band: FloatArray
    q: FloatArray
    policy: FloatArray
    mean: FloatArray
    mean_band: FloatArray
    std: FloatArray
    mode: FloatArray
    band_axes: tuple[str, ...]

    @property
    def density(self) -> FloatArray:
        """Of the policy with respect to the volume of actions, (n, A)."""
        return np.asarray(self.policy / self.mdp.actions.volumes)

    def to_xarray(self) -> Any:
        """An xarray Dataset; needs xarray."""
        return dataset(self)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write .csv, .parquet (needs pyarrow) or .nc (needs xarray), whole or not at all; returns the path.

        Raises
        ------
        ValueError
            Another ending.
        FileExistsError
            The file exists and ``force`` is off.
        ImportError
            What writes the format is not installed; says how to get it.
        """
        return write(self, Path(path), force=force)


@underflow_to_zero
def truth(
    problem: str | Path | ProblemFile | GridMDP,
    states: ArrayLike | str | os.PathLike[str] | None = None,
    *,
    sample: int | None = None,
    seed: int = 0,
    coarse: GridMDP | None = None,
    cells: Mapping[str, int] | None = None,
    set: Mapping[str, Any] | None = None,
) -> Truth:
    """V*, Q* and the optimal policy of a problem at given states, with a band of the grid's error.

    Parameters
    ----------
    problem : str, Path, ProblemFile or GridMDP
        As for `load_problem`, or a grid problem.
    states : array (n, dim), or path of a CSV file, optional
        Columns of a file are the state axes by name.
    sample : int, optional
        Instead: so many states drawn evenly from the box, by ``seed``.
    coarse : GridMDP, optional
        The same problem on fewer points of every axis, as two thirds, for the band.  By default made of the problem
        file, or, of a grid problem that none states, of every second point of its state axes, where it has no noise.
    cells, set : mappings, optional
        Replace grid sizes and keys of the file, as in `load_problem`.

    Returns
    -------
    Truth

    Raises
    ------
    ProblemError
        Faults of the file.
    ValueError
        States outside of the box or in the terminal set, wrong columns, neither states nor sample, no coarser grid.
    BellmanError
        A corrected value whose residual is not reached.
    """
    if (states is None) == (sample is None):
        raise ValueError("give either states or sample, the number of states to draw")
    stated = None
    if isinstance(problem, GridMDP):
        if cells or set:
            raise ValueError("cells and set replace values of a problem file; a GridMDP has one grid")
        mdp = problem
        check_problem(mdp)
    else:
        if isinstance(problem, ProblemFile) and (cells or set):
            raise ValueError("cells and set replace values of a file that is still to be read")
        stated = problem if isinstance(problem, ProblemFile) else read_problem(problem, cells=cells, set=set)
        mdp = build_problem(stated)
    if sample is not None:
        places = drawn_states(mdp.states, sample, seed)
    elif isinstance(states, (str, os.PathLike)):
        places = checked_places(mdp, read_states(states, mdp.states), str(states))
    else:
        assert states is not None
        places = checked_places(mdp, states)
    return truth_of(mdp, places, stated=stated, coarse=coarse)


def truth_of(
    mdp: GridMDP, places: FloatArray, *, stated: ProblemFile | None = None, coarse: GridMDP | None = None
) -> Truth:
    """`truth` of a problem that is built, at places (n, dim) that are checked."""
    return _truth(judged(mdp, stated, coarse), places)


def _truth(found: Judged, asked: FloatArray) -> Truth:
    mdp, coarse = found.mdp, found.coarse
    places, mirrored = folded_places(mdp.states, asked)
    at_places = CubicMap.at(mdp.states, places)
    reflection = mdp.states.reflection
    image = np.arange(mdp.actions.size) if reflection is None else mirrored_cells(mdp.actions, reflection.names)
    q = columns_at(at_places, found.found.q, image)
    policy, improved, value = np.empty_like(q), np.zeros_like(q), np.empty(len(places))
    improve(q, mdp.log_mass, mdp.temperature, improved, policy, value)
    means = mean_actions(mdp.actions, found.found.policy), mean_actions(coarse.actions, coarse.found.policy)
    mean_band = np.empty((len(places), mdp.actions.dim))
    for j, axis in enumerate(mdp.actions.axes):
        sign = -1.0 if reflection is not None and axis.name in reflection.names else 1.0
        difference = found.on_coarse(means[0][:, j], sign) - means[1][:, j]
        mean_band[:, j] = coarse.band(difference).at(places)
    for rows in (q, policy):
        rows[mirrored] = rows[mirrored][:, image]
    mean = mean_actions(mdp.actions, policy)
    return Truth(
        mdp=mdp,
        solution=found.found,
        states=asked,
        value=value,
        value_band=found.band.at(places),
        markov_value=at_points(mdp.states, found.found.markov, places),
        markov_band=found.markov_band.at(places),
        q=q,
        policy=policy,
        mean=mean,
        mean_band=mean_band,
        std=np.sqrt(np.maximum(mean_actions(mdp.actions, policy, 2) - mean**2, 0.0)),
        mode=mdp.actions.points[(policy / mdp.actions.volumes).argmax(axis=1)],
        band_axes=found.axes,
    )


def folded_places(grid: Grid, places: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Places (n, dim) where a grid has them, and which of them were mirrored for that, (n,)."""
    if grid.reflection is None:
        return places, np.zeros(len(places), dtype=np.bool_)
    columns, mirrored = grid.folded(list(places.T))
    return np.stack(columns, axis=1), mirrored


def columns_at(at: CubicMap, rows: FloatArray, image: IntArray) -> FloatArray:
    """Numbers of every state, (S, k), at places, (n, k); ``image`` is the number of the column that mirrors another."""
    out = np.empty((at.stencil.pairs[0], rows.shape[1]))
    for k in range(rows.shape[1]):
        own, other = (np.ascontiguousarray(rows[:, column]) for column in (k, image[k]))
        out[:, k : k + 1] = at.expect(own, np.empty((len(out), 1)), mirrored=other)
    return out


def mean_actions(actions: Grid, policy: FloatArray, power: int = 1) -> FloatArray:
    """Moments of policies (n, A) along the action axes, (n, d); not a number on periodic axes and labels."""
    moments = policy @ actions.points**power
    for j, axis in enumerate(actions.axes):
        if axis.periodic or axis.labels:
            moments[:, j] = np.nan
    return np.asarray(moments)
