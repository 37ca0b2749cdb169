"""Soft policy iteration, recorded like a flow: every policy becomes the Gibbs policy of its own Q.

    p' = g,     g_k ∝ m_k e^{-Q_k/tau},     Q of the policy p

It is mirror descent, and proximal descent, with an infinite step: KL(p'|g) = 0, the most a descent step can do.  The
flow time is the number of iterations.  What the policy was is forgotten but for its Q, zeros included.

**Contraction.**  By the performance difference V^{p'} <= T V^p, T the soft Bellman operator, so that

    max(V^{p'} - V*) <= gamma max(V^p - V*):

an iteration leaves at most gamma of the largest suboptimality (Geist, Scherrer & Pietquin 2019, arXiv:1901.11275; the
argument is Howard's).  Near the optimum it is Newton's method on the soft Bellman equation and converges quadratically.

There is no dissipation to state, and no late rate: V falls by a finite amount each step, in the end by ever more of it.
"""

from __future__ import annotations

from typing import ClassVar

from wpoflow.core.arrays import FloatArray
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.solver.flows.flow import Flow


class PolicyIteration(Flow):
    """Steps to the Gibbs policy of Q, whatever their length is called."""

    name = "policy-iteration"
    own_step: ClassVar[bool] = True

    def step(self, p: FloatArray, q: FloatArray, dt: float, out: FloatArray) -> FloatArray:
        """See `Flow.step`."""
        gibbs_policy(q, self.mdp.log_mass, self.mdp.temperature, out)
        return out
