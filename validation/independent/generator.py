r"""The frozen generators, from the edges of the cells: by definition, with no code of the solver's or the constants'.

Widths, centres and distances of faces are taken from the edges of the action axes here, so that an error in those of
the grid is no common mode.  Over the face f between cells a and b, along an axis of widths h and centre distance D,

    right = tau/(D h_a) B(z),   left = tau/(D h_b) B(-z),   z = Phi_b - Phi_a,   B(z) = z/(e^z - 1),

Phi = Q/tau - ln(m/vol), and the conductance c = right g_a, g the Gibbs policy of Q.  With x = p/g and L = ln x the
dissipation of a state is

    tau sum_f c (x_b - x_a)(L_b - L_a) = tau sum_f c x_a expm1(dL) dL,   dL = L_b - L_a,

in which nothing cancels.  Sources: Scharfetter & Gummel 1969, doi:10.1109/T-ED.1969.16566; theory, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.grids.grid import Grid

EPS = float(np.finfo(np.float64).eps)
NOISY = 1e-9  # error of the dense eigensolver, of the gap, from which elimination is asked


@dataclass(frozen=True, eq=False)
class Geometry:
    """Cells and faces of the action axes.

    Attributes
    ----------
    here, there, axis : arrays (F,) of int
        Cells on both sides of each face, and the axis it is of.
    distance, width_here, width_there : arrays (F,)
        Along the face's own axis.
    volume : array (A,)
    at_end : array (A,) of bool
        Whether a cell touches an end of the box.
    """

    here: IntArray
    there: IntArray
    axis: IntArray
    distance: FloatArray
    width_here: FloatArray
    width_there: FloatArray
    volume: FloatArray
    at_end: BoolArray

    @classmethod
    def of(cls, actions: Grid) -> Geometry:
        """From the edges of the axes and what their boundaries are called; nothing else of the grid is used."""
        shape = tuple(axis.edges.size - 1 for axis in actions.axes)
        numbers = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
        volume, at_end = np.ones(shape), np.zeros(shape, dtype=np.bool_)
        cells: list[tuple[IntArray, IntArray, IntArray]] = [(np.zeros(0, dtype=np.int64),) * 3]
        lengths: list[tuple[FloatArray, FloatArray, FloatArray]] = [(np.zeros(0),) * 3]
        for j, axis in enumerate(actions.axes):
            n = shape[j]
            width, centre = np.diff(axis.edges), (axis.edges[1:] + axis.edges[:-1]) / 2.0
            along = [1] * len(shape)
            along[j] = n
            volume = volume * width.reshape(along)
            if n == 1 or axis.boundary == "labels":
                continue
            circle = axis.boundary == "periodic"
            if axis.boundary == "clamp":
                centre[0], centre[-1] = axis.edges[0], axis.edges[-1]
            if not circle:
                at_end = at_end | ((np.arange(n) == 0) | (np.arange(n) == n - 1)).reshape(along)
            here = np.arange(n if circle else n - 1)
            there = (here + 1) % n
            gap = np.where(there > here, centre[there] - centre[here], (width[0] + width[-1]) / 2.0)
            lines = np.moveaxis(numbers, j, -1).reshape(-1, n)
            count = lines.shape[0]
            cells.append((lines[:, here].ravel(), lines[:, there].ravel(), np.full(count * here.size, j)))
            lengths.append((np.tile(gap, count), np.tile(width[here], count), np.tile(width[there], count)))
        here, there, axes = (np.concatenate(column) for column in zip(*cells, strict=True))
        distance, width_here, width_there = (np.concatenate(column) for column in zip(*lengths, strict=True))
        return cls(here, there, axes, distance, width_here, width_there, volume.ravel(), at_end.ravel())


def bernoulli(z: FloatArray) -> FloatArray:
    """z/(e^z - 1), one at zero."""
    with np.errstate(all="ignore"):
        return np.where(z == 0.0, 1.0, z / np.expm1(z))


@dataclass(frozen=True, eq=False)
class Frozen:
    """Rates of all states for one Q, (S, F), and ln g, (S, A)."""

    geometry: Geometry
    right: FloatArray
    left: FloatArray
    log_g: FloatArray
    temperature: float

    @classmethod
    def of(cls, geometry: Geometry, q: FloatArray, mass: FloatArray, temperature: float) -> Frozen:
        """The generators of the Gibbs policies of Q, (S, A)."""
        with np.errstate(divide="ignore"):
            phi = q / temperature - np.log(mass / geometry.volume)
        z = phi[:, geometry.there] - phi[:, geometry.here]
        scale = temperature / geometry.distance
        exponent = np.log(mass) - q / temperature
        top = exponent.max(axis=1, keepdims=True)
        log_g = exponent - top - np.log(np.exp(exponent - top).sum(axis=1, keepdims=True))
        right, left = scale / geometry.width_here * bernoulli(z), scale / geometry.width_there * bernoulli(-z)
        return cls(geometry, right, left, log_g, temperature)

    def dissipation(self, policy: FloatArray) -> FloatArray:
        """tau times the entropy production of every state, (S,); infinite where a cell of mass zero has a neighbour."""
        here, there = self.geometry.here, self.geometry.there
        with np.errstate(all="ignore"):
            log_x = np.log(policy) - self.log_g
            rise = log_x[:, there] - log_x[:, here]
            outward = self.right * policy[:, here]
            # c x_a expm1(dL) dL, from the side of the larger density, where the exponential is below one
            back = self.left * policy[:, there]
            terms = np.where(rise <= 0.0, outward * np.expm1(rise) * rise, -back * np.expm1(-rise) * rise)
            terms = np.where((policy[:, here] == 0.0) & (policy[:, there] == 0.0), 0.0, terms)
        return np.asarray(self.temperature * np.abs(terms).sum(axis=1))

    def matrix(self, state: int, axis: int | None = None) -> FloatArray:
        """The generator of a state, or its part along one axis, acting on laws, (A, A): columns sum to zero."""
        out = np.zeros((self.log_g.shape[1],) * 2)
        faces = np.flatnonzero(self.geometry.axis >= 0 if axis is None else self.geometry.axis == axis)
        here, there = self.geometry.here[faces], self.geometry.there[faces]
        np.add.at(out, (there, here), self.right[state, faces])
        np.add.at(out, (here, there), self.left[state, faces])
        out -= np.diag(out.sum(axis=0))
        return out

    def spectral_gaps(self) -> tuple[FloatArray, FloatArray]:
        """Least non-zero rate of every state, and what it may err by, (S,) each; infinite of a single cell.

        A dense eigensolver errs by rounding of the largest rate.  Where that is much of what it finds, rates of cells
        hardly ever left are `least_rate`, by elimination without subtractions: the smaller error counts.
        """
        states, n = self.log_g.shape
        if n < 2:
            return np.full(states, np.inf), np.zeros(states)
        generators, half = np.stack([self.matrix(k) for k in range(states)]), self.log_g / 2.0
        with np.errstate(all="ignore"):
            scaled = np.where(generators == 0.0, 0.0, generators * np.exp(half[:, None, :] - half[:, :, None]))
        found: FloatArray = -np.linalg.eigvalsh((scaled + scaled.swapaxes(1, 2)) / 2.0)[:, -2].astype(np.float64)
        noise: FloatArray = 16.0 * EPS * n * np.abs(generators).max(axis=(1, 2))
        for k in np.flatnonzero(~(noise <= NOISY * found)):
            exact, error = least_rate(generators[k], self.log_g[k])
            if error < noise[k]:
                found[k], noise[k] = exact, error
        return found, noise

    def apply(self, policy: FloatArray) -> FloatArray:
        """L p in every state, (S, A)."""
        here, there = self.geometry.here, self.geometry.there
        flux = self.right * policy[:, here] - self.left * policy[:, there]
        out = np.zeros_like(policy.T)
        np.add.at(out, there, flux.T)
        np.add.at(out, here, -flux.T)
        return np.ascontiguousarray(out.T)


def implicit_step(generator: FloatArray, law: FloatArray, dt: float) -> FloatArray:
    """(I - dt L)^{-1} p for a generator whose columns sum to zero, (A, A) and (A,): without subtraction.

    Elimination from the last cell to the first; the diagonal of a column is the sum of what it kills (one, and what
    eliminated cells passed on) and of what it sends to the cells that are left (Grassmann, Taksar & Heyman 1985).
    """
    sends, out = dt * generator, np.array(law, dtype=np.float64)
    np.fill_diagonal(sends, 0.0)
    kills, diagonal = np.ones(len(out)), np.ones(len(out))
    for j in range(len(out) - 1, -1, -1):
        diagonal[j] = kills[j] + sends[:j, j].sum()
        share = sends[:j, j] / diagonal[j]
        into = sends[j, :j]
        sends[:j, :j] += share[:, None] * into
        kills[:j] += into * (kills[j] / diagonal[j])
        out[:j] += share * out[j]
    for j in range(len(out)):
        out[j] = (out[j] + sends[j, :j] @ out[:j]) / diagonal[j]
    return out


def least_rate(generator: FloatArray, log_g: FloatArray) -> tuple[float, float]:
    r"""Least non-zero rate of a reversible generator whose columns sum to zero, (A, A), and what it may err by.

    With one cell N left out -L has an inverse that is not negative: elimination without subtractions, each diagonal
    being the sum of what a cell sends elsewhere, gives every entry of it, made symmetric by sqrt(g), to a few n^3 eps
    of itself, however far rates lie apart (O'Cinneide 1993, doi:10.1007/BF01385630).  Between the projections onto
    what is orthogonal to sqrt(g) it is the inverse of -L there, and its largest eigenvalue is 1/lambda.  The norm
    without the projections, which rounding is of, is at most 1/(g_N lambda): for f_N = 0, Var f >= g_N sum g f^2.  N is
    the cell of the largest g, hence the error of at most 4 n^3 eps/g_N of lambda.  Zero where rates underflow.
    """
    n = len(log_g)
    order = np.argsort(log_g, kind="stable")  # the last one is N
    sends = generator[np.ix_(order, order)].T.copy()  # sends[j, k]: from j to k
    np.fill_diagonal(sends, 0.0)
    with np.errstate(all="ignore"):
        mutual = np.sqrt(sends) * np.sqrt(sends.T)
        solved, diagonal = np.eye(n), np.ones(n)
        for j in range(n - 1):
            diagonal[j] = sends[j, j + 1 :].sum()
            share, passed = sends[j + 1 :, j] / diagonal[j], mutual[j + 1 :, j] / diagonal[j]
            solved[j + 1 :] += passed[:, None] * solved[j]
            sends[j + 1 :, j + 1 :] += share[:, None] * sends[j, j + 1 :]
            mutual[j + 1 :, j + 1 :] += passed[:, None] * mutual[j, j + 1 :]
        solved[-1] = 0.0
        for j in range(n - 2, -1, -1):
            solved[j] = (solved[j] + mutual[j, j + 1 :] @ solved[j + 1 :]) / diagonal[j]
        solved[:, -1] = 0.0
        root = np.exp(log_g[order] / 2.0)
        root /= np.sqrt((root**2).sum())
        solved -= np.outer(root, root @ solved)
        solved -= np.outer(solved @ root, root)
        scale = float(np.abs(solved).max())
    if not 0.0 < scale < np.inf:
        return 0.0, 0.0
    largest = scale * float(np.linalg.eigvalsh((solved + solved.T) / (2.0 * scale))[-1])
    return 1.0 / largest, 4.0 * n**3 * EPS / float(root[-1] ** 2) / largest
