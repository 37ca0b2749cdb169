r"""The step of the dynamic programme: minima of v(X) + kappa psi(X, y) over X, v linear between knots.

psi(X, y) is (y - X)(ln y - ln X) or, ``plain``, 4 (sqrt y - sqrt X)^2. Both are convex, homogeneous of degree one, and
their mixed derivatives -1/X - 1/y and -2/sqrt(X y) are negative (Monge's condition): whatever v is, a minimiser X*(y)
does not fall as y grows.

**One piece.**  On a piece with slope s the minimiser is y e^{-t}, t + e^t = 1 + s/kappa, plain y/(1 + s/(4 kappa))^2,
or the end of the piece that is nearer to it; the right end if s <= -4 kappa.  **All pieces.**  Rows (the y) are taken
in the order of a bisection, each between the minimisers of its neighbours found before: N log N evaluations.  A row
evaluated wrongly by e can cost the rows taken after it at most e more, since v(X) + kappa psi(X, .) minus the same of
X' < X falls; so errors only add along the log N rounds.

**Between two rows** y_i < y_{i+1} the minimum w stays above its chord less

    delta = max over X in {X*_i, X*_{i+1} and the knots between them} of
            max over y of chord(y) - v(X) - kappa psi(X, y),        y = r X,   ln r + 1 - 1/r = (slope of chord)/kappa,
            plain 4 (1 - r^(-1/2)) = (slope of chord)/kappa, and without a maximum inside if that is 4 or more.

For by Monge's condition a minimiser at y lies between X*_i and X*_{i+1}; on a piece chord - v - kappa psi is concave
in (X, y), and affine along rays through the origin moved with the affine parts, psi being homogeneous.  So its
maximum over a rectangle of X and y lies on the rectangle's edge; at y = y_i and y_{i+1} it is at most zero.
"""

from __future__ import annotations

import math

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel

LEFT, RIGHT, WIDTH, SLOPE, SHRINK, OFFSET = range(6)
"""Rows of an array of pieces: v at both ends, length in X, slope, X*/y - 1, and kappa psi(X*, y)/y."""
EXCESS, LOG, SELF = range(3)
"""Rows of an array of points X > 0: X - 1, ln X and X, each to relative accuracy, however close X is to 1 or 0."""
SETTLED = 1e-9  # last relative step of Newton's method, after which its error is of the order of the square
ROUNDING = 1e-13  # what values are lowered by, relative to the sum of their parts


@kernel()
def exponent(z: float) -> float:
    """t with t + e^t = 1 + z, to relative accuracy; by Newton's method from above, where it is monotone."""
    t = math.log(1.0 + z) if z > 1.0 else 0.5 * z
    for _ in range(100):
        growth = math.expm1(t)
        step = (t + growth - z) / (2.0 + growth)
        t -= step
        if abs(step) <= SETTLED * abs(t):
            break
    return t


@kernel()
def distance(kappa: float, gap: float, log_ratio: float, x: float, y: float, plain: bool) -> float:
    """Kappa psi(X, y), of gap = y - X and ln y - ln X."""
    if plain:
        return 4.0 * kappa * (gap / (math.sqrt(x) + math.sqrt(y))) ** 2
    return kappa * gap * log_ratio


@kernel()
def stationary(z: float, plain: bool) -> tuple[float, float]:
    """r - 1 and psi(r, 1) of the r where the derivative of psi(r, 1) by r is -z; infinite where there is none."""
    if plain:
        root = 1.0 + 0.25 * z
        if root <= 0.0:
            return math.inf, math.inf
        fall = -0.25 * z / root  # sqrt r - 1
        return fall * (2.0 + fall), 4.0 * fall * fall
    t = exponent(z)
    return math.expm1(-t), -math.expm1(-t) * t


@kernel()
def difference(a: float, a_excess: float, b: float, b_excess: float) -> float:
    """a - b, from a - 1 and b - 1 where these know more digits."""
    return a - b if a < 0.5 else a_excess - b_excess


@kernel()
def set_slopes(pieces: FloatArray, count: int, kappa: float, plain: bool) -> None:
    """Slopes of the pieces and what follows from them for this kappa."""
    for p in range(count):
        slope = (pieces[RIGHT, p] - pieces[LEFT, p]) / pieces[WIDTH, p] if pieces[LEFT, p] < math.inf else 0.0
        shrink, psi = stationary(slope / kappa, plain)
        pieces[SLOPE, p], pieces[SHRINK, p], pieces[OFFSET, p] = slope, shrink, kappa * psi


@kernel()
def over_piece(
    p: int, pieces: FloatArray, knots: FloatArray, kappa: float, excess: float, log_y: float, y: float, plain: bool
) -> tuple[float, float, float, float]:
    """Minimum over piece p of v(X) + kappa psi(X, y), where v is infinite or linear; and X - 1, X and v(X) there."""
    gap = difference(y, excess, knots[SELF, p], knots[EXCESS, p])
    from_left = gap + y * pieces[SHRINK, p]
    if from_left <= 0.0:
        value = pieces[LEFT, p]
        jump = distance(kappa, gap, log_y - knots[LOG, p], knots[SELF, p], y, plain)
        return value + jump, knots[EXCESS, p], knots[SELF, p], value
    if from_left >= pieces[WIDTH, p]:
        value = pieces[RIGHT, p]
        gap = difference(y, excess, knots[SELF, p + 1], knots[EXCESS, p + 1])
        jump = distance(kappa, gap, log_y - knots[LOG, p + 1], knots[SELF, p + 1], y, plain)
        return value + jump, knots[EXCESS, p + 1], knots[SELF, p + 1], value
    value = pieces[LEFT, p] + pieces[SLOPE, p] * from_left
    move = y * pieces[SHRINK, p]
    return value + pieces[OFFSET, p] * y, excess + move, y + move, value


@kernel()
def minimise_over_pieces(
    pieces: FloatArray, knots: FloatArray, count: int, kappa: float, rows: FloatArray, best: IntArray, plain: bool
) -> None:
    """Fill ``best`` with the piece of least minimum for every row y, (R,).

    Parameters
    ----------
    pieces : array (6, P)
        The first ``count`` are used.
    knots, rows : arrays (3, P + 1), (3, R)
        In ascending order.
    """
    n = best.size
    stride = 1
    while 2 * stride <= n:
        stride *= 2
    while stride >= 1:
        for row in range(stride - 1, n, 2 * stride):
            first = best[row - stride] if row >= stride else 0
            last = best[row + stride] if row + stride < n else count - 1
            least, place = math.inf, first
            for p in range(first, last + 1):
                value = over_piece(p, pieces, knots, kappa, rows[EXCESS, row], rows[LOG, row], rows[SELF, row], plain)[
                    0
                ]
                if value < least:
                    least, place = value, p
            best[row] = place
        stride //= 2


@kernel()
def over_chord(
    gap: float,
    x: float,
    value: float,
    kappa: float,
    start_value: float,
    length: float,
    slope: float,
    growth: float,
    psi: float,
) -> float:
    """max over y of chord(y) - v(X) - kappa psi(X, y), at least zero.

    Parameters
    ----------
    gap, x, value : float
        X less the left end of the chord, X and v(X).
    start_value, length, slope : float
        The chord: w at its left end, its length in y and its slope.
    growth, psi : float
        The y sought is X (1 + growth), and psi(X, y) there X psi.
    """
    along = gap + x * growth
    if not 0.0 < along < length:
        return 0.0
    return max(0.0, start_value + slope * along - value * (1.0 - ROUNDING) - kappa * x * psi)
