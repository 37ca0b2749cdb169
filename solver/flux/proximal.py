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

from wpoflow.core.arrays import FloatArray
from wpoflow.core.compile import kernel
from wpoflow.solver.arithmetic.elementary import exp, log
from wpoflow.solver.flux.transport import cell_integrals, old_position, spans_of, sums_from_both_ends

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
    BASE, LOG_BASE, BASE_MOVED, WANTED, BASE_SHIFT, LIMIT, APPLIED, ONWARD, ONWARD_FORCE, HERE, HERE_FORCE, ROWS,
) = range(23)  # fmt: skip


@kernel()
def _content(rows: FloatArray, k: int) -> bool:
    """Whether a cell has the least mass, and would have less: such cells neither give nor take."""
    return bool(rows[LOG_NEW, k] <= LOG_LEAST and rows[GIBBS, k] < LOG_LEAST)


@kernel()
def newton_direction(
    rows: FloatArray, widths: FloatArray, spans: FloatArray, step: float, temperature: float
) -> tuple[float, float, float]:
    """The objective at NEW, and Newton's relative changes and moved masses there.

    Parameters
    ----------
    rows : array (ROWS, n + 1)
        What belongs to the line; see the names of the rows.
    widths, spans : arrays (n,), (levels, n)
        Of the cells, and `spans_of` them.
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
    p, left, right = rows[OLD, :n], rows[LEFT], rows[RIGHT]
    new, new_left, new_right = rows[NEW, :n], rows[NEW_LEFT], rows[NEW_RIGHT]
    sums_from_both_ends(new, new_left, new_right)
    inverse = 1.0 / step
    entropy, transport, decrease = 0.0, 0.0, 0.0
    stiffness, force, excess_before, passed = 0.0, 0.0, 0.0, 0.0
    cell = 0
    for k in range(n):
        h, mass = widths[k], new[k]
        excess = rows[LOG_NEW, k] - rows[GIBBS, k]
        if _content(rows, k):
            excess = 0.0
        beyond, displacement = p[0], 0.0
        if k:
            cell, beyond, displacement = old_position(
                p, left, right, widths, spans, k, new_left[k], new_right[k], rows[MOVED, k], cell
            )
        at_left, at_right, square, first, mixed, second, determinant = cell_integrals(
            p, widths, mass, h, cell, beyond, displacement
        )
        entropy += mass * excess
        transport += mass * square
        scale = h * inverse
        a, b, d = scale * first, scale * mixed, scale * second
        if k:
            ratio = mass / new[k - 1]
            stiffness *= ratio
            force += temperature * (excess_before - excess) - inverse * (h * at_left + passed)
            pivot = 1.0 / (stiffness + a + temperature)
            decrease += force * force * pivot * mass
            onward = (temperature - b) * pivot
            rows[ONWARD, k], rows[ONWARD_FORCE, k] = onward * ratio, -force * pivot * ratio
            rows[HERE, k], rows[HERE_FORCE, k] = (stiffness + a + b) * pivot, force * pivot
            force *= onward
            total = stiffness + a + d + 2.0 * b
            stiffness = (d * stiffness + scale * scale * determinant + temperature * total) * pivot
        else:
            stiffness = d + temperature
        excess_before, passed = excess, h * at_right
    shift, largest = 0.0, 0.0  # the shift in units of the cell before the edge
    for k in range(n - 1, -1, -1):
        change = rows[HERE, k] * shift + rows[HERE_FORCE, k] if k else shift
        rows[CHANGE, k] = change
        if rows[LOG_NEW, k] + max(change, 0.0) > LOG_SEEN and not _content(rows, k):
            largest = max(largest, abs(change))
        if k:
            shift = rows[ONWARD, k] * shift + rows[ONWARD_FORCE, k]
            rows[SHIFT, k] = shift * new[k - 1]
    return temperature * entropy + 0.5 * inverse * transport, largest, decrease


@kernel()
def _go(rows: FloatArray, n: int, length: float) -> None:
    """NEW, LOG_NEW and MOVED a part of the way from BASE along WANTED, of which APPLIED is what cells may go."""
    surplus, largest, top = 0.0, 0, -np.inf
    for k in range(n):
        top = max(top, rows[LOG_BASE, k] + length * rows[APPLIED, k])
    far = max(top, 0.0)  # a mass larger than all of it
    for k in range(n):
        base, wanted = rows[BASE, k], length * rows[WANTED, k]
        change = length * rows[APPLIED, k]
        if change == wanted and abs(change) <= 0.5 and far == 0.0:
            rows[NEW, k], rows[LOG_NEW, k] = base * (1.0 + change), rows[LOG_BASE, k] + log(1.0 + change)
            rows[MOVED, k] = 0.0
        else:
            rows[LOG_NEW, k] = rows[LOG_BASE, k] + change - far
            rows[NEW, k] = max(exp(rows[LOG_NEW, k]), LEAST)
            rows[MOVED, k] = rows[NEW, k] - base - base * wanted
        surplus += rows[MOVED, k]
        if rows[NEW, k] > rows[NEW, largest]:
            largest = k
    if far > 0.0:
        total = 0.0
        for k in range(n):
            total += rows[NEW, k]
        surplus = total - rows[LEFT, n]
    if surplus != 0.0:
        shrunk, scale, log_scale = 1.0 / (1.0 + surplus), -surplus / (1.0 + surplus), -np.log1p(surplus)
        for k in range(n):
            rows[MOVED, k] += scale * rows[NEW, k]
            rows[NEW, k] = max(rows[NEW, k] * shrunk, LEAST)
            rows[LOG_NEW, k] += log_scale
    # from both ends to the largest cell, which has room for rounding
    total = 0.0
    for k in range(n - 1, largest, -1):
        total += rows[MOVED, k]
        rows[MOVED, k] = rows[BASE_MOVED, k] + length * rows[BASE_SHIFT, k] - total
    total = 0.0
    for k in range(largest + 1):
        here = rows[MOVED, k]
        rows[MOVED, k] = rows[BASE_MOVED, k] + length * rows[BASE_SHIFT, k] + total
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
def proximal_line(
    rows: FloatArray, widths: FloatArray, spans: FloatArray, step: float, temperature: float
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
    objective, largest, decrease = newton_direction(rows, widths, spans, step, temperature)
    if objective != objective:
        return 0, objective
    rounding = ROUNDING * (abs(objective) + temperature)
    negligible = False
    for iteration in range(1, MOST + 1):
        for k in range(n):
            wanted, before, limit = rows[CHANGE, k], rows[APPLIED, k], 2.0 * rows[LIMIT, k]
            if wanted * before < 0.0 and abs(wanted) > 0.5:
                limit = max(0.5, 0.5 * min(abs(wanted), abs(before)))
            rows[LIMIT, k] = limit
            highest = min(limit, LEAVING) if _content(rows, k) else limit
            rows[WANTED, k], rows[APPLIED, k] = wanted, min(max(wanted, -limit), highest)
            rows[BASE, k], rows[LOG_BASE, k] = rows[NEW, k], rows[LOG_NEW, k]
            rows[BASE_MOVED, k], rows[BASE_SHIFT, k] = rows[MOVED, k], rows[SHIFT, k]
        _go(rows, n, 1.0)
        if largest <= SMALL:
            return iteration, largest * largest
        length, start = 1.0, objective
        objective, largest, decrease = newton_direction(rows, widths, spans, step, temperature)
        halvings = 0
        while not objective <= start + rounding and halvings < HALVINGS:
            length *= 0.5
            halvings += 1
            if halvings == FREE:
                length = 1.0
                for k in range(n):
                    rows[LIMIT, k], rows[APPLIED, k] = np.inf, rows[WANTED, k]
            if halvings == HALVINGS:
                length = 0.0
            _go(rows, n, length)
            objective, largest, decrease = newton_direction(rows, widths, spans, step, temperature)
        if halvings:
            for k in range(n):
                rows[APPLIED, k] *= length
        negligible = decrease <= LITTLE * abs(objective) + NEGLIGIBLE * temperature
        if halvings == HALVINGS or (iteration >= PATIENCE and negligible):
            break
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
    inverse_temperature, spans = 1.0 / temperature, spans_of(widths)
    for part in numba.prange(parts):
        rows = np.empty((ROWS, n + 1))
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
            residual[i] = proximal_line(rows, widths, spans, step, temperature)[1]
            for k in range(n):
                found = rows[LOG_NEW, k]
                if found <= LOG_SEEN and rows[GIBBS, k] < LOG_LEAST:
                    found = rows[GIBBS, k]
                out[i, k] = rows[NEW, k] if found > LOG_LEAST else exp(found)
