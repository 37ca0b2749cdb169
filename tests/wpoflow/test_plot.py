"""``wpoflow plot`` and ``wpoflow movie`` through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import wpoflow
from tests.views.figures.runs import SHAPES, problem_text
from tests.views.figures.test_content import study
from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.runs import small_run
from wpoflow.views.figures import FIGURES


@pytest.mark.slow
def test_figures_of_a_run(call: Call) -> None:
    small_run(Path("run.h5"))
    for name in ("a.png", "a.PDF", "a.svg"):
        assert call("plot", "run.h5", "-o", name, "--kind", "steps") == (0, f"written to {name}\n", "")
    assert Path("a.PDF").read_bytes().startswith(b"%PDF")
    assert Path("a.svg").read_text().startswith("<?xml")
    with Image.open("a.png") as image:
        steps = image.size
    assert call("plot", "run.h5", "-o", "b.png") == (0, "written to b.png\n", "")
    with Image.open("b.png") as image:
        assert image.width > steps[0]
    done = (0, "written to c.png\n", "")
    assert call("plot", "run.h5", "-o", "c.png", "--kind", "kymograph", "--state", "x=0.9") == done
    before = Path("a.png").read_bytes()
    status, _, err = call("plot", "run.h5", "-o", "a.png")
    assert status == 2
    assert "a.png exists" in err
    assert Path("a.png").read_bytes() == before
    kymograph = ("--kind", "kymograph", "--state", "x=0.9")
    assert call("plot", "run.h5", "-o", "a.png", *kymograph, "--force") == (0, "written to a.png\n", "")
    assert Path("a.png").read_bytes() == Path("c.png").read_bytes()
    assert not list(Path().glob("*.part"))


def test_a_movie_of_a_run(call: Call) -> None:
    Path("line.toml").write_text(problem_text(SHAPES["line"], "A line"))
    mdp = wpoflow.load_problem("line.toml")
    run = wpoflow.evolve(mdp, until=0.5, accuracy=1e-2, snapshots=3, output="line.h5")
    assert run.snapshots is not None
    assert call("movie", "line.h5", "-o", "line.gif") == (0, "written to line.gif\n", "")
    with Image.open("line.gif") as movie:
        assert movie.n_frames == run.snapshots.time.size  # type: ignore[attr-defined]
    figure = wpoflow.plot(run, "policy", title=False)
    assert figure.get_suptitle() == ""


@pytest.mark.slow
def test_a_refinement_study(call: Call) -> None:
    Path("refine.json").write_text(json.dumps(study([0.4, 0.1])))
    assert call("plot", "refine.json", "-o", "a.svg") == (0, "written to a.svg\n", "")
    arguments = ["--levels", "3", "--time", "0.5", "--axis", "a", "--cells", "a=32", "--quiet", "--report", "r"]
    assert call("refine", "bandit", *arguments, "--plot", "b.svg") == (0, "", "")
    assert call("plot", "r/refine.json", "-o", "c.svg", "--kind", "refinement") == (0, "written to c.svg\n", "")
    assert Path("b.svg").read_bytes() == Path("c.svg").read_bytes()
    status, _, err = call("refine", "bandit", *arguments, "--plot", "b.svg")
    assert status == 2
    assert "b.svg exists" in err


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["plot", "run.h5"], 2, "Missing option '-o'"),
        (["plot", "run.h5", "-o", "a.txt"], 2, "a.txt: a figure ends in .png, .pdf, .svg"),
        (["plot", "run.h5", "-o", "png"], 2, "png: a figure ends in"),
        (["plot", "run.h5", "-o", "no/a.png"], 2, "there is no folder no"),
        (
            ["plot", "run.h5", "-o", "a.png", "--kind", "decai"],
            2,
            "did you mean 'decay'?",
        ),
        (["plot", "run.h5", "-o", "a.png", "--kind", "phase"], 2, "phase: it needs two state axes"),
        (["plot", "run.h5", "-o", "a.png", "--kind", "refinement"], 2, "refine.json"),
        (["plot", "run.h5", "-o", "a.png", "--state", "x"], 2, "--state x: write NAME=VALUE"),
        (["plot", "run.h5", "-o", "a.png", "--state", "x=left"], 2, "--state x=left: left is not a number"),
        (["plot", "run.h5", "-o", "a.png", "--state", "v=0"], 2, "state v: choose among x"),
        (["plot", "nosuch.h5", "-o", "a.png"], 3, "nosuch.h5"),
        (["plot", "cut.h5", "-o", "a.png"], 3, "cut.h5: no trailer"),
        (["plot", "wrong.json", "-o", "a.png"], 2, "wrong.json: not a report of wpoflow refine"),
        (["plot", "hollow.json", "-o", "a.png"], 2, "hollow.json: not a report of wpoflow refine"),
        (["plot", "wrong.json", "-o", "a.png", "--kind", "decay"], 2, "a report has one figure"),
        (["movie", "run.h5", "-o", "a.avi"], 2, "a.avi: a movie ends in .gif, .apng, .png, .mp4"),
        (["movie", "run.h5", "-o", "a.gif"], 2, "movie: the file holds one snapshot"),
        (["movie", "run.h5", "-o", "a.gif", "--fps", "0"], 2, "fps = 0: must be positive"),
        (["refine", "bandit", "--plot", "a.txt"], 2, "a.txt: a figure ends in"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_line_and_leave_nothing(call: Call, arguments: list[str], status: int, says: str) -> None:
    small_run(Path("run.h5"))
    Path("cut.h5").write_bytes(Path("run.h5").read_bytes()[:-100])
    Path("wrong.json").write_text("[1, 2]")
    Path("hollow.json").write_text(json.dumps({"title": "", "factor": 2.0, "times": [], "directions": [{}]}))
    check_refusal(call, arguments, status, says)


def test_help_lists_the_kinds(call: Call) -> None:
    status, out, _ = call("plot", "--help")
    assert status == 0
    for name, kind in FIGURES.items():
        assert f"{name:<12}{kind.shows}" in out


def test_several_runs_in_one_figure(call: Call) -> None:
    for name in ("a.h5", "b.h5"):
        small_run(Path(name))
    assert call("plot", "a.h5", "b.h5", "-o", "both.svg") == (0, "written to both.svg\n", "")
    assert call("plot", "a.h5", "b.h5", "-o", "s.png", "--kind", "steps") == (0, "written to s.png\n", "")
    Path("refine.json").write_text(json.dumps(study([0.4, 0.1])))
    for arguments, says in (
        (
            ["a.h5", "b.h5", "--kind", "overview"],
            "overview: needs one run, not 2",
        ),
        (["a.h5", "refine.json"], "refine.json: a report is drawn alone"),
        (["a.h5", "b.h5", "--kind", "step"], "did you mean 'steps'?"),
    ):
        check_refusal(call, ["plot", *arguments, "-o", "c.png"], 2, says)
    check_refusal(call, ["plot", "a.h5", "nosuch.h5", "-o", "c.png"], 3, "nosuch.h5")
