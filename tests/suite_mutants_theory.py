"""One-line mutations of the constants, bounds, certificates and rates; see `tests.suite_mutants`."""

from __future__ import annotations

from tests.mutant import Mutant

OBSERVABLES, RATES, EVIDENCE = "solver/runs/observables.py", "validation/rates.py", "validation/evidence.py"
BOUNDS, CLAIMS, CERTIFICATE = "validation/constants", "validation/claims", "validation/certificate"
COEFFICIENTS, INSTANT, STATEMENT = (
    f"{BOUNDS}/coefficients.py",
    f"{CERTIFICATE}/instant.py",
    f"{CERTIFICATE}/statement.py",
)

THEORY: dict[str, dict[str, Mutant]] = {
    "lambda": {
        "1 % too large": Mutant(
            f"{BOUNDS}/spectral_gap.py",
            "        path_gaps(rates.right, rates.left, gaps[rows])\n    return gaps",
            "        path_gaps(rates.right, rates.left, gaps[rows])\n    return 1.01 * gaps",
        ),
        "1 % too large in several axes": Mutant(
            f"{BOUNDS}/spectral_gap.py",
            "return slow_modes(generators, 0)[0]",
            "return 1.01 * slow_modes(generators, 0)[0]",
        ),
        "verified, 1.1 times": Mutant(
            f"{BOUNDS}/verified_gap.py",
            "return ProvenBound(verified_spectral_gap(generators)",
            "return ProvenBound(1.1 * verified_spectral_gap(generators)",
        ),
        "verified on paths, 1.1 times": Mutant(
            f"{BOUNDS}/verified_gap.py", "(1.0 - 8.0 * EPS))\n", "(1.1 - 8.0 * EPS))\n"
        ),
        "verified by inertia, 1.1 times": Mutant(
            f"{BOUNDS}/verified_gap.py", "np.maximum(out, 0.0) * (1.0 - 4.0", "np.maximum(out, 0.0) * (1.1 - 4.0"
        ),
        "of the fastest state": Mutant(
            EVIDENCE,
            "np.argmin(np.where(self.reached, self.spectral_gaps, np.inf))",
            "np.argmax(np.where(self.reached, self.spectral_gaps, 0.0))",
        ),
    },
    "alpha": {
        "of the best state": Mutant(
            EVIDENCE,
            "return self.bounds.proven\n",
            'return ProvenBound(0.0 * self.bounds.best + self.bounds.best.max(), ("none",), "")\n',
        ),
        "1.1 times the bound": Mutant(
            EVIDENCE,
            "return self.bounds.proven\n",
            'return ProvenBound(1.1 * self.bounds.best, ("none",), "")\n',
        ),
        "lambda in its place": Mutant(
            EVIDENCE,
            "return self.bounds.proven\n",
            'return ProvenBound(self.spectral_gaps, ("none",), "")\n',
        ),
        "minimised in its place, 1.1": Mutant(
            f"{CLAIMS}/constants_ordered.py",
            "lower, gaps = evidence.bounds.best,",
            "lower, gaps = 1.1 * evidence.bounds.best,",
        ),
    },
    "bounds, 1.1 times": {
        "Bakry–Émery": Mutant(
            f"{BOUNDS}/bound_bakry_emery.py",
            "rounded_down(np.log(out), generators)",
            "rounded_down(np.log(1.1 * out), generators)",
        ),
        "Barthe–Roberto, both": Mutant(
            f"{BOUNDS}/bound_barthe_roberto.py",
            "return rounded_down(out, generators)",
            "return 1.1 * rounded_down(out, generators)",
        ),
        "reference": Mutant(
            f"{BOUNDS}/bound_reference.py", "math.log(constant) + least", "math.log(1.1 * constant) + least"
        ),
        "Holley–Stroock": Mutant(
            f"{BOUNDS}/bound_holley_stroock.py",
            "return rounded_down(found, generators)",
            "return 1.1 * rounded_down(found, generators)",
        ),
        "Holley–Stroock, flat": Mutant(
            f"{BOUNDS}/bound_holley_stroock.py", "math.log(flat) - np.ptp", "math.log(1.1 * flat) - np.ptp"
        ),
        "circle": Mutant(
            f"{BOUNDS}/bound_circle.py",
            "    return rounded_down(out, generators)\n",
            "    return 1.1 * rounded_down(out, generators)\n",
        ),
        "product": Mutant(
            f"{BOUNDS}/bound_product.py",
            "return rounded_down(best, generators)",
            "return 1.1 * rounded_down(best, generators)",
        ),
        "weighted gap": Mutant(f"{BOUNDS}/bound_weighted_gap.py", "np.asarray(2.0 / (", "np.asarray(2.2 / ("),
        "weighted gap, masses of cells": Mutant(
            f"{BOUNDS}/bound_weighted_gap.py",
            "factor = 2.0 - np.minimum(log_masses, 0.0)",
            "factor = 1.0 - np.minimum(log_masses, 0.0)",
        ),
        "weighted gap, blocks for nothing": Mutant(
            f"{BOUNDS}/bound_weighted_gap.py",
            "(np.exp(log_constants) * excess + 1.0 / gaps)",
            "(0.0 * np.exp(log_constants) * excess + 1.0 / gaps)",
        ),
        "Diaconis–Saloff-Coste": Mutant(f"{BOUNDS}/bound_weighted_gap.py", "gaps * 4.0 * (", "gaps * 4.4 * ("),
        "two scales": Mutant(
            f"{BOUNDS}/bound_two_scale.py", "np.max(crossing, axis=1)) * (1.0 -", "np.max(crossing, axis=1)) * (1.1 -"
        ),
        "two scales, transport for nothing": Mutant(
            f"{BOUNDS}/bound_two_scale.py", "price = np.exp(prices +", "price = 0.0 * np.exp(prices +"
        ),
        "two scales, half the price": Mutant(
            f"{BOUNDS}/bound_two_scale.py", "price = np.exp(prices +", "price = 0.5 * np.exp(prices +"
        ),
        "dynamic programming": Mutant(
            f"{BOUNDS}/bound_dynamic_programming.py",
            "return rounded_down(np.log(out), generators)",
            "return rounded_down(np.log(1.1 * out), generators)",
        ),
        "unit cycle of three cells": Mutant(f"{BOUNDS}/bound_reference.py", "return 2.0 / math.log(2.0)", "return 3.0"),
        "unit cycle of odd length": Mutant(
            f"{BOUNDS}/bound_reference.py", "cells if known else cells + 1", "cells if known else cells - 1"
        ),
    },
    "certificate": {
        "without its exponent": Mutant(
            RATES, "np.exp(-discount * np.where(reliable", "np.exp(-0.0 * np.where(reliable"
        ),
        "half the exponent": Mutant(
            RATES, "np.exp(-discount * np.where(reliable", "np.exp(-0.5 * discount * np.where(reliable"
        ),
        "of gap(rho)": Mutant(
            EVIDENCE, 'above_rounding(self.run.series["gap_sup"]', 'above_rounding(self.run.series["gap"]'
        ),
        "sharp, without the exponent of the constants": Mutant(
            INSTANT, "kept = constants.lowered(np.exp(-drift))", "kept = constants.lowered(np.exp(-0.0 * drift))"
        ),
        "sharp, without the exponent of the present constants": Mutant(
            INSTANT, "present.lowered(np.exp(-drift))", "present.lowered(np.exp(-0.0 * drift))"
        ),
        "sharp, without the exponent of p/g": Mutant(
            f"{CERTIFICATE}/entropy.py", "log_ratio + drift[:, None], -np.inf)", "log_ratio, -np.inf)"
        ),
        "sharp, of the drift of rho": Mutant(INSTANT, "drift = nearby.max(axis=1) /", "drift = nearby.min(axis=1) /"),
        "sharp, without K(M)": Mutant(
            f"{CERTIFICATE}/constants_now.py", "(1.0 + mean) / entropy_factor(log_most)", "(1.0 + mean) / 2.0"
        ),
        "sharp, of 0.9 K(M)": Mutant(
            f"{CERTIFICATE}/entropy.py",
            "return np.where(near, np.where(r > 0.0, series, 2.0), closed)",
            "return 0.9 * np.where(near, np.where(r > 0.0, series, 2.0), closed)",
        ),
        "sharp, m = 1": Mutant(
            f"{CERTIFICATE}/constants_now.py", "mean = np.exp(-instant.gaps /", "mean = np.exp(-0.0 * instant.gaps /"
        ),
        "sharp, 2.2 beta": Mutant(
            STATEMENT,
            "return 2.0 * float(proven(self.beta)) * self.share",
            "return 2.2 * float(proven(self.beta)) * self.share",
        ),
        "sharp, 2.2 beta in the fall": Mutant(STATEMENT, "flow_factor(2.0 * beta", "flow_factor(2.2 * beta"),
        "sharp, level left out": Mutant(
            STATEMENT, "return self.excess / self.share", "return 0.0 * self.excess / self.share"
        ),
        "sharp, excess left out": Mutant(
            f"{CERTIFICATE}/sup_norm.py",
            "excess=temperature * float(state_by_state.tails.max())",
            "excess=0.0 * float(state_by_state.tails.max())",
        ),
        "sharp, whole share": Mutant(
            f"{CERTIFICATE}/sup_norm.py",
            "return np.asarray(np.maximum(1.0 - discount, np.maximum(near, 0.0) ** 2))",
            "return np.ones_like(near)",
        ),
        "sharp, of the best state": Mutant(
            f"{CERTIFICATE}/sup_norm.py",
            "beta=state_by_state.beta.least()",
            "beta=state_by_state.beta.select(np.array([np.argmax(state_by_state.beta.value)])).least()",
        ),
        "along rho, excess left out": Mutant(
            f"{CERTIFICATE}/along_rho.py", "excess=float(excess[chosen])", "excess=0.0 * float(excess[chosen])"
        ),
        "along rho, square left out": Mutant(
            f"{CERTIFICATE}/along_rho.py", "lost = math.sqrt(square / level)", "lost = 0.0 * math.sqrt(square / level)"
        ),
        "of the instant, present share one": Mutant(
            f"{CERTIFICATE}/along_rho.py",
            "instant.present.gap.lowered(share)",
            "instant.present.gap.lowered(0.0 * share + 1.0)",
        ),
        "of the instant, tails for nothing": Mutant(
            f"{CERTIFICATE}/entropy.py", "1.0 - tails / np.where(entropy", "1.0 - 0.0 * tails / np.where(entropy"
        ),
        "of the instant, m = 1": Mutant(
            f"{CERTIFICATE}/entropy.py", "axis=1), 1.0) / ENLARGED", "axis=1), 1.0) * 0.0 + 1.0"
        ),
        "of the instant, 2.2 beta": Mutant(
            f"{CERTIFICATE}/along_rho.py",
            "return 2.0 * temperature / (1.0 - discount) * total",
            "return 2.2 * temperature / (1.0 - discount) * total",
        ),
    },
    "kappa": {
        "inverted": Mutant(
            OBSERVABLES,
            "(best[reached] / np.maximum(visited[reached], np.finfo(np.float64).tiny)).max()",
            "(visited[reached] / np.maximum(best[reached], np.finfo(np.float64).tiny)).max()",
        ),
        "mean": Mutant(OBSERVABLES, "np.finfo(np.float64).tiny)).max())", "np.finfo(np.float64).tiny)).mean())"),
        "one": Mutant(
            EVIDENCE,
            'static_rate(self.alpha_from_now_on, self.run.series["occupancy_ratio"])',
            'static_rate(self.alpha_from_now_on, 1.0 + 0.0 * self.run.series["gap"])',
        ),
        "one in the weighted decay": Mutant(
            f"{CLAIMS}/decay_weighted.py", "        1.0 / kappa,\n", "        1.0 + 0.0 * kappa,\n"
        ),
        "one in weighted steps": Mutant(
            f"{CLAIMS}/theorem_steps.py",
            "1.0 / density_ratio(evidence.optimum.occupancy, visits) if weighted",
            "1.0 if weighted",
        ),
    },
    "rates": {
        "2.2 alpha in the static inequality": Mutant(
            RATES, "2.0 * proven(alpha) / kappa", "2.2 * proven(alpha) / kappa"
        ),
        "2.2 alpha in the sup norm": Mutant(
            RATES, "(2.0 * proven(alpha) * (1.0 - discount))", "(2.2 * proven(alpha) * (1.0 - discount))"
        ),
        "1 - gamma dropped from the sup norm": Mutant(
            RATES, "(2.0 * proven(alpha) * (1.0 - discount))", "(2.0 * proven(alpha))"
        ),
        "1 - gamma dropped from the paper's": Mutant(
            RATES, "proven(alpha) * (1.0 - discount) / density_ratio", "proven(alpha) / density_ratio"
        ),
        "1 - gamma added to the static inequality": Mutant(
            RATES, "2.0 * proven(alpha) / kappa", "0.1 * 2.0 * proven(alpha) / kappa"
        ),
        "1 - gamma dropped from the fall in the sup norm": Mutant(
            f"{CLAIMS}/decay_sup_norm.py",
            "contraction = evidence.run.series, 1.0 - evidence.discount",
            "contraction = evidence.run.series, 1.0",
        ),
        "1 - gamma dropped from the fall of the paper's": Mutant(
            f"{CLAIMS}/decay_paper.py", "(1.0 - evidence.discount) / ratio,\n", "1.0 / ratio,\n"
        ),
        "1 - gamma dropped from steps": Mutant(f"{CLAIMS}/theorem_steps.py", "else 1.0 - mdp.discount\n", "else 1.0\n"),
        "contraction of KL by 2.2 alpha": Mutant(
            f"{CLAIMS}/kl_contraction.py", "1.0 / (1.0 + 2.0 * alpha * dt)", "1.0 / (1.0 + 2.2 * alpha * dt)"
        ),
        "policy iteration by 1.1 of Hoeffding's constant": Mutant(
            f"{CLAIMS}/policy_iteration.py",
            "constant = mdp.discount**2 / (8.0 *",
            "constant = mdp.discount**2 / (8.8 *",
        ),
    },
    "|d*/rho|": {
        "least": Mutant(
            COEFFICIENTS, "np.max(occupancy[charged] / rho[charged])", "np.min(occupancy[charged] / rho[charged])"
        ),
        "mean": Mutant(
            COEFFICIENTS, "np.max(occupancy[charged] / rho[charged])", "np.mean(occupancy[charged] / rho[charged])"
        ),
        "left out of the paper's rate": Mutant(
            RATES, "proven(alpha) * (1.0 - discount) / density_ratio", "proven(alpha) * (1.0 - discount)"
        ),
    },
}
