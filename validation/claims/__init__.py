"""The claims of the theory, one file each; `CLAIMS` lists them in the order of the theory."""

from __future__ import annotations

from wpoflow.validation.claims import (
    annealed_cost,
    annealed_descent,
    annealed_identity,
    constants_ordered,
    decay_any_rho,
    decay_paper,
    decay_sup_norm,
    decay_weighted,
    dissipation_identity,
    fisher_rao_bound,
    fisher_rao_identity,
    future_rates,
    identities,
    iteration_contraction,
    kl_contraction,
    late_mixture,
    late_rate,
    measured_contraction,
    mirror_contraction,
    mirror_identity,
    orders,
    particle_steps,
    pointwise_descent,
    policy_iteration,
    proximal_descent,
    proximal_late,
    recomputed,
    regularity,
    sharp_certificate,
    static_inequality,
    structure,
    trajectory,
)
from wpoflow.validation.claims.claim import Claim

CLAIMS: dict[str, Claim] = {
    module.judge.name: module.judge
    for module in (
        structure,
        recomputed,
        trajectory,
        identities,
        pointwise_descent,
        dissipation_identity,
        kl_contraction,
        constants_ordered,
        static_inequality,
        decay_weighted,
        decay_sup_norm,
        decay_paper,
        decay_any_rho,
        future_rates,
        sharp_certificate,
        late_rate,
        late_mixture,
        fisher_rao_identity,
        fisher_rao_bound,
        mirror_identity,
        mirror_contraction,
        proximal_descent,
        proximal_late,
        measured_contraction,
        policy_iteration,
        iteration_contraction,
        particle_steps,
        annealed_descent,
        annealed_identity,
        annealed_cost,
        orders,
        regularity,
    )
}

__all__ = ["CLAIMS", "Claim"]
