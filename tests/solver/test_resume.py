"""Cut short and gone on with is the same as left alone, bit for bit, and nothing that matters is forgotten."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from tests.same_run import differences
from tests.solver.test_evolve import problem_for
from tests.variants import slow, slow_but
from wpoflow.problems.gallery import gallery_names
from wpoflow.problems.load import load_problem
from wpoflow.problems.problem_file import read_problem
from wpoflow.problems.resume import resume
from wpoflow.solver.bellman.linear_solver import LINEAR_SOLVERS
from wpoflow.solver.flows.flow import Flow, as_flow
from wpoflow.solver.flows.wasserstein import WassersteinFlow
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Run
from wpoflow.solver.registry import FLOWS
from wpoflow.solver.runs.evolve import Progress, evolve
from wpoflow.solver.runs.resume import resume_run
from wpoflow.solver.runs.signals import StopAtOnce
from wpoflow.solver.schemes.scheme import Arrays
from wpoflow.solver.schemes.trajectory import FlowState, flow
from wpoflow.solver.storage.atomic import checkpoint_folder

LANDINGS = [0.01, 0.1, 0.2, 0.5, 1.0]
CONTROLS: list[tuple[str, dict[str, Any]]] = [
    ("multistep", {}),
    ("exponential", {}),
    ("extrapolated", {"accuracy": 1e-4}),
    ("extrapolated", {"step": 0.05}),
    ("euler", {"accuracy": 1e-2}),
    ("euler", {"step": 0.05}),
]
FOLLOWED: list[tuple[str, str, dict[str, Any]]] = [
    *(("wasserstein", scheme, control) for scheme, control in CONTROLS),
    *(
        (kind, scheme, control)
        for kind, scheme in (("fisher-rao", "adams"), ("gaussian", "runge-kutta"))
        for control in ({"accuracy": 1e-4}, {"step": 0.05})
    ),
    *((kind, "euler", how) for kind in ("fisher-rao", "gaussian") for how in ({"accuracy": 1e-2}, {"step": 0.05})),
    *((kind, "automatic", {"step": 0.05}) for kind in ("mirror", "particles", "proximal")),
    ("policy-iteration", "automatic", {"step": 1.0}),
    ("wasserstein-fisher-rao", "extrapolated", {"accuracy": 1e-4}),
    ("wasserstein-fisher-rao", "euler", {"step": 0.05}),
]
"""Every flow by schemes that are for it."""
LINKS = 4
STATES = 24
"""Of a flow that is left and gone on with."""
CELLS: dict[str, dict[str, int]] = {
    "acrobot": {"theta": 3, "phi": 3, "omega": 2, "psi": 2},
    "bandit": {"a": 48},
    "cartpole_swingup": {"x": 2, "theta": 4, "v": 2, "omega": 2},
    "double_integrator": {"x": 8, "v": 8, "u": 10},
    "grid_world": {},
    "inventory": {"stock": 16, "order": 12},
    "lqr": {"x": 16, "u": 16},
    "mixture": {"a": 48},
    "mountain_car": {"position": 12, "velocity": 11, "force": 9},
    "navigation": {"x": 6, "y": 6, "vx": 5, "vy": 5},
    "pendulum": {"theta": 12, "speed": 11, "torque": 9},
    "torus": {"s": 12, "a": 16},
}


def copied(arrays: Arrays) -> Arrays:
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in arrays.items()}


def numbers(state: FlowState) -> tuple[Any, ...]:
    counters = (state.steps, state.rejected_steps, state.limited_cells, state.bellman_evaluations, state.mass_drift)
    evaluation = state.evaluation
    return (
        *(state.time, state.step_size, *counters, evaluation.residual),
        *(array.tobytes() for array in (state.policy, state.value, state.q)),
    )


def problem_of(kind: str, scheme: str) -> GridMDP:
    """A problem that the flow and the scheme are for."""
    return problem_for("exponential" if kind in ("gaussian", "proximal") else scheme)


def made(mdp: GridMDP, kind: str) -> Flow:
    return as_flow(mdp, kind, FLOWS[kind].required)


def test_every_flow_is_followed() -> None:
    assert {kind for kind, _, _ in FOLLOWED} == FLOWS.keys()


@pytest.mark.parametrize(
    ("kind", "scheme", "control", "solver"),
    [
        slow((*followed, solver))
        if solver == "sparse" and followed[1] not in ("multistep", "automatic")
        else (*followed, solver)
        for solver in LINEAR_SOLVERS
        for followed in FOLLOWED
    ],
)
def test_a_flow_goes_on_as_if_it_had_not_been_left(
    kind: str, scheme: str, control: dict[str, Any], solver: str
) -> None:
    mdp = problem_of(kind, scheme)

    def states(resume: Arrays | None = None) -> Iterator[FlowState]:
        return flow(
            mdp, scheme=scheme, linear_solver=solver, flow=made(mdp, kind), landings=LANDINGS, resume=resume, **control
        )

    left_alone: list[tuple[Any, ...]] = []
    kept: dict[int, Arrays] = {}
    for k, state in enumerate(islice(states(), STATES)):
        left_alone.append(numbers(state))
        if not state.interpolated and k in (0, 1, 2, 5, 6, 13):
            kept[k] = copied(state.arrays())
    assert len(kept) > 3
    for k, arrays in kept.items():
        assert [numbers(state) for state in islice(states(arrays), STATES - k)] == left_alone[k:], f"after state {k}"


@pytest.mark.parametrize(("kind", "scheme", "control"), FOLLOWED)
def test_a_state_that_comes_back_is_the_state_that_went(kind: str, scheme: str, control: dict[str, Any]) -> None:
    """All of it: the arrays and numbers of the state gone on from are those that were kept."""
    mdp = problem_of(kind, scheme)
    states = flow(mdp, scheme=scheme, flow=made(mdp, kind), landings=LANDINGS, **control)
    state = next(state for state in states if state.evaluation and state.steps >= 9 and not state.interpolated)
    kept = copied(state.arrays())
    restored = next(flow(mdp, scheme=scheme, flow=made(mdp, kind), landings=LANDINGS, resume=kept, **control))
    assert numbers(state) == numbers(restored)
    found = restored.arrays()
    assert found.keys() == kept.keys()
    for name, value in kept.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize(("kind", "scheme", "control"), FOLLOWED)
def test_what_is_no_state_of_the_problem_is_refused_by_name(kind: str, scheme: str, control: dict[str, Any]) -> None:
    mdp = problem_of(kind, scheme)
    states = flow(mdp, scheme=scheme, flow=made(mdp, kind), **control)
    arrays = copied(next(state for state in states if state.evaluation and state.steps >= 6).arrays())
    for name, value in arrays.items():
        wrong: list[Any] = [np.zeros((2, 3, 4)), "text"]
        if isinstance(value, float | np.ndarray):
            wrong.append(np.full_like(value, np.nan))
        for instead in wrong:
            with pytest.raises(ValueError, match=name.removeprefix("scheme.").split(".")[0]):
                flow(mdp, scheme=scheme, flow=made(mdp, kind), resume={**arrays, name: instead}, **control)
    with pytest.raises(ValueError, match="is missing"):
        flow(
            mdp,
            scheme=scheme,
            flow=made(mdp, kind),
            resume={name: arrays[name] for name in list(arrays)[1:]},
            **control,
        )
    with pytest.raises(ValueError, match="'more' is not part of it"):
        flow(mdp, scheme=scheme, flow=made(mdp, kind), resume={**arrays, "scheme.more": 1}, **control)


def test_values_known_to_rounding_are_not_refined_again() -> None:
    """Late steps, whose values moved by rounding alone, are judged by refined evaluations."""
    mdp, left_alone = problem_for("multistep"), []
    arrays: Arrays | None = None
    for state in islice(flow(mdp), 400):
        if arrays is not None:
            left_alone.append(numbers(state))
        elif state.steps > 60 and state.arrays()["scheme.exact"]:
            arrays = copied(state.arrays())
            left_alone.append(numbers(state))
        if len(left_alone) == 30:
            break
    assert len(left_alone) == 30
    assert [numbers(state) for state in islice(flow(mdp, resume=arrays), 30)] == left_alone


def interrupting(after: int) -> Callable[[Progress], None]:
    """Send this process a signal when so many reports have come."""
    reports = iter(range(10**9))

    def report(_: Progress) -> None:
        if next(reports) == after:
            os.kill(os.getpid(), signal.SIGINT if after % 2 else signal.SIGTERM)

    return report


def chain(mdp: GridMDP, path: Path, every: int, **settings: Any) -> list[Run]:
    """A run interrupted after every few steps until it ends: all its links."""
    links = [evolve(mdp, output=path, progress=interrupting(every), **settings)]
    while links[-1].status == "interrupted":
        progress = interrupting(every + len(links) % 2) if len(links) < LINKS else None
        links.append(resume(path, mdp=mdp, progress=progress))
    return links


@pytest.mark.parametrize("name", slow_but(gallery_names(), "lqr"))
def test_chains_of_links_leave_the_same_file(name: str, tmp_path: Path) -> None:
    mdp = load_problem(name, cells=CELLS[name])
    settings: dict[str, Any] = {"until": {"steps": 24, "time": 50.0}, "snapshots": {"times": [0.0, 1e-3, 0.5]}}
    settings["flow"] = read_problem(name).flow.kind
    evolve(mdp, output=tmp_path / "whole.h5", **settings)
    links = chain(mdp, tmp_path / "chain.h5", 5, **settings)
    assert len(links) == LINKS + 1
    assert [link.attributes["resumed"] for link in links] == list(range(LINKS + 1))
    assert differences(tmp_path / "whole.h5", tmp_path / "chain.h5") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain.h5", "whole.h5"]


@pytest.mark.parametrize(("scheme", "control"), slow_but(CONTROLS, CONTROLS[1], CONTROLS[2], CONTROLS[5]))
def test_every_scheme_in_links(scheme: str, control: dict[str, Any], tmp_path: Path) -> None:
    mdp = problem_for(scheme)
    settings: dict[str, Any] = {"until": {"gap": 1e-9, "steps": 20}, "scheme": scheme, **control}
    if scheme == "exponential":
        settings["until"] = {"time": 1.0}
    evolve(mdp, output=tmp_path / "whole.h5", **settings)
    links = chain(mdp, tmp_path / "chain.h5", 3, **settings)
    assert len(links) == LINKS + 1
    assert differences(tmp_path / "whole.h5", tmp_path / "chain.h5") == []


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread only")  # type: ignore[attr-defined]
def test_links_of_different_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wpoflow.core.compile.LEAST_THREADED", 1)
    mdp = load_problem("lqr", cells={"x": 24, "u": 24})
    settings: dict[str, Any] = {"until": {"steps": 40}}
    before = numba.get_num_threads()
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            evolve(mdp, output=tmp_path / f"whole{threads}.h5", **settings)
        links, path = [evolve(mdp, output=tmp_path / "chain.h5", progress=interrupting(5), **settings)], "chain.h5"
        while links[-1].status == "interrupted":
            numba.set_num_threads(1 + len(links) % 2)
            links.append(resume(tmp_path / path, mdp=mdp, progress=interrupting(6)))
    finally:
        numba.set_num_threads(before)
    assert len(links) > 5
    assert differences(tmp_path / "whole1.h5", tmp_path / "whole2.h5") == []
    assert differences(tmp_path / "whole1.h5", tmp_path / "chain.h5") == []


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    mdp, path = load_problem("lqr", cells=CELLS["lqr"]), tmp_path / "run.h5"
    evolve(mdp, until={"steps": 40}, output=tmp_path / "whole.h5")

    def twice(report: Progress) -> None:
        if report.steps == 20:
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(StopAtOnce):
        evolve(mdp, until={"steps": 40}, output=path, progress=twice, checkpoint=0.0)
    assert not path.exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert resume(path).status == "complete"
    assert differences(tmp_path / "whole.h5", path) == []


def test_a_limit_on_wall_time_can_be_gone_on_from(tmp_path: Path) -> None:
    mdp, path = load_problem("lqr", cells=CELLS["lqr"]), tmp_path / "run.h5"
    run = evolve(mdp, until={"steps": 30, "wall": 1e-9}, output=path)
    assert run.attributes["stop_kind"] == "wall"
    assert resume(path, mdp=mdp).attributes["resumed"] == 1
    assert checkpoint_folder(path).is_dir()


@pytest.mark.parametrize("stop", ["wall", "interrupted"])
def test_so_can_a_run_that_was_stopped_within_its_first_step(tmp_path: Path, stop: str) -> None:
    """It has no checkpoint yet, and begins anew."""
    mdp, path = load_problem("lqr", cells=CELLS["lqr"]), tmp_path / "run.h5"
    evolve(mdp, until={"steps": 3}, output=tmp_path / "whole.h5")

    def hold(_: Progress) -> None:
        if stop == "interrupted":
            raise KeyboardInterrupt
        time.sleep(0.5)

    run = evolve(mdp, until={"steps": 3, **({"wall": 0.3} if stop == "wall" else {})}, output=path, progress=hold)
    assert (run.attributes["stop_kind"], run.attributes["steps"]) == (stop, 0)
    assert resume(path, until={"steps": 3}).attributes["resumed"] == 1
    assert differences(tmp_path / "whole.h5", path) == []
    assert not checkpoint_folder(path).exists()


def test_a_problem_stated_in_python_is_given_again(tmp_path: Path) -> None:
    mdp, path = problem_for("multistep"), tmp_path / "run.h5"
    evolve(mdp, until=5.0, output=path, progress=interrupting(4))
    with pytest.raises(ValueError, match="stated in Python; give it as mdp"):
        resume(path)
    with pytest.raises(Exception, match="another problem"):
        resume(path, mdp=problem_for("exponential"))
    assert resume(path, mdp=mdp).status == "complete"
    assert resume_is_idle(path, mdp)


def resume_is_idle(path: Path, mdp: GridMDP) -> bool:
    """Whether resuming a run that is complete leaves it as it is."""
    before = path.read_bytes()
    return resume(path, mdp=mdp).status == "complete" and path.read_bytes() == before


def test_a_flow_of_ones_own_is_given_again(tmp_path: Path) -> None:
    mdp, path = problem_for("euler"), tmp_path / "run.h5"

    class Mine:
        def __init__(self) -> None:
            self.step = WassersteinFlow(mdp).step

        def __call__(self, p: Any, q: Any, dt: float, out: Any) -> Any:
            return self.step(p, q, dt, out)

    settings: dict[str, Any] = {"until": 2.0, "step": 0.1, "flow": Mine()}
    evolve(mdp, output=tmp_path / "whole.h5", **settings)
    evolve(mdp, output=path, progress=interrupting(6), **settings)
    with pytest.raises(ValueError, match="Mine; give it"):
        resume_run(mdp, path)
    resume_run(mdp, path, flow=Mine())
    assert differences(tmp_path / "whole.h5", path) == []


def test_no_checkpoints_where_none_are_wanted(tmp_path: Path) -> None:
    mdp, path = load_problem("lqr", cells=CELLS["lqr"]), tmp_path / "run.h5"
    run = evolve(mdp, until=1.0, output=path, checkpoint=math.inf, progress=interrupting(4))
    assert run.status == "interrupted"
    assert [other.name for other in tmp_path.iterdir()] == ["run.h5"]
