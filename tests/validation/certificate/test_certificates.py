"""No certificate is violated by random problems; each is what the theorems say, number by number; and each is sharp."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.solver.random_mdps import random_policy
from tests.validation.certificate.random_runs import SCHEMES, outcome, random_mdp
from tests.variants import slow_but
from wpoflow.core.arrays import FloatArray
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import tabulated_transition
from wpoflow.solver.bellman.evaluation import evaluate, occupancy, suboptimality
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.entropy import gibbs_policy, relative_entropy_to_gibbs
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.validation.certificate.along_rho import Visits, along_rho, instantaneous_rate, later_visits
from wpoflow.validation.certificate.entropy import entropy_factor
from wpoflow.validation.certificate.instant import (
    Constants,
    Evaluated,
    Instant,
    instant_of_file,
    instant_of_problem,
)
from wpoflow.validation.certificate.statement import ALONG_RHO, Certificate, best
from wpoflow.validation.certificate.sup_norm import share_of_flow, share_of_steps, sup_norm_certificates
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.proven import ProvenBound
from wpoflow.validation.constants.spectral_gap import spectral_gap

ROUNDING = 1.0 + 1e-9
SEEDS = st.integers(0, 2**31)


def best_sup_norm(instant: Instant, discount: float, temperature: float) -> Certificate | None:
    return best(sup_norm_certificates(instant, discount, temperature))


def best_rho(instant: Instant, visits: tuple[Visits, ...], discount: float, temperature: float) -> Certificate | None:
    return best(along_rho(instant, visits, discount, temperature).certificates)


@pytest.mark.parametrize("scheme", slow_but(SCHEMES, "euler", "multistep"))
@given(SEEDS)
@settings(max_examples=4)
def test_no_certificate_is_violated(scheme: str, seed: int) -> None:
    """More of them: python -m tests.validation.certificate 10000."""
    found = outcome(seed, scheme)
    assert not found.violated, [finding.reason for finding in found.findings]


def test_a_rate_of_few_digits_is_not_taken_for_another() -> None:
    """Certified rates of 1e-321, which double precision holds to a few per cent, in a run with discount 0.99."""
    found = outcome(1232, "multistep")
    assert not found.violated, [finding.reason for finding in found.findings]


def both_instants(
    mdp: GridMDP, policy: FloatArray, optimum: Optimum, constants: Constants
) -> tuple[Instant, Evaluated]:
    """What is known of a policy by a run file and by the problem."""
    with np.errstate(all="ignore"):
        known = instant_of_problem(0.0, policy, optimum, optimum.gap_floor, constants, mdp)
        generators = Generators.of(mdp, optimum.q)
        alone = instant_of_file(0.0, policy, known.largest, known.gap, optimum, generators, constants, mdp.discount)
    return alone, known


def descending(mdp: GridMDP, generator: np.random.Generator, steps: int = 6) -> list[FloatArray]:
    """Policies along backward Euler steps of random sizes."""
    found = [mdp.initial_policy]
    for _ in range(steps):
        q = evaluate(mdp, found[-1]).q
        dt = 10.0 ** generator.uniform(-2.0, 2.0)
        found.append(WassersteinFlow(mdp).step(found[-1], q, dt, np.empty_like(q)))
    return found


@given(SEEDS)
@settings(max_examples=25)
def test_what_an_instant_knows_holds_for_all_later_policies(seed: int) -> None:
    """The drift: of p/g, of Q, of the constants; and of the values."""
    generator = np.random.default_rng(seed)
    mdp = random_mdp(generator)
    optimum = solve_optimum(mdp)
    constants = Constants.of(Generators.of(mdp, optimum.q))
    policies = descending(mdp, generator)
    values = [evaluate(mdp, policy) for policy in policies]
    for n in (0, 3):
        for instant in both_instants(mdp, policies[n], optimum, constants):
            largest = (instant.log_ratio.max(axis=1) + instant.drift)[:, None]
            for policy, later in zip(policies[n:], values[n:], strict=True):
                generators = Generators.of(mdp, later.q)
                seen = np.log(policy, where=policy > 0.0, out=np.full_like(policy, -np.inf)) - generators.log_gibbs
                assert np.all(seen <= largest + 1e-9)
                assert np.all((later.q - optimum.q) / mdp.temperature <= instant.drift[:, None] + 1e-9)
                assert np.all(later.value - optimum.value <= instant.gaps + 1e-9)
                gaps = spectral_gap(generators)
                assert np.all(instant.constants.gap.value <= gaps * ROUNDING)
                gibbs = np.exp(generators.log_gibbs)
                mean = np.sqrt(policy * gibbs).sum(axis=1)
                assert np.all(mean >= np.exp(-instant.gaps / (2.0 * mdp.temperature)) - 1e-9)


def near_optimum(mdp: GridMDP, optimum: Optimum, generator: np.random.Generator) -> FloatArray:
    """A policy whose logarithm differs from the optimal one by a random amount."""
    size = 10.0 ** generator.uniform(-3.0, 0.5)
    weights = optimum.policy * np.exp(size * generator.standard_normal(optimum.policy.shape))
    policy: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return policy


def towards_gibbs(mdp: GridMDP, policy: FloatArray, weight: float) -> FloatArray:
    """A geometric mean of a policy and the Gibbs policy of its Q: far from the optimum, near its own target."""
    target = np.empty_like(policy)
    gibbs_policy(evaluate(mdp, policy).q, mdp.log_mass, mdp.temperature, target)
    mixed = target ** (1.0 - weight) * policy**weight
    found: FloatArray = mixed / mixed.sum(axis=1, keepdims=True)
    return found


@pytest.mark.slow
def test_the_share_of_the_sup_norm_is_a_bound_and_is_not_one() -> None:
    """(I - gamma P)^-1 tau KL(p|g) over u in the state of largest u, of the flow; with P' of a step in every state."""
    ratios = []
    for seed in range(600):
        generator = np.random.default_rng(seed)
        mdp = replace(random_mdp(generator), discount=float(generator.choice([0.5, 0.9, 0.99])))
        optimum = solve_optimum(mdp)
        policy = near_optimum(mdp, optimum, generator)
        if seed % 2:
            policy = towards_gibbs(mdp, policy, generator.uniform() ** 2)
        known = evaluate(mdp, policy)
        u, divergence = suboptimality(mdp, policy, optimum.q, known.system), np.empty(mdp.states.size)
        relative_entropy_to_gibbs(policy, known.q, mdp.log_mass, mdp.temperature, divergence)
        if u.max() < 1e-12:
            continue
        reach = min(float(u.max()), float(mdp.transition.expect(u).max()))
        removed, _ = known.system.solve(mdp.temperature * divergence)
        ratio = float((removed / u.max())[np.argmax(u)])
        assert ratio >= share_of_flow(reach, mdp.discount, mdp.temperature) * (1.0 - 1e-7)
        ratios.append(ratio)
        step = WassersteinFlow(mdp).step(policy, known.q, 10.0 ** generator.uniform(-2.0, 3.0), np.empty_like(policy))
        removed, _ = evaluate(mdp, step).system.solve(mdp.temperature * divergence)
        lost = (1.0 - share_of_steps(reach, mdp.discount, mdp.temperature)) * u.max()
        assert np.all(removed >= u - lost - 1e-7 * u.max())
    assert min(ratios) < 0.7  # a share of one would be wrong


def test_shares_by_hand() -> None:
    for reach, discount, temperature in ((1e-4, 0.9, 0.3), (0.02, 0.5, 2.0)):
        root = math.sqrt(reach / (temperature * (1.0 - discount)))
        assert share_of_flow(reach, discount, temperature) == pytest.approx(
            (1.0 - discount * root / math.sqrt(8.0)) ** 2
        )
        assert share_of_steps(reach, discount, temperature) == pytest.approx(1.0 - discount * root / math.sqrt(2.0))
    assert share_of_flow(1e9, 0.9, 1.0) == pytest.approx(0.1)
    assert share_of_steps(1e9, 0.9, 1.0) == pytest.approx(0.1)


def one_instant(gap: float, spike: float = 0.0) -> Instant:
    """One state of two cells, alpha 0.1 and lambda 0.7 said to be proven; ``spike`` is p/g - 1 in the first cell."""
    gibbs = np.array([[0.5, 0.5]])
    policy = np.array([[0.5 * (1.0 + spike), 0.5 * (1.0 - spike)]])
    drift = np.array([0.9 * gap / 0.3])

    def said(value: float) -> ProvenBound:
        return ProvenBound(np.array([value]) * np.exp(-drift), ("said",), "the test")

    return Instant(
        time=0.0, policy=policy, gibbs=gibbs, log_ratio=np.log(policy / gibbs), drift=drift, gaps=np.array([gap]),
        largest=gap, gap=gap, counted=np.ones(1, dtype=np.bool_),
        reach=drift[0], along=drift[0], constants=Constants(said(0.1), said(0.7)),
    )  # fmt: skip


@pytest.mark.parametrize(("gap", "spike"), [(1e-8, 1e-3), (1e-3, 0.05), (0.02, 0.4)])
def test_a_certificate_by_hand(gap: float, spike: float) -> None:
    """2 lambda e^-drift (1 + e^(-gap/2 tau))/K((1 + spike) e^drift) share; no tails, as one cell is all."""
    gamma, tau = 0.9, 0.3
    drift = gamma * gap / tau
    log_most = math.log1p(spike) + drift
    share = max(0.1, (1.0 - gamma / math.sqrt(8.0) * math.sqrt(gap / (tau * 0.1))) ** 2)
    factor = float(entropy_factor(np.array([log_most]))[0])
    expected = 2.0 * 0.7 * math.exp(-drift) * (1.0 + math.exp(-gap / (2.0 * tau))) / factor * share
    found = best_sup_norm(one_instant(gap, spike), gamma, tau)
    assert found is not None
    assert found.rate == pytest.approx(expected, rel=1e-7)
    assert (found.level, found.beta.names) == (0.0, ("said",))


def test_alpha_is_taken_where_it_is_the_larger() -> None:
    found = best_sup_norm(one_instant(10.0, 0.99), 0.9, 0.3)
    assert found is not None
    assert found.rate == pytest.approx(2.0 * 0.1 * math.exp(-0.9 * 10.0 / 0.3) * 0.1)


def test_what_is_allowed_is_the_solution_down_to_the_level() -> None:
    beta = ProvenBound(np.asarray(0.5), ("said",), "the test")
    certificate = Certificate(ALONG_RHO, 0.0, 1.0, beta, 0.8, 0.5, 0.04, 0)
    assert [certificate.rate, certificate.level] == pytest.approx([0.8, 0.05])
    assert certificate.allowed(1.0, 2.0, steps=False) == pytest.approx(0.05 + 0.95 * math.exp(-1.6))
    assert certificate.allowed(1.0, 2.0, steps=True) == pytest.approx(0.08 + 0.92 * (1.0 - 0.5 * 2.0 / 3.0))
    assert certificate.allowed(0.01, 2.0, steps=False) == pytest.approx(0.05)


@given(SEEDS)
@settings(max_examples=25)
def test_later_occupancies_stay_below_their_bound(seed: int) -> None:
    """d f <= v f + w max f; without w, or with P* for (1 + eta) P*, it would be wrong."""
    generator = np.random.default_rng(seed)
    mdp = random_mdp(generator)
    optimum = solve_optimum(mdp)
    policy = near_optimum(mdp, optimum, generator)
    visits = occupancy(mdp, evaluate(mdp, policy).system)
    for entry in later_visits(mdp, optimum):
        spilt = np.maximum(policy - (1.0 + entry.eta) * optimum.policy, 0.0).sum(axis=1)
        reach = mdp.discount / (1.0 - mdp.discount * (1.0 + entry.eta))
        if reach * spilt.max() >= 1.0:
            continue
        wide = reach / (1.0 - reach * spilt.max()) * float(entry.bound @ spilt)
        for f in (*np.eye(len(visits)), generator.random(len(visits))):
            assert visits @ f <= (entry.bound @ f + wide * f.max()) * ROUNDING


@given(SEEDS)
@settings(max_examples=60)
def test_the_speed_of_the_gap_is_what_the_certificate_says(seed: int) -> None:
    """-d gap/dt >= rate (gap - level), at once, whatever set of states it has set apart."""
    generator = np.random.default_rng(seed)
    mdp = random_mdp(generator)
    optimum = solve_optimum(mdp)
    constants = Constants.of(Generators.of(mdp, optimum.q))
    policy = near_optimum(mdp, optimum, generator)
    alone, known = both_instants(mdp, policy, optimum, constants)
    for instant, visits in ((alone, ()), (known, later_visits(mdp, optimum))):
        if known.gap < 1e9 * optimum.gap_floor:
            continue
        with np.errstate(all="ignore"):
            issued = along_rho(instant, visits, mdp.discount, mdp.temperature).certificates
        for found in issued:
            assert known.dissipation >= found.rate * (known.gap - found.level) * (1.0 - 1e-6)


def test_rarely_visited_slow_states_are_set_apart() -> None:
    """The slow state is hardly ever visited: the rate of gap(rho) is that of the others, of the sup norm its own."""
    generator = np.random.default_rng(5)
    mdp = random_mdp(generator)
    while mdp.states.size < 3 or mdp.actions.size < 5 or mdp.actions.axes[0].periodic:
        mdp = random_mdp(generator)
    cost = np.zeros_like(mdp.cost)
    cost[0, mdp.actions.size // 2] = 25.0  # a barrier
    rho = np.full(mdp.states.size, 1e-9)
    rho[1:] = (1.0 - 1e-9) / (mdp.states.size - 1)
    stay = np.zeros((mdp.states.size, mdp.actions.size, mdp.states.size))
    stay[0, :, 0] = 1.0
    stay[1:, :, 1] = 1.0
    mdp = replace(
        mdp, cost=cost, rho=rho / rho.sum(), transition=tabulated_transition(stay), temperature=1.0, discount=0.9
    )
    optimum = solve_optimum(mdp)
    constants = Constants.of(Generators.of(mdp, optimum.q))
    policy = optimum.policy * (1.0 + 1e-4 * generator.standard_normal(optimum.policy.shape))
    policy /= policy.sum(axis=1, keepdims=True)
    _, known = both_instants(mdp, policy, optimum, constants)
    gaps = spectral_gap(Generators.of(mdp, optimum.q))
    along = best_rho(known, later_visits(mdp, optimum), mdp.discount, mdp.temperature)
    everywhere = best_sup_norm(known, mdp.discount, mdp.temperature)
    assert along is not None
    assert everywhere is not None
    assert gaps[0] < 0.1 * gaps[1:].min()
    assert (along.set_apart, everywhere.state) == (1, 0)
    assert along.rate == pytest.approx(2.0 * gaps[1:].min(), rel=1e-2)
    assert everywhere.rate == pytest.approx(2.0 * gaps[0], rel=1e-2)
    assert along.level < 1e-2 * along.now


def flat_bandit(cells: int) -> GridMDP:
    """One state, constant cost, equal cells: alpha = lambda, and every guarantee is an equality in the end."""
    generator = np.random.default_rng(1)
    mdp = random_mdp(generator)
    while mdp.states.size > 1 or mdp.actions.axes[0].periodic:
        mdp = random_mdp(generator)
    return replace(
        mdp,
        actions=Grid((uniform_axis("a", 0.0, 1.0, cells),)),
        cost=np.zeros((1, cells)),
        reference_mass=np.full(cells, 1.0 / cells),
        initial_policy=random_policy(generator, (1, cells), 1.0),
        transition=tabulated_transition(np.ones((1, cells, 1))),
        temperature=0.5,
        discount=0.9,
    )


@pytest.mark.parametrize("cells", [2, 5, 16])
def test_on_a_flat_potential_certificates_tend_to_twice_the_gap(cells: int) -> None:
    mdp = flat_bandit(cells)
    optimum = solve_optimum(mdp)
    constants = Constants.of(Generators.of(mdp, optimum.q))
    sharp = 2.0 * 2.0 * (1.0 - math.cos(math.pi / cells)) * mdp.temperature * cells**2
    policy, shares = mdp.initial_policy, []
    for _ in range(6):
        _, known = both_instants(mdp, policy, optimum, constants)
        for found in (
            best_sup_norm(known, mdp.discount, mdp.temperature),
            best_rho(known, later_visits(mdp, optimum), mdp.discount, mdp.temperature),
        ):
            if found is not None:
                assert found.rate <= sharp * ROUNDING
                shares.append(found.rate / sharp)
        instantaneous = instantaneous_rate(known, mdp.discount, mdp.temperature) * known.gap / known.dissipation
        assert instantaneous <= ROUNDING
        q = evaluate(mdp, policy).q
        policy = WassersteinFlow(mdp).step(policy, q, 2.0 / sharp, np.empty_like(policy))
        policy = WassersteinFlow(mdp).step(policy, q, 4.0 / sharp, np.empty_like(policy))
    assert shares[-1] > 0.98
    assert instantaneous > 0.98
    gibbs = np.empty_like(policy)
    gibbs_policy(optimum.q, mdp.log_mass, mdp.temperature, gibbs)
    assert gibbs == pytest.approx(np.full_like(gibbs, 1.0 / cells))
