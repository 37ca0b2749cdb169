"""Runs of particles: their files, gone on with, extended, from the same seed or another; what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.same_run import differences
from tests.variants import slow
from wpoflow.problems.errors import ProblemError
from wpoflow.problems.load import read_statement
from wpoflow.problems.memory import PARAMETER_ARRAYS, estimate
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.flows.parametric.particles import ParticleFlow
from wpoflow.solver.runs.resume import resume_run

CELLS = {"x": 8, "u": 10}
KEYS = {"flow.kind": '"particles"', "flow.step": "0.05", "flow.particles": "30", "flow.seed": "9"}


def particles(**how: Any) -> wpo.Run:
    mdp = wpo.load_problem("lqr", cells=CELLS)
    flow: dict[str, Any] = {"particles": 30, "seed": 9}
    flow |= {key: how.pop(key) for key in ("seed", "noise", "bandwidth") if key in how}
    return wpo.evolve(mdp, flow=ParticleFlow(mdp, **flow), step=0.05, **{"until": 1.0, **how})


def test_a_file_holds_what_the_run_did(tmp_path: Path) -> None:
    run = particles(output=tmp_path / "run.h5", snapshots=[0.0, 0.5, 1.0])
    found = wpo.open_run(tmp_path / "run.h5")
    assert found.snapshots is not None
    assert run.snapshots is not None
    assert found.snapshots.parameter("particles").shape == (3, 8, 30, 1)
    for name in ("particles", "policy_mean", "policy_covariance"):
        np.testing.assert_array_equal(found.snapshots.parameter(name), run.snapshots.parameter(name))
    tree = found.to_xarray()
    assert tree["snapshot/particles"].dims == ("snapshot_time", "x", "particle", "component")
    assert np.isnan(found.series["dissipation"]).all()
    assert "30 particles" in str(found.attributes["remark"])


@pytest.mark.parametrize("noise", [slow("independent"), "shared"])
def test_extended_it_is_the_longer_run(tmp_path: Path, noise: str) -> None:
    """Bit for bit, particles included."""
    for name, until in (("long.h5", 1.0), ("short.h5", 0.6)):
        mdp = wpo.load_problem("lqr", cells=CELLS, set={**KEYS, "flow.noise": f'"{noise}"'})
        flow = ParticleFlow(mdp, particles=30, seed=9, noise=noise)
        times = [0.0, 0.3, until]
        wpo.evolve(
            mdp, flow=flow, step=0.05, until=until, series={"every": 0.1}, snapshots=times, output=tmp_path / name
        )
    wpo.resume(tmp_path / "short.h5", until=1.0)
    short, long = (wpo.open_run(tmp_path / name) for name in ("short.h5", "long.h5"))
    assert short.snapshots is not None
    assert long.snapshots is not None
    for name in ("particles", "policy_mean"):
        np.testing.assert_array_equal(short.snapshots.parameter(name, -1), long.snapshots.parameter(name, -1))
        np.testing.assert_array_equal(short.snapshots.parameter(name, 1), long.snapshots.parameter(name, 1))
    np.testing.assert_array_equal(short.series["value_rho"][-1], long.series["value_rho"][-1])


def test_seeds(tmp_path: Path) -> None:
    """The same numbers from the same seed, others from another; and shared numbers are neither."""
    one, again, other, shared = particles(), particles(), particles(seed=10), particles(noise="shared")
    np.testing.assert_array_equal(one.series["value_rho"], again.series["value_rho"])
    for different in (other, shared):
        assert not np.any(different.series["value_rho"] == one.series["value_rho"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flow.particles": None}, "flow.particles: must be given for particles"),
        ({"flow.seed": None}, "flow.seed: must be given for particles"),
        ({"flow.particles": "1"}, "flow.particles']: must be greater than or equal to 2"),
        ({"flow.seed": "-1"}, "flow.seed']: must be greater than or equal to 0"),
        ({"flow.noise": '"common"'}, "flow.noise']: 'common' is not a choice"),
        ({"flow.bandwidth": "-0.1"}, "flow.bandwidth']: must be greater than or equal to 0"),
        ({"flow.step": None}, "flow.step: must be given"),
        ({"flow.beta": "1.0"}, "flow.beta']: is not a key of particles"),
        ({"flow.accuracy": "1e-3"}, "flow.accuracy']: is not a key of particles"),
    ],
)
def test_what_is_refused(changes: dict[str, str | None], words: str) -> None:
    keys = {name: value for name, value in {**KEYS, **changes}.items() if value is not None}
    with pytest.raises(ProblemError, match=re.escape(words)):
        read_problem("lqr", cells=CELLS, set=keys)


def test_other_flows_have_none_of_its_keys() -> None:
    with pytest.raises(ProblemError, match="is not a key of mirror"):
        read_problem("lqr", set={"flow.kind": '"mirror"', "flow.step": "0.1", "flow.seed": "1"})


def test_memory_counts_particles() -> None:
    """Before any is allocated."""
    few, many = (read_problem("lqr", cells=CELLS, set={**KEYS, "flow.particles": n}) for n in ("30", "1000000030"))
    needed = [estimate(read_statement(stated), stated.flow).needed for stated in (few, many)]
    assert needed[1] - needed[0] == PARAMETER_ARRAYS * 8 * 8 * 10**9


def test_interrupted_it_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    """Stopped by a limit on steps, with a checkpoint, and gone on with."""
    mdp = wpo.load_problem("lqr", cells=CELLS, set=KEYS)
    flow = ParticleFlow(mdp, particles=30, seed=9)
    whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
    how: dict[str, Any] = {"flow": flow, "step": 0.05, "series": {"every": 0.1}, "snapshots": [0.0, 0.4, 1.0]}

    class EnoughError(Exception):
        pass

    def stop(progress: Any) -> None:
        if progress.time > 0.7:
            raise EnoughError

    wpo.evolve(mdp, until=1.0, output=whole, **how)
    with pytest.raises(EnoughError):
        wpo.evolve(mdp, until=1.0, output=cut, checkpoint=0.0, progress=stop, **how)
    resume_run(mdp, cut, flow=flow)
    assert differences(cut, whole) == []
