"""A new flow and a new scheme are a class and a line in the registry: help, check, runs, checkpoints follow."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_run import differences
from tests.solver.test_resume import interrupting
from tests.solver.toys import HalfSpeedFlow
from tests.variants import slow
from tests.wpoflow.conftest import Call
from tests.wpoflow.conftest import call as call  # a fixture
from wpoflow import cli, options
from wpoflow.problems.load import load_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.registry import FLOWS, SCHEMES, FlowEntry, SchemeEntry
from wpoflow.solver.runs.evolve import evolve
from wpoflow.validation.finding import Verdict
from wpoflow.validation.suite import validate_run

SMALL = ("--cells", "x=12", "--cells", "u=12")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(FLOWS, "half-speed", FlowEntry("tests.solver.toys:HalfSpeedFlow"))
    monkeypatch.setitem(FLOWS, "relaxing", FlowEntry("tests.solver.toys:RelaxingFlow"))
    monkeypatch.setitem(SCHEMES, "twice", SchemeEntry("tests.solver.toys:TwiceScheme", fixed_steps=True))
    importlib.reload(options)
    importlib.reload(cli)
    yield
    monkeypatch.undo()
    importlib.reload(options)
    importlib.reload(cli)


def test_help_and_check_name_them(call: Call) -> None:
    status, out, _ = call("run", "--help")
    assert status == 0
    assert "twice" in out
    assert "half-speed" in "".join(out.split())  # wherever the line is broken
    status, out, err = call("check", "lqr", *SMALL, "--scheme", "twice", "--step", "0.1", "--flow", "relaxing")
    assert (status, err) == (0, "")
    assert 'kind = "relaxing"' in out
    assert "twice" in out
    status, _, err = call("check", "lqr", *SMALL, "--flow", "ricci")
    assert (status, err.count("\n")) == (2, 1)
    assert "'half-speed' or 'relaxing'" in err
    status, _, err = call("check", "lqr", *SMALL, "--scheme", "multistep", "--flow", "relaxing")
    assert (status, err.count("\n")) == (2, 1)
    assert "choose extrapolated, euler or twice" in err


@pytest.mark.parametrize("flow", ["half-speed", slow("relaxing")])
@pytest.mark.parametrize("control", [{"scheme": "twice", "step": 0.1}, slow({"accuracy": 1e-4})])
def test_a_run_is_resumed_and_extended_bit_for_bit(flow: str, control: dict[str, Any], tmp_path: Path) -> None:
    mdp = load_problem("lqr", cells={"x": 12, "u": 12})
    settings: dict[str, Any] = {"flow": flow, "until": {"steps": 18}, "snapshots": {"times": [0.0]}, **control}
    evolve(mdp, output=tmp_path / "whole.h5", **settings)
    evolve(mdp, output=tmp_path / "run.h5", progress=interrupting(5), **settings)
    assert resume(tmp_path / "run.h5").attributes["flow"] == flow
    assert differences(tmp_path / "whole.h5", tmp_path / "run.h5") == []
    evolve(mdp, output=tmp_path / "short.h5", **{**settings, "until": {"steps": 7}})
    resume(tmp_path / "short.h5", until={"steps": 18})
    assert differences(tmp_path / "whole.h5", tmp_path / "short.h5") == []


def test_the_dissipation_is_the_flows_own() -> None:
    """Half the speed is half the dissipation, and minus the derivative of V(rho) for either."""
    mdp = load_problem("lqr", cells={"x": 16, "u": 16})
    runs = {
        flow: evolve(mdp, until=1.0, accuracy=1e-8, flow=flow, series={"every": 0.01})
        for flow in ("wasserstein", "half-speed")
    }
    for run in runs.values():
        value, time, dissipation = (run.series[name][1:] for name in ("value_rho", "time", "dissipation"))
        central = -(value[2:] - value[:-2]) / (time[2:] - time[:-2])
        # Simpson's mean of the dissipation over the two intervals: both errors are of fourth order
        mean = (dissipation[:-2] + 4.0 * dissipation[1:-1] + dissipation[2:]) / 6.0
        np.testing.assert_allclose(central[5:], mean[5:], rtol=1e-4)
    first = [run.series["dissipation"][0] for run in runs.values()]
    assert first[1] == 0.5 * first[0]
    rates = [run.series["rate_observed"][0] for run in runs.values()]
    assert rates[1] == 0.5 * rates[0]


def test_a_step_of_ones_own_that_claims_nothing_records_nothing() -> None:
    mdp = load_problem("lqr", cells={"x": 16, "u": 16})
    half = HalfSpeedFlow(mdp)

    class Half:
        def __call__(self, p: Any, q: Any, dt: float, out: Any) -> Any:
            return half.step(p, q, dt, out)

    run = evolve(mdp, until=0.5, accuracy=1e-4, flow=Half())
    assert run.status == "complete"
    for name in ("dissipation", "rate_observed"):
        assert np.all(np.isnan(run.series[name]))
    assert math.isfinite(run.series["gap"][-1])
    findings = {finding.claim: finding for finding in validate_run(run, "half").findings}
    for claim, says in (("dissipation_identity", "it states none"), ("static_inequality", "no theorem is known")):
        assert findings[claim].verdict is Verdict.NOT_CERTIFIED
        assert says in str([hypothesis for hypothesis in findings[claim].hypotheses if not hypothesis.met])
    assert not [name for name, finding in findings.items() if finding.verdict is Verdict.FAILS]


def test_another_dissipation_than_the_flows_is_caught() -> None:
    mdp = load_problem("lqr", cells={"x": 16, "u": 16})

    class Wrong(HalfSpeedFlow):
        def dissipation(self, p: Any, q: Any) -> Any:
            return WassersteinFlow.dissipation(self, p, q)

    run = evolve(mdp, until=1.0, accuracy=1e-5, flow=Wrong(mdp))
    findings = {finding.claim: finding for finding in validate_run(run, "wrong").findings}
    assert findings["dissipation_identity"].verdict is Verdict.FAILS
