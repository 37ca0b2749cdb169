r"""The certificate of |V - V*|_sup: no concentrability, and in the end no factor 1 - gamma.

Let D >= 2 beta (Ent - T_s) in every state, now and at all later times (`constants_now`), e = |V - V*|_sup,
excess = tau max_s T_s/(1 - gamma), and r = (tau/gamma) sqrt(max_i sum_j d_ij drift_j^2), d_i the occupancy from i of
any later policy: at most e, and much less where states that are far from their optimum are left at once (`reach`).
Then e falls according to (`statement`)

    flow     share = max(1 - gamma, (1 - gamma/(2 sqrt 2) sqrt(r/(tau (1 - gamma))))_+^2)
    steps    share = max(1 - gamma,  1 - gamma sqrt(r/(2 tau (1 - gamma)))).

At the optimum the rate is 2 min_s lambda_s, the sharp rate of the slowest state.

*Proof, flow.*  u = V - V*.  Let i attain e, d = d_i the occupancy from i, of mass at most one, and bars means under
d. K* = sum_j d_j KL(p_j|p*_j) = (1 - gamma) e/tau by (I2).  By (I4), with D >= 2 beta (Ent - T), and D >= 0 where
that is negative, -de/dt >= 2 beta tau/(1 - gamma) (K - max T), K = sum_j d_j KL(p_j|g_j).  Per state

    KL(p|p*) = KL(p|g) + sum (p - g) ln(g/p*) + KL(g|p*) <= KL(p|g) + (o/2) sqrt(2 KL(p|g)) + o^2/8
             <= (sqrt(KL(p|g)) + o/(2 sqrt 2))^2,       o = osc ln(g/p*) = osc (Q - Q*)/tau,

by Pinsker and Hoeffding. Now and later o <= drift and o <= gamma e/tau with the present drift and the e of that time,
as Q - Q* falls, so that the mean of o^2 is at most (gamma min(r, e)/tau)^2. The norm of a sum being at most the sum of
norms, sqrt(K*) <= sqrt(K) + gamma min(r, e)/(2 sqrt 2 tau). Insert K*: tau K/(1 - gamma) >= e (1 - gamma/(2 sqrt 2)
min(r, e)/sqrt(e tau (1 - gamma)))_+^2, and min(r, e)/sqrt(e) <= sqrt(r), whatever e has become. And tau K/(1 - gamma)
>= tau KL(p_i|g_i) = (V - TV)_i >= (1 - gamma) e, as d_i >= 1 - gamma.

*Proof, steps.*  KL is convex, so KL(p|g) - KL(p'|g) >= dt D(p'|g) >= 2 beta dt (KL(p'|g) - T), or KL(p|g) - KL(p'|g)
>= theta (KL(p|g) - T), also where the right side is negative, as a step is a descent step.  By (I1) V - V' >= theta
(I - gamma P')^-1 tau (KL(p|g) - T), and tau KL(p|g) = V - TV >= u - gamma P* u, so that with (I - gamma P')^-1 (u -
gamma P* u) = u + gamma (I - gamma P')^-1 (P' - P*) u, gamma |(P' - P*) u|_j <= (tau o_j/2) |p'_j - p*_j|_1, Pinsker,
Cauchy and (I2) for p', for which u' <= e: u'_i <= (1 - theta) u_i + theta (gamma min(r, e) sqrt(e/(2 tau (1 -
gamma))) + excess), and min(r, e) sqrt(e) <= e sqrt(r).  The factor 1 - gamma: (V - TV)_i >= u_i - gamma e in place of
it.
"""

from __future__ import annotations

import math

import numpy as np

from wpoflow.core.arrays import FloatArray
from wpoflow.validation.certificate.constants_now import decided
from wpoflow.validation.certificate.instant import Instant
from wpoflow.validation.certificate.statement import MARGIN, SUP_NORM, TARGETS, Certificate


def share_of_flow(reach: FloatArray | float, discount: float, temperature: float) -> FloatArray:
    """What reaches |V - V*|_sup of the rate 2 beta along the flow, of the shape of ``reach``, which is r above.

    In a row with e = |V - V*|_sup min(r, e)^2/e may stand for r.
    """
    near = 1.0 - discount / (2.0 * math.sqrt(2.0)) * np.sqrt(np.asarray(reach) / (temperature * (1.0 - discount)))
    return np.asarray(np.maximum(1.0 - discount, np.maximum(near, 0.0) ** 2))


def share_of_steps(reach: float, discount: float, temperature: float) -> float:
    """Likewise of theta, of descent steps."""
    return max(1.0 - discount, 1.0 - discount * math.sqrt(reach / (2.0 * temperature * (1.0 - discount))))


def sup_norm_certificates(instant: Instant, discount: float, temperature: float) -> tuple[Certificate, ...]:
    """The certificates of an instant, for one level after the other; none if its suboptimality is no finite number."""
    largest = instant.largest
    if not (math.isfinite(largest) and np.all(np.isfinite(instant.drift))):
        return ()
    reach = min(largest, temperature * instant.reach / discount)
    flow = float(share_of_flow(reach, discount, temperature))
    steps = share_of_steps(reach, discount, temperature)
    found = []
    for target in TARGETS:
        left = MARGIN * target * largest * min(flow, steps)
        state_by_state = decided(
            instant, np.full(len(instant.drift), left * (1.0 - discount) / temperature), temperature
        )
        found.append(
            Certificate(
                quantity=SUP_NORM,
                time=instant.time,
                now=largest,
                beta=state_by_state.beta.least(),
                share=flow,
                share_of_steps=steps,
                excess=temperature * float(state_by_state.tails.max()) / (1.0 - discount),
                state=int(np.argmin(state_by_state.beta.value)),
                reach=reach,
            )
        )
        if not state_by_state.tails.any():  # less level, no more rate
            break
    return tuple(found)
