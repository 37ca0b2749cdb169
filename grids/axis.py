"""One axis of a grid: cells given by their edges, and the points at which functions are known.

The array of edges *is* the axis; uniform and graded axes are special cases of it.  Points are cell
centres, except on a **clamped** state axis, whose first and last points are the ends of the box
itself: next states pile up there, and a cell centre half a cell away would be first order.  The
cells of such an axis are the dual cells of its points, half as wide at both ends.  A clamped **action** axis has the
same points and cells, for controls of the bang-bang kind, whose actions are the ends of the box.

A **shock** axis holds the points of a Markov chain and its table of transition probabilities.  Its points are given,
nothing is interpolated between them, and they are counted: the cells around them are of width one, so that a density on
such an axis is a weight for each point.

A **labels** axis is one of actions that are names, in no order: no cell neighbours another, nothing lies between two of
them, and no mass moves along it.  Its points are the numbers 0, 1, ... of the labels, and they are counted, too: cells
are of width one, a density is a weight for each label.

Boundaries: ``clamp``, ``reflect`` and ``periodic`` say where a next state outside the box goes;
``no-flux``, ``clamp`` and ``periodic`` say what the policy's flux does at the ends of the action box: it passes none of
them, but where the last cell is a neighbour of the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wpoflow.core.arguments import real_number, whole_number
from wpoflow.core.arrays import FloatArray, real_array
from wpoflow.core.text import did_you_mean
from wpoflow.grids.labels import LABELS, check_label, check_labels, check_units

SHOCK = "shock"
BOUNDARIES = ("clamp", "reflect", "periodic", "no-flux", SHOCK, LABELS)
LEAST_LENGTH, LARGEST_LENGTH = 1e-100, 1e100  # of a box: squares of widths are floating-point numbers
LEAST_SHARE = 1e-16  # of the box, in its narrowest cell
ROW_TOLERANCE = 1e-12  # of the sum of a row of a table, for each of its entries


@dataclass(frozen=True, eq=False)
class Axis:
    """Cells between increasing edges, with a boundary rule.

    Parameters
    ----------
    name : str
        Name of the variable.
    edges : array (n + 1,)
        Cell edges, strictly increasing, finite.
    boundary : {"clamp", "reflect", "periodic", "no-flux", "shock", "labels"}
        What happens at the ends.
    label, units : str, optional
        What figures and files call the axis, and its unit; its name and "1" by default.
    given : array (n,), optional
        Points of a shock axis, one between each two edges; use `shock_axis`.
    table : array (n, n), optional
        Of a shock axis, probabilities of the next point, a row for each present one; not known of one read from a run.
    labels : tuple of str, optional
        Of a labels axis, what its points stand for; use `label_axis`.

    Attributes
    ----------
    points : array (n,)
        Cell centres; on a clamped axis the ends of the box are points.  One cell: its middle.
    widths : array (n,)
        Cell widths.
    distances : array (n - 1,), periodic (n,)
        Distance between neighbouring points; on a periodic axis the last joins the last point to
        the first and is half the sum of the two widths.  Labels have no neighbours, and there are none, (0,).

    Raises
    ------
    ValueError
        Unknown boundary, edges that are not finite and strictly increasing, a box too short or too long, a cell too
        narrow beside it, a label or unit that cannot be written, points of a shock that do not lie between its edges,
        rows of its table that are no probabilities, labels that are not all different, or as many as there are cells.
    """

    name: str
    edges: FloatArray
    boundary: str = "no-flux"
    label: str = ""
    units: str = ""
    given: FloatArray | None = None
    table: FloatArray | None = None
    labels: tuple[str, ...] = ()
    points: FloatArray = field(init=False)
    widths: FloatArray = field(init=False)
    distances: FloatArray = field(init=False)

    def __repr__(self) -> str:
        if self.labels:
            return f"Axis({self.name!r}, {self.size} labels)"
        return f"Axis({self.name!r}, {self.size} cells on [{self.edges[0]:.6g}, {self.edges[-1]:.6g}], {self.boundary})"

    def __post_init__(self) -> None:
        edges = np.array(real_array(self.edges, f"axis {self.name}: edges"))
        if self.boundary not in BOUNDARIES:
            near = did_you_mean(self.boundary, BOUNDARIES)
            raise ValueError(
                f"axis {self.name}: boundary {self.boundary!r}; choose one of {', '.join(BOUNDARIES)}{near}"
            )
        with np.errstate(all="ignore"):
            increasing = edges.ndim == 1 and edges.size >= 2 and bool(np.all(np.diff(edges) > 0))
            finite = increasing and bool(np.isfinite(edges[-1] - edges[0]))
        if not finite:
            raise ValueError(
                f"axis {self.name}: edges must be at least two finite, strictly increasing numbers of a finite range"
            )
        for what, check in (("label", check_label), ("units", check_units)):
            try:
                check(getattr(self, what))
            except ValueError as error:
                raise ValueError(f"axis {self.name}: {what}: {error}") from error
        widths = np.diff(edges)
        self._check_widths(edges, widths)
        points = edges[:-1] + 0.5 * widths
        if self.boundary == "clamp" and points.size > 1:
            points[0], points[-1] = edges[0], edges[-1]
        if (self.boundary == SHOCK) != (self.given is not None):
            raise ValueError(f"axis {self.name}: points are given of shock axes, and of no others")
        if self.given is not None:
            points, widths = self._shock_points(edges), np.ones(points.size)
        if (self.boundary == LABELS) != bool(self.labels):
            raise ValueError(f"axis {self.name}: labels are given of labels axes, and of no others")
        if self.labels:
            self._check_labels(edges)
        distances = np.zeros(0) if self.labels else np.diff(points)
        if self.boundary == "periodic":
            distances = np.append(distances, 0.5 * (widths[0] + widths[-1]))
        for name, values in (("edges", edges), ("points", points), ("widths", widths), ("distances", distances)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def _check_widths(self, edges: FloatArray, widths: FloatArray) -> None:
        length = float(edges[-1] - edges[0])
        if not LEAST_LENGTH <= length <= LARGEST_LENGTH:
            valid = f"a box is from {LEAST_LENGTH:g} to {LARGEST_LENGTH:g} long"
            raise ValueError(f"axis {self.name}: [{edges[0]:g}, {edges[-1]:g}] is {length:g} long; {valid}")
        k = int(widths.argmin())
        if widths[k] < LEAST_SHARE * length:
            raise ValueError(
                f"axis {self.name}: the cell from {edges[k]:g} to {edges[k + 1]:g} is {widths[k] / length:.2g} of the "
                f"box; at least {LEAST_SHARE:g}"
            )

    def _shock_points(self, edges: FloatArray) -> FloatArray:
        """The points given, once they and the table are checked."""
        points = real_array(self.given, f"axis {self.name}: points").copy()
        if points.shape != (edges.size - 1,) or not np.all((edges[:-1] < points) & (points < edges[1:])):
            raise ValueError(f"axis {self.name}: one point of the shock must lie between each two edges")
        if self.table is not None:
            table = real_array(self.table, f"axis {self.name}: table").copy()
            check_table(f"axis {self.name}", table, points.size)
            table.flags.writeable = False
            object.__setattr__(self, "table", table)
        object.__setattr__(self, "given", points)
        return points

    def _check_labels(self, edges: FloatArray) -> None:
        try:
            object.__setattr__(self, "labels", check_labels(self.labels))
        except ValueError as error:
            raise ValueError(f"axis {self.name}: labels {error}") from error
        if not np.array_equal(edges, _label_edges(len(self.labels))):
            raise ValueError(f"axis {self.name}: its {len(self.labels)} labels are the points 0, 1, ... of unit cells")

    def word(self, index: int) -> str:
        """A point in words: its label, or its coordinate."""
        return self.labels[index] if self.labels else f"{self.points[index]:.6g}"

    @property
    def connected(self) -> bool:
        """Whether there are several cells and each has neighbours, between which mass can move."""
        return self.size > 1 and not self.labels

    @property
    def size(self) -> int:
        """Number of points (and of cells)."""
        return int(self.points.size)

    @property
    def lower(self) -> float:
        """Lower end of the box."""
        return float(self.edges[0])

    @property
    def upper(self) -> float:
        """Upper end of the box."""
        return float(self.edges[-1])

    @property
    def length(self) -> float:
        """Length of the box; the period of a periodic axis."""
        return self.upper - self.lower

    @property
    def periodic(self) -> bool:
        """Whether the last cell neighbours the first."""
        return self.boundary == "periodic"


def check_table(what: str, table: FloatArray, points: int) -> None:
    """Raise ValueError, naming the row, unless a table holds probabilities of the next point for each of the points."""
    if table.shape != (points, points):
        raise ValueError(f"{what}: the table of {points} points has shape {table.shape}; it must be {(points, points)}")
    for row, entries in enumerate(table):
        if not np.all(np.isfinite(entries) & (entries >= 0.0)):
            raise ValueError(f"{what}: row {row} of the table holds {entries.min()}, which is no probability")
        if abs(entries.sum() - 1.0) > ROW_TOLERANCE * points:
            raise ValueError(f"{what}: row {row} of the table sums to {entries.sum():.17g}, not to one")


def _unit_edges(cells: int, boundary: str) -> FloatArray:
    """Edges on [0, 1] with evenly spaced points: dual cells on a clamped axis, equal cells elsewhere."""
    if boundary == "clamp" and cells > 1:
        inner = (np.arange(cells - 1) + 0.5) / (cells - 1)
        return np.concatenate(([0.0], inner, [1.0]))
    return np.arange(cells + 1) / cells


def _checked(name: str, lower: float, upper: float, cells: int) -> tuple[float, float, int]:
    """The ends of a box and the number of its cells, as Python's own numbers."""
    lower, upper = (real_number(f"axis {name}: bounds", end) for end in (lower, upper))
    cells = whole_number(f"axis {name}: cells", cells)
    if cells < 1:
        raise ValueError(f"axis {name}: cells = {cells}; at least 1")
    if not (lower < upper and upper - lower < np.inf):
        raise ValueError(f"axis {name}: bounds [{lower}, {upper}] must be finite and increasing")
    return lower, upper, cells


def uniform_axis(name: str, lower: float, upper: float, cells: int, boundary: str = "no-flux") -> Axis:
    """Axis with evenly spaced points.

    Raises
    ------
    ValueError
        Fewer than one cell, or bounds that are not finite and increasing.
    """
    lower, upper, cells = _checked(name, lower, upper, cells)
    unit = _unit_edges(cells, boundary)
    edges = lower * (1.0 - unit) + upper * unit
    return Axis(name, edges, boundary)


def sinh_axis(
    name: str, lower: float, upper: float, cells: int, boundary: str = "no-flux", *, focus: float, ratio: float
) -> Axis:
    """Axis graded by x = focus + delta sinh(a + (b - a) xi), xi in [0, 1]: finest at ``focus``.

    Parameters
    ----------
    focus : float
        Where cells are finest, inside the box.
    ratio : float
        Spacing at the end of the box farther from ``focus``, divided by the spacing at ``focus``;
        at least 1 (1 gives a uniform axis).

    Raises
    ------
    ValueError
        Focus outside the box, ratio below one, or unusable bounds or cells.

    Notes
    -----
    The spacing at x is proportional to sqrt(1 + ((x - focus)/delta)^2), so the stated ratio at the
    far end, at distance D, gives delta = D / sqrt(ratio^2 - 1).
    """
    lower, upper, cells = _checked(name, lower, upper, cells)
    focus, ratio = real_number(f"axis {name}: focus", focus), real_number(f"axis {name}: ratio", ratio)
    if not lower <= focus <= upper:
        raise ValueError(f"axis {name}: focus {focus} lies outside the box [{lower}, {upper}]")
    if not (np.isfinite(ratio) and ratio >= 1.0):
        raise ValueError(f"axis {name}: ratio {ratio} must be finite and at least 1")
    if ratio == 1.0:
        return uniform_axis(name, lower, upper, cells, boundary)
    far = max(focus - lower, upper - focus)
    unit = _unit_edges(cells, boundary)
    with np.errstate(all="ignore"):  # edges that no floats can tell apart are refused by the axis
        delta = far / np.sqrt((ratio - 1.0) * (ratio + 1.0))
        start, end = np.arcsinh((lower - focus) / delta), np.arcsinh((upper - focus) / delta)
        edges = focus + delta * np.sinh(start * (1.0 - unit) + end * unit)
    edges[0], edges[-1] = lower, upper
    return Axis(name, edges, boundary)


def edges_axis(name: str, edges: Sequence[float] | FloatArray, boundary: str = "no-flux") -> Axis:
    """Axis with the cells between the given edges (a clamped axis has points at both outer edges)."""
    return Axis(name, real_array(edges, f"axis {name}: edges"), boundary)


def shock_axis(name: str, points: Sequence[float] | FloatArray, table: Sequence[Sequence[float]] | FloatArray) -> Axis:
    """State axis that is a Markov chain of its own, whatever the other states and the action are.

    Parameters
    ----------
    name : str
    points : array (n,)
        Values of the shock, strictly increasing.
    table : array (n, n)
        Probabilities of the next point, row by row for the present one; as `rouwenhorst` and `tauchen` make it.

    Raises
    ------
    ValueError
        Points that are not finite and strictly increasing, or rows that are no probabilities.
    """
    values = real_array(points, f"axis {name}: points")
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values)) or not np.all(np.diff(values) > 0.0):
        raise ValueError(f"axis {name}: the points of a shock must be finite, strictly increasing numbers")
    between = values[:-1] + 0.5 * np.diff(values)
    first, last = (0.5, 0.5) if values.size == 1 else (between[0] - values[0], values[-1] - between[-1])
    edges = np.concatenate(([values[0] - first], between, [values[-1] + last]))
    return Axis(name, edges, SHOCK, given=values, table=real_array(table, f"axis {name}: table"))


def _label_edges(count: int) -> FloatArray:
    """Edges of unit cells about 0, 1, ..., count - 1."""
    return np.arange(-0.5, count, dtype=np.float64)


def label_axis(name: str, labels: Sequence[str]) -> Axis:
    """Action axis of labels: names in no order, of which a policy gives each a probability.

    Functions and densities see the number of a label, from zero; a reference potential or a density on it is a weight
    for each label, and the uniform law is the default.

    Parameters
    ----------
    name : str
    labels : sequence of str
        At least one, all different, each one line of printable characters.

    Raises
    ------
    ValueError
        Labels that are not.
    """
    labels = labels.tolist() if hasattr(labels, "tolist") else labels  # of arrays of texts
    if isinstance(labels, str):
        raise ValueError(f"axis {name}: labels must be a list of texts, not {labels!r}")
    if not labels:
        raise ValueError(f"axis {name}: labels are none; at least one is needed")
    return Axis(name, _label_edges(len(labels)), LABELS, labels=tuple(labels))
