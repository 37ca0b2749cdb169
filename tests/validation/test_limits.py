"""Limits of the theory: scalings that are theorems, on small grids; and the rules by which growth is judged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import jn_zeros

from tests.validation.cases import altered, fixed
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.entropy import gibbs_policy
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.spectral_gap import spectral_gap
from wpoflow.validation.exact_cases.bandits import double_well
from wpoflow.validation.limits import LIMITS
from wpoflow.validation.limits.deterministic import WEIERSTRASS, deterministic
from wpoflow.validation.limits.discount import discount
from wpoflow.validation.limits.heavy_tails import TAILS, boxed, heavy_tails
from wpoflow.validation.limits.jump_cost import JUMP, jump_cost
from wpoflow.validation.limits.measures import agreement, certified, decay, growth, keeps_growing, linear, order
from wpoflow.validation.limits.metastability import barrier_slope, double_well_barrier, metastability
from wpoflow.validation.limits.report import write_limits
from wpoflow.validation.limits.study import Limit, Table
from wpoflow.validation.limits.unreachable import unreachable


@pytest.fixture(scope="module")
def wells() -> Limit:
    return metastability((0.2, 0.05, 0.035, 0.025), 160, (40, 80, 160), 15, 100.0)


@pytest.fixture(scope="module")
def jumps() -> Limit:
    return jump_cost((128, 256, 512), (16, 32, 64), ("one state, smooth", "one state, jump in a", "circle, jump in s"))


@pytest.fixture(scope="module")
def quiet() -> Limit:
    return deterministic((0.3, 0.0), (12, 24, 48), (1.0, 0.0), (48, 96, 192))


@pytest.fixture(scope="module")
def tails() -> Limit:
    return heavy_tails((30.0, 100.0, 300.0), 201, (51, 101, 201), (100.0, 1000.0))


@pytest.fixture(scope="module")
def horizons() -> Limit:
    return discount((0.9, 0.99, 0.999), 24, (12, 24, 48))


@pytest.fixture(scope="module")
def hidden() -> Limit:
    return unreachable((1.0, 1e-4, 0.0), 32, (8, 16, 32))


def test_the_barrier_is_the_rise_of_the_cost_from_well_to_top() -> None:
    a = np.linspace(0.0, 1.5, 1_500_001)
    cost = (a**2 - 1.0) ** 2 / 4.0 + a / 10.0
    well = int(np.argmin(np.where(a > 0.5, cost, np.inf)))
    barrier, factor = double_well_barrier()
    assert barrier == pytest.approx(cost[:well].max() - cost[well], rel=1e-9)
    top = int(np.argmax(cost[:well]))
    assert factor == pytest.approx(
        math.sqrt((3.0 * a[well] ** 2 - 1.0) * (1.0 - 3.0 * a[top] ** 2)) / (2.0 * math.pi), rel=1e-5
    )


@pytest.mark.slow
def test_spectral_gaps_fall_like_the_exponential_of_barrier_over_temperature(wells: Limit) -> None:
    table = wells.table("double well")
    slope = barrier_slope(table.column("tau")[1:], table.column("lambda")[1:])
    assert slope == pytest.approx(double_well_barrier()[0], rel=0.05)
    assert f"slope {slope:.4f}" in wells.conclusion


def test_kramers_rate_is_the_limit_at_low_temperature() -> None:
    """Relative error O(tau): small, and halved with the temperature."""
    barrier, factor = double_well_barrier()
    errors = []
    for tau in (0.01, 0.005):
        mdp = double_well(tau).grid(1000)
        rate = float(spectral_gap(Generators.of(mdp, mdp.cost))[0])
        errors.append(rate / (factor * math.exp(-barrier / tau)) - 1.0)
    assert abs(errors[0]) < 0.03
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.1)


def test_the_flow_stalls_where_the_soft_bellman_residual_does_not(wells: Limit) -> None:
    cold = wells.table("double well").rows[-1]
    assert float(cold["V(50)-V(100)"]) < 0.03 * float(cold["gap(100)"])
    # with one state gap = residual/(1 - gamma) exactly
    assert cold["residual(100)"] == pytest.approx(0.1 * float(cold["gap(100)"]), rel=1e-9)
    stuck = wells.table("pendulum").rows[-1]
    assert float(stuck["gap"]) > 0.1
    assert float(stuck["fall of V since t/2"]) < 0.01 * float(stuck["gap"])
    assert float(stuck["residual"]) > float(stuck["gap"])
    errors = wells.table("soft policy iteration").column("gap")
    assert errors[0] == pytest.approx(stuck["gap"], rel=1e-6)
    assert errors[-1] <= 1e-8
    assert len(errors) <= 4


def test_late_rates_of_the_double_well_are_sharp(wells: Limit) -> None:
    for row in wells.table("double well").rows:
        assert row["late rate"] == pytest.approx(row["2 lambda"], rel=1e-3)
        assert float(row["2 alpha"]) <= float(row["least rate"]) <= float(row["2 lambda"]) * 1.001


@pytest.mark.slow
def test_slopes_at_a_jump_double_with_half_the_cells(jumps: Limit) -> None:
    table = jumps.table("one state, jump in a")
    slopes, curvatures = table.column("q_slope_max"), table.column("q_curvature_max")
    for cells, slope in zip(table.column("cells"), slopes, strict=True):
        h = 4.0 / cells
        assert slope == pytest.approx(JUMP / h + 0.5, rel=1e-9)  # c' = a = 1/2 at the jump
    assert growth(slopes) == pytest.approx(1.0, abs=0.02)
    assert growth(curvatures) == pytest.approx(2.0, abs=0.02)
    assert {"score_max", "q_slope_max", "q_curvature_max"} <= set(jumps.growing)


def test_a_jump_costs_an_order_but_no_rate(jumps: Limit) -> None:
    orders = {str(row["problem"]): row for row in jumps.table("orders").rows}
    for quantity in ("V", "gap", "lambda"):
        assert orders["one state, smooth"][f"order of {quantity}"] == pytest.approx(2.0, abs=0.05)
        assert 0.6 < float(orders["one state, jump in a"][f"order of {quantity}"]) < 1.1
    smooth, jump = (jumps.table("rates").rows[k] for k in (0, 1))
    # Holley–Stroock: a perturbation of oscillation J changes lambda by at most exp(J/tau) either way
    assert math.exp(-JUMP / 0.5) <= float(jump["2 lambda"]) / float(smooth["2 lambda"]) <= math.exp(JUMP / 0.5)


def test_noise_hides_a_jump_in_the_state(jumps: Limit) -> None:
    row = jumps.table("growth").rows[2]
    assert row["problem"] == "circle, jump in s"
    assert all(float(row[name]) < 0.25 for name in ("score_max", "q_slope_max", "q_curvature_max"))


def test_clamping_without_noise_leaves_kinks(quiet: Limit) -> None:
    noisy, silent = quiet.table("clamped: p in").rows
    assert float(noisy["q_curvature_max"]) < 0.1
    assert silent["q_curvature_max"] == pytest.approx(1.0, abs=0.1)
    assert float(silent["q_slope_max"]) < 0.1
    assert quiet.growing == ("q_curvature_max",)


def test_an_uncontrolled_expanding_map_has_a_weierstrass_value(quiet: Limit) -> None:
    controlled, free = quiet.table("expanding: p in").rows
    assert free["slope of V in s"] == pytest.approx(WEIERSTRASS, abs=0.1)
    assert float(controlled["slope of V in s"]) < 0.1
    assert float(free["slope of Q in a"]) < 0.1


@pytest.mark.slow
def test_spectral_gaps_of_logarithmic_tails_fall_like_the_square_of_the_box(tails: Limit) -> None:
    """R^2 lambda tends to the square of the first zero of J_1."""
    scaled = tails.table("logarithmic tails: constants").column("lambda R^2")
    assert scaled[-1] == pytest.approx(float(jn_zeros(1, 1)[0]) ** 2, rel=0.01)


def test_a_box_of_any_size_has_the_gibbs_policy_of_its_reference() -> None:
    mdp = boxed(TAILS["root"], 1000.0, 101)
    optimum = solve_optimum(mdp)
    found = np.empty_like(optimum.policy)
    gibbs_policy(mdp.cost, mdp.log_mass, mdp.temperature, found)
    np.testing.assert_allclose(optimum.policy, found, rtol=1e-12)


@pytest.mark.slow
def test_before_the_box_is_felt_the_decay_is_sub_linear(tails: Limit) -> None:
    early, late = tails.table("logarithmic tails: local rate").rows
    assert late["rate t"] == pytest.approx(1.0, abs=0.2)  # gap ~ t^-(k - 1/2), k = 3/2
    assert float(late["R = 300"]) < 0.2 * float(early["R = 300"])
    root = tails.table("root tails: local rate").rows[-1]
    assert root["-d ln rate/d ln t"] == pytest.approx(2.0 / 3.0, abs=0.05)


def test_in_a_box_the_decay_ends_linear(tails: Limit) -> None:
    for row in tails.table("logarithmic tails: constants").rows:
        assert row["observed"] == pytest.approx(row["2 lambda"], rel=0.01)


def test_guarantees_collapse_with_the_horizon_and_rates_do_not(horizons: Limit) -> None:
    table = horizons.table("circle")
    sup_norm, sharp, observed = (table.column(name) for name in ("sup norm", "2 lambda", "observed"))
    assert sup_norm[-1] / sup_norm[-2] == pytest.approx(0.1, rel=0.15)
    assert sharp[-1] / sharp[-2] == pytest.approx(1.0, rel=0.15)
    np.testing.assert_allclose(observed, table.column("predicted"), rtol=5e-3)
    floors = table.column("gap floor")
    assert math.log10(floors[-1] / floors[-2]) == pytest.approx(3.0, abs=0.5)


def test_unreachable_states_are_not_certified_by_weights(hidden: Limit) -> None:
    kappa, verdicts = hidden.table("concentrability").rows, hidden.table("verdicts").rows
    assert kappa[-1]["kappa at 0"] == kappa[-1]["|d*/rho|"] == math.inf
    assert verdicts[-1]["decay_weighted"] == "not certified"
    assert verdicts[-1]["decay_paper"] == "empty"  # the theorem for another law than rho, at a rate of next to nothing
    assert [row["decay_sup_norm"] for row in verdicts] == ["holds"] * 3
    assert verdicts[0]["decay_paper"] == verdicts[0]["decay_weighted"] == "holds"
    rates = hidden.table("rates")
    paper = rates.column("paper")
    assert paper[-1] == 0.0
    assert 0.0 < paper[1] < 1e-3 * paper[0]
    assert max(rates.column("sup norm")) == pytest.approx(min(rates.column("sup norm")), rel=1e-6)
    assert rates.column("observed")[-1] == pytest.approx(rates.column("predicted")[-1], rel=1e-2)


@pytest.mark.parametrize("study", ["wells", "jumps", "quiet", "tails", "horizons", "hidden"])
def test_guaranteed_is_never_above_observed(study: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    limit: Limit = request.getfixturevalue(study)
    ratios = [float(row["ratio"]) for table in limit.tables for row in table.rows if "ratio" in row]
    assert ratios
    assert all(0.0 < ratio <= 1.0 for ratio in ratios)
    assert "never above" in limit.conclusion
    (stored,) = json.loads(write_limits([limit], tmp_path).read_text(encoding="utf-8"))["limits"]
    assert stored == json.loads(json.dumps(limit.as_dict(), allow_nan=False))
    assert stored["name"] == limit.name
    assert limit.name in LIMITS


@pytest.mark.slow
def test_studies_are_deterministic(hidden: Limit) -> None:
    assert unreachable((1.0, 1e-4, 0.0), 32, (8, 16, 32)).as_dict() == hidden.as_dict()


def test_growth_is_told_from_convergence() -> None:
    sizes = np.array([16.0, 32.0, 64.0])
    assert keeps_growing(list(sizes**0.5))
    assert keeps_growing(list(3.0 + sizes))
    assert not keeps_growing(list(5.0 - 20.0 / sizes))
    assert not keeps_growing(list(2.0 + 1.0 / sizes**2))
    assert growth([1.0, 2.0, 8.0]) == 2.0
    assert order([1.0 + 4.0**-k for k in range(3)]) == pytest.approx(2.0)
    assert math.isnan(order([1.0, 2.0, 1.5]))


def test_a_refuted_guarantee_would_be_told() -> None:
    assert "never above" in certified([0.5, 1.0])
    assert "ABOVE" in certified([0.5, 1.001])
    assert "ABOVE" in certified([math.inf, 0.5])


@pytest.mark.parametrize("ratios", [[math.nan, 0.5], [0.5, math.nan], [0.5, math.nan, 2.0]])
def test_a_ratio_that_is_no_number_is_told_wherever_it_stands(ratios: list[float]) -> None:
    assert "NOT KNOWN" in certified(ratios)
    assert "never above" not in certified(ratios)


def test_a_rate_that_is_no_number_does_not_agree_wherever_it_stands() -> None:
    assert agreement([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)
    for observed in ([math.nan, 2.0], [1.0, math.nan]):
        deviation = agreement(observed, [1.0, 2.0])
        assert math.isnan(deviation)
        assert "NOT KNOWN" in linear(deviation)


@pytest.mark.parametrize("rate", [0.0, -0.5, math.nan])
@pytest.mark.parametrize("row", [0, 2])
def test_an_observed_rate_that_is_not_positive_refutes_the_guarantee(rate: float, row: int) -> None:
    evidence = fixed("lqr", "euler", time=0.3)
    assert 0.0 < decay(evidence)["ratio"] <= 1.0
    broken = np.array(evidence.run.series["rate_observed"])
    broken[row] = rate
    ratio = decay(altered(evidence, {"rate_observed": broken}))["ratio"]
    assert ratio == math.inf
    assert "ABOVE" in certified([0.5, ratio])


def test_a_guarantee_that_is_no_number_is_told() -> None:
    evidence = fixed("lqr", "euler", time=0.3)
    broken = np.array(evidence.run.series["occupancy_ratio"])
    broken[1] = math.nan
    assert math.isnan(decay(altered(evidence, {"occupancy_ratio": broken}))["ratio"])


def test_tables_are_found_by_title() -> None:
    limit = Limit("x", "", (Table("first of all", ({"a": math.inf},)),), "", (), "", "")
    assert limit.table("first").column("a") == [math.inf]
    assert limit.as_dict()["tables"][0]["rows"] == [{"a": "inf"}]
    with pytest.raises(KeyError, match="choose among first of all"):
        limit.table("second")
