"""``wpoflow compare`` and ``wpo.compare``: runs that are kept, gone on with or refused, and what is written of them."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest

import wpoflow as wpo
from tests.wpoflow.conftest import Call, check_refusal
from wpoflow.solver.records.run import Run
from wpoflow.solver.runs.evolve import Progress

SMALL = ["compare", "bandit", "--cells", "a=24", "--until", "gap=1e-6", "--until", "time=200"]
FLOWS = ["--flow", "fisher-rao", "--flow", "mirror:step=2"]


def test_runs_tables_figure_and_page_are_written(call: Call) -> None:
    status, out, err = call(*SMALL, *FLOWS, "--flow", "wasserstein", "-o", "out", "--report")
    assert (status, err) == (0, "")
    names = {"fisher-rao.h5", "mirror-step=2.h5", "wasserstein.h5"}
    assert {path.name for path in Path("out").iterdir()} == names | {
        "compare.json", "compare.csv", "compare.png", "compare.html",
    }  # fmt: skip
    content = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))
    for entry in content["flows"]:
        run = wpo.open_run(Path(entry["file"]))
        assert entry["run_id"] == run.attributes["run_id"]
        gap, time = run.series["gap"], run.series["time"]
        for at in entry["reached"]:
            first = np.flatnonzero(gap <= at["gap"])
            if not first.size:
                assert at["time"] is None
                continue
            assert time[first[0] - 1] <= at["time"] <= time[first[0]]
            assert at["evaluations"] == run.series["bellman_evaluations"][: first[0] + 1].sum()
            assert at["cpu_seconds"] > 0.0
    rates = {entry["label"]: entry["rates"] for entry in content["flows"]}
    assert rates["fisher-rao"]["guaranteed"] == pytest.approx(0.1)
    assert rates["fisher-rao"]["sharp"] == pytest.approx(0.2)
    assert rates["mirror:step=2"]["sharp"] == pytest.approx(np.log1p(0.2))
    assert 0.0 < rates["wasserstein"]["guaranteed"] <= rates["wasserstein"]["observed"] * (1.0 + 1e-6)
    rows = list(csv.DictReader(Path("out/compare.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["flow"] for row in rows} == set(rates)
    assert Path("out/compare.png").read_bytes().startswith(b"\x89PNG")
    page = Path("out/compare.html").read_text(encoding="utf-8")
    assert all(f">{label}<" in page for label in rates)
    assert "<svg" in page
    assert all(label in out for label in rates)
    assert "Bellman evaluations to a gap of" in out


@pytest.mark.slow
def test_what_is_there_and_whole_is_kept_with_its_processor_time(call: Call) -> None:
    assert call(*SMALL, *FLOWS, "-o", "out")[0] == 0
    before = {path: path.read_bytes() for path in Path("out").glob("*.h5")}
    noted = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))["flows"]
    status, out, _ = call(*SMALL, *FLOWS, "--flow", "mirror:step=4", "-o", "out")
    assert status == 0
    assert "fisher-rao is there and whole, and is kept" in out
    assert "mirror:step=4 is run" in out
    assert {path: path.read_bytes() for path in before} == before
    again = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))["flows"]
    assert [entry["rows"] for entry in again[:2]] == [entry["rows"] for entry in noted]
    Path("out/compare.json").write_text('{"flows": [{}]}', encoding="utf-8")
    with pytest.warns(wpo.RunFileWarning, match=r"compare\.json cannot be read: processor times of the runs"):
        found = wpo.compare("bandit", ["fisher-rao"], cells={"a": 24}, until={"gap": 1e-6, "time": 200.0}, folder="out")
    assert np.isnan(found.entries[0].cpu).all()


@pytest.mark.slow
def test_a_run_of_something_else_in_the_folder_is_refused_and_stays(call: Call) -> None:
    assert call(*SMALL, *FLOWS, "-o", "out")[0] == 0
    before = {path: path.read_bytes() for path in Path("out").iterdir()}
    check_refusal(call, [*SMALL, "--until", "steps=5", *FLOWS, "-o", "out"], 3, "is a run of another problem or with")
    assert {path: path.read_bytes() for path in Path("out").iterdir()} == before
    assert call(*SMALL, "--until", "steps=5", *FLOWS, "-o", "out", "--force")[0] != 3


@pytest.mark.slow
def test_a_run_that_was_cut_short_is_gone_on_with(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped as by Ctrl-C after some steps of the second flow; the same command ends as if it had not been."""
    from wpoflow.studies.comparison import study

    assert call(*SMALL, *FLOWS, "-o", "whole")[0] == 0

    class Interrupting(study._Clock):
        def __call__(self, progress: Progress) -> None:
            super().__call__(progress)
            if len(self.times) == 12:
                signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(study, "_Clock", Interrupting)
        assert call(*SMALL, *FLOWS, "-o", "out")[0] == 130
    status, _, err = call(*SMALL, *FLOWS, "-o", "out")
    assert status == 0, err
    for name in ("fisher-rao.h5", "mirror-step=2.h5"):
        one, other = (wpo.open_run(Path(folder) / name) for folder in ("whole", "out"))
        np.testing.assert_array_equal(one.series["gap"], other.series["gap"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--flow", "wfr"], "--flow 'wfr': 'wfr' is no flow; choose wasserstein"),
        (["--flow", "mirror"], "--flow 'mirror': its step belongs to the algorithm; give it, as mirror:step=0.5"),
        (["--flow", "proximal:accuracy=1e-3"], "accuracy is not a key of proximal"),
        (["--flow", "mirror:step=1", "--flow", "mirror:step=1"], "--flow 'mirror:step=1' is given twice"),
        (["--flow", "fisher-rao:scheme=multistep"], "'multistep' is for flows with a generator; choose"),
        ([], "Missing option '--flow'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_written(
    call: Call, arguments: list[str], says: str
) -> None:
    check_refusal(call, [*SMALL, *arguments, "-o", "out"], 2, says)
    assert not Path("out").exists()


@pytest.mark.slow
def test_flows_short_of_the_gap_are_said_and_where_all_are_the_status_is_one(call: Call) -> None:
    goal = ["compare", "bandit", "--cells", "a=24", "--until", "time=40", "--until"]
    slow, quick = ["--flow", "mirror:step=5"], ["--flow", "mirror:step=0.5"]
    short = "flow time 40 reached, the gap not reached: "
    status, out, err = call(*goal, "gap=0.1", *slow, *quick, "-o", "one")
    assert (status, err) == (0, "")
    assert f"short of what was asked for\n  mirror:step=5: {short}" in out
    status, out, err = call(*goal, "gap=1e-9", *slow, *quick, "-o", "none", "--quiet")
    assert (status, out) == (1, "")
    assert [line.split(short)[0] for line in err.splitlines()] == [f"wpoflow: {flow}: " for flow in (slow[1], quick[1])]


def test_a_flow_that_never_began_is_drawn(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted before its first step: the row at time 0 is all there is, which no logarithmic axis shows."""
    from wpoflow.studies.comparison import study

    class Interrupting(study._Clock):
        def __call__(self, progress: Progress) -> None:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(study, "_Clock", Interrupting)
    status, _, err = call(*SMALL, *FLOWS, "-o", "out")
    assert status == 130
    assert len(err.splitlines()) == 1
    assert Path("out/compare.png").exists()


def test_in_python_of_a_grid_problem_without_files() -> None:
    mdp = wpo.load_problem("bandit", cells={"a": 24})
    found = wpo.compare(mdp, ["fisher-rao", "mirror:step=2"], until={"gap": 1e-6})
    assert [entry.file for entry in found.entries] == ["", ""]
    fisher_rao = found.find("fisher-rao")
    assert isinstance(fisher_rao.run, Run)
    assert fisher_rao.reached(1e-5).time < fisher_rao.reached(1e-6).time
    assert fisher_rao.rates["observed"] == pytest.approx(0.2, rel=1e-3)
    with pytest.raises(ValueError, match="until: must be given"):
        wpo.compare(mdp, ["fisher-rao"])
