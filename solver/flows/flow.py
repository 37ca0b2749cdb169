"""What a flow is: a descent step, and the rate at which V falls along it.

A **descent step** maps p to a p' of smaller KL(p | Gibbs policy of Q) in every state while Q is frozen.  By the
identity of performance differences (I1) such a step lowers V at every state, whatever its length dt: the one idea that
carries the solver.  A flow is the limit of its descent steps as dt goes to zero; time schemes compose them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.registry import choices, load
from wpoflow.core.text import did_you_mean
from wpoflow.grids.grid import Grid
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import FLOWS


class UnsuitableFlowError(ValueError):
    """Policies on an action grid cannot follow a flow."""


class UnsolvedStepError(ArithmeticError):
    """The equations of a step could not be solved."""


class Flow:
    """A flow of policies of one problem; subclasses give at least ``name`` and `step`.

    Parameters
    ----------
    mdp : GridMDP

    Attributes
    ----------
    name : str
        By which it is chosen and recorded.
    generator : bool
        Whether `step` solves (I - dt L) p' = p with a Markov generator L that Q alone determines, on one action axis;
        time schemes of high order need it.
    logarithmic : bool
        Whether a step is a mixture of ln p and ln g, so that the state is ln p, of which nothing is lost where p is
        below 1e-308: then `log_step` makes it.
    parametric : bool
        Whether the state is parameters that p is made of: a `solver.flows.parametric.parametric.ParametricFlow`.
    decay : float
        Of a logarithmic flow that is continuous in time, the rate at which ln(p/g) decays while Q is frozen: a step of
        length dt leaves exp(-decay dt) of it. Zero of any other.
    transports : bool
        Whether it dissipates at least as much as the Wasserstein flow, so that what is guaranteed to that is to it.
    moves_mass : bool
        Whether it moves mass between neighbouring cells, along every action axis of more than one cell.
    own_step : bool
        Whether the step belongs to the algorithm: it is never shortened, and the n-th step ends at n times its length.
    annealed : bool
        Whether it may be followed while the temperature falls, by `at_temperature_of`.
    descends : bool
        Whether V falls in every state, in every step.
    """

    name: str
    generator: ClassVar[bool] = False
    logarithmic: ClassVar[bool] = False
    parametric: ClassVar[bool] = False
    decay: float = 0.0
    transports: ClassVar[bool] = False
    moves_mass: ClassVar[bool] = False
    own_step: ClassVar[bool] = False
    annealed: ClassVar[bool] = False
    descends: ClassVar[bool] = True

    def __init__(self, mdp: GridMDP) -> None:
        self.mdp = mdp

    @classmethod
    def obstacle(cls, actions: Grid) -> str:
        """Why policies on an action grid cannot follow it, in words that follow its name; empty where they can."""
        lists = [axis.name for axis in actions.axes if axis.labels and axis.size > 1]
        if cls.moves_mass and lists:
            return f"moves mass between neighbouring actions, and the labels of {', '.join(lists)} have no neighbours"
        return ""

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """One descent step of length ``dt`` with Q frozen.

        Parameters
        ----------
        p, q : arrays (S, A)
            Cell probabilities and Q.
        dt : float
            Flow time, dimensionless.
        out : array (S, A)
            Receives the result; may be ``p``.

        Returns
        -------
        array (S, A)
            ``out``.
        """
        raise NotImplementedError

    def log_step(self, log_p: FloatArray, q: FloatArray, dt: float, log_out: FloatArray, out: FloatArray) -> FloatArray:
        """`step` of a logarithmic flow in logarithms.

        Parameters
        ----------
        log_p, q : arrays (S, A)
            ln p, minus infinity where p is zero, and Q.
        dt : float
            Flow time, dimensionless.
        log_out, out : arrays (S, A)
            Receive ln p' and p'; ``log_out`` may be ``log_p``.

        Returns
        -------
        array (S, A)
            ``out``.
        """
        raise NotImplementedError

    def at_temperature_of(self, mdp: GridMDP) -> Flow:
        """The same flow of the same problem at another temperature."""
        return type(self)(mdp, **self.parameters)

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """What it was made with besides the problem, by the key of a problem file."""
        return {}

    @property
    def remark(self) -> str:
        """What users of its runs should know of the numbers in them, in a line; empty if nothing."""
        return ""

    @classmethod
    def kept_numbers(cls, actions: Grid, **parameters: Any) -> int:
        """How many numbers besides p its state holds for every state of the problem, whatever the scheme."""
        return 0

    @staticmethod
    def late_rate(spectral_gap: float, temperature: float, **parameters: Any) -> float:
        """The rate at which the gap of a state falls in the end; not a number if it is not known.

        Parameters
        ----------
        spectral_gap : float
            lambda, of the Wasserstein flow at the optimal policy, in that state.
        temperature : float
        **parameters
            As a run file keeps them: `parameters`, and the ``step`` of a flow that has its own.
        """
        return math.nan

    def dissipation(self, p: FloatArray, q: FloatArray) -> FloatArray | None:
        """-d/dt of sum_k p_k (Q_k + tau ln(p_k/m_k)) along the flow with Q frozen, per state (S,).

        None where the flow does not state it: then the run records no dissipation and no observed rate.
        """
        return None


class DescentStep(Protocol):
    """A descent step of one's own, as `Flow.step`."""

    def __call__(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """Advance ``p`` (S, A) by ``dt``, write the result into ``out`` (which may be ``p``) and return it."""
        ...


class OwnFlow(Flow):
    """A descent step of one's own as a flow; its dissipation is not known."""

    def __init__(self, mdp: GridMDP, step: DescentStep) -> None:
        super().__init__(mdp)
        self._step = step
        self.name = type(step).__name__

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        return self._step(p, q, dt, out)


AnyFlow = str | Flow | DescentStep
"""How a flow may be given: its name, a flow, or a descent step."""


def flow_class(name: str) -> type[Flow]:
    """The class of a flow by name.

    Raises
    ------
    ValueError
        Unknown flow.
    """
    if name not in FLOWS:
        raise ValueError(f"flow {name!r}; choose {choices(FLOWS)}{did_you_mean(name, FLOWS)}")
    found: type[Flow] = load(FLOWS[name].place)
    return found


def suitable_flows(actions: Grid) -> list[str]:
    """Names of the flows that policies on an action grid can follow."""
    return [name for name in FLOWS if not flow_class(name).obstacle(actions)]


def check_suitable(kind: type[Flow], name: str, actions: Grid) -> None:
    """Raise UnsuitableFlowError, which names flows that suit, if policies on an action grid cannot follow this one."""
    if words := kind.obstacle(actions):
        raise UnsuitableFlowError(f"flow {name!r} {words}; choose {choices(suitable_flows(actions))}")


def as_flow(mdp: GridMDP, flow: AnyFlow, parameters: Mapping[str, Any] | None = None) -> Flow:
    """The flow of a problem, by name and its parameters, or as it is given.

    Raises
    ------
    ValueError
        As `flow_class`; and what is given is no flow, or one of another problem.
    UnsuitableFlowError
        The flow does not apply to this problem.
    """
    if isinstance(flow, str):
        kind = flow_class(flow)
        check_suitable(kind, flow, mdp.actions)
        if missing := [key for key in FLOWS[flow].required if key not in (parameters or {})]:
            raise ValueError(f"flow {flow!r}: {' and '.join(missing)} must be given: make a {kind.__name__} with them")
        return kind(mdp, **(parameters or {}))
    if isinstance(flow, Flow):
        if not _alike(getattr(flow, "mdp", mdp), mdp):
            raise ValueError(f"flow: the {type(flow).__name__} given is of another problem: make it of this one")
        return flow
    return OwnFlow(mdp, _function(flow))


def _function(flow: DescentStep) -> DescentStep:
    """A descent step; ValueError if it is none."""
    if isinstance(flow, type) or not callable(flow):
        raise ValueError(f"flow: {flow!r} is neither a name, nor a Flow, nor a function of p, q, dt and out")
    return flow


def _alike(one: GridMDP, other: GridMDP) -> bool:
    """Whether all that a descent step depends on, with Q frozen, is the same for two problems."""
    axes = zip(one.actions.axes, other.actions.axes, strict=False)
    return one is other or (
        (one.temperature, one.cost.shape, one.actions.shape)
        == (other.temperature, other.cost.shape, other.actions.shape)
        and np.array_equal(one.reference_mass, other.reference_mass)
        and all(a.boundary == b.boundary and a.labels == b.labels and np.array_equal(a.edges, b.edges) for a, b in axes)
    )


def name_of(flow: AnyFlow) -> str:
    """The name that a flow is recorded by: that of the registry, or of the class of an object that is not of it.

    Raises
    ------
    ValueError
        It is no flow.
    """
    if isinstance(flow, str):
        return flow
    if not isinstance(flow, Flow):
        return type(_function(flow)).__name__
    if flow.name not in FLOWS or type(flow) is not flow_class(flow.name):
        return type(flow).__name__
    # with other parameters than the registry has, its name would not bring it back
    known = flow.parameters.keys() <= set(FLOWS[flow.name].own)
    return flow.name if known else type(flow).__name__


def parameters_of(flow: AnyFlow) -> Mapping[str, float | str]:
    """The parameters of a flow of the registry that is given as an object; none otherwise."""
    return flow.parameters if isinstance(flow, Flow) and name_of(flow) in FLOWS else {}
