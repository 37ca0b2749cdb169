r"""The problems: few states, few cells, everything known.

**Flat.** One state, a cost that does not depend on the action, n equal cells of width h in a box (or on a circle, or
a box of two axes).  alpha = lambda = 2 (1 - cos(pi/n)) tau/h^2 on a path, 2 (1 - cos(2 pi/n)) tau/h^2 on a circle of
an even number of cells (Chen & Sheu 2003), the least over the axes on a box.  Started near the reference, along the
slowest mode, D = 2 alpha KL(p|g) up to the size of the deviation, rho = d* and kappa = 1: static inequality, late
rate, and contraction of KL by short steps are equalities; the rates with 1 - gamma are for gamma -> 0.

**Chain.** States R, S, A and two actions, bad and good.  A is absorbing and costs C in all.  At R and S bad leads to
A; good leads to R, at no cost.  The policy is bad at R but for a part delta, and at S the Gibbs policy of its own Q,
for which bad is better by a margin as long as R is bad.  Then V*_R = 0 and, up to the margin, delta and tau,

    V_R - V*_R = gamma C,   V_S - V*_S = gamma^2 C,   V - TV = (1 - gamma) gamma C at R and 0 elsewhere,
    d_R = (1 - gamma) rho_R,   d*_R = rho_R + gamma rho_S,   KL(p_R|g_R) = (1 - gamma) gamma C/tau:

only R dissipates, and -d/dt gap(rho) = 2 alpha rho_R (1 - gamma) gamma C = (2 alpha/kappa) gap(rho) = 2 alpha (1 -
gamma)/|d*/rho| gap(rho), -d/dt |V - V*|_sup = 2 alpha (1 - gamma) |V - V*|_sup, if p_R is where D/(2 KL) is alpha.  A
long step makes R good and leaves S: the sup norm falls by gamma exactly, the weighted gap by 1 - 1/kappa.  Every rate
of the theory is attained, alpha taken over the states that are off their Gibbs policy (the others add nothing to
either side).

**Barrier.** Three cells; at D the middle one leads to B, the others to G, which is as good as B is under p*.  At B the
policy wastes e; so Q at D has a barrier of height gamma e in the middle that Q* has not, and lambda of its Gibbs
policy is lower by z/(e^z - 1), z = gamma e/tau, where the certificate says e^{-z}.

**Graded.** One state and cells of widths between 0.05 and 0.31: on equal cells widths, distances and the seam of a
circle look alike.

**Two successors.** As the barrier, with two cells, gamma -> 0 and a waste e that is small beside tau/gamma: one
iteration leaves B optimal and D with the Gibbs policy of a Q that is wrong by gamma e in one of two equal cells, for
which Hoeffding's lemma is an equality to leading order: e' = gamma^2 e^2/(8 tau).

**Spike.** One state, two cells, a linear cost and the policy for which D/(2 KL) is alpha: lambda, which is 1.7 times
alpha here, cannot stand for it in the static inequality.

**Coupled.** Two cells along each of two axes, the cost of the product of their places: everything is known of the
fibres, and of what is transported between them.

**Wrong well.** A policy that is all in the wrong one of two cells, for long: bounds of |Q - Q*|_sup are attained.

**Corridor.** States that are visited once each: |d*_nu/nu|_sup of the theorem for any rho is what it is allowed.

**Tilt.** One state, a cost linear in the action, equal cells: g is geometric, its mass at a wall and lambda = u + w - 2
sqrt(u w) cos(pi/n), u and w the two rates, are known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import edges_axis, uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.independent.generator import Frozen, Geometry
from wpoflow.validation.sharp_cases.two_cells import least_favourable

TEMPERATURE = 0.2
DISCOUNT = 0.01  # of the flat cases
DEVIATION = 1e-2
COST = 2000.0  # C of the chain in units of tau
MARGIN, DELTA = 6.0, 2e-3
CHAIN_DISCOUNT = 0.5
BARRIER = 5.0
COUPLING = 0.4
SPIKE = 4.0
STARVED = -500.0  # ln of a cell
SMALL = 1e-4  # probability of the actions that do not waste
WASTE = 10.0
STAIRS, TOLL, PRIZE = 6, 100.0, 1e5
WELL, DEEP, FAR_SIGHTED = 20.0, 30.0, 0.9
CORRIDOR, CORRIDOR_DISCOUNT, CORRIDOR_SLOPE = 9, 0.1, 3.0


def _bandit(actions: Grid, cost: FloatArray, policy: FloatArray, temperature: float, discount: float) -> GridMDP:
    n = actions.size
    return GridMDP(
        states=Grid(),
        actions=actions,
        discount=discount,
        temperature=temperature,
        cost=cost[None, :],
        transition=tabulated_transition(np.ones((1, n, 1))),
        reference_mass=actions.volumes / actions.volumes.sum(),
        rho=np.ones(1),
        initial_policy=policy[None, :] / policy.sum(),
    )


def flat(shape: tuple[int, ...], *, circle: bool = False) -> GridMDP:
    """A flat cost on equal cells of the unit box; the start leans along the slowest mode."""
    boundary = "periodic" if circle else "no-flux"
    actions = Grid(tuple(uniform_axis(f"a{j}", 0.0, 1.0, n, boundary) for j, n in enumerate(shape)))
    slowest = int(np.argmin(shape))  # n^2 (1 - cos(pi/n)) increases with n
    angle = (2.0 if circle else 1.0) * np.pi * actions.points[:, slowest]
    return _bandit(actions, np.full(actions.size, 0.3), 1.0 + DEVIATION * np.cos(angle), TEMPERATURE, DISCOUNT)


def starved() -> GridMDP:
    """A flat cost, and a first policy with hardly anything in its last cell: KL(p*|p) is all but its part.

    Along the Fisher–Rao flow it falls at tau and no faster: nothing helps.
    """
    mdp = flat((6,))
    policy = np.full_like(mdp.initial_policy, 1.0 / (mdp.actions.size - 1))
    policy[:, -1] = np.exp(STARVED)
    return replace(mdp, initial_policy=policy)


def wrong_well() -> GridMDP:
    """One state, two cells, ln(p/p*) = WELL in the one that holds all but e^-DEEP of the first policy.  tau = 1.

    As long as it does V - V* = tau WELL/(1 - gamma), of which |Q - Q*| + 2 tau |ln p*/p|_sup is little more where gamma
    is near one: bounds of |Q - Q*|_sup by flows of logarithms are nearly attained, whatever the rate of their fall.
    """
    actions = Grid((uniform_axis("a", 0.0, 1.0, 2),))
    policy = np.array([1.0, np.exp(-DEEP)])
    return _bandit(actions, np.array([WELL, 0.0]), policy, 1.0, FAR_SIGHTED)


def flat_rate(shape: tuple[int, ...], *, circle: bool = False) -> float:
    """alpha = lambda of the flat cost."""
    return float(min(2.0 * (1.0 - np.cos((2.0 if circle else 1.0) * np.pi / n)) * TEMPERATURE * n**2 for n in shape))


def _graded(boundary: str) -> Grid:
    """Cells of very different widths."""
    return Grid((edges_axis("a", np.cumsum([0.0, 0.07, 0.13, 0.31, 0.19, 0.05, 0.25]), boundary),))


def graded_circle() -> GridMDP:
    """One state, two wells on a circle of unequal cells, from an uneven policy."""
    return _graded_bandit(_graded("periodic"))


def graded_path() -> GridMDP:
    """The same between walls."""
    return _graded_bandit(_graded("no-flux"))


def _graded_bandit(actions: Grid) -> GridMDP:
    a = 2.0 * np.pi * actions.points[:, 0]
    cost = 0.3 * np.cos(2.0 * a) + 0.2 * np.sin(a)
    return _bandit(actions, cost, actions.volumes * (1.0 + 0.5 * np.cos(a + 0.4)), TEMPERATURE, 0.9)


def spike() -> GridMDP:
    """Two tilted cells from the policy of least D/(2 KL)."""
    mdp = tilt(2, SPIKE)
    frozen = Frozen.of(Geometry.of(mdp.actions), mdp.cost, mdp.reference_mass, mdp.temperature)
    policy = least_favourable(frozen, 0)
    return _bandit(mdp.actions, mdp.cost[0], policy, TEMPERATURE, DISCOUNT)


def coupled() -> GridMDP:
    """Two cells along each of two axes, the cost of the product of their places: two wells in opposite corners."""
    actions = Grid(tuple(uniform_axis(f"a{j}", -1.0, 1.0, 2, "no-flux") for j in range(2)))
    cost = -COUPLING * actions.points[:, 0] * actions.points[:, 1]
    return _bandit(actions, cost, np.ones(actions.size), TEMPERATURE, DISCOUNT)


def tilt(cells: int, slope: float) -> GridMDP:
    """A linear cost on equal cells of the unit box, from the reference."""
    actions = Grid((uniform_axis("a", 0.0, 1.0, cells, "no-flux"),))
    return _bandit(actions, slope * actions.points[:, 0], np.ones(cells), TEMPERATURE, 0.9)


def tilt_numbers(cells: int, slope: float) -> tuple[float, float]:
    """The end mass of p*, both walls together, and lambda."""
    z = slope / cells / TEMPERATURE
    right, left = z / np.expm1(z) * TEMPERATURE * cells**2, z / -np.expm1(-z) * TEMPERATURE * cells**2
    walls = (1.0 + np.exp(-z * (cells - 1))) * np.expm1(-z) / np.expm1(-z * cells)
    return float(walls), float(right + left - 2.0 * np.sqrt(right * left) * np.cos(np.pi / cells))


def _table(rows: list[list[int]], states: int) -> FloatArray:
    """Deterministic next states, by state and action."""
    return np.asarray(np.eye(states)[np.array(rows)])


def _with_states(cost: FloatArray, table: FloatArray, rho: FloatArray, policy: FloatArray, discount: float) -> GridMDP:
    cells = cost.shape[1]
    return GridMDP(
        states=Grid((uniform_axis("s", 0.0, float(len(rho)), len(rho), "reflect"),)),
        actions=Grid((uniform_axis("a", 0.0, 1.0, cells, "no-flux"),)),
        discount=discount,
        temperature=1.0,
        cost=cost,
        transition=tabulated_transition(table),
        reference_mass=np.full(cells, 1.0 / cells),
        rho=rho,
        initial_policy=policy,
    )


def chain() -> GridMDP:
    """R, S, A in this order; bad, good.  tau = 1."""
    gamma = CHAIN_DISCOUNT
    reference = np.log(2.0)
    bad_at_r = DELTA * np.log(DELTA) + (1.0 - DELTA) * np.log1p(-DELTA) + reference + (1.0 - DELTA) * gamma * COST
    value_r = bad_at_r / (1.0 - DELTA * gamma)
    cost_s = gamma * value_r - gamma * COST - MARGIN
    cost = np.array([[0.0, 0.0], [cost_s, 0.0], [(1.0 - gamma) * COST] * 2])
    good = 1.0 / (1.0 + np.exp(MARGIN))
    policy = np.array([[1.0 - DELTA, DELTA], [1.0 - good, good], [0.5, 0.5]])
    rho = np.array([0.495, 0.495, 0.01])
    return _with_states(cost, _table([[2, 0], [2, 0], [2, 2]], 3), rho, policy, gamma)


def barrier() -> GridMDP:
    """D, B, G; three cells.  tau = 1."""
    gamma = 0.5
    return _with_waste(np.array([0.0, 0.0, BARRIER * (1.0 - gamma) / gamma]), [2, 1, 2], gamma)


def two_successors() -> GridMDP:
    """D, B, G; two cells.  tau = 1."""
    return _with_waste(np.array([0.0, WASTE]), [1, 2], DISCOUNT)


def corridor() -> GridMDP:
    """States 0, 1, ..., that lead on one by one, whatever is done, and the last to itself; rho on the first.  tau = 1.

    A slope in the first state makes it relax faster than the others, which carry the gap in the end.  In state k of a
    corridor nu_theta is (1 - theta) theta^k, and d*_nu over it (1 - gamma) theta/(theta - gamma) but for
    (gamma/theta)^(k+1): what the theorem for any rho allows it.
    """
    count = CORRIDOR
    cost, policy = np.zeros((count, 2)), np.tile([0.6, 0.4], (count, 1))
    cost[0, 1] = CORRIDOR_SLOPE
    successors = [[min(place + 1, count - 1)] * 2 for place in range(count)]
    return _with_states(cost, _table(successors, count), np.eye(count)[0], policy, CORRIDOR_DISCOUNT)


def staircase() -> GridMDP:
    """Steps 0, 1, ..., and a goal; stay, climb.  tau = 1.

    To climb costs a little, and pays only where the next step is known to: Howard's example, in which an iteration of
    the policy mends one step, the highest that is still wrong, and leaves gamma of the largest suboptimality.
    """
    gamma, goal = CHAIN_DISCOUNT, STAIRS
    cost = np.zeros((goal + 1, 2))
    cost[:goal, 1] = TOLL
    cost[goal] = -PRIZE * (1.0 - gamma)
    policy = np.full((goal + 1, 2), 0.5)
    policy[:goal] = 1.0 - SMALL**4, SMALL**4
    successors = [[step, step + 1] for step in range(goal)] + [[goal, goal]]
    return _with_states(cost, _table(successors, goal + 1), np.full(goal + 1, 1.0 / (goal + 1)), policy, gamma)


def _with_waste(cost_b: FloatArray, successors: list[int], gamma: float) -> GridMDP:
    """D leads to B or G, which are absorbing and equally good; at B the policy takes the last action."""
    cells = cost_b.size
    # V* of B: -ln of the mean of e^{-c}, over 1 - gamma; G costs as much in every action
    cost = np.array([np.zeros(cells), cost_b, np.full(cells, -np.log(np.exp(-cost_b).mean()))])
    wasting = np.append(np.full(cells - 1, SMALL), 1.0 - (cells - 1) * SMALL)
    policy = np.array([np.full(cells, 1.0 / cells), wasting, np.full(cells, 1.0 / cells)])
    table = _table([successors, [1] * cells, [2] * cells], 3)
    return _with_states(cost, table, np.full(3, 1.0 / 3.0), policy, gamma)
