"""Which linear solver a problem's Bellman equations get: a function of sizes alone, never of a clock."""

from __future__ import annotations

import math

from wpoflow.solver.mdp import GridMDP

LINEAR_SOLVERS = ("dense", "sparse", "krylov")


def choose_linear_solver(n_states: int, work: int, discount: float) -> str:
    """Cheapest solver by a count of operations.

    Parameters
    ----------
    n_states : int
    work : int
        Multiply-adds of one product with P^pi.
    discount : float

    Notes
    -----
    Seconds on one core at 2.5 GHz, measured by ``benchmarks/bellman.py``.  Dense: calls, S^2 entries made and copied,
    2/3 S^3 operations of LAPACK.  Krylov, from a good guess to rounding: 8 + 2 sqrt(2/(1 - gamma)) products (7 to 28
    were seen), each of some 20 microseconds for its calls, 1.3 ns for a multiply-add, and 10 ns for each state's part
    in orthogonalisation.  So dense matrices pay below about a hundred states.  Sparse factors never do: they are what
    a system is solved by on which Krylov stagnates.
    """
    products = 8.0 + 2.0 * math.sqrt(2.0 / (1.0 - discount))
    dense = 8e-5 + 5e-8 * n_states**2 + 1e-10 * n_states**3
    krylov = products * (2e-5 + 1.3e-9 * work + 1e-8 * n_states)
    return "dense" if dense <= krylov else "krylov"


def solver_in_words(mdp: GridMDP) -> str:
    """The linear solver chosen for a problem, and what is held and factored where that is not whole rows."""
    name = linear_solver_of(mdp)
    over_pairs = name == "krylov" and mdp.transition.under(mdp.initial_policy).thins
    return f"{name}, over the pairs, with incomplete factors of thinned rows" if over_pairs else name


def linear_solver_of(mdp: GridMDP) -> str:
    """The linear solver chosen for a problem."""
    return choose_linear_solver(mdp.states.size, mdp.product_work, mdp.discount)
