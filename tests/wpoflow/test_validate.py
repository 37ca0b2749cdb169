"""``wpoflow validate``: run files, problems, verdicts and the report, through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.validation.cases import small_problem
from tests.wpoflow.conftest import Call
from tests.wpoflow.test_quick_answers import HEAVY, modules_after
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.runs.evolve import evolve
from wpoflow.solver.storage.writer import RunWriter, open_run
from wpoflow.validation.claims import CLAIMS

PROBLEM = """
[problem]
discount = 0.8
temperature = 0.5
[state.x]
bounds = [-1.0, 1.0]
cells = 9
[action.u]
bounds = [-1.0, 1.0]
cells = 10
[dynamics]
x = "0.5*x + 0.2*u"
[noise]
x = 0.3
[cost]
running = "x**2 + u**2"
[flow]
until = { gap = 1e-4 }
accuracy = 1e-3
"""


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short controlled run of the regulator."""
    path = tmp_path_factory.mktemp("runs") / "lqr.h5"
    evolve(small_problem("lqr"), until={"time": 2.0}, accuracy=1e-4, output=path)
    return path


def rewritten(source: Path, path: Path, name: str, factor: float, row: int) -> Path:
    """A copy of a run file with one entry of a series multiplied, written by the project's own writer."""
    run = open_run(source)
    assert run.optimum is not None
    assert run.snapshots is not None
    series = {key: values.copy() for key, values in run.series.items()}
    series[name][row] *= factor
    given = {"state_axes", "action_axes", "schema_version"}
    attributes = {key: value for key, value in run.attributes.items() if key not in given}
    with RunWriter(
        path, run.states, run.actions, reference_mass=run.reference_mass, rho=run.rho, attributes=attributes
    ) as writer:
        writer.optimum(run.optimum)
        for k in range(len(series["time"])):
            writer.record({key: float(series[key][k]) for key in SERIES})
        for k, time in enumerate(run.snapshots.time):
            writer.snapshot(float(time), run.snapshots.value_at(k), run.snapshots.policy_at(k))
        writer.close(run.status, run.stop_reason)
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


def test_a_rewritten_file_is_judged_alike(call: Call, run_file: Path, tmp_path: Path) -> None:
    copy = rewritten(run_file, tmp_path / "copy.h5", "gap", 1.0, 5)
    first, second = call("validate", str(run_file))[1], call("validate", str(copy))[1]
    assert first.replace(str(run_file), "") == second.replace(str(copy), "")


@pytest.mark.parametrize(
    ("series", "factor", "claim"), [("gap", 3.0, "decay_paper"), ("dissipation", -1.0, "static_inequality")]
)
def test_a_tampered_run_fails(
    call: Call, run_file: Path, tmp_path: Path, series: str, factor: float, claim: str
) -> None:
    tampered = rewritten(run_file, tmp_path / "tampered.h5", series, factor, -2)
    status, out, _ = call("validate", str(tampered), "--report", "found")
    assert status == 1
    assert any(line.split()[:2] == [claim, "fails"] for line in out.splitlines())
    content = json.loads(Path("found/report.json").read_text(encoding="utf-8"))
    assert content["passed"] is False
    assert "fails" in {entry["verdict"] for entry in content["findings"] if entry["claim"] == claim}


def test_a_damaged_file_is_not_judged(call: Call, run_file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.h5"
    content = bytearray(run_file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    status, out, err = call("validate", str(damaged))
    assert (status, out) == (3, "")
    assert len(err.strip().splitlines()) == 1
    assert "damaged.h5" in err


def test_a_problem_file_with_a_report(call: Call) -> None:
    Path("small.toml").write_text(PROBLEM, encoding="utf-8")
    status, out, err = call("validate", "small.toml", "--report", "made/here")
    assert status == 0, out
    assert err == ""
    content = json.loads(Path("made/here/report.json").read_text(encoding="utf-8"))
    assert (content["level"], content["passed"]) == ("quick", True)
    families = {name for name, claim in CLAIMS.items() if claim.needs_family}
    assert [entry["claim"] for entry in content["findings"]] == [name for name in CLAIMS if name not in families]
    assert {entry["verdict"] for entry in content["findings"]} <= {"holds", "not certified"}
    (case,) = content["cases"].values()
    assert (case["states"], case["actions"]) == ([9], [10])
    page = Path("made/here/report.html").read_text(encoding="utf-8")
    assert "made/here/report.html" in out
    assert all(f">{name} <" in page for name in {entry["claim"] for entry in content["findings"]})
    for entry in content["findings"]:
        assert any(line.split()[:1] == [entry["claim"]] for line in out.splitlines())


def test_only_some_claims(call: Call, run_file: Path) -> None:
    status, out, _ = call("validate", str(run_file), "--only", "structure", "--only", "identities", "--report", "r")
    assert status == 0
    content = json.loads(Path("r/report.json").read_text(encoding="utf-8"))
    assert [entry["claim"] for entry in content["findings"]] == ["structure", "identities"]
    assert "decay_paper" not in out


def test_a_claim_that_is_not(call: Call, run_file: Path) -> None:
    status, out, err = call("validate", str(run_file), "--only", "decay")
    assert (status, out) == (2, "")
    assert "--only decay" in err
    assert all(name in err for name in CLAIMS)


def test_a_claim_a_run_file_cannot_answer(call: Call, run_file: Path) -> None:
    status, out, err = call("validate", str(run_file), "--only", "kl_contraction")
    assert (status, out) == (2, "")
    assert "name a problem" in err


def test_quiet_says_nothing(call: Call, run_file: Path) -> None:
    assert call("validate", str(run_file), "--quiet") == (0, "", "")


def test_a_report_that_cannot_be_written(call: Call, run_file: Path) -> None:
    Path("taken").write_text("mine", encoding="utf-8")
    status, out, err = call("validate", str(run_file), "--report", "taken")
    assert (status, out) == (2, "")
    assert "taken" in err
    assert Path("taken").read_text(encoding="utf-8") == "mine"


def test_an_unknown_problem(call: Call) -> None:
    status, out, err = call("validate", "nowhere")
    assert (status, out) == (2, "")
    assert "nowhere" in err


def test_help_is_light() -> None:
    status, modules = modules_after(["validate", "--help"])
    assert status == 0
    assert modules & HEAVY == set()
