"""Does D >= 2 alpha Ent hold on a path?  The dynamic programme, cell by cell; see `bound_dynamic_programming`.

``plain`` asks for the log-Sobolev inequality instead, in which psi(X, y) = 4 (sqrt y - sqrt X)^2.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from wpoflow.core.arrays import BoolArray, FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.validation.constants.barthe_roberto_kernels import log_add
from wpoflow.validation.constants.log_sobolev_kernels import phi_of_exponent
from wpoflow.validation.constants.lower_envelope_kernels import (
    EXCESS,
    LEFT,
    LOG,
    RIGHT,
    ROUNDING,
    SELF,
    WIDTH,
    difference,
    distance,
    minimise_over_pieces,
    over_chord,
    over_piece,
    set_slopes,
    stationary,
)
from wpoflow.validation.constants.node_kernels import INNER, nodes

REACH = 30.0  # nodes end where the rest is e^-30 of the mean
WIDEST = 600.0  # largest |ln y| of a node
LEAST_KAPPA = 1e-250
NEAR, SPREAD, FAR = 0.05, 0.3, 0.1  # ratios of nodes: near X = 1 the less the longer the path, as losses there add up
RESOLUTION = 2e-3

VALUE, PLACE_EXCESS, PLACE, AT_PLACE, SIZE, BOUND, BOUND_SLOPE, DEPTH = range(8)
"""Rows of the table of a step: w(y), X* - 1, X*, v(X*), sum of parts, minimum over the inner X and its slope, depth."""
SQUARE, WHOLE, LOW, HIGH, FLOOR, LARGEST = range(6)
"""What is kept of v besides its pieces: coefficients on |X - 1| <= INNER and on [LOW, HIGH], v near 0, largest v."""


@kernel()
def split_masses(log_gibbs: FloatArray, shares: FloatArray) -> None:
    """Fill (3, n): ln G_k, ln(g_k/G_k) and ln(G_{k-1}/G_k), G_k the mass of cells 0..k; the last is 0 for k = 0."""
    shares[0, 0], shares[1, 0], shares[2, 0] = log_gibbs[0], 0.0, 0.0
    for k in range(1, log_gibbs.size):
        odds = log_gibbs[k] - shares[0, k - 1]
        shares[0, k] = log_add(log_gibbs[k], shares[0, k - 1])
        shares[1, k] = -log_add(0.0, -odds)
        shares[2, k] = -log_add(0.0, odds)


@kernel()
def inner_minimum(
    kept: FloatArray, kappa: float, excess: float, log_y: float, y: float, plain: bool
) -> tuple[float, float]:
    """A lower bound, convex in y, of min over LOW <= X - 1 <= HIGH of WHOLE (X - 1)^2 + kappa psi(X, y); and its slope.

    For y outside: the larger of the minimum over all X with (y - X)^2/max(X, y) for psi, and of kappa psi(nearest, y).
    """
    square = kept[WHOLE]
    if excess > 0.0:
        share = excess / (square * y + kappa)
        value = excess * (square * kappa * share)
        slope = square * kappa * share * (2.0 - square * share)
        nearest = kept[HIGH]
    else:
        scale = kappa / (1.0 + kept[HIGH])
        slope = 2.0 * excess * (square * (scale / (square + scale)))
        value = 0.5 * slope * excess
        nearest = kept[LOW]
    ratio = log_y - math.log1p(nearest)
    jump = distance(kappa, excess - nearest, ratio, 1.0 + nearest, y, plain)
    if jump > value:
        return jump, -4.0 * kappa * math.expm1(-0.5 * ratio) if plain else kappa * (ratio - math.expm1(-ratio))
    return value, slope


@kernel()
def least_square(left: float, right: float, first: float, last: float, width: float) -> float:
    """min of v(X)/min(|X - 1|, INNER)^2 over a linear piece from X - 1 = first to last, on one side of 1."""
    if first < 0.0:
        first, last, left, right = -last, -first, right, left
    least = right / min(last, INNER) ** 2
    if not first < INNER:
        return min(least, left / INNER**2)
    least = min(least, left / first**2)
    slope = (right - left) / width
    if last > INNER:
        least = min(least, (left + slope * (INNER - first)) / INNER**2)
    offset = left - slope * first  # v = offset + slope d, so v/d^2 is stationary at d = -2 offset/slope
    if offset > 0.0 and first < -2.0 * offset / slope < min(last, INNER):
        least = min(least, -(slope**2) / (4.0 * offset))
    return least


@kernel()
def fill_rows(
    k: int,
    kappa: float,
    begin: int,
    end: int,
    points: FloatArray,
    pieces: FloatArray,
    knots: FloatArray,
    count: int,
    kept: FloatArray,
    best: IntArray,
    table: FloatArray,
    plain: bool,
) -> None:
    """w at the nodes begin..end, and by how much it may fall below its chords between them."""
    if k > 0:
        set_slopes(pieces, count, kappa, plain)
        minimise_over_pieces(pieces, knots, count, kappa, points[:, begin : end + 1], best[begin : end + 1], plain)
    for i in range(begin, end + 1):
        excess, log_y, y = points[EXCESS, i], points[LOG, i], points[SELF, i]
        if k == 0:  # X is 1, v is 0
            outer = distance(kappa, excess, log_y, 1.0, y, plain)
            place_excess, place, at_place = 0.0, 1.0, 0.0
            table[BOUND, i], table[BOUND_SLOPE, i] = math.inf, 0.0
        else:
            outer, place_excess, place, at_place = over_piece(best[i], pieces, knots, kappa, excess, log_y, y, plain)
            table[BOUND, i], table[BOUND_SLOPE, i] = inner_minimum(kept, kappa, excess, log_y, y, plain)
        table[PLACE_EXCESS, i], table[PLACE, i], table[AT_PLACE, i] = place_excess, place, at_place
        table[VALUE, i] = min(outer, table[BOUND, i])
        moved = kappa * abs(difference(y, excess, place, place_excess))
        size = abs(at_place) + abs(outer - at_place) + 2.0 * moved * abs(log_y)
        if outer - ROUNDING * size > table[BOUND, i]:
            size = table[BOUND, i] + kappa * abs(excess) * abs(log_y)
        table[SIZE, i] = size


@kernel()
def chord_depth(
    i: int,
    kappa: float,
    points: FloatArray,
    pieces: FloatArray,
    knots: FloatArray,
    best: IntArray,
    table: FloatArray,
    plain: bool,
) -> float:
    """By how much w may fall below its chord between the nodes i and i + 1."""
    start, start_excess = points[SELF, i], points[EXCESS, i]
    length = difference(points[SELF, i + 1], points[EXCESS, i + 1], start, start_excess)
    value = table[VALUE, i]
    slope = (table[VALUE, i + 1] - value) / length
    # psi(X, y) = X psi(1, y/X), symmetric in its arguments: the y/X where its derivative is slope/kappa
    growth, psi = stationary(-slope / kappa, plain)
    depth = 0.0
    for j in range(i, i + 2):
        gap = difference(table[PLACE, j], table[PLACE_EXCESS, j], start, start_excess)
        depth = max(
            depth, over_chord(gap, table[PLACE, j], table[AT_PLACE, j], kappa, value, length, slope, growth, psi)
        )
    if not table[BOUND, i] < math.inf:
        return depth
    for p in range(best[i] + 1, best[i + 1] + 1):
        there = min(pieces[RIGHT, p - 1], pieces[LEFT, p])
        gap = difference(knots[SELF, p], knots[EXCESS, p], start, start_excess)
        depth = max(depth, over_chord(gap, knots[SELF, p], there, kappa, value, length, slope, growth, psi))
    turn = table[BOUND_SLOPE, i + 1] - table[BOUND_SLOPE, i]
    if turn > 0.0:  # where the tangents of the inner minimum meet
        along = (table[BOUND, i] - table[BOUND, i + 1] + table[BOUND_SLOPE, i + 1] * length) / turn
        along = min(max(along, 0.0), length)
        depth = max(depth, value + slope * along - table[BOUND, i] - table[BOUND_SLOPE, i] * along)
    return depth


@kernel()
def next_pieces(
    alpha: float,
    kappa: float,
    log_theta: float,
    log_rest: float,
    begin: int,
    end: int,
    inner: int,
    points: FloatArray,
    table: FloatArray,
    kept: FloatArray,
    pieces: FloatArray,
    knots: FloatArray,
    count: int,
    plain: bool,
    log_largest: float,
) -> int:
    """Replace v_k by v_{k+1}; the number of its pieces.  ``log_largest`` is that of the largest X of v_k."""
    theta, rest = math.exp(log_theta), math.exp(log_rest)
    lowest, highest = min(table[VALUE, begin], kept[FLOOR]), table[VALUE, end]
    if plain:  # v is not negative
        nearest = math.exp(0.5 * log_largest)
        highest = min(highest, (1.0 - ROUNDING) * 4.0 * kappa * (math.sqrt(points[SELF, end]) - nearest) ** 2)
    old = 1
    while old < count and knots[SELF, old] < points[SELF, begin]:
        lowest = min(lowest, min(pieces[LEFT, old], pieces[RIGHT, old]))
        old += 1
    for i in range(begin, end + 1):
        excess, y = points[EXCESS, i], points[SELF, i]
        if theta * excess > -0.5:
            rho, log_rho = 1.0 + theta * excess, math.log1p(theta * excess)
        else:
            rho = rest + theta * y
            log_rho = math.log(rho)
        x = rest * excess / rho
        log_x = math.log1p(x) if x > -0.5 else points[LOG, i] - log_rho
        entropy = 2.0 * alpha * (rest * phi_of_exponent(-log_rho) + theta * phi_of_exponent(log_x))
        scale = rest / rho
        table[VALUE, i] = scale * table[VALUE, i] - entropy
        table[SIZE, i] = ROUNDING * (scale * table[SIZE, i] + entropy)
        table[DEPTH, i] *= scale
        table[PLACE, i] = rho
        knot = i - begin + 1
        knots[EXCESS, knot], knots[LOG, knot], knots[SELF, knot] = x, log_x, y / rho
    count = end - begin + 2
    kept[LOW], kept[HIGH] = knots[EXCESS, inner - begin + 1], knots[EXCESS, inner - begin + 2]
    scale = kappa / (1.0 + INNER)
    if kept[SQUARE] < math.inf:
        scale *= kept[SQUARE] / (kept[SQUARE] + scale)
    fall = alpha * theta * (1.0 + 3.0 * INNER)
    kept[WHOLE] = (scale * (1.0 - theta * INNER) - fall - ROUNDING * (scale + fall)) / rest
    kept[SQUARE], kept[LARGEST] = kept[WHOLE], kept[WHOLE] * max(-kept[LOW], kept[HIGH]) ** 2

    below = lowest * rest / table[PLACE, begin] + 2.0 * alpha * log_rest - table[SIZE, begin]
    above = highest * rest / table[PLACE, end] + 2.0 * alpha * log_theta - table[SIZE, end]
    kept[FLOOR] = below
    knots[EXCESS, 0], knots[LOG, 0], knots[SELF, 0] = -1.0, -math.inf, 0.0
    pieces[LEFT, 0], pieces[RIGHT, 0], pieces[WIDTH, 0] = below, below, knots[SELF, 1]
    knots[EXCESS, count], knots[LOG, count], knots[SELF, count] = rest / theta, -log_theta, 1.0 / theta
    pieces[LEFT, count - 1], pieces[RIGHT, count - 1] = above, above
    pieces[WIDTH, count - 1] = rest / (theta * table[PLACE, end])
    kept[SQUARE] = min(kept[SQUARE], min(below / INNER**2, above / min(rest / theta, INNER) ** 2))
    kept[LARGEST] = max(kept[LARGEST], max(below, above))
    for i in range(begin, end):
        p = i - begin + 1
        if i == inner:
            pieces[LEFT, p], pieces[RIGHT, p], pieces[WIDTH, p] = math.inf, math.inf, 1.0
            continue
        length = difference(points[SELF, i + 1], points[EXCESS, i + 1], points[SELF, i], points[EXCESS, i])
        lowered = table[DEPTH, i] + max(table[SIZE, i], table[SIZE, i + 1])
        left, right = table[VALUE, i] - lowered, table[VALUE, i + 1] - lowered
        width = rest * length / (table[PLACE, i] * table[PLACE, i + 1])
        pieces[LEFT, p], pieces[RIGHT, p], pieces[WIDTH, p] = left, right, width
        kept[SQUARE] = min(kept[SQUARE], least_square(left, right, knots[EXCESS, p], knots[EXCESS, p + 1], width))
        kept[LARGEST] = max(kept[LARGEST], max(left, right))
    return count


@kernel()
def certify_path(
    log_gibbs: FloatArray, log_conductance: FloatArray, alpha: float, near: float, far: float, plain: bool
) -> bool:
    """Whether the programme, begun at cell 0, proves D >= 2 alpha Ent for one path."""
    n = log_gibbs.size
    shares = np.empty((3, n))
    split_masses(log_gibbs, shares)
    low, high = REACH - np.min(shares[2]), REACH - np.min(shares[1])
    if not max(low, high) < WIDEST:
        return False
    points, inner = nodes(low, high, near, far)
    total = points.shape[1]
    pieces, knots, table = np.empty((6, total + 1)), np.empty((3, total + 2)), np.empty((8, total))
    best, kept = np.zeros(total, dtype=np.int64), np.zeros(6)
    kept[SQUARE], kept[FLOOR] = math.inf, math.inf
    count = 0
    for k in range(n - 1):
        kappa = math.exp(log_conductance[k] - shares[0, k])
        begin, end = 0, total - 1
        while points[LOG, begin + 1] <= shares[2, k + 1] - REACH:
            begin += 1
        while points[LOG, end - 1] >= REACH - min(shares[1, k], shares[1, k + 1]):
            end -= 1
        # above the last node the minimum over rho rises, if v is at most kappa (y - X) there
        rises = plain or kept[LARGEST] <= kappa * (points[SELF, end] - math.exp(-shares[1, k]))
        if not (kappa > LEAST_KAPPA and rises):
            return False
        fill_rows(k, kappa, begin, end, points, pieces, knots, count, kept, best, table, plain)
        for i in range(begin, end):
            table[DEPTH, i] = chord_depth(i, kappa, points, pieces, knots, best, table, plain) if i != inner else 0.0
        theta, rest = shares[1, k + 1], shares[2, k + 1]
        count = next_pieces(
            alpha,
            kappa,
            theta,
            rest,
            begin,
            end,
            inner,
            points,
            table,
            kept,
            pieces,
            knots,
            count,
            plain,
            -shares[1, k],
        )
        if not kept[SQUARE] > 0.0:  # v is not positive: the cells 0..k+1 alone need not obey the inequality
            return False
    return True


@kernel()
def certify_oriented(log_gibbs: FloatArray, log_conductance: FloatArray, alpha: float, plain: bool) -> bool:
    """`certify_path` from the end that is nearer to the mass, where chords cost less, on nodes fit for the length."""
    n = log_gibbs.size
    centre = 0.0
    for k in range(n):
        centre += k * math.exp(log_gibbs[k])
    near = min(NEAR, SPREAD / math.sqrt(n))
    if 2.0 * centre > n - 1:
        return certify_path(log_gibbs[::-1].copy(), log_conductance[::-1].copy(), alpha, near, FAR, plain)
    return certify_path(log_gibbs.copy(), log_conductance.copy(), alpha, near, FAR, plain)


@kernel(parallel=True)
def certify_paths(
    log_gibbs: FloatArray, log_conductance: FloatArray, alpha: FloatArray, plain: bool, out: BoolArray
) -> None:
    """`certify_oriented` of every state.  Arrays (S, n), (S, n - 1), (S,), (S,)."""
    for i in numba.prange(log_gibbs.shape[0]):
        out[i] = certify_oriented(log_gibbs[i], log_conductance[i], alpha[i], plain)


@kernel(parallel=True)
def largest_certified(
    log_gibbs: FloatArray,
    log_conductance: FloatArray,
    low: FloatArray,
    high: FloatArray,
    plain: bool,
    resolution: float,
    out: FloatArray,
) -> None:
    """Fill with a certified rate of every state that is within the resolution, relative, of one that is not.

    Parameters
    ----------
    log_gibbs, log_conductance : arrays (S, n), (S, n - 1)
    low, high : arrays (S,)
        Where to begin: a lower bound of alpha, which is not tested, and an upper one.
    out : array (S,)
        0 where nothing above ``low`` is certified.
    """
    for i in numba.prange(log_gibbs.shape[0]):
        out[i], least, most = 0.0, low[i], high[i]
        middle = most / (1.0 + resolution)  # alpha is often the spectral gap itself
        while 0.0 < least < middle:
            if certify_oriented(log_gibbs[i], log_conductance[i], middle, plain):
                out[i], least = middle, middle
            else:
                most = middle
            middle = min(math.sqrt(least * most), most / (1.0 + resolution))
