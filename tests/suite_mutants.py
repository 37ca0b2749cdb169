"""One-line mutations of theory and solver, by group, for ``python -m tests.mutants --suite``.

Each is a file, a piece of text that stands in it exactly once, and what becomes of it.  All must be caught by a
*claim* of the validation suite; unit tests do not count here.  Those of ``KERNELS`` change machine code, and take a
minute to compile.
"""

from __future__ import annotations

from tests.mutant import Mutant
from tests.suite_mutants_flows import OF_FLOWS
from tests.suite_mutants_records import RECORDS
from tests.suite_mutants_theory import THEORY

EVALUATION, OBSERVABLES = "solver/bellman/evaluation.py", "solver/runs/observables.py"
EVIDENCE, CLAIMS = "validation/evidence.py", "validation/claims"
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
            OBSERVABLES, "scale = mdp.temperature / (1.0 - mdp.discount)", "scale = mdp.temperature"
        ),
        "left out of the dissipation": Mutant(
            OBSERVABLES, "self.reference.hard, 1.0 / (1.0 - mdp.discount)", "self.reference.hard, 1.0"
        ),
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
            EVALUATION,
            "relative_entropy_to_reference(policy, mdp.log_mass, part)",
            "relative_entropy_to_reference(policy, 0.0 * mdp.log_mass, part)",
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
        "time 2 % too large": Mutant(TRAJECTORY, "else start.time + taken.dt\n", "else start.time + 1.02 * taken.dt\n"),
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
    **THEORY,
    **OF_FLOWS,
    **RECORDS,
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
            "solver/bellman/optimum.py", "occupancy=deferred_occupancy(mdp, system),", "occupancy=mdp.rho.copy(),"
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
