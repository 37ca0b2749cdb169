"""States at which the truth is asked for: given, read from a table, or drawn from the box."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from wpoflow.core.arrays import FloatArray, real_array
from wpoflow.core.text import did_you_mean
from wpoflow.grids.axis import SHOCK
from wpoflow.grids.grid import Grid
from wpoflow.solver.mdp import GridMDP

MOST_STATES = 10_000_000
STATES = "states"  # where they come from, if from no file


def drawn_states(grid: Grid, number: int, seed: int) -> FloatArray:
    """States (n, dim) drawn evenly from the box, shocks from their points; the same for the same seed.

    Raises
    ------
    ValueError
        A number of states below one or beyond ten million, or a negative seed.
    """
    if not 1 <= number <= MOST_STATES:
        raise ValueError(f"sample = {number}: draw between 1 and {MOST_STATES:,} states")
    if seed < 0:
        raise ValueError(f"seed = {seed}: must not be negative")
    random = np.random.default_rng(seed)
    columns = []
    for axis in grid.axes:
        share = random.random(number)
        if axis.boundary == SHOCK:
            columns.append(axis.points[(share * axis.size).astype(np.int64)])
        elif grid.reflection is not None and axis.name == grid.reflection.halved:
            columns.append((2.0 * share - 1.0) * axis.upper)
        else:
            columns.append(axis.lower + share * axis.length)
    return np.stack(columns, axis=1) if columns else np.zeros((number, 0))


def read_states(path: str | os.PathLike[str], grid: Grid) -> FloatArray:
    """States (n, dim) from a CSV file whose columns are the state axes by name, in any order.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        Other columns, or an entry that is no number; names file, line and column.
    """
    names = [axis.name for axis in grid.axes]
    with Path(path).open(newline="", encoding="utf-8-sig") as stream:
        try:
            rows = list(csv.reader(stream))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: not a table of comma-separated values: {error}") from error
    header = [name.strip() for name in rows[0]] if rows else []
    wanted = f"its columns must be the state axes {', '.join(names)}"
    for name in names:
        if name not in header:
            raise ValueError(f"{path}: no column {name!r}; {wanted}{did_you_mean(name, header)}")
    for name in header:
        if name not in names or header.count(name) > 1:
            what = "is there twice" if header.count(name) > 1 else "is no state axis"
            raise ValueError(f"{path}: column {name!r} {what}; {wanted}")
    out = np.empty((len(rows) - 1, len(names)))
    for number, row in enumerate(rows[1:]):
        if len(row) != len(header):
            raise ValueError(f"{path}, line {number + 2}: {len(row)} entries in a table of {len(header)} columns")
        for name, entry in zip(header, row, strict=True):
            try:
                out[number, names.index(name)] = float(entry)
            except ValueError:
                raise ValueError(f"{path}, line {number + 2}, column {name}: {entry!r} is not a number") from None
    if not len(out):
        raise ValueError(f"{path}: a table without states")
    return out


def checked_places(mdp: GridMDP, given: ArrayLike, source: str = STATES) -> FloatArray:
    """States (n, dim) inside the box, circles wrapped.

    Raises
    ------
    ValueError
        Another shape, a state outside of the box or not finite, a shock between its points, or a state none of whose
        neighbours on the grid counts, as inside a terminal set; names the state and the axis.
    """
    grid = mdp.states
    places = np.array(real_array(given, source))
    if places.ndim == 1 and grid.dim == 1:
        places = places[:, None]
    if places.ndim != 2 or places.shape[1] != grid.dim or not len(places):
        names = ", ".join(axis.name for axis in grid.axes) or "none"
        raise ValueError(f"{source} have shape {places.shape}; expected (n, {grid.dim}): a column each for {names}")
    nearest, kept = np.zeros(len(places), dtype=np.int64), grid.folded(list(places.T))[0]
    for j, axis in enumerate(grid.axes):
        x = kept[j]
        if axis.periodic:
            x = np.where((x >= axis.lower) & (x <= axis.upper), x, axis.lower + np.mod(x - axis.lower, axis.length))
        wrong = ~np.isfinite(x)
        if axis.boundary == SHOCK:
            wrong |= ~np.isin(x, axis.points)
        else:
            wrong |= (x < axis.lower) | (x > axis.upper)
        if wrong.any():
            row = int(wrong.argmax())
            valid = "one of its points" if axis.boundary == SHOCK else f"in [{axis.lower:g}, {axis.upper:g}]"
            at = f"{source}, {_where(source, row)}: {axis.name} = {places[row, j]:g}"
            raise ValueError(f"{at} does not lie in the box: {valid}")
        if grid.reflection is None:
            places[:, j] = x
        middle = 0.5 * (axis.points[1:] + axis.points[:-1])
        nearest = nearest * axis.size + np.searchsorted(middle, x)
    if not mdp.counted[nearest].all():
        row = int(np.argmin(mdp.counted[nearest]))
        said = ", ".join(f"{axis.name} = {x:g}" for axis, x in zip(grid.axes, places[row], strict=True))
        raise ValueError(f"{source}, {_where(source, row)}: {said} lies in the terminal set, where there is no value")
    return places


def _where(source: str, row: int) -> str:
    """Of an array the row, of a file the line, the first of which are the names."""
    return f"row {row}" if source == STATES else f"line {row + 2}"
