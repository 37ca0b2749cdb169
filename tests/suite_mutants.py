"""One-line mutations of theory and solver, by group, for ``python -m tests.mutants --suite``.

Each is a file, a piece of text that stands in it exactly once, and what becomes of it.  All must be caught by a
*claim* of the validation suite; unit tests do not count here.  Those of ``KERNELS`` change machine code, and take a
minute to compile.
"""

from __future__ import annotations

from tests.mutant import Mutant

EVALUATION, OBSERVABLES = "solver/bellman/evaluation.py", "solver/runs/observables.py"
RATES, EVIDENCE, BOUNDS = "validation/rates.py", "validation/evidence.py", "validation/constants"
CLAIMS, COEFFICIENTS = "validation/claims", "validation/constants/coefficients.py"
FLOW, AXIS, TRAJECTORY, LOOP = (
    "solver/flows/wasserstein.py",
    "grids/axis.py",
    "solver/schemes/trajectory.py",
    "solver/runs/loop.py",
)

GROUPS: dict[str, dict[str, Mutant]] = {
    "discount": {
        "left out of Q": Mutant(EVALUATION, "expect(mdp.discount * value, out)", "expect(value, out)"),
        "of the linear systems, 0.99 of it": Mutant(
            EVALUATION,
            "system = DiscountedSystem(transition, mdp.discount, ",
            "system = DiscountedSystem(transition, 0.99 * mdp.discount, ",
        ),
        "left out of the gap": Mutant(
            OBSERVABLES, "scale = self._mdp.temperature / (1.0 - self._mdp.discount)", "scale = self._mdp.temperature"
        ),
        "left out of the dissipation": Mutant(OBSERVABLES, "horizon = 1.0 / (1.0 - mdp.discount)", "horizon = 1.0"),
    },
    "occupancy": {
        "source not scaled": Mutant(EVALUATION, "source = (1.0 - mdp.discount) * mdp.rho", "source = mdp.rho"),
        "not transposed": Mutant(
            EVALUATION, "d, _ = system.solve_transposed(source, guess)", "d, _ = system.solve(source, guess)"
        ),
        "gap weighted by rho": Mutant(
            OBSERVABLES,
            "return scale * float(np.add.reduce(visited * divergence))",
            "return scale * float(np.add.reduce(self._mdp.rho * divergence))",
        ),
    },
    "entropy": {
        "reference left out": Mutant(
            OBSERVABLES,
            "relative_entropy_to_reference(policy, mdp.log_mass, to_reference)",
            "relative_entropy_to_reference(policy, 0.0 * mdp.log_mass, to_reference)",
        ),
        "averaged over rho": Mutant(
            OBSERVABLES, "float(np.add.reduce(visited * to_reference))", "float(np.add.reduce(mdp.rho * to_reference))"
        ),
        "temperature left out of the residual": Mutant(
            OBSERVABLES, "mdp.temperature * self._supremum(to_gibbs)", "self._supremum(to_gibbs)"
        ),
    },
    "dissipation": {
        "1 % too large": Mutant(
            OBSERVABLES,
            "dissipation = math.nan if lost is None else horizon *",
            "dissipation = math.nan if lost is None else 1.01 * horizon *",
        ),
        "averaged over rho": Mutant(
            OBSERVABLES, "np.add.reduce(visited[met] * lost[met])", "np.add.reduce(mdp.rho[met] * lost[met])"
        ),
        "at twice the temperature": Mutant(
            FLOW,
            "widths, distances, stride, self._temperature, total",
            "widths, distances, stride, 2.0 * self._temperature, total",
        ),
    },
    "flux and time": {
        "flux 1 % too large": Mutant(
            FLOW,
            "distances, stride, dt, self._temperature, out)",
            "distances, stride, 1.01 * dt, self._temperature, out)",
        ),
        "temperature of the flux 1 % too large": Mutant(
            FLOW, "self._temperature = mdp.temperature", "self._temperature = 1.01 * mdp.temperature"
        ),
        "time 2 % too large": Mutant(
            TRAJECTORY, "end = start.time + taken.dt\n", "end = start.time + 1.02 * taken.dt\n"
        ),
        "step size 2 % too large": Mutant(
            TRAJECTORY, "            step_size=taken.dt,\n", "            step_size=1.02 * taken.dt,\n"
        ),
        "stationary measure without the reference": Mutant(
            FLOW, "self._log_density = mdp.log_reference_density", "self._log_density = mdp.log_mass"
        ),
    },
    "snapshots": {
        "values of the one before": Mutant(
            "solver/runs/recorder.py",
            "self._values.append(value.copy())",
            "self._values.append(self._values[-1] if self._values else value.copy())",
        ),
        "policies of the one before": Mutant(
            "solver/runs/recorder.py",
            "self._policies.append(policy.copy())",
            "self._policies.append(self._policies[-1] if self._policies else policy.copy())",
        ),
        "times off by one": Mutant(
            "solver/runs/recorder.py",
            "self._times.append(time)",
            'self._times.append(self.rows[-1]["time"] if self.rows else time)',
        ),
    },
    "seam and grid": {
        "of a circle, twice as wide": Mutant(AXIS, "0.5 * (widths[0] + widths[-1])", "(widths[0] + widths[-1])"),
        "of a circle, of the wrong cells": Mutant(
            AXIS, "0.5 * (widths[0] + widths[-1])", "0.5 * (widths[0] + widths[1])"
        ),
        "widths of the neighbours": Mutant(
            AXIS, "        widths = np.diff(edges)\n", "        widths = np.roll(np.diff(edges), 1)\n"
        ),
        "end mass without the upper end": Mutant(
            OBSERVABLES, "touching |= (index == 0) | (index == axis.size - 1)", "touching |= index == 0"
        ),
    },
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
        "of the fastest state": Mutant(
            EVIDENCE,
            "np.argmin(np.where(self.reached, self.spectral_gaps, np.inf))",
            "np.argmax(np.where(self.reached, self.spectral_gaps, 0.0))",
        ),
    },
    "alpha": {
        "of the best state": Mutant(
            EVIDENCE, "return float(self.bounds.best.min())", "return float(self.bounds.best.max())"
        ),
        "1.1 times the bound": Mutant(
            EVIDENCE, "return float(self.bounds.best.min())", "return 1.1 * float(self.bounds.best.min())"
        ),
        "lambda in its place": Mutant(
            EVIDENCE, "return float(self.bounds.best.min())", "return float(self.spectral_gaps.min()) * 1.05"
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
        "unit cycle of odd length": Mutant(
            f"{BOUNDS}/bound_reference.py", "(cells + cells % 2)) ** 2", "(cells - cells % 2)) ** 2"
        ),
    },
    "certificate": {
        "without its exponent": Mutant(
            RATES, "alpha * np.exp(-discount * np.asarray(gap) / temperature)", "alpha * np.exp(0.0 * np.asarray(gap))"
        ),
        "half the exponent": Mutant(
            RATES, "np.exp(-discount * np.asarray(gap)", "np.exp(-0.5 * discount * np.asarray(gap)"
        ),
        "of gap(rho)": Mutant(EVIDENCE, 'self.alpha, self.run.series["gap_sup"]', 'self.alpha, self.run.series["gap"]'),
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
            'static_rate(1.0, self.run.series["occupancy_ratio"])',
            'static_rate(1.0, 1.0 + 0.0 * self.run.series["gap"])',
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
        "2.2 alpha in the static inequality": Mutant(RATES, "return 2.0 * alpha / kappa", "return 2.2 * alpha / kappa"),
        "2.2 alpha in the sup norm": Mutant(
            RATES, "return 2.0 * alpha * (1.0 - discount)\n", "return 2.2 * alpha * (1.0 - discount)\n"
        ),
        "1 - gamma dropped from the sup norm": Mutant(
            RATES, "return 2.0 * alpha * (1.0 - discount)\n", "return 2.0 * alpha\n"
        ),
        "1 - gamma dropped from the paper's": Mutant(
            RATES, "return 2.0 * alpha * (1.0 - discount) / density_ratio", "return 2.0 * alpha / density_ratio"
        ),
        "1 - gamma added to the static inequality": Mutant(
            RATES, "return 2.0 * alpha / kappa", "return 0.1 * 2.0 * alpha / kappa"
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
            RATES, "return 2.0 * alpha * (1.0 - discount) / density_ratio", "return 2.0 * alpha * (1.0 - discount)"
        ),
    },
    "series": {
        "clamped mass not recorded": Mutant(
            OBSERVABLES, '"clamped_mass": float(moved)', '"clamped_mass": 0.0 * float(moved)'
        ),
        "end mass doubled": Mutant(
            OBSERVABLES, '"end_mass": self._supremum(ends)', '"end_mass": 2.0 * self._supremum(ends)'
        ),
        "least density for the largest": Mutant(
            OBSERVABLES, '"density_max": self._supremum(largest)', '"density_max": self._supremum(least)'
        ),
        "score of the slope": Mutant(
            OBSERVABLES, '"score_max": self._supremum(score)', '"score_max": self._supremum(slope)'
        ),
        "gap for its supremum": Mutant(OBSERVABLES, '"gap_sup": self._supremum(suboptimality)', '"gap_sup": gap'),
        "KL of the mean state": Mutant(
            OBSERVABLES, '"kl_sup": self._supremum(divergence)', '"kl_sup": float(divergence.mean())'
        ),
        "ratio of KL not recorded": Mutant(
            "solver/runs/monitor.py", "max(now.kl_ratio_excess, ratio - 1.0)", "max(now.kl_ratio_excess, -1.0)"
        ),
    },
    "optimum": {
        "occupancy of rho": Mutant(
            "solver/bellman/optimum.py", "occupancy=occupancy(mdp, system),", "occupancy=mdp.rho.copy(),"
        ),
    },
    "tolerances, times a hundred or more": {
        "identities": Mutant(f"{CLAIMS}/identities.py", "RELATIVE = 1e-11", "RELATIVE = 1e-7"),
        "structure": Mutant(f"{CLAIMS}/structure.py", "MASS = 1e-13", "MASS = 1e-11"),
        "steady state": Mutant(f"{CLAIMS}/structure.py", "STATIONARY = 1e-13", "STATIONARY = 1e-9"),
        "pointwise descent": Mutant(f"{CLAIMS}/pointwise_descent.py", "return 1e-12 * size", "return 1e-8 * size"),
        "time error": Mutant(EVIDENCE, "return np.asarray(4.0 * accuracy", "return np.asarray(400.0 * accuracy"),
        "share of gaps": Mutant(
            EVIDENCE,
            "return np.asarray(2.0 * np.sqrt(ratio) + ratio + 8.0",
            "return np.asarray(1e6 * np.sqrt(ratio) + ratio + 8.0",
        ),
        "share of rates": Mutant(
            EVIDENCE,
            "2.0 * np.sqrt(ratio) + ratio)\n\n    @cached_property\n    def largest",
            "1e6 * np.sqrt(ratio) + ratio)\n\n    @cached_property\n    def largest",
        ),
        "contraction of KL": Mutant(f"{CLAIMS}/kl_contraction.py", "64.0 * EPS", "1e12 * EPS"),
        "constants": Mutant(f"{CLAIMS}/constants_ordered.py", "RELATIVE = 1e-9", "RELATIVE = 1e-1"),
        "late mixture": Mutant(f"{CLAIMS}/late_mixture.py", "GAP_RATE = 1e-2", "GAP_RATE = 1.0"),
        "policy iteration": Mutant(f"{CLAIMS}/policy_iteration.py", "1e-9 * constant", "1e-1 * constant"),
        "recomputed": Mutant(f"{CLAIMS}/recomputed.py", "RELATIVE = 1e-9", "RELATIVE = 1e-7"),
        "orders of exact solutions": Mutant(f"{CLAIMS}/exact_solution.py", "BRACKET = 0.15", "BRACKET = 15.0"),
        "dissipation": Mutant(f"{CLAIMS}/dissipation_identity.py", "return 0.5 * dt**2 *", "return 50.0 * dt**2 *"),
    },
    "kernels": {
        "flux of one face 1 % too large": Mutant(
            "solver/flux/sweep_path.py",
            "right, left = forward_factor * forward, backward_factor * backward\n        surplus, held",
            "right, left = 1.01 * forward_factor * forward, 1.01 * backward_factor * backward\n        surplus, held",
        ),
        "curvature of the wrong distance": Mutant(
            "solver/runs/monitor_kernels.py",
            "inverse = 2.0 / (distances[k] + distances[before])",
            "inverse = 1.0 / distances[k]",
        ),
        "relative entropy without p - g": Mutant(
            "solver/entropy.py", "far = p[k] * log_ratio - p[k] + g[k]", "far = p[k] * log_ratio"
        ),
        "entropy sign": Mutant(
            "solver/entropy.py", "term = p[k] * (cost[k] + temperature * (", "term = p[k] * (cost[k] - temperature * ("
        ),
    },
}
