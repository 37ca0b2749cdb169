"""One-line mutations of the flows beside the Wasserstein flow, of annealing and of their claims; see `suite_mutants`.

What catches them is looked for on the small problems that the suite follows by these flows first.
"""

from __future__ import annotations

from tests.mutant import Mutant

FLOWS, CLAIMS = "solver/flows", "validation/claims"
FISHER_RAO, MIRROR, PROXIMAL, ITERATION, TRANSPORT, TEMPERED, ANNEALING = (
    f"{FLOWS}/fisher_rao.py",
    f"{FLOWS}/mirror.py",
    f"{FLOWS}/proximal.py",
    f"{FLOWS}/policy_iteration.py",
    f"{FLOWS}/wasserstein_fisher_rao.py",
    f"{FLOWS}/tempered.py",
    "solver/arithmetic/annealing.py",
)
GAUSSIAN, VELOCITY, PARTICLES = (
    f"{FLOWS}/parametric/{name}.py" for name in ("gaussian", "gaussian_velocity", "particles")
)

OF_FLOWS: dict[str, dict[str, Mutant]] = {
    "fisher-rao": {
        "decays 2 % too slowly": Mutant(
            FISHER_RAO, "self.decay = mdp.temperature", "self.decay = 0.98 * mdp.temperature"
        ),
        "dissipation 2 % too large": Mutant(
            FISHER_RAO, "return self.variance(p, q)", "return 1.02 * self.variance(p, q)"
        ),
        "late rate tau": Mutant(FISHER_RAO, "return 2.0 * temperature", "return temperature"),
        "y at 1.1 tau": Mutant(
            f"{CLAIMS}/fisher_rao_bound.py",
            "np.log(start / y)), tau * elapsed",
            "np.log(start / y)), 1.1 * tau * elapsed",
        ),
        "bound without 1 - gamma": Mutant(
            f"{CLAIMS}/fisher_rao_bound.py",
            "bound = tau * start / ((1.0 - evidence.discount) * np.expm1",
            "bound = tau * start / (np.expm1",
        ),
    },
    "mirror": {
        "weight of the flow": Mutant(MIRROR, "kept = 1.0 / (1.0 + product)", "kept = math.exp(-product)"),
        "step 2 % short": Mutant(
            MIRROR, "product = min(self.mdp.temperature * dt", "product = min(0.98 * self.mdp.temperature * dt"
        ),
        "late rate of the flow": Mutant(
            MIRROR, "return 2.0 * math.log1p(temperature * step) / step", "return 2.0 * temperature"
        ),
        "contraction by gamma alone": Mutant(
            f"{CLAIMS}/mirror_contraction.py",
            "contraction = max(mdp.discount, 1.0 / (1.0 + mdp.temperature * step.eta))",
            "contraction = mdp.discount",
        ),
    },
    "wasserstein-fisher-rao": {
        "growth left out": Mutant(TRANSPORT, "return self._growth.step(out, q, self.beta * dt, out)", "return out"),
        "beta left out of the step": Mutant(TRANSPORT, "q, self.beta * dt, out)", "q, dt, out)"),
        "beta left out of the dissipation": Mutant(
            TRANSPORT, "+ self.beta * self._growth.dissipation", "+ self._growth.dissipation"
        ),
        "beta left out of the late rate": Mutant(
            TRANSPORT, 'spectral_gap + parameters["beta"] * temperature', "spectral_gap + temperature"
        ),
    },
    "proximal": {
        "step 2 % short": Mutant(
            PROXIMAL, "self._widths, dt, mdp.temperature, out", "self._widths, 0.98 * dt, mdp.temperature, out"
        ),
        "cells 2 % narrow": Mutant(PROXIMAL, "self._widths = lines[0].widths", "self._widths = 0.98 * lines[0].widths"),
        "late rate of the flow": Mutant(
            PROXIMAL,
            'return 2.0 * math.log1p(spectral_gap * parameters["step"]) / parameters["step"]',
            "return 2.0 * spectral_gap",
        ),
        "what is moved counts fully": Mutant(
            f"{CLAIMS}/proximal_descent.py",
            "left = (tau * after + moved / (2.0 * eta))",
            "left = (tau * after + moved / (0.5 * eta))",
        ),
    },
    "policy-iteration": {
        "at 1.02 of the temperature": Mutant(
            ITERATION,
            "self.mdp.log_mass, self.mdp.temperature, out",
            "self.mdp.log_mass, 1.02 * self.mdp.temperature, out",
        ),
        "halfway": Mutant(ITERATION, "        return out\n", "        out[:] = 0.5 * (p + out)\n        return out\n"),
        "contraction by the square of gamma": Mutant(
            f"{CLAIMS}/iteration_contraction.py",
            "evidence.discount ** np.diff(time)",
            "evidence.discount ** (2.0 * np.diff(time))",
        ),
    },
    "anneal": {
        "steps at the first temperature": Mutant(
            TEMPERED,
            "temperature, length = self.annealing.decaying(time, dt)",
            "temperature, length = self._mdp.temperature, dt",
        ),
        "steps at the temperature of their end": Mutant(
            TEMPERED,
            "temperature, length = self.annealing.decaying(time, dt)",
            "temperature, length = self.annealing.temperature(time + dt), dt",
        ),
        "rate 2 % too large": Mutant(ANNEALING, "grown = self.rate * time", "grown = 1.02 * self.rate * time"),
        "weights without e^-A": Mutant(
            ANNEALING, "WEIGHTS * np.exp(-np.minimum(", "WEIGHTS * np.exp(-0.0 * np.minimum("
        ),
        "bound of the cost with B squared": Mutant(
            f"{CLAIMS}/annealed_cost.py", "/ ((1.0 - mdp.discount) * grown)", "/ ((1.0 - mdp.discount) * grown**2)"
        ),
    },
    "gaussian": {
        "force at 1.02 of the temperature": Mutant(
            GAUSSIAN, "mdp.temperature if self.entropy else 0.0", "1.02 * mdp.temperature if self.entropy else 0.0"
        ),
        "dissipation 2 % too large": Mutant(
            GAUSSIAN,
            "else self._moved(parameters, q, np.empty_like(parameters))",
            "else 1.02 * self._moved(parameters, q, np.empty_like(parameters))",
        ),
        "means 2 % too fast": Mutant(
            VELOCITY,
            "mean[j] += weighted * margins[1, here] / deviation",
            "mean[j] += 1.02 * weighted * margins[1, here] / deviation",
        ),
        "variances 2 % too slow": Mutant(
            VELOCITY, "out[place] = -2.0 * gradient[j, j]", "out[place] = -1.96 * gradient[j, j]"
        ),
        "beta left out of the weights": Mutant(
            VELOCITY, "out[members * size + c] = -beta * advantage", "out[members * size + c] = -advantage"
        ),
        "covariances stored 2 % too large": Mutant(
            f"{FLOWS}/parametric/moments.py", "covariance = (0.5 * (product", "covariance = (0.51 * (product"
        ),
        "contraction by 2.2 kappa": Mutant(
            f"{CLAIMS}/gaussian_contraction.py",
            "(2.0 * curvature * costs)[judged]",
            "(2.2 * curvature * costs)[judged]",
        ),
        "late rate of 2.1 lambda": Mutant(
            f"{CLAIMS}/gaussian_late.py", "rate = 2.0 * float(rates[slowest])", "rate = 2.1 * float(rates[slowest])"
        ),
        "late, 0.95 of the local rate": Mutant(
            f"{CLAIMS}/gaussian_late.py",
            'float(series["dissipation"][a] / value[a])',
            '0.95 * float(series["dissipation"][a] / value[a])',
        ),
    },
    "particles": {
        "reference left out of the slope": Mutant(
            PARTICLES, "-mdp.temperature * mdp.log_reference_density", "-0.0 * mdp.log_reference_density"
        ),
        "numbers of the step before": Mutant(PARTICLES, "number + 1,  # zero", "number,  # zero"),
        "all states with the same numbers": Mutant(PARTICLES, 'return self.noise == "shared"', "return True"),
        "kernel 2 % too wide": Mutant(
            PARTICLES, "_smoothing(axis, self.bandwidth)", "_smoothing(axis, 1.02 * self.bandwidth)"
        ),
        "bias of whole particles": Mutant(
            PARTICLES, "np.array([[2.0, 1.0], [1.0, 2.0]])", "np.array([[3.0, 0.0], [0.0, 3.0]])"
        ),
        "noise 1 % too small": Mutant(
            f"{FLOWS}/parametric/particle_moves.py",
            "scale = math.sqrt(2.0 * temperature * dt)",
            "scale = 0.99 * math.sqrt(2.0 * temperature * dt)",
        ),
        "counted at the nearest centre": Mutant(
            f"{FLOWS}/parametric/particle_counts.py",
            "        share = max(0.0, min(1.0, share))\n",
            "        share = 1.0 if share > 0.5 else 0.0\n",
        ),
        "variance of the law at half the noise": Mutant(
            f"{CLAIMS}/particle_law.py",
            "* variance + 2.0 * exact.temperature * dt",
            "* variance + exact.temperature * dt",
        ),
    },
    "rates of later rows": {
        "share not squared": Mutant(
            "validation/certificate/along_rho.py",
            "np.maximum(1.0 - np.sqrt(squares / gap), 0.0) ** 2",
            "np.maximum(1.0 - np.sqrt(squares / gap), 0.0)",
        ),
        "states set apart forgotten": Mutant("validation/certificate/along_rho.py", "** 2 - self.beyond / gap", "** 2"),
        "b^2 half as large": Mutant(
            "validation/certificate/along_rho.py",
            "(8.0 * (1.0 - discount) * temperature) * ENLARGED",
            "(16.0 * (1.0 - discount) * temperature) * ENLARGED",
        ),
        "weight one": Mutant("validation/certificate/along_rho.py", "own = self.weight * (discount", "own = (discount"),
        "1.1 times beta": Mutant(
            "validation/certificate/along_rho.py",
            "2.0 * float(proven(self.beta)) * share)",
            "2.2 * float(proven(self.beta)) * share)",
        ),
    },
}

FIRST = {
    **{flow: (f"bandit, {flow}", f"lqr, {flow}") for flow in list(OF_FLOWS)[1:4]},
    "fisher-rao": ("bandit, fisher-rao", "lqr, fisher-rao", "starved cell"),
    "policy-iteration": ("bandit, policy-iteration", "lqr, policy-iteration", "staircase"),
    "anneal": ("lqr, annealed",),
    "gaussian": ("lqr, one Gaussian", "bandit, one Gaussian", "bandit, gaussian", "gaussian_law"),
    "particles": ("lqr, particles", "particle_law"),
    "rates of later rows": ("flat path", "barrier"),
}
"""Cases that are looked at before all else, by group."""
