"""Every flow from the command line: run, check, info, resume, and what validation may say of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.same_run import differences
from tests.variants import slow, slow_but
from tests.wpoflow.conftest import Call, check_refusal
from wpoflow.problems.load import load_problem
from wpoflow.solver.flows.flow import flow_class
from wpoflow.solver.flows.wasserstein_fisher_rao import WassersteinFisherRaoFlow
from wpoflow.solver.registry import FLOWS, own_step_flows
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.writer import open_run
from wpoflow.studies.refinement.problem_study import refine
from wpoflow.validation.finding import Verdict
from wpoflow.validation.suite import LEVELS, validate_problem, validate_run

SMALL = ["lqr", "--cells", "x=12", "--cells", "u=12"]
OF_TRANSPORT = ("static_inequality", "decay_weighted", "decay_sup_norm", "decay_paper", "certificate", "kl_contraction")
OWN = {
    "fisher-rao": {"fisher_rao_identity", "fisher_rao_bound", "measured_contraction"},
    "gaussian": {"gaussian_dissipation", "dissipation_identity"},
    "particles": {"particle_steps"},
    "policy-iteration": {"iteration_contraction"},
    "mirror": {"mirror_identity", "mirror_contraction", "measured_contraction"},
    "proximal": {"proximal_descent", "proximal_late", "measured_contraction"},
    "wasserstein-fisher-rao": set(OF_TRANSPORT),
}
"""Claims that are theorems of a flow."""
OF_P = {"gaussian": {"trajectory"}, "particles": {"trajectory", "pointwise_descent"}}
APPLYING = {"structure", "recomputed", "trajectory", "identities", "pointwise_descent"}


def control(name: str) -> list[str]:
    own = [word for key, value in FLOWS[name].required.items() for word in ("--set", f"flow.{key}={value}")]
    return ["--step", str(FLOWS[name].step or 0.25), *own] if name in own_step_flows() else own


@pytest.mark.parametrize("name", slow_but(FLOWS, "fisher-rao", "mirror", "particles", "wasserstein"))
def test_every_flow_runs_and_says_so(call: Call, name: str) -> None:
    status, out, err = call("check", *SMALL, "--flow", name, *control(name))
    assert (status, err) == (0, "")
    assert any(line.split()[:2] in (["flow", name], ["flow", f"{name},"]) for line in out.splitlines())
    status, out, err = call("run", *SMALL, "--flow", name, *control(name), "--until", "1.0", "-o", "a.h5")
    assert (status, err) == (0, "")
    run = open_run("a.h5")
    assert run.attributes["flow"] == name
    assert np.all(np.diff(run.series["gap"]) < 0.0) or not flow_class(name).descends
    assert run.series["mass_error"].max() < 1e-13
    found = json.loads(str(run.attributes["flow_parameters"]))
    step = {"step": float(control(name)[1])} if name in own_step_flows() else {}
    assert found == {**FLOWS[name].parameters, **FLOWS[name].required, **step}
    assert name in out
    status, out, _ = call("info", "a.h5")
    assert name in out


def test_the_weight_reaches_the_flow_and_a_longer_run(call: Call) -> None:
    """Also through the file, when the run is extended; and as an object in Python."""
    how = ["--flow", "wasserstein-fisher-rao", "--set", "flow.beta=3.0", "--step", "0.125"]
    assert call("run", *SMALL, *how, "--until", "2.0", "-o", "whole.h5", "--quiet")[0] == 0
    assert call("run", *SMALL, *how, "--until", "1.0", "-o", "part.h5", "--quiet")[0] == 0
    assert call("resume", "part.h5", "--until", "2.0", "--quiet")[0] == 0
    whole, part = open_run("whole.h5"), open_run("part.h5")
    assert json.loads(str(part.attributes["flow_parameters"])) == {"beta": 3.0}
    np.testing.assert_array_equal(whole.policy, part.policy)
    mdp = load_problem("lqr", cells={"x": 12, "u": 12})
    same = evolve(mdp, until=2.0, flow=WassersteinFisherRaoFlow(mdp, beta=3.0), step=0.125)
    other = evolve(mdp, until=2.0, flow="wasserstein-fisher-rao", step=0.125)
    np.testing.assert_array_equal(same.policy, whole.policy)
    assert same.attributes["flow_parameters"] == whole.attributes["flow_parameters"]
    assert np.abs(other.policy - whole.policy).max() > 1e-3


@pytest.mark.parametrize("name", [slow("fisher-rao"), "mirror"])
def test_a_run_of_logarithms_that_is_extended_is_the_longer_run(call: Call, name: str) -> None:
    how = ["--flow", name, "--step", "0.25"]
    assert call("run", *SMALL, *how, "--until", "3.0", "-o", "whole.h5", "--quiet")[0] == 0
    assert call("run", *SMALL, *how, "--until", "1.5", "-o", "part.h5", "--quiet")[0] == 0
    assert call("resume", "part.h5", "--until", "3.0", "--quiet")[0] == 0
    np.testing.assert_array_equal(open_run("whole.h5").policy, open_run("part.h5").policy)
    assert not [name for name in differences(Path("whole.h5"), Path("part.h5")) if name.startswith("optimum")]


@pytest.mark.parametrize("components", [slow(1), 2])
def test_a_run_of_gaussians_that_is_extended_is_the_longer_run(call: Call, components: int) -> None:
    """Its parameters, too: those of snapshots before and after the first end."""
    own = ["--flow", "gaussian", "--set", f"flow.components={components}", "--step", "0.125"]
    how = ["run", *SMALL, *own, "--set", "record.snapshots.times=[0.0, 0.5, 1.5]", "--quiet"]
    assert call(*how, "--until", "2.0", "-o", "whole.h5")[0] == 0
    assert call(*how, "--until", "1.0", "-o", "part.h5")[0] == 0
    assert call("resume", "part.h5", "--until", "2.0", "--quiet")[0] == 0
    whole, part = open_run("whole.h5").snapshots, open_run("part.h5").snapshots
    assert whole is not None
    assert part is not None
    assert whole.parameters == part.parameters
    for name in whole.parameters:
        np.testing.assert_array_equal(whole.parameter(name)[-1], part.parameter(name)[-1])
        np.testing.assert_array_equal(whole.parameter(name)[0], part.parameter(name)[0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--flow", "mirror"], "lqr (gallery): flow.step: must be given: the step of mirror belongs to the algorithm"),
        (
            ["--flow", "mirror", "--step", "0.1", "--scheme", "euler"],
            "--scheme: is not a key of mirror: its step belongs",
        ),
        (
            ["--flow", "fisher-rao", "--set", "flow.beta=2.0"],
            "--set flow.beta: is not a key of fisher-rao: choose among",
        ),
        (
            ["--flow", "fisher-rao", "--scheme", "multistep"],
            "--scheme 'multistep' is for flows with a generator; choose ",
        ),
        (["--flow", "fisher-rao", "--scheme", "extrapolated"], "choose adams or euler"),
        (["--scheme", "adams"], "--scheme 'adams' is for continuous flows of logarithms; choose multistep"),
        (
            ["--flow", "wfr"],
            "--flow: 'wfr' is not a choice; choose 'wasserstein', 'fisher-rao', 'mirror', 'policy-iteration', ",
        ),
    ],
)
def test_what_a_flow_does_not_take_is_refused_in_one_line(call: Call, arguments: list[str], says: str) -> None:
    check_refusal(call, ["run", *SMALL, *arguments], 2, says)


@pytest.mark.parametrize(
    "name",
    slow_but(
        (name for name in FLOWS if name != "wasserstein"),
        "fisher-rao",
        "mirror",
        "particles",
        "policy-iteration",
        "proximal",
    ),
)
def test_every_flow_is_held_to_its_own_theorems_and_to_no_others(name: str) -> None:
    """Of a run file, and of the problem, where steps are tried; what is not a theorem of the flow says why."""
    given = {"flow.kind": f'"{name}"'} | (
        {"flow.step": str(FLOWS[name].step or 0.5)} if name in own_step_flows() else {}
    )
    given |= {f"flow.{key}": str(value) for key, value in FLOWS[name].required.items()}
    changes = {**given, "flow.until": "{ gap = 1e-6, time = 40 }"}
    evidence = []
    result = validate_problem(
        "lqr", LEVELS["quick"], cells={"x": 10, "u": 10}, set=changes, watch=lambda seen: evidence.append(seen)
    )
    from_file = validate_run(evidence[0].run, "run")
    for found in (*result.findings, *from_file.findings):
        assert found.verdict is not Verdict.FAILS, found
        if found.claim in {*OF_TRANSPORT, "late_mixture", "sharp_certificate"} - OWN[name]:
            assert found.verdict is Verdict.NOT_CERTIFIED
            assert found.reason.partition(": ")[2].startswith(f"{name} ")
            assert not found.applies
    verdicts = {found.claim: found.verdict for found in result.findings}
    # steps of parameters are not those of p
    assert {verdicts[claim] for claim in OWN[name] | APPLYING - OF_P.get(name, set())} == {Verdict.HOLDS}
    unknown = ("proximal", "policy-iteration", "gaussian", "particles")
    assert verdicts.get("late_rate") is (Verdict.NOT_CERTIFIED if name in unknown else Verdict.HOLDS)
    named = {claim for other in OWN for claim in OWN[other] if claim not in (*OF_TRANSPORT, "dissipation_identity")}
    assert named & set(verdicts) == OWN[name] & named


def test_no_rate_is_guaranteed_that_is_of_another_flow() -> None:
    """Late rates are the flows' own, and what is observed comes to them; guarantees are those that hold."""
    # of which one converges quadratically in the end, one to a limit of its own, and one never comes to rest
    for name in FLOWS.keys() - {"policy-iteration", "gaussian", "particles"}:
        # fluxes and W2 have the same spectral gap on fine cells only
        mdp = load_problem("lqr", cells={"x": 12, "u": 48 if name == "proximal" else 12})
        control = {"step": 0.5} if name in own_step_flows() else {"accuracy": 1e-6}
        run = evolve(mdp, until={"gap": 1e-13}, flow=name, **control, series={"every": 0.5})  # type: ignore[arg-type]
        rates = validate_run(run, name, only=["structure"]).cases[name]["rates"]
        late = -np.diff(np.log(run.series["gap"]))[-4:-2] / 0.5
        np.testing.assert_allclose(late, rates["sharp"], rtol=0.05)
        transports = name in ("wasserstein", "wasserstein-fisher-rao")
        assert (rates["guaranteed"][-1] > 0.0) == transports
        assert (rates["paper"][-1] > 0.0) == transports
        if transports:
            assert rates["guaranteed"][-1] <= late[-1]


def test_a_first_policy_without_mass_somewhere_is_told_where_it_stays_so(call: Call) -> None:
    narrow = ["--set", "initial.policy_density='exp(-(u/0.01)**2)'"]
    status, _, err = call("check", *SMALL, *narrow, "--flow", "fisher-rao")
    assert status == 0
    assert "warning: initial.policy_density has no mass in 120 of 144 cells, as in x = -4, u = -3.6" in err
    assert "fisher-rao never gives any to a cell that has none" in err
    assert call("check", *SMALL, *narrow, "--flow", "wasserstein-fisher-rao")[2] == ""
    assert call("check", *SMALL, *narrow)[2] == ""


ANNEALED = ["--flow", "fisher-rao", "--set", 'flow.anneal={ schedule = "harmonic", rate = 0.5 }', "--accuracy", "1e-4"]


@pytest.mark.slow
def test_an_annealed_run_says_so_is_gone_on_with_and_validated(call: Call) -> None:
    status, out, err = call("check", *SMALL, *ANNEALED)
    assert (status, err) == (0, "")
    assert "falls, harmonic at the rate 0.5" in out
    status, out, err = call("run", *SMALL, *ANNEALED, "--until", "2.0", "-o", "whole.h5")
    assert (status, err) == (0, "")
    assert "cost gap" in out
    assert call("run", *SMALL, *ANNEALED, "--until", "0.5", "-o", "part.h5", "--quiet")[0] == 0
    assert call("resume", "part.h5", "--until", "2.0", "--quiet")[0] == 0
    whole, part = open_run("whole.h5"), open_run("part.h5")
    np.testing.assert_array_equal(whole.policy, part.policy)
    assert json.loads(str(part.attributes["flow_parameters"])) == {"anneal": {"schedule": "harmonic", "rate": 0.5}}
    np.testing.assert_allclose(whole.series["temperature"], 0.2 / (1.0 + 0.5 * whole.series["time"]), rtol=1e-15)
    assert np.all(np.diff(whole.series["value_rho"]) < 0.0)
    assert np.all(whole.series["cost_gap"] > 0.0)
    assert call("validate", "whole.h5")[0] == 0
    assert call("info", "whole.h5", "--json")[0] == 0


def test_a_temperature_that_would_vanish_is_refused_before_anything_is_run(call: Call) -> None:
    cooled = 'flow.anneal={ schedule = "exponential", rate = 30.0 }'
    check_refusal(
        call,
        ["run", *SMALL, "--set", cooled, "--until", "50"],
        2,
        "lqr (gallery): flow.anneal: at flow time 50 the temp",
    )


def test_a_refined_problem_is_annealed_as_its_file_says() -> None:
    changes = {"flow.kind": '"fisher-rao"', "flow.anneal": '{ schedule = "harmonic", rate = 2.0 }'}
    how = {"times": [1.0], "directions": ["time"], "step": 0.25, "cells": {"x": 16, "u": 16}}
    values = [
        refine("lqr", 3, set=given, **how).find("time", "value_rho").values[-1]  # type: ignore[arg-type]
        for given in (changes, {"flow.kind": '"fisher-rao"'})
    ]
    mdp = load_problem("lqr", cells={"x": 9, "u": 8})  # the middle one of three grids
    exact = evolve(mdp, until=1.0, flow="fisher-rao", anneal={"schedule": "harmonic", "rate": 2.0})
    assert abs(values[0] - exact.series["value_rho"][-1]) < 1e-2
    assert abs(values[1] - values[0]) > 0.1


def test_the_command_says_why_a_circle_will_not_do(call: Call) -> None:
    status, _, error = call("run", "torus", "--flow", "proximal", "--step", "0.1", "-o", "run.h5")
    assert status == 2
    said = "needs an action axis with boundary 'no-flux' or 'clamp'; a is 'periodic'"
    others = "choose wasserstein, fisher-rao, mirror, policy-iteration, particles or wasserstein-fisher-rao"
    assert error == f"wpoflow: --flow 'proximal' {said}; {others}\n"
