"""``wpoflow validate``: run files, problems, verdicts and the report, through the front door."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

import wpoflow
from tests.problems.test_problem_file import changed
from tests.validation.cases import small_problem
from tests.variants import slow
from tests.wpoflow.conftest import Call, check_refusal
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, append_trailer
from wpoflow.validation.claims import CLAIMS

PROBLEM = changed(
    {"problem": {"discount": 0.8, "temperature": 0.5}, "state.x.cells": 9, "action.u.cells": 10, "noise.x": 0.3}
    | {"dynamics.x": "0.5*x + 0.2*u", "flow": {"until": {"gap": 1e-4}, "accuracy": 1e-3}}
)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short controlled run of the regulator."""
    path = tmp_path_factory.mktemp("runs") / "lqr.h5"
    evolve(small_problem("lqr"), until={"time": 2.0}, accuracy=1e-4, output=path)
    return path


def test_a_run_file_is_judged_and_left_as_it_is(call: Call, run_file: Path) -> None:
    before, stamp = run_file.read_bytes(), run_file.stat().st_mtime_ns
    status, out, err = call("validate", str(run_file))
    assert (status, err) == (0, "")
    assert (run_file.read_bytes(), run_file.stat().st_mtime_ns) == (before, stamp)
    assert list(run_file.parent.iterdir()) == [run_file]
    for name in ("structure", "static_inequality", "decay_paper", "certificate"):
        assert any(line.split()[:2] == [name, "holds"] for line in out.splitlines())
    assert "kl_contraction" not in out
    assert "rates at the end: paper" in out
    assert "0 fails" in out


@pytest.mark.parametrize(
    ("series", "factor", "claim"),
    [("gap", 3.0, "decay_paper"), pytest.param("dissipation", -1.0, "static_inequality", marks=pytest.mark.slow)],
)
def test_a_tampered_run_fails(call: Call, run_file: Path, series: str, factor: float, claim: str) -> None:
    path = Path("tampered.h5")
    path.write_bytes(run_file.read_bytes()[:-TRAILER_LENGTH])
    with h5py.File(path, "r+") as file:
        file[series][-2] *= factor
    append_trailer(path)
    status, out, _ = call("validate", str(path), "--report", "found")
    assert status == 1
    assert any(line.split()[:2] == [claim, "fails"] for line in out.splitlines())
    content = json.loads(Path("found/report.json").read_text(encoding="utf-8"))
    assert content["passed"] is False
    assert "fails" in {entry["verdict"] for entry in content["findings"] if entry["claim"] == claim}


@pytest.mark.slow
def test_a_problem_file_with_a_report(call: Call) -> None:
    Path("small.toml").write_text(PROBLEM, encoding="utf-8")
    status, out, err = call("validate", "small.toml", "--report", "made/here")
    assert status == 0, out
    assert err == ""
    content = json.loads(Path("made/here/report.json").read_text(encoding="utf-8"))
    assert (content["level"], content["passed"]) == ("quick", True)
    families = {name for name, claim in CLAIMS.items() if claim.needs_family or claim.flows or claim.annealed}
    assert [entry["claim"] for entry in content["findings"]] == [name for name in CLAIMS if name not in families]
    assert {entry["verdict"] for entry in content["findings"]} <= {"holds", "empty", "not certified"}
    (case,) = content["cases"].values()
    assert (case["states"], case["actions"]) == ([9], [10])
    page = Path("made/here/report.html").read_text(encoding="utf-8")
    assert "made/here/report.html" in out
    assert all(f">{name} <" in page for name in {entry["claim"] for entry in content["findings"]})
    for entry in content["findings"]:
        assert any(line.split()[:1] == [entry["claim"]] for line in out.splitlines())


def test_only_some_claims(call: Call, run_file: Path) -> None:
    status, out, _ = call("validate", str(run_file), "--only", "structure", "--only", "identities")
    assert status == 0
    said = [line.split()[0] for line in out.splitlines() if line.split()]
    assert [name for name in said if name in CLAIMS] == ["structure", "identities"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["RUN", "--only", "decay"], f"--only decay: choose among {', '.join(CLAIMS)}"),
        (
            ["RUN", "--only", "kl_contraction"],
            "--only kl_contraction: a run file alone is not enough for that; name a problem",
        ),
        (["RUN", "--only", "annealed_cost"], "of temperatures that fall, and it was constant; set flow.anneal"),
        (["RUN", "--only", "exact_solution"], "it is judged where no target is named"),
        (
            ["RUN", "--only", "regularity", "--only", "mirror_identity"],
            "--only regularity: a run file alone is not enough for that; name a problem; "
            "--only mirror_identity: a theorem of mirror",
        ),
        (["RUN", "--set", "flow.kind=gaussian"], "--set: for problems alone; RUN is none"),
        (["--cells", "x=9"], "--cells: for problems alone; the suite is none"),
        (["RUN", "--only", "fisher_rao_bound"], "a theorem of fisher-rao, which is not what was followed"),
        (["RUN", "--report", "taken"], "taken"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_judged_is_refused(call: Call, run_file: Path, arguments: list[str], says: str) -> None:
    Path("taken").write_text("mine", encoding="utf-8")
    says = says.replace("RUN", str(run_file))
    check_refusal(call, ["validate", *(str(run_file) if word == "RUN" else word for word in arguments)], 2, says)
    assert Path("taken").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("flow", "claim"),
    [
        slow(("gaussian", "gaussian_dissipation")),
        slow(("gaussian", "gaussian_contraction")),
        ("mirror", "mirror_identity"),
    ],
)
def test_what_is_missing_is_the_problem_and_not_the_flow(call: Call, flow: str, claim: str) -> None:
    Path("small.toml").write_text(PROBLEM, encoding="utf-8")
    step = ["--step", "0.5"] if flow == "mirror" else []
    call("run", "small.toml", "--flow", flow, *step, "--until", "steps=3", "-o", "run.h5", "--quiet")
    words = f"a run file alone is not enough for that; name a problem, with flow.kind = {flow}"
    check_refusal(call, ["validate", "run.h5", "--only", claim], 2, f"--only {claim}: {words}")
    status, out, err = call("validate", "run.h5", "--only", claim, "--only", "structure")
    assert (status, err) == (0, "")
    assert f"not judged\n  {claim} on run.h5: {words}\n" in out
    if flow == "mirror":
        return
    status, out, err = call("validate", "small.toml", "--set", f'flow.kind="{flow}"', "--only", claim)
    assert (status, err) == (0, "")
    assert any(line.split()[:1] == [claim] for line in out.splitlines())
    assert "not judged" not in out


def test_quiet_says_nothing(call: Call, run_file: Path) -> None:
    assert call("validate", str(run_file), "--quiet") == (0, "", "")


@pytest.mark.slow
def test_both_grids_are_named(call: Call) -> None:
    """A problem that is judged on a coarser grid: terminal, report and page say on which, and which is its own."""
    wide = PROBLEM.replace("cells = 9", "cells = 128").replace("cells = 10", "cells = 128")
    Path("wide.toml").write_text(wide)
    status, out, _ = call("validate", "wide.toml", "--only", "structure", "--report", "found")
    assert status == 0
    case = json.loads(Path("found/report.json").read_text(encoding="utf-8"))["cases"]["wide"]
    assert case["own_grid"] == {"x": 128, "u": 128}
    x, u = case["grid"]["x"], case["grid"]["u"]
    assert x * u < 2000
    said = f"udged on a coarser grid, x {x}, u {u}; the problem's own is x 128, u 128 (level full judges that)"
    assert said in out
    assert said in Path("found/report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    Path("small.toml").write_text(PROBLEM)
    status, out, _ = call("validate", "small.toml", "--only", "structure", "--report", "own")
    assert status == 0
    assert "judged on its own grid, x 9, u 10" in out
    case = json.loads(Path("own/report.json").read_text(encoding="utf-8"))["cases"]["small"]
    assert case["grid"] == case["own_grid"] == {"x": 9, "u": 10}


def test_validation_of_a_problem_in_python() -> None:
    """By name, on other cells, and of arrays, which are judged as they are; the same run gives the same verdicts."""
    cells = {"x": 9, "u": 10}
    named = wpoflow.validate_problem("lqr", only=["structure", "kl_contraction"], cells=cells)
    assert [finding.claim for finding in named.findings] == ["structure", "kl_contraction"]
    assert named.passed
    assert named.cases["lqr"]["grid"] == cells
    mdp = wpoflow.load_problem("lqr", cells=cells)
    given = wpoflow.validate_problem(mdp, "full", only=["structure", "kl_contraction"])
    assert given.passed
    assert [finding.verdict for finding in given.findings] == [finding.verdict for finding in named.findings]
    hotter = wpoflow.validate_problem(replace(mdp, temperature=1.0), only=["structure"])
    assert next(iter(hotter.cases.values()))["temperature"] == 1.0
    with pytest.raises(ValueError, match="choose among quick, full"):
        wpoflow.validate_problem("lqr", "deep")
    with pytest.raises(ValueError, match="claim structur: choose among structure"):
        wpoflow.validate_problem("lqr", only=["structur"])
