"""The proximal step in Wasserstein space on one line of cells: a convex minimisation by Newton's method.

    p' = argmin  tau KL(p' | g) + W2^2(p', p) / (2 eta)

(Jordan, Kinderlehrer & Otto 1998, doi:10.1137/S0036141096303359); W2 is that of `solver.flux.transport`.  In the masses
C_k left of the edges every cell adds to the Hessian, with a = dC_k and b = dC_{k+1},

    kappa (b - a)^2 + A a^2 + 2 B a b + D b^2,        kappa = tau / p'_k,    A, D >= 0,    A D >= B^2,

so that it is tridiagonal.  Elimination from the left keeps S_k, the Hessian of all cells left of edge k in dC_k alone:

    S_{k+1} = [ D S_k + (A D - B^2) + kappa (S_k + A + D + 2 B) ] / (S_k + A + kappa),

a sum of positive terms: neighbouring cells may differ by any factor.  All is written in units of masses, S_k p'_k and
dC_{k+1} / p'_k, and substitution gives the relative change of every cell, dp'/p', also where dp' is the difference of
two much larger moved masses.

Where a relative change d is at most 1/2 the new mass is p' (1 + d); elsewhere, in tails that rise or fall by orders of
magnitude, it is p' e^d, the exact minimiser of entropy alone, and the sum of all is made what it was.  Moved masses
take the linear change as substitution gives it, and what exponentials differ from it is added, so that wells deeper
than rounding keep theirs.  A cell whose change turns its sign from one iteration to the next goes half as far from then
on, and twice as far again when it does not: tails find their place within tens of iterations on any grid.

The objective falls in every iteration: a step that raises it is halved, and, as Newton's own direction alone is sure to
be one of descent, soon taken without such limits.  As p itself is where the iteration begins,

    tau KL(p' | g) + W2^2(p', p) / (2 eta)  <=  tau KL(p | g)

whatever the length of the step and however far the iteration came.  It ends when all relative changes are below
`SMALL`, of which Newton's method leaves the square; or, from `PATIENCE` iterations on, when the decrease to be had by
Newton's method is rounding of the objective, so that what is left to find are tails that weigh nothing.
"""

from __future__ import annotations

import numba
import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import exp, log
from wpoflow.solver.flux.transport import old_positions, positions_of, slopes_of, sums_from_both_ends

SMALL = 1e-6
NEGLIGIBLE = 1e-28  # of tau: a decrease of the objective that relative changes of 1e-14 would make
ROUNDING = 1e-15  # of the objective, where KL is about one at least
LITTLE = 1e-14  # of the objective, beyond which tails alone differ
MOST, PATIENCE = 400, 60  # iterations
HALVINGS, FREE = 40, 4
LEAST, LOG_LEAST = 1e-280, -644.7238260383328  # of old, new and Gibbs masses: smaller ones count as this one
LEAVING = 20.0  # what a cell of the least mass may rise by at once, less than to be seen
LOG_SEEN = LOG_LEAST + 23.0  # of a mass that is waited for: 1e-270
PARTS = 64
(
    OLD, LEFT, RIGHT, GIBBS, NEW, LOG_NEW, MOVED, NEW_LEFT, NEW_RIGHT, CHANGE, SHIFT,
    BASE, LOG_BASE, BASE_MOVED, WANTED, BASE_SHIFT, LIMIT, APPLIED, ONWARD, ONWARD_FORCE, HERE, HERE_FORCE,
    BEYOND, DISPLACEMENT, SLOPE, INVERSE, RATIO, EXCESS, ROWS,
) = range(29)  # fmt: skip


@kernel()
def _of_cells(
    new: FloatArray,
    log_new: FloatArray,
    gibbs: FloatArray,
    inverses: FloatArray,
    ratios: FloatArray,
    excesses: FloatArray,
) -> None:
    """1/p', p' over that of the cell before, and ln(p'/g).

    The last is zero where a cell has the least mass and would have less: such cells neither give nor take.
    """
    n = new.size
    for k in range(n):
        inverses[k] = 1.0 / new[k]
    for k in range(n):
        content = (log_new[k] <= LOG_LEAST) & (gibbs[k] < LOG_LEAST)
        excesses[k] = 0.0 if content else log_new[k] - gibbs[k]
    ratios[0], ratios[n] = 0.0, 0.0
    for k in range(1, n):
        ratios[k] = new[k] * inverses[k - 1]


@kernel()
def newton_direction(
    rows: FloatArray, cells: IntArray, widths: FloatArray, positions: FloatArray, step: float, temperature: float
) -> tuple[float, float, float]:
    """The objective at NEW, and Newton's relative changes and moved masses there.

    Parameters
    ----------
    rows : array (ROWS, n + 1)
        What belongs to the line; see the names of the rows.
    cells : array (n + 1,)
        Workspace: the old cell at every new edge.
    widths, positions : arrays (n,), (2, n + 1)
        Of the cells, and `positions_of` them.
    step, temperature : float

    Returns
    -------
    objective : float
    largest : float
        Relative change, among cells that have or get more than 1e-270.
    decrease : float
        Twice what the objective would fall by were it quadratic.
    """
    n = widths.size
    last, inverse_step, twelfth = n - 1, 1.0 / step, 1.0 / 12.0
    p, slopes, new, log_new, gibbs = rows[OLD, :n], rows[SLOPE, :n], rows[NEW, :n], rows[LOG_NEW, :n], rows[GIBBS, :n]
    beyond, displacement = rows[BEYOND], rows[DISPLACEMENT]
    inverses, ratios, excesses = rows[INVERSE], rows[RATIO], rows[EXCESS]
    onwards, onward_forces, heres, here_forces = rows[ONWARD], rows[ONWARD_FORCE], rows[HERE], rows[HERE_FORCE]
    changes, shifts = rows[CHANGE], rows[SHIFT]
    sums_from_both_ends(new, rows[NEW_LEFT], rows[NEW_RIGHT])
    old_positions(
        p, rows[LEFT], rows[RIGHT], widths, slopes, positions, rows[NEW_LEFT], rows[NEW_RIGHT], rows[MOVED],
        cells, beyond, displacement,
    )  # fmt: skip
    _of_cells(new, log_new, gibbs, inverses, ratios, excesses)
    entropy, transport, decrease = 0.0, 0.0, 0.0
    stiffness, force, excess_before, passed = 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        cell, within, before = cells[k], beyond[k], displacement[k]
        h, mass, inverse = widths[k], new[k], inverses[k]
        start, rest = 0.0, mass
        at_left, at_right, square = 0.0, 0.0, 0.0
        first, mixed, second, own = 0.0, 0.0, 0.0, 0.0
        # of the pieces so far: int dT, and the first and second moments of their distance from the middle of the last
        weight, arm, inertia, apart, last_middle = 0.0, 0.0, 0.0, 0.0, 0.0
        while True:
            ends = cell == last or rest <= within
            taken = min(rest, within)
            stop = 1.0 if ends else min(start + taken * inverse, 1.0)
            length = stop - start
            extent = widths[cell] if taken == p[cell] else taken * slopes[cell]
            middle = 0.5 * (start + stop)
            left_middle, variance = 1.0 - middle, twelfth * length * length
            longer = h * length - extent
            mean, tilt = before + 0.5 * longer, twelfth * longer * length
            at_left += length * (mean * left_middle - tilt)
            at_right += length * (mean * middle + tilt)
            square += length * (mean * mean + twelfth * longer * longer)
            first += extent * (left_middle * left_middle + variance)
            mixed += extent * (left_middle * middle - variance)
            second += extent * (middle * middle + variance)
            own += extent * variance
            ahead = middle - last_middle
            inertia += ahead * (2.0 * arm + ahead * weight)
            arm += ahead * weight
            apart += extent * inertia
            weight += extent
            if ends:
                break
            start, last_middle, before, rest = stop, middle, before + longer, rest - taken
            cell += 1
            within = p[cell]
        excess = excesses[k]
        entropy += mass * excess
        transport += mass * square
        scale = h * inverse_step
        a, b, d = scale * first, scale * mixed, scale * second
        determinant, total = scale * scale * (weight * own + apart), scale * weight
        ratio, onward_ratio = ratios[k], ratios[k + 1]
        if k:
            force += temperature * (excess_before - excess) - inverse_step * (h * at_left + passed)
            denominator = stiffness + (a + temperature)
            pivot = 1.0 / denominator
            push = force * pivot
            decrease += force * push * mass
            onward = (temperature - b) * pivot
            onwards[k], onward_forces[k] = onward * ratio, -push * ratio
            heres[k], here_forces[k] = (stiffness + (a + b)) * pivot, push
            force *= onward
            numerator = (d + temperature) * onward_ratio * stiffness + (
                determinant + temperature * total
            ) * onward_ratio
            stiffness = numerator / denominator
        else:
            stiffness = (d + temperature) * onward_ratio
        excess_before, passed = excess, h * at_right
    shift, largest = 0.0, 0.0  # the shift in units of the cell before the edge
    for k in range(n - 1, -1, -1):
        change = heres[k] * shift + here_forces[k] if k else shift
        changes[k] = change
        log_mass = log_new[k]
        if log_mass + max(change, 0.0) > LOG_SEEN and not (log_mass <= LOG_LEAST and gibbs[k] < LOG_LEAST):
            largest = max(largest, abs(change))
        if k:
            shift = onwards[k] * shift + onward_forces[k]
            shifts[k] = shift * new[k - 1]
    return temperature * entropy + 0.5 * inverse_step * transport, largest, decrease


@kernel()
def _go_straight(
    base: FloatArray, log_base: FloatArray, wanted: FloatArray, length: float, new: FloatArray, log_new: FloatArray
) -> None:
    """p' (1 + d), and what is taken in its place where that is not enough is written over it."""
    for k in range(base.size):
        stretch = 1.0 + max(length * wanted[k], -0.5)
        new[k], log_new[k] = base[k] * stretch, log_base[k] + log(stretch)


@kernel()
def _shift_straight(base_moved: FloatArray, base_shift: FloatArray, length: float, moved: FloatArray) -> None:
    """Moved masses by the linear change."""
    for k in range(base_moved.size):
        moved[k] = base_moved[k] + length * base_shift[k]


@kernel()
def _go(rows: FloatArray, n: int, length: float) -> None:
    """NEW, LOG_NEW and MOVED a part of the way from BASE along WANTED, of which APPLIED is what cells may go."""
    base, log_base, wanted, applied = rows[BASE, :n], rows[LOG_BASE, :n], rows[WANTED, :n], rows[APPLIED, :n]
    new, log_new, moved = rows[NEW, :n], rows[LOG_NEW, :n], rows[MOVED, :n]
    base_moved, base_shift = rows[BASE_MOVED, :n], rows[BASE_SHIFT, :n]
    top, straight = -np.inf, True
    for k in range(n):
        change = length * applied[k]
        top = max(top, log_base[k] + change)
        straight &= (applied[k] == wanted[k]) & (abs(change) <= 0.5)
    far = max(top, 0.0)  # a mass larger than all of it
    straight &= far == 0.0
    _go_straight(base, log_base, wanted, length, new, log_new)
    if straight:
        _shift_straight(base_moved, base_shift, length, moved)
        return
    surplus, largest = 0.0, 0
    for k in range(n):
        change = length * applied[k]
        if applied[k] == wanted[k] and abs(change) <= 0.5 and far == 0.0:
            moved[k] = 0.0
        else:
            log_new[k] = log_base[k] + change - far
            new[k] = max(exp(log_new[k]), LEAST)
            moved[k] = new[k] - base[k] - base[k] * (length * wanted[k])
        surplus += moved[k]
        if new[k] > new[largest]:
            largest = k
    if far > 0.0:
        total = 0.0
        for k in range(n):
            total += new[k]
        surplus = total - rows[LEFT, n]
    if surplus != 0.0:
        shrunk, scale, log_scale = 1.0 / (1.0 + surplus), -surplus / (1.0 + surplus), -np.log1p(surplus)
        for k in range(n):
            moved[k] += scale * new[k]
            new[k] = max(new[k] * shrunk, LEAST)
            log_new[k] += log_scale
    # from both ends to the largest cell, which has room for rounding
    total = 0.0
    for k in range(n - 1, largest, -1):
        total += moved[k]
        moved[k] = base_moved[k] + length * base_shift[k] - total
    total = 0.0
    for k in range(largest + 1):
        here = moved[k]
        moved[k] = base_moved[k] + length * base_shift[k] + total
        total += here


@kernel()
def _begin(rows: FloatArray, n: int) -> None:
    """NEW is OLD, no smaller than the least mass, and no cell has a limit."""
    for k in range(n):
        rows[OLD, k] = max(rows[OLD, k], LEAST)
        rows[NEW, k] = rows[OLD, k]
        rows[LOG_NEW, k] = log(rows[NEW, k])
        rows[MOVED, k], rows[SHIFT, k] = 0.0, 0.0
        rows[LIMIT, k], rows[APPLIED, k] = np.inf, 0.0


@kernel()
def _limit(rows: FloatArray, n: int) -> None:
    """What cells may go of the way wanted, and BASE, from where they go."""
    changes, wanted, applied, limits = rows[CHANGE, :n], rows[WANTED, :n], rows[APPLIED, :n], rows[LIMIT, :n]
    log_new, gibbs = rows[LOG_NEW, :n], rows[GIBBS, :n]
    for k in range(n):
        change, before, limit = changes[k], applied[k], 2.0 * limits[k]
        if change * before < 0.0 and abs(change) > 0.5:
            limit = max(0.5, 0.5 * min(abs(change), abs(before)))
        limits[k] = limit
        highest = min(limit, LEAVING) if log_new[k] <= LOG_LEAST and gibbs[k] < LOG_LEAST else limit
        wanted[k], applied[k] = change, min(max(change, -limit), highest)
    rows[BASE, :n], rows[LOG_BASE, :n] = rows[NEW, :n], rows[LOG_NEW, :n]
    rows[BASE_MOVED, :n], rows[BASE_SHIFT, :n] = rows[MOVED, :n], rows[SHIFT, :n]


@kernel()
def proximal_line(
    rows: FloatArray, cells: IntArray, widths: FloatArray, positions: FloatArray, step: float, temperature: float
) -> tuple[int, float]:
    """The step on one line, from OLD and GIBBS to NEW and LOG_NEW; arguments as those of `newton_direction`.

    Returns
    -------
    iterations : int
    residual : float
        Largest relative change of an iteration more; zero where what is left is rounding of the objective, and NaN
        where that is no number.
    """
    n = widths.size
    _begin(rows, n)
    sums_from_both_ends(rows[OLD, :n], rows[LEFT], rows[RIGHT])
    slopes_of(rows[OLD, :n], widths, rows[SLOPE, :n])
    iteration, halvings, length, start, rounding, negligible = 0, 0, 1.0, np.inf, 0.0, False
    while True:  # the direction has one call, as all that is called is inlined, and is by far the longest to compile
        objective, largest, decrease = newton_direction(rows, cells, widths, positions, step, temperature)
        if iteration == 0:
            if objective != objective:
                return 0, objective
            rounding = ROUNDING * (abs(objective) + temperature)
        halve = iteration > 0 and halvings < HALVINGS and not objective <= start + rounding
        if halve:
            halvings += 1
            length = 1.0 if halvings == FREE else 0.0 if halvings == HALVINGS else 0.5 * length
            if halvings == FREE:
                for k in range(n):
                    rows[LIMIT, k], rows[APPLIED, k] = np.inf, rows[WANTED, k]
        else:
            if halvings:
                for k in range(n):
                    rows[APPLIED, k] *= length
            negligible = iteration > 0 and decrease <= LITTLE * abs(objective) + NEGLIGIBLE * temperature
            if iteration == MOST or halvings == HALVINGS or (iteration >= PATIENCE and negligible):
                break
            iteration, halvings, length, start = iteration + 1, 0, 1.0, objective
            _limit(rows, n)
        _go(rows, n, length)
        if not halve and largest <= SMALL:
            return iteration, largest * largest
    return iteration, 0.0 if negligible else largest


@kernel(parallel=True, largest=0)
def proximal_steps(
    p: FloatArray,
    q: FloatArray,
    log_mass: FloatArray,
    widths: FloatArray,
    step: float,
    temperature: float,
    out: FloatArray,
    residual: FloatArray,
) -> None:
    """One proximal step in every state.

    Parameters
    ----------
    p, q, out : arrays (S, n)
        Cell probabilities, Q, and where the result goes, which may be ``p``.
    log_mass : array (n,)
        Of the reference measure.
    widths : array (n,)
    step : float
        eta, in flow time.
    residual : array (S,)
        Receives what `proximal_line` returns.
    """
    n_states, n = p.shape
    parts = min(PARTS, n_states)
    inverse_temperature, positions = 1.0 / temperature, positions_of(widths)
    for part in numba.prange(parts):
        rows, cells = np.empty((ROWS, n + 1)), np.empty(n + 1, np.int64)
        for i in range(part * n_states // parts, (part + 1) * n_states // parts):
            least, top = np.inf, -np.inf
            for k in range(n):
                least = min(least, q[i, k])
            for k in range(n):
                rows[OLD, k] = p[i, k]
                rows[GIBBS, k] = log_mass[k] - (q[i, k] - least) * inverse_temperature
                top = max(top, rows[GIBBS, k])
            total = 0.0
            for k in range(n):
                total += exp(rows[GIBBS, k] - top)
            top += log(total)
            for k in range(n):
                rows[GIBBS, k] -= top
            residual[i] = proximal_line(rows, cells, widths, positions, step, temperature)[1]
            for k in range(n):
                found = rows[LOG_NEW, k]
                if found <= LOG_SEEN and rows[GIBBS, k] < LOG_LEAST:
                    found = rows[GIBBS, k]
                out[i, k] = rows[NEW, k] if found > LOG_LEAST else exp(found)
