"""The largest d*/d of the steps between two rows, as runs record it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.same_run import differences
from tests.solver.small_problems import small_problem
from tests.solver.test_resume import LINKS, chain
from tests.variants import slow
from wpoflow.problems.resume import resume
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.run import Optimum
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.schemes.trajectory import flow
from wpoflow.solver.storage.atomic import RunFileError
from wpoflow.solver.storage.writer import open_run

TIMES = [0.0, 0.35, 2.0]
UNTIL = 3.0
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


@pytest.fixture(scope="module")
def mdp() -> GridMDP:
    """Of six states, rho holds the first alone."""
    return replace(small_problem(6, 8), rho=np.eye(6)[0])


def dense_ratio(mdp: GridMDP, optimum: Optimum, policy: np.ndarray) -> float:
    """max d*/d by a dense solve."""
    system = np.eye(mdp.states.size) - mdp.discount * mdp.transition.under(policy).dense()
    visits = np.linalg.solve(system.T, (1.0 - mdp.discount) * mdp.rho)
    return float((optimum.occupancy / visits).max())


@pytest.mark.parametrize("solver", ["dense", "sparse", "krylov"])
def test_it_is_the_largest_over_the_ends_of_all_steps(mdp: GridMDP, solver: str) -> None:
    """Of steps of another run of the same flow, one by one."""
    optimum = solve_optimum(mdp)
    run = evolve(mdp, until=UNTIL, step=0.1, scheme="euler", linear_solver=solver, series={"times": TIMES})
    time, ratios = [], []
    for state in flow(mdp, step=0.1, scheme="euler", linear_solver=solver, landings=[*TIMES, UNTIL]):
        time.append(state.time)
        ratios.append(dense_ratio(mdp, optimum, state.policy))
        if state.time >= UNTIL - 1e-9:
            break
    rows = run.series["time"]
    assert len(rows) == 4
    assert len(time) > 30
    for k, end in enumerate(rows):
        since = -1.0 if k == 0 else rows[k - 1]
        expected = max(r for t, r in zip(time, ratios, strict=True) if since + 1e-9 < t <= end + 1e-9)
        assert run.series["occupancy_ratio_largest"][k] == pytest.approx(expected, rel=1e-9)
    # the steps between rows had larger ones than the rows themselves
    assert np.any(run.series["occupancy_ratio_largest"][1:] > 1.01 * run.series["occupancy_ratio"][1:])


def test_iterative_solvers_record_the_a_priori_bound_where_there_is_one(mdp: GridMDP) -> None:
    everywhere = replace(mdp, rho=np.full(6, 1.0 / 6.0))
    optimum = solve_optimum(everywhere)
    bound = float((optimum.occupancy / everywhere.rho).max()) / (1.0 - everywhere.discount)
    given, solved = (
        evolve(everywhere, until=1.0, step=0.1, scheme="euler", linear_solver=solver, optimum=optimum).series
        for solver in ("krylov", "dense")
    )
    np.testing.assert_allclose(given["occupancy_ratio_largest"][1:], bound, rtol=1e-13)
    assert given["occupancy_ratio_largest"][0] == given["occupancy_ratio"][0]
    assert np.all(solved["occupancy_ratio_largest"] >= solved["occupancy_ratio"])
    assert np.all(solved["occupancy_ratio_largest"] < 0.5 * bound)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["dense", slow("krylov")])
def test_it_survives_interruptions_between_rows(mdp: GridMDP, solver: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"until": UNTIL, "linear_solver": solver, "series": {"times": TIMES}}
    evolve(mdp, output=tmp_path / "whole.h5", **settings)
    assert len(chain(mdp, tmp_path / "chain.h5", 3, **settings)) == LINKS + 1
    assert differences(tmp_path / "whole.h5", tmp_path / "chain.h5") == []


def test_files_of_earlier_schemas_hold_none_and_cannot_be_extended(tmp_path: Path) -> None:
    for schema, holds in ((1, False), (2, False), (3, True)):
        path = FIXTURES / f"run_schema_{schema}.h5"
        series = open_run(path).series["occupancy_ratio_largest"]
        assert len(series) == len(open_run(path).series["gap"])
        assert np.all(np.isfinite(series)) if holds else np.all(np.isnan(series))
    copy = tmp_path / "run.h5"
    copy.write_bytes((FIXTURES / "run_schema_2.h5").read_bytes())
    with pytest.raises(RunFileError, match=r"run\.h5.*an earlier wpoflow.*occupancy_ratio_largest"):
        resume(copy, until=3.0)
    assert copy.read_bytes() == (FIXTURES / "run_schema_2.h5").read_bytes()
