"""Problem C by ourselves, and by general integrators with a NumPy right-hand side and with ours.

*NumPy*: P^pi by a batched product with the dense tensor, LAPACK's solve, one more product for Q, NumPy's flux.
*Our right-hand side*: ``evaluate`` (structured rows, warm start) and the compiled generator (``benchmarks.generator``).

The Jacobian is the generator of frozen Q, from the Q that the last call of the right-hand side computed: it costs
no evaluation.  (CVODE's banded solver without it differences the right-hand side in three groups of columns, which
Q couples: it needs two to ten times as long and is left out.)
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import numpy as np

from benchmarks.generator import apply_generator
from benchmarks.integrators import Equation, cvode_solution, scipy_solution
from benchmarks.ladder import Method
from benchmarks.numpy_flux import ColumnPattern, divergence, face_rates
from benchmarks.problem_c import DISCOUNT, TEMPERATURE, TIMES, CoupledFlow, as_mdp
from wpoflow.core.arrays import FloatArray
from wpoflow.solver.arithmetic.blas import one_blas_thread
from wpoflow.solver.bellman.evaluation import evaluate
from wpoflow.solver.bellman.linear_solver import linear_solver_of
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import AUTOMATIC
from wpoflow.solver.schemes.trajectory import flow

SHARE = 1e-3  # atol over rtol
RUNGS = {
    "SciPy BDF": np.arange(1.5, 6.1, 0.5),
    "SciPy Radau": np.arange(0.0, 4.6, 0.5),
    "SciPy LSODA": np.arange(1.0, 5.1, 1.0),
    "CVODE, band, frozen Q": np.arange(2.0, 6.1, 1.0),
    "CVODE, sparse, frozen Q": np.arange(1.5, 6.1, 0.5),
}  # of every integrator, those that give errors from 1e-2 to 1e-7
OURS = tuple(10.0**-k for k in np.arange(0.0, 9.1, 0.5))


class DenseField:
    """dp/dt with dense NumPy; negative entries, which integrators make in tails, have no entropy.

    Parameters
    ----------
    problem : CoupledFlow
    """

    def __init__(self, problem: CoupledFlow) -> None:
        self._problem = problem
        self._rows = problem.tensor.reshape(-1, problem.start.shape[0])
        self._q = problem.cost

    def value_and_q(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """V, (S,), and Q, (S, A), of policies."""
        problem, n = self._problem, p.shape[0]
        entropy = p * np.log(np.maximum(p, 1e-300) * p.shape[1])
        reward = (p * problem.cost + TEMPERATURE * entropy).sum(axis=1)
        moves = np.matmul(p[:, None, :], problem.tensor)[:, 0, :]
        value = np.linalg.solve(np.eye(n) - DISCOUNT * moves, reward)
        return value, problem.cost + DISCOUNT * (self._rows @ value).reshape(p.shape)

    def __call__(self, t: float, y: FloatArray) -> FloatArray:
        """f(t, y), flattened."""
        p = y.reshape(self._problem.start.shape)
        _, self._q = self.value_and_q(p)
        return divergence(p, *face_rates(self._q, TEMPERATURE, self._problem.width)).reshape(-1)

    def values(self, policies: FloatArray) -> FloatArray:
        """V(rho), rho uniform, of each of the policies."""
        shape = self._problem.start.shape
        return np.array([self.value_and_q(p.reshape(shape))[0].mean() for p in policies])

    def rates(self, t: float, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Face rates at the last Q."""
        return face_rates(self._q, TEMPERATURE, self._problem.width)


class OurField(DenseField):
    """dp/dt with our Bellman evaluation.

    Parameters
    ----------
    problem : CoupledFlow
    mdp : GridMDP
        The same problem.
    """

    def __init__(self, problem: CoupledFlow, mdp: GridMDP) -> None:
        super().__init__(problem)
        self._mdp, self._solver = mdp, linear_solver_of(mdp)
        self._value: FloatArray | None = None

    def __call__(self, t: float, y: FloatArray) -> FloatArray:
        """f(t, y), flattened."""
        mdp = self._mdp
        # a copy: integrators may hand out read-only views, for which kernels would be compiled once more
        p = np.array(y).reshape(self._problem.start.shape)
        out = np.empty_like(p)
        _, self._q = self.value_and_q(p)
        axis = mdp.actions.axes[0]
        apply_generator(p, self._q, mdp.log_reference_density, axis.widths, axis.distances, mdp.temperature, out)
        return out.reshape(-1)

    def value_and_q(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """V, (S,), and Q, (S, A), of policies, warm-started."""
        found = evaluate(self._mdp, np.maximum(p, 0.0), self._value, self._solver)
        self._value = found.value
        return found.value, found.q


def ours(problem: CoupledFlow, scheme: str = AUTOMATIC) -> Method:
    """Our flow at a ladder of accuracies; what it returns is V(rho) at the times."""
    mdp = as_mdp(problem)
    solver = linear_solver_of(mdp)

    def run(accuracy: float) -> FloatArray:
        values = []
        for state in flow(mdp, accuracy=accuracy, scheme=scheme, landings=TIMES, linear_solver=solver):
            if state.time in TIMES:
                values.append(float(mdp.rho @ state.value))
            if state.time >= TIMES[-1]:
                break
        return np.array(values)

    return Method(f"wpoflow, {scheme}", run, OURS, ours=True)


def equation_of(problem: CoupledFlow, field: DenseField) -> Equation:
    """What integrators are given."""
    pattern = ColumnPattern(*problem.start.shape)
    return Equation(field, field.rates, problem.start, TIMES, False, pattern)


def peers(problem: CoupledFlow) -> tuple[list[Method], list[str]]:
    """All peers that are installed, each with both right-hand sides, and a line on each that is not."""
    mdp = as_mdp(problem)
    methods, missing = [], []
    for words in ("NumPy f", "our f"):

        def solve(kind: str, tolerance: float, words: str = words) -> FloatArray:
            field = DenseField(problem) if words == "NumPy f" else OurField(problem, mdp)
            equation = equation_of(problem, field)
            with one_blas_thread():
                if kind.startswith("CVODE"):
                    found = cvode_solution(equation, tolerance, SHARE, kind.removeprefix("CVODE, "))
                else:
                    found = scipy_solution(equation, kind.removeprefix("SciPy "), tolerance, SHARE)
                return field.values(found)

        for kind, powers in RUNGS.items():
            if kind.startswith("CVODE") and find_spec("sksundae") is None:
                missing.append("CVODE: scikit-sundae is not installed")
                continue
            rungs = tuple(float(e) for e in 10.0**-powers)
            methods.append(Method(f"{kind}, {words}", partial(solve, kind), rungs))
    return methods, sorted(set(missing))
