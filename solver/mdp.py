"""The grid problem: an entropy-regularised Markov decision process on state points and action cells.

    V_i  = sum_k p_ik ( Q_ik + tau ln(p_ik / m_k) ),     Q_ik = c_ik + gamma sum_j P(j|i,k) V_j

A policy is the array ``p[i, k]`` of cell *probabilities*: non-negative, one over each row.
Šiška & Zhang, arXiv:2605.22622, state the problem on continuous spaces; the grid problem is itself
an entropy-regularised MDP, so the theory's identities hold on it exactly.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from wpoflow.core.arguments import check_kind, real_number
from wpoflow.core.arrays import BoolArray, FloatArray, real_array
from wpoflow.core.display import Displayed
from wpoflow.core.renamed import renamed
from wpoflow.core.rewards import takes_rewards
from wpoflow.core.slabs import Slab
from wpoflow.core.travel import Travelling
from wpoflow.grids.coarsening import AxisPoints, Coarsening, coarsening_of
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import Transition
from wpoflow.grids.transitions.base import CoarseTransition, in_words
from wpoflow.grids.transitions.tabulated import IN_ORDER
from wpoflow.solver.arithmetic.check_sum import check_sum
from wpoflow.solver.records.series import LEAST_TEMPERATURE

MASS_TOLERANCE = 1e-12
COARSEST_STATES = 500  # of a grid that is made coarser
COSTS = "minimise discounted costs plus temperature x KL(policy | reference); values and Q are of this sum"
REWARDS = (
    "maximise discounted rewards minus temperature x KL(policy | reference); costs are minus rewards, and values and Q "
    "are minus the sum maximised"
)
STATE_BOUNDARIES = ("clamp", "reflect", "periodic", "shock")
ACTION_BOUNDARIES = ("no-flux", "clamp", "periodic", "labels")


class TooColdError(ArithmeticError):
    """A temperature fell so low that quotients by it are no floating-point numbers."""


def check_temperature(temperature: float) -> None:
    """Raise TooColdError of a temperature that is none, or too low to compute with."""
    if not LEAST_TEMPERATURE <= temperature < np.inf:
        raise TooColdError(
            f"temperature {temperature:.3g}: quotients by it are no floating-point numbers; the least is "
            f"{LEAST_TEMPERATURE:g}"
        )


def check_problem(mdp: object) -> None:
    """Raise TypeError unless it is a grid problem, ValueError if numbers were written into it that make it none."""
    check_kind("mdp", mdp, GridMDP, "a GridMDP: wpoflow.load_problem(name or file), wpoflow.build, or wpoflow.GridMDP")
    assert isinstance(mdp, GridMDP)
    mdp.check_arrays()


def check_boundaries(states: Grid, actions: Grid) -> None:
    """Refuse axes whose boundary says nothing about next states, or nothing about the policy's flux.

    Raises
    ------
    ValueError
        Naming the axis and the valid choices.
    """
    for kind, grid, valid in (("state", states, STATE_BOUNDARIES), ("action", actions, ACTION_BOUNDARIES)):
        for axis in grid.axes:
            if axis.boundary not in valid:
                raise ValueError(
                    f"{kind} axis {axis.name}: boundary {axis.boundary!r}; choose one of {', '.join(valid)}"
                )


@dataclass(frozen=True, eq=False)
class GridMDP(Displayed, Travelling):
    """An entropy-regularised MDP on grids.  Costs are minimised.

    Pickled, one from a problem file travels as that file's text, any other as its arrays, without the functions it was
    stated by.

    Parameters
    ----------
    states, actions : Grid
        State points and action cells, S and A of them.
    discount : float
        gamma in (0, 1).
    temperature : float
        tau > 0.
    cost : array (S, A)
        Running cost, plus gamma times the expected terminal cost of pairs that may terminate.
    transition : Transition
        Law of the next state for every pair; sub-stochastic by the termination probability.
    reference_mass : array (A,)
        Masses m_k > 0 of the reference measure, summing to one.
    rho : array (S,)
        Initial law of the state, summing to one.
    initial_policy : array (S, A)
        Cell probabilities the flow starts from.
    initial_gaussians : pair of arrays (S, d), (S, d, d), optional
        Means and covariances that the initial policy is made of, where it is stated by them, along the d action axes.
    counted : array (S,) of bool, optional
        False at state points that no state outside the terminal set ever depends on; these are left out of suprema.
        By default all count.
    title : str
        What the problem is called.
    rewards : bool
        Whether the cost is minus a reward, which is what users of the problem think in; it changes no number.
    reward : array (S, A)
        Instead of cost: what is maximised. The cost is minus it, and ``rewards`` is set.

    Raises
    ------
    ValueError
        A number out of range, an axis with a boundary of the other kind, an array of the wrong shape or not
        finite, masses that do not sum to one, both cost and reward; the message names the axis, or the array and the
        cell.
    """

    states: Grid
    actions: Grid
    discount: float
    temperature: float
    cost: FloatArray
    transition: Transition
    reference_mass: FloatArray
    rho: FloatArray
    initial_policy: FloatArray
    counted: BoolArray = field(default_factory=lambda: np.ones((), dtype=np.bool_))
    title: str = ""
    rewards: bool = False
    initial_gaussians: tuple[FloatArray, FloatArray] | None = None

    def __repr__(self) -> str:
        numbers = f"discount {self.discount:.6g}, temperature {self.temperature:.6g}"
        return f"GridMDP({self.title!r}, {self.states!r}, {self.actions!r}, {numbers})"

    def __post_init__(self) -> None:
        for name in ("discount", "temperature"):
            object.__setattr__(self, name, real_number(name, getattr(self, name)))
        if not 0.0 < self.discount < 1.0:
            raise ValueError(f"discount {self.discount} must lie strictly between 0 and 1")
        if not (np.isfinite(self.temperature) and self.temperature > 0.0):
            raise ValueError(f"temperature {self.temperature} must be positive and finite")
        for name in ("states", "actions"):
            check_kind(name, getattr(self, name), Grid, "a Grid: wpoflow.Grid((axis, ...))")
        if not all(hasattr(self.transition, name) for name in ("n_states", "n_actions", "under")):
            made = "a transition: wpoflow.tabulated_transition(P) makes one of an array, wpoflow.build of a Statement"
            check_kind("transition", self.transition, (), made)
        check_boundaries(self.states, self.actions)
        n_states, n_actions, rows = self.states.size, self.actions.size, self.slab.rows
        kernel = (self.transition.n_states, self.transition.n_actions)
        if kernel != (n_states, n_actions):
            raise ValueError(f"transition is for {kernel} states and actions, the grids have {(n_states, n_actions)}")
        shapes = {
            "cost": (rows, n_actions),
            "reference_mass": (n_actions,),
            "rho": (n_states,),
            "initial_policy": (rows, n_actions),
        }
        for name, shape in shapes.items():
            array = np.array(real_array(getattr(self, name), name), order="C")  # a copy: the caller may change his own
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
            object.__setattr__(self, name, array)
        if np.shape(self.counted) not in ((), (n_states,)):
            raise ValueError(f"counted has shape {np.shape(self.counted)}; it must be {(n_states,)}")
        object.__setattr__(self, "counted", np.full(n_states, self.counted, dtype=np.bool_))
        self.check_arrays()

    def check_arrays(self) -> None:
        """Raise ValueError, naming the place, if the arrays are not those of a problem; callers may write on them.

        What had been derived from other entries is forgotten.
        """
        fingerprint = self._fingerprint()
        if fingerprint == self.__dict__.get("_checked"):
            return
        for name in ("cost", "reference_mass", "rho", "initial_policy"):
            self._check_finite(name, getattr(self, name))
        self._check_masses()
        for name in ("log_mass", "log_reference_density", "cost_range", "largest_cost", "product_work"):
            self.__dict__.pop(name, None)
        self.__dict__["_checked"] = fingerprint

    def _check_sum(self, array: Any, before: int) -> int:
        whole = array.dtype == np.float64 and array.flags.c_contiguous  # as those of pairs, summed at every call
        words = array.reshape(-1) if whole else np.array([super()._check_sum(array, 0)])
        return int(check_sum(words.view(np.uint64), np.uint64(before)))

    def _check_finite(self, name: str, array: FloatArray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # of finite entries, which are then looked at one by one
            total = array.sum()
        if not np.isfinite(total) and not np.all(np.isfinite(array)):
            flat = int(np.argmin(np.isfinite(array)))
            where = self.actions.describe(flat) if name == "reference_mass" else self._describe(flat, array.ndim)
            raise ValueError(f"{name} is {array.ravel()[flat]} at {where}")

    def _describe(self, flat: int, ndim: int) -> str:
        state, action = divmod(flat, self.actions.size) if ndim == 2 else (flat, -1)
        state += self.slab.start if ndim == 2 else 0
        parts = [self.states.describe(state)] if self.states.dim else []
        return ", ".join(parts + ([self.actions.describe(action)] if ndim == 2 else []))

    def _check_masses(self) -> None:
        for name, array in (("reference_mass", self.reference_mass), ("rho", self.rho)):
            if array.min() < 0.0 or abs(array.sum() - 1.0) > MASS_TOLERANCE * array.size:
                raise ValueError(f"{name} must be non-negative and sum to one; its sum is {array.sum():.17g}")
        if self.reference_mass.min() <= 0.0:
            cell = self.actions.describe(int(self.reference_mass.argmin()))
            raise ValueError(f"reference_mass is zero at {cell}; every action cell needs positive mass")
        self.check_policy(self.initial_policy, "initial_policy")

    def check_policy(self, policy: FloatArray, name: str = "policy") -> None:
        """Raise ValueError, naming the state, unless every row is non-negative and sums to one."""
        shape = (self.slab.rows, self.actions.size)
        if policy.shape != shape:
            raise ValueError(f"{name} has shape {policy.shape}; it must be {shape}")
        wrong = np.abs(policy.sum(axis=1) - 1.0) > MASS_TOLERANCE * policy.shape[1]
        wrong |= ~(policy.min(axis=1) >= 0.0)
        if np.any(wrong):
            row = int(np.argmax(wrong))
            state, cell, total = self.slab.start + row, int(policy[row].argmin()), float(policy[row].sum())
            found = f"it is {policy[row, cell]:g} at {self.actions.describe(cell)}"
            raise ValueError(
                f"{name} at state {state} ({self.states.describe(state)}) must be non-negative and sum to one; "
                + (found if policy[row, cell] < 0.0 else f"its sum is {total:.17g}")
            )

    def at_temperature(self, temperature: float) -> GridMDP:
        """The same problem at another temperature; all arrays are shared, and the text it was stated by is left out.

        Raises
        ------
        TooColdError
            A temperature below 1e-150, or none.
        """
        temperature = real_number("temperature", temperature)
        if temperature == self.temperature:
            return self
        check_temperature(temperature)
        _ = self.log_mass, self.log_reference_density, self.largest_cost  # shared, too
        other = copy(self)
        for name in ("_made", "_text"):
            other.__dict__.pop(name, None)
        other.__dict__.update(temperature=temperature)
        return other

    @property
    def statement(self) -> str:
        """The text of the problem file that states these numbers; empty of a problem that none states.

        Of one that `dataclasses.replace` made of another, and of one whose arrays were written on since, none does.
        """
        text, fingerprint = self.__dict__.get("_text", ("", None))
        return text if fingerprint == self._fingerprint() else ""

    def stated_by(self, text: str) -> GridMDP:
        """The same problem, all arrays shared, with the text of a problem file that states it."""
        other = copy(self)
        other.__dict__["_text"] = (text, self._fingerprint())
        return other

    @cached_property
    def slab(self) -> Slab:
        """The states whose rows arrays of pairs have here: all, unless the transition is spread over processes."""
        found: Slab | None = getattr(self.transition, "slab", None)
        return Slab(self.states.size) if found is None else found

    @property
    def objective(self) -> str:
        """What is optimised, and what values and Q are, in words."""
        return REWARDS if self.rewards else COSTS

    @property
    def transition_in_words(self) -> str:
        """How next states are computed; where all actions are labels, without what tables say of their order."""
        words = in_words(self.transition)
        ordered = any(axis.connected for axis in self.actions.axes)
        return words if ordered else words.replace(f"; {IN_ORDER}", "")

    @cached_property
    def product_work(self) -> int:
        """Multiply-adds of one product with P^pi, counted for the initial policy."""
        return self.transition.under(self.initial_policy).work

    @cached_property
    def coarser(self) -> tuple[tuple[Coarsening, CoarseTransition], ...]:
        """Coarser grids, each of the one before it, and the transition on them; none where it knows of none.

        Kept, as patterns of rows are: on d state axes all have less than 1/(2^d - 1) of the pairs.
        """
        axes = tuple(AxisPoints.of(axis) for axis in self.states.axes)
        found: list[tuple[Coarsening, CoarseTransition]] = []
        at: Transition | CoarseTransition = self.transition
        while math.prod(axis.points.size for axis in axes) >= COARSEST_STATES:
            coarsening = coarsening_of(axes)
            coarse = None if coarsening is None else at.coarser(coarsening)
            if coarsening is None or coarse is None:
                break
            found.append((coarsening, coarse))
            at, axes = coarse, coarsening.coarser
        return tuple(found)

    @cached_property
    def cost_range(self) -> tuple[float, float]:
        """Least and largest cost."""
        most, negative = self.slab.largest(float(self.cost.max()), -float(self.cost.min()))
        return -negative, most

    @cached_property
    def largest_cost(self) -> float:
        """Maximum of ``|c|``."""
        return max(abs(cost) for cost in self.cost_range)

    @cached_property
    def transition_ignores_action(self) -> bool:
        """Whether the law of the next state is the same for all actions, judged by the expectation of random values."""
        values = np.random.default_rng(0).standard_normal(self.states.size)
        expected = self.transition.expect(values)
        return self.slab.total(int(np.count_nonzero(expected != expected[:, :1]))) == 0

    @cached_property
    def log_mass(self) -> FloatArray:
        """ln m_k, (A,)."""
        return np.log(self.reference_mass)

    @cached_property
    def log_reference_density(self) -> FloatArray:
        """ln (m_k / volume_k), (A,): minus the reference potential, up to a constant."""
        return np.asarray(self.log_mass - np.log(self.actions.volumes))


GridMDP.__init__ = takes_rewards(reward="cost")(renamed(alive="counted")(GridMDP.__init__))  # type: ignore[method-assign]
