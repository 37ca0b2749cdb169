"""The one loop that accepts and rejects trials of steps, for all schemes.

A trial is rejected, and another one made from where it says, if its error is larger than allowed, if its equations
cannot be solved, or if it would raise V at some state beyond rounding; after three of the last kind the step is taken
as the flow's own descent step, which cannot.  So it is where errors are rounding whatever the length of the step: that
one is of first order, and counted.  Masses are held against rounding and negative entries limited before a policy is
evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray, underflow_to_zero
from wpoflow.solver.arithmetic.extremes import largest_entry, largest_rise
from wpoflow.solver.bellman.evaluation import Evaluation, NotFiniteError
from wpoflow.solver.bellman.system import EPS, BellmanError
from wpoflow.solver.mdp import GridMDP, TooColdError
from wpoflow.solver.schemes.scheme import Problem, Scheme, State, Trial, values

RECOVERABLE = (BellmanError, NotFiniteError, TooColdError)  # a shorter step may succeed
MASS_ROUNDING = 1e-13  # of a state's mass after one step; more is no rounding
MOST_REJECTED = 60  # trials of one step
MOST_FAILURES = 5  # trials in succession whose equations could not be solved
PERSISTENT = 3  # rejections after which the past is no guide, and again after as many
DESCENT_TRIALS = 3  # that would raise V, before the descent step is taken instead
SHORTENED = 0.25  # length of the next trial after one that failed, or would raise V


class MassError(ArithmeticError):
    """A step changed the mass of a state's policy by more than rounding."""


class StepVanishedError(ArithmeticError):
    """No step, however short, met the accuracy asked for, and the flow's own descent step raises V."""


class Step(NamedTuple):
    """One accepted time step.

    Attributes
    ----------
    state : State
        What it leads to.
    retry : State
        Where to take another step in its place from.
    dt : float
        Its length in flow time.
    evaluations : int
        Bellman evaluations spent, rejected trials included.
    rejected : int
        Trials rejected on the way.
    limited_cells : int
        Entries whose fluxes were limited.
    fallback : bool
        Whether the flow's own descent step was taken instead, as descent would have been lost or steps vanished.
    drift : float
        Largest error of a state's mass that was taken off, which is rounding.
    """

    state: State
    retry: State
    dt: float
    evaluations: int
    rejected: int = 0
    limited_cells: int = 0
    fallback: bool = False
    drift: float = 0.0


class Integrator:
    """Takes the steps of a scheme.

    Parameters
    ----------
    problem : Problem
    scheme : Scheme
    watch : callable
        Called before every trial; what it raises ends the step.

    Attributes
    ----------
    guess : array (S,)
        V of the policy that was evaluated last, a warm start where the scheme itself needs no values.
    """

    def __init__(self, problem: Problem, scheme: Scheme, watch: Callable[[], None]) -> None:
        self.problem, self.scheme = problem, scheme
        self.guess = np.zeros(problem.mdp.states.size)
        self._watch = watch

    @underflow_to_zero
    def step(self, start: State, remaining: float) -> Step:
        """One accepted step of at most ``remaining`` in flow time.

        Raises
        ------
        BellmanError, NotFiniteError, TooColdError
            Equations could not be solved, nor with five shorter steps, or any that moves time on; or the step is of
            fixed size.
        StepVanishedError
            60 trials were rejected, or errors are rounding whatever the length of the step, and the flow's own descent
            step raises V.
        MassError
            The step changes a mass by more than rounding.
        """
        scheme, adaptive, substeps = self.scheme, self.problem.control is not None, self.problem.substeps
        spent, rejected, failures, lost = substeps.evaluations, 0, 0, 0
        state, tried = start, None
        while True:
            self._watch()
            if rejected:
                if tried is not None and self._hopeless(state, start, rejected):
                    dt = min(remaining, max(start.size, self.problem.first_step))
                    trial = self._last_resort(tried, start, state.size, rejected, dt)
                    evaluations = substeps.evaluations - spent if scheme.valued else 1
                    return Step(trial.state, trial.retry, dt, evaluations, rejected, fallback=True)
                if rejected % PERSISTENT == 0:
                    state = scheme.restart(state)
            dt = scheme.fit(state, remaining)
            retry = state
            try:
                trial = tried = scheme.trial(state, dt)
                retry = trial.retry
                if trial.error <= 1.0:
                    drift = 0.0 if trial.drift is None else mass_drift(self.problem.mdp, trial.drift)
                    limited = self._limited(trial)
                    trial = self._valued(trial, dt)
                if not trial.error <= 1.0:
                    rejected, failures, state = rejected + 1, 0, trial.retry
                    continue
                fallback = False
                if not scheme.monotone:
                    trial, fallback = self._held_to_descent(trial)
                if fallback:
                    lost += 1
                    if adaptive and lost < DESCENT_TRIALS:
                        rejected, failures, state = rejected + 1, 0, trial.retry._replace(size=SHORTENED * dt)
                        continue
                    trial, drift, limited = self._descent_step(trial, dt)[0], 0.0, 0
            except RECOVERABLE:
                rejected, failures = rejected + 1, failures + 1
                # steps that end where they begin would be taken for ever in front of what cannot be passed
                if not adaptive or failures >= MOST_FAILURES or start.time + SHORTENED * dt == start.time:
                    raise
                state = scheme.restart(retry)._replace(size=SHORTENED * dt)
                continue
            evaluations = substeps.evaluations - spent if scheme.valued else 1
            return Step(trial.state, trial.retry, dt, evaluations, rejected, limited, fallback, drift)

    def values_of(self, state: State) -> Callable[[], Evaluation]:
        """How to come by V and Q of a state to rounding, once, when they are first asked for."""
        return cache(lambda: self._evaluated(state.policy)) if state.evaluation is None else state.evaluation.refined

    def _evaluated(self, policy: FloatArray) -> Evaluation:
        found = self.problem.substeps.evaluate(policy, self.guess)
        self.guess = found.value
        return found

    def _hopeless(self, state: State, start: State, rejected: int) -> bool:
        """Whether no shorter step will do: errors are rounding."""
        control, mdp = self.problem.control, self.problem.mdp
        if control is None:
            return False
        q = mdp.cost if start.evaluation is None else start.evaluation.q
        return rejected >= MOST_REJECTED or not state.size >= control.least_step(q)

    def _last_resort(self, tried: Trial, start: State, size: float, rejected: int, dt: float) -> Trial:
        """The flow's own step where trials, of which one is given, became as short as ``size`` in vain."""
        control = self.problem.control
        assert control is not None
        worst = control.worst()
        # the length that was wanted is no fault of the one that vanished
        arrays = {name: getattr(tried.state, name) for name in self.scheme.borrowed}
        begun = Trial(start._replace(**arrays), tried.retry._replace(size=start.size))
        trial, descended = self._descent_step(begun, dt)
        if not descended:
            raise StepVanishedError(
                f"step size {size:.3g} after {rejected} rejected trials of one step, worst at {worst}, "
                "and the flow's own step raises V"
            )
        return trial

    def _limited(self, trial: Trial) -> int:
        """Remove negative entries; how many there were, or were touched."""
        if trial.negative == 0:
            return 0
        touched = self.problem.limit(trial.state.policy)
        return touched if trial.negative is None else trial.negative

    def _valued(self, trial: Trial, dt: float) -> Trial:
        """The trial with the values of its policy."""
        evaluation = None
        if self.scheme.valued:
            guess = values(trial.retry).value if trial.guess is None else trial.guess
            mdp = self.problem.tempered.mdp(trial.state.time)
            evaluation = self.problem.substeps.evaluate(trial.state.policy, guess, trial.tolerance, mdp)
            if trial.tolerance == 0.0:
                evaluation.taken_as_exact()
        return self.scheme.finish(trial, dt, evaluation)

    def _held_to_descent(self, trial: Trial) -> tuple[Trial, bool]:
        """The trial, and whether V rose at some state; evaluations that leave it in doubt are refined."""
        mdp, before, after = self.problem.mdp, values(trial.retry), values(trial.state)
        rise = largest_rise(before.value, after.value, mdp.counted)
        if rise <= -(before.residual + after.residual) / (1.0 - mdp.discount):
            return trial, False
        before, after = before.refined(), after.refined()
        trial = trial._replace(state=trial.state._replace(evaluation=after))
        return trial, not descends(mdp, before, after)

    def _descent_step(self, trial: Trial, dt: float) -> tuple[Trial, bool]:
        """The flow's own step in place of a trial's, into its array; and whether V fell."""
        scheme, retry = self.scheme, trial.retry
        before = values(retry).refined() if scheme.valued else self._evaluated(retry.policy)
        tempered = self.problem.tempered
        mdp, flow, length = tempered.over(retry.time, dt)
        policy = scheme.descend(trial, flow, before.at(mdp).q, length)
        mdp = tempered.mdp(retry.time + dt)
        after = self.problem.substeps.evaluate(policy, before.value, mdp=mdp).taken_as_exact()
        state = scheme.replaced(trial, dt, policy, after if scheme.valued else None)
        return trial._replace(state=state), descends(self.problem.mdp, before, after)


def mass_drift(mdp: GridMDP, drift: FloatArray) -> float:
    """Largest error, of the states' masses (S,), that was taken off.

    Raises
    ------
    MassError
        It is more than rounding; names the state.
    """
    largest = largest_entry(drift)
    if not largest <= MASS_ROUNDING:
        state = int(np.abs(drift).argmax())
        place = f"state {state} ({mdp.states.describe(state)})"
        raise MassError(f"a step changes the mass of the policy by {largest:.3g} at {place}: more than rounding")
    return largest


def descends(mdp: GridMDP, before: Evaluation, after: Evaluation) -> bool:
    """Whether V fell at every state, up to the rounding of the two evaluations.

    The entropies, tau ln(p/mu), are rounded as well, and may be far larger than V is.
    """
    scale = max(largest_entry(before.value), largest_entry(after.value), mdp.temperature)
    allowed = (before.residual + after.residual + 8.0 * EPS * scale) / (1.0 - mdp.discount)
    return largest_rise(before.value, after.value, mdp.counted) <= allowed
