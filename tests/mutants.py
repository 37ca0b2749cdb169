"""Break the solver on purpose, one line at a time, and see which test, or which claim, notices.

    python -m tests.mutants [NAME ...]
    python -m tests.mutants --suite [--untried] [--jobs N] [GROUP ...]

Each mutant is a copy of the sources with one textual change; the solver's tests run on it until the first
failure.  Prints a table and exits 1 if a mutant survives.  Takes about a minute for each mutant, most of it
compilation.

With ``--suite`` the mutants are those of `tests.suite_mutants`, of theory and solver, and what must catch them are
claims of the validation suite, not tests; what caught each is written to ``docs/mutants.md``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutant import Mutant, copy_tree
from tests.suite_mutants_run import run

NAMES = (
    "theorems",
    "tridiagonal",
    "backward_differentiation",
    "exponential",
    "flux_limiter",
    "discounted_system",
    "observables",
    "evolve",
    "integrator",
    "toys",
    "relatives",
    "adams",
    "proximal",
)
TESTS = (*(f"tests/solver/test_{name}.py" for name in NAMES), "tests/convergence/test_time.py")


FLUX, LINE, SWEEP = "solver/flux/scharfetter_gummel.py", "solver/flux/sweep_circle.py", "solver/flux/sweep_path.py"
FORMULA = "solver/schemes/backward_differentiation.py"
MUTANTS = {
    "flipped flux sign": Mutant(
        SWEEP, "(cells[after + j] - cells[row + j]) * inv", "(cells[row + j] - cells[after + j]) * inv"
    ),
    "flipped flux sign on circles": Mutant(
        FLUX, "z = (q[after, j] - q[k, j]) * inv", "z = (q[k, j] - q[after, j]) * inv"
    ),
    "factor two in the diffusion": Mutant(
        SWEEP,
        "ends = factor / widths[k], factor / widths[k + 1]",
        "ends = 2.0 * factor / widths[k], 2.0 * factor / widths[k + 1]",
    ),
    "cell volume for width in 2-D": Mutant(
        "solver/flows/wasserstein.py",
        "self._axes = [(a.widths, ",
        "self._axes = [(mdp.actions.volumes[:: a.size][0] + 0.0 * a.widths, ",
    ),
    "shifted index": Mutant(
        SWEEP, "ends = factor / widths[k], factor / widths[k + 1]", "ends = factor / widths[k], factor / widths[k]"
    ),
    "shifted index on circles": Mutant(
        FLUX,
        "backward_factor = factor / widths[k], factor / widths[after]",
        "backward_factor = factor / widths[k], factor / widths[k]",
    ),
    "wrong boundary face": Mutant(
        LINE, "(carry[surplus, j] + right[k, j] + left[last, j])", "(carry[surplus, j] + right[k, j] + right[last, j])"
    ),
    "Q not refreshed": Mutant(
        "solver/schemes/substeps.py",
        "self._step(out, q, dt / count, out, logs",
        "self._step(out, evaluation.q, dt / count, out, logs",
    ),
    "entropy sign": Mutant("solver/entropy.py", "(cost[k] + temperature * (", "(cost[k] - temperature * ("),
    "Bernoulli functions exchanged": Mutant(
        "solver/flux/bernoulli.py",
        "return (small if z > 0.0 else size), (size if z > 0.0 else small), rest",
        "return (size if z > 0.0 else small), (small if z > 0.0 else size), rest",
    ),
    "plain elimination": Mutant(
        SWEEP,
        "cells[after + SURPLUS + j] = 1.0 + ratio * surplus",
        "cells[after + SURPLUS + j] = 1.0 + left / denominator - ratio * right / denominator",
    ),
    "discount left out of Q": Mutant(
        "solver/bellman/evaluation.py", "expect(mdp.discount * value, out)", "expect(value, out)"
    ),
    "limiter the wrong way": Mutant(
        "solver/flux/limiter.py", "share = (1.0 + KEPT * scale)", "share = (1.0 - KEPT * scale)"
    ),
    "extrapolation weights": Mutant("solver/schemes/extrapolated.py", "[j / (j - other)", "[other / (j - other)"),
    "slope of the wrong sign": Mutant(
        FORMULA, "return c, prediction_weights(past, time) - c *", "return c, prediction_weights(past, time) + c *"
    ),
    "error constant without the defect": Mutant(FORMULA, "max(abs(spread - leading), interpolation)", "interpolation"),
    "residues not doubled": Mutant(
        "solver/flux/resolvent.py",
        "n, poles[j], residues[j], companion[j]",
        "n, poles[j], 0.5 * residues[j], companion[j]",
    ),
    "undiscounted products": Mutant(
        "solver/bellman/gmres_kernels.py", "out[i] = x[i] - discount * out[i]", "out[i] = x[i] - out[i]"
    ),
    "weights of another past": Mutant(
        "solver/schemes/history.py", "fourth = slots[3] if slots.size > 3", "fourth = slots[2] if slots.size > 3"
    ),
    "end faces in the slopes": Mutant(
        "solver/runs/monitor_kernels.py", "if faces == n or k > 0:", "if faces == n or k > 1:"
    ),
    "descent not checked": Mutant(
        "solver/schemes/integrator.py", "return trial, not descends(mdp, before, after)", "return trial, False"
    ),
    "multistep not checked": Mutant(
        "solver/schemes/multistep.py", "    automatic = True\n", "    automatic = monotone = True\n"
    ),
    "extrapolated not checked": Mutant(
        "solver/schemes/extrapolated.py", "    automatic = True\n", "    automatic = monotone = True\n"
    ),
    "dissipation of another flow": Mutant(
        "solver/runs/observables.py",
        "lost = self._flow.dissipation(policy, evaluation.q)",
        "from wpoflow.solver.flows.wasserstein import WassersteinFlow as W; "
        "lost = W(mdp).dissipation(policy, evaluation.q)",
    ),
    "twice the mixture": Mutant(
        "solver/flows/fisher_rao.py",
        "return max(math.exp(-self.decay * dt)",
        "return max(math.exp(-2.0 * self.decay * dt)",
    ),
    "mirror step of the flow": Mutant(
        "solver/flows/mirror.py", "kept = 1.0 / (1.0 + product)", "kept = math.exp(-product)"
    ),
    "reference measure left out": Mutant(
        "solver/flows/mixture_kernels.py", "share * (log_mass[k] - (q[k]", "share * (-(q[k]"
    ),
    "half the proximal step": Mutant(
        "solver/flux/proximal.py",
        "inverse_step * (h * at_left + passed)",
        "2.0 * inverse_step * (h * at_left + passed)",
    ),
    "transport of the other end": Mutant(
        "solver/flux/proximal.py",
        "excess_before, passed = excess, h * at_right",
        "excess_before, passed = excess, h * at_left",
    ),
    "mass that is locked": Mutant(
        "solver/flux/transport.py",
        "gone, here, there = moved[edge], new_left[edge], new_right[edge]",
        "gone, here, there = moved[edge], new_left[edge], new_right[edge]\n"
        "        gone = gone if abs(gone) > 1e-3 * p[edge] else 0.0",
    ),
    "variance of another centre": Mutant(
        "solver/flows/mixture_kernels.py", "max(second - first * first, 0.0)", "second + first * first + mean"
    ),
    "growth left out": Mutant(
        "solver/flows/wasserstein_fisher_rao.py",
        "return self._growth.step(out, q, self.beta * dt, out)",
        "return out",
    ),
    "growth at its own weight": Mutant(
        "solver/flows/wasserstein_fisher_rao.py", "q, self.beta * dt, out)", "q, dt, out)"
    ),
    "logarithms of probabilities": Mutant(
        "solver/schemes/euler.py",
        "return LogState(policy, evaluation, size, log_of(policy))",
        "return LogState(policy, evaluation, size, log_of(policy) + 1e-9)",
    ),
    "V frozen over the step": Mutant(
        "solver/schemes/adams.py",
        "average, guess = formula.of(history, used)",
        "average, guess = formula.of(history, 0)",
    ),
    "weight that does not decay": Mutant(
        "solver/arithmetic/decaying_average.py", "WEIGHTS * np.exp(-z * (1.0 - NODES))", "WEIGHTS * np.exp(0.0 * NODES)"
    ),
    "adams not checked": Mutant(
        "solver/schemes/adams.py", "    automatic = True\n", "    automatic = monotone = True\n"
    ),
    "past not kept": Mutant("solver/runs/conduct.py", "part_of(last.arrays, OF_FLOW)", "None"),
    "occupancy not transposed": Mutant(
        "solver/bellman/evaluation.py",
        "d, _ = system.solve_transposed(source, guess)",
        "d, _ = system.solve(source, guess)",
    ),
}


def killer(mutant: Mutant) -> str:
    """Name of the first test that fails on the mutant; empty if none does."""
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_tree(Path(folder) / "tree")
        path = copy / mutant.file
        path.write_text(mutant.applied(path.read_text(encoding="utf-8")), encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": str(copy),
            "HYPOTHESIS_PROFILE": "unshrunk",
            "XDG_CACHE_HOME": str(Path(folder) / "cache"),
        }
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            return ""
        found = re.search(r"^(?:FAILED|ERROR) \S*?(test_\S+)", done.stdout, re.MULTILINE)
        return found.group(1) if found else f"exit {done.returncode}"


def main(names: list[str]) -> int:
    """Print the table; 1 if a mutant survives."""
    survived = 0
    for name in names or MUTANTS:
        by = killer(MUTANTS[name])
        survived += not by
        print(f"{name:32s}{by or 'SURVIVED'}", flush=True)
    return int(survived > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these mutants, or groups of them")
    parser.add_argument("--suite", action="store_true", help="mutants that claims of the validation suite must catch")
    parser.add_argument("--jobs", type=int, default=2, help="copies of the sources that are tried at once")
    parser.add_argument("--untried", action="store_true", help="of the suite's mutants those that no claim has caught")
    options = parser.parse_args()
    if options.suite:
        raise SystemExit(int(run(options.names, options.jobs, options.untried) > 0))
    raise SystemExit(main(options.names))
