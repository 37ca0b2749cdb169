"""What a flow is: a descent step, and the rate at which V falls along it.

A **descent step** maps p to a p' of smaller KL(p | Gibbs policy of Q) in every state while Q is frozen.  By the
identity of performance differences (I1) such a step lowers V at every state, whatever its length dt: the one idea that
carries the solver.  A flow is the limit of its descent steps as dt goes to zero; time schemes compose them.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.core.registry import choices, load
from wpoflow.core.text import did_you_mean
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.registry import FLOWS


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
    """

    name: str
    generator: ClassVar[bool] = False

    def __init__(self, mdp: GridMDP) -> None:
        self.mdp = mdp

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
    found: type[Flow] = load(FLOWS[name])
    return found


def as_flow(mdp: GridMDP, flow: AnyFlow) -> Flow:
    """The flow of a problem, by name or as it is given.

    Raises
    ------
    ValueError
        As `flow_class`; and what is given is no flow, or one of another problem.
    """
    if isinstance(flow, str):
        return flow_class(flow)(mdp)
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
        and all(a.boundary == b.boundary and np.array_equal(a.edges, b.edges) for a, b in axes)
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
    if isinstance(flow, Flow):
        registered = flow.name in FLOWS and type(flow) is flow_class(flow.name)
        return flow.name if registered else type(flow).__name__
    return type(_function(flow)).__name__
