"""One-line mutations of records, verdicts, rows and reach of certificates, and of annealing; see `suite_mutants`."""

from __future__ import annotations

from tests.mutant import Mutant

CLAIMS, CERTIFICATE = "validation/claims", "validation/certificate"
MONITOR, OBSERVABLES, RATES, ANNEALING = (
    "solver/runs/monitor.py",
    "solver/runs/observables.py",
    "validation/rates.py",
    "solver/arithmetic/annealing.py",
)
ISSUE, ALONG_RHO, REACH, NUMBERS = (
    f"{CERTIFICATE}/issue.py",
    f"{CERTIFICATE}/along_rho.py",
    f"{CERTIFICATE}/reach.py",
    "validation/case_numbers.py",
)

RECORDS: dict[str, dict[str, Mutant]] = {
    "records": {
        "least rise of V for the largest": Mutant(MONITOR, "float(rise.max()))", "float(rise.min()))"),
        "ratio of KL where it is large alone": Mutant(MONITOR, "KL_FLOOR = 1e-26", "KL_FLOOR = 1e-3"),
        "cost without the horizon": Mutant(OBSERVABLES, '"cost_rho": horizon * float', '"cost_rho": float'),
        "steps of a hundred times the accuracy": Mutant(
            "solver/schemes/error_control.py",
            "        self._accuracy = accuracy\n",
            "        self._accuracy = 100.0 * accuracy\n",
        ),
    },
    "verdicts": {
        "within a hundred tolerances": Mutant(
            "validation/finding.py", "self.excess <= self.tolerance)", "self.excess <= 100.0 * self.tolerance)"
        ),
        "nothing is empty": Mutant("validation/finding.py", "EMPTY_FROM = 1e6", "EMPTY_FROM = 1e60"),
        "rounding of steps, times a hundred": Mutant(
            "validation/evidence.py", "STEP_ROUNDINGS = 302.0", "STEP_ROUNDINGS = 30200.0"
        ),
        "rounding of sums, times ten thousand": Mutant(
            "validation/evidence.py", "ratio + 8.0 * EPS *", "ratio + 8e4 * EPS *"
        ),
    },
    "rates of steps and mixtures": {
        "theta of 2.2 alpha": Mutant(RATES, "product = 2.0 * alpha * dt", "product = 2.2 * alpha * dt"),
        "any rho, theta left out": Mutant(
            RATES, "proven(alpha) * (1.0 - discount / theta)", "proven(alpha) * (1.0 - discount)"
        ),
        "any rho, from gap(nu) itself": Mutant(
            f"{CLAIMS}/decay_any_rho.py", "float(law @ missing) / (1.0 - theta)", "float(law @ missing)"
        ),
        "mixture, exponent without 2": Mutant(
            RATES,
            "np.exp(-2.0 * (spectral_gaps - spectral_gaps.min()) * dt)",
            "np.exp(-(spectral_gaps - spectral_gaps.min()) * dt)",
        ),
        "future bound by gamma squared": Mutant(
            RATES, "np.exp(-discount * np.where(rel", "np.exp(-(discount**2) * np.where(rel"
        ),
    },
    "kappa of rows": {
        "least of the run": Mutant(
            f"{CLAIMS}/decay_weighted.py", "        1.0 / kappa,\n", "        1.0 / kappa.min(),\n"
        ),
    },
    "bounds of |Q - Q*|": {
        "fisher-rao, at tau": Mutant(
            f"{CLAIMS}/fisher_rao_bound.py",
            "np.exp(-(1.0 - mdp.discount) * mdp.temperature * elapsed)",
            "np.exp(-mdp.temperature * elapsed)",
        ),
        "fisher-rao, without the first policy": Mutant(
            f"{CLAIMS}/fisher_rao_bound.py", "+ 2.0 * mdp.temperature * apart", "+ 0.0 * mdp.temperature * apart"
        ),
        "mirror, by gamma alone": Mutant(
            f"{CLAIMS}/mirror_contraction.py",
            "factor = mdp.discount + (1.0 - mdp.discount) * kept\n",
            "factor = mdp.discount\n",
        ),
        "mirror, of two steps later": Mutant(
            f"{CLAIMS}/mirror_contraction.py", "factor ** (count - 1)", "factor ** (count + 1)"
        ),
    },
    "schedules": {
        "exponential, 1.1 times the rate": Mutant(ANNEALING, "math.exp(-grown)", "math.exp(-1.1 * grown)"),
        "logarithmic, 1.1 e": Mutant(ANNEALING, "base = math.e + rate * start", "base = 1.1 * math.e + rate * start"),
        "steps at the temperature of their start": Mutant(
            ANNEALING, "return float(self.integral(start, dt)) / dt", "return self.temperature(start)"
        ),
        "half the cost above the least": Mutant(OBSERVABLES, 'row["cost_gap"] = cost', 'row["cost_gap"] = 0.5 * cost'),
    },
    "certificates in rows": {
        "level of the sup norm zero": Mutant(
            ISSUE, "np.where(gives > rate, entry.excess / reaches, level)", "np.where(gives > rate, 0.0, level)"
        ),
        "level of gap(rho) without L": Mutant(
            ALONG_RHO, "(np.sqrt(squares) + math.sqrt(self.beyond)) ** 2", "np.sqrt(squares) ** 2"
        ),
        "share one": Mutant(ISSUE, "left = reaches - entry.excess", "left = 1.0 - entry.excess"),
        "excess left out": Mutant(ISSUE, "left = reaches - entry.excess /", "left = reaches - 0.0 * entry.excess /"),
        "from when, a row early": Mutant(NUMBERS, "int(short[-1]) + 1", "int(short[-1])"),
        "from when, a twentieth": Mutant(NUMBERS, ">= 0.5 * rate[rows]", ">= 0.05 * rate[rows]"),
    },
    "later visits": {
        "gamma for gamma'": Mutant(ALONG_RHO, "discount = mdp.discount * (1.0 + eta)", "discount = mdp.discount"),
        "nothing above (1 + eta) p*": Mutant(
            ALONG_RHO, "factor / (1.0 - lost) * float(", "0.0 * factor / (1.0 - lost) * float("
        ),
        "states set apart weigh nothing": Mutant(ALONG_RHO, "beyond = apart + wide", "beyond = 0.0 * apart + wide"),
        "later policies as p*": Mutant(REACH, "+ apart * (largest", "+ 0.0 * apart * (largest"),
        "gamma squared": Mutant(REACH, "f + gamma * mean", "f + gamma**2 * mean"),
    },
}

FIRST = {
    "schedules": (
        "bandit, annealed exponentially",
        "bandit, annealed logarithmically",
        "bandit, annealed, wasserstein",
    ),
    "bounds of |Q - Q*|": ("wrong well, Fisher–Rao", "wrong well, mirror", "bandit, fisher-rao", "bandit, mirror"),
}
"""Cases that are looked at before all else, by group."""
