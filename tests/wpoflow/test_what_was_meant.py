"""Mistakes in names, files and expressions are answered with what was meant, and by the option they came from."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import h5py
import pytest
import xarray

import wpoflow as wpo
from tests.wpoflow.conftest import Call, check_refusal
from wpoflow.problems.gallery import gallery_text
from wpoflow.problems.keys import described
from wpoflow.solver.storage.atomic import RunFileError
from wpoflow.solver.storage.writer import open_run
from wpoflow.views.figures.panels import axis_label


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "lrq"], "did you mean 'lqr'?"),
        (["gallery", "Pendulm"], "did you mean 'pendulum'?"),
        (["chek", "lqr"], "did you mean 'check'?"),
        (["check", "lqr", "--set", "problem.temprature=1"], "--set problem.temprature: is not a known key"),
        (["check", "lqr", "--set", "problem.temprature=1"], "did you mean 'temperature'?"),
        (["check", "lqr", "--set", "recrod.snapshots=1"], "(with --set recrod.snapshots)"),
        (["check", "lqr", "--set", "state.x.boundary='periodc'"], "did you mean 'periodic'?"),
        (["check", "lqr", "--flow", "waserstein"], "--flow: 'waserstein' is not a choice"),
        (["check", "lqr", "--scheme", "multistp"], "did you mean 'multistep'?"),
        (["check", "lqr", "--until", "tiem=1"], "did you mean 'time'?"),
        (["check", "pendulum", "--cells", "thta=9"], "did you mean 'theta'?"),
        (["check", "pendulum", "--set", "noise.sped=1"], "did you mean 'speed'?"),
        (["check", "lqr", "--set", "cost.running='gian*x'"], "did you mean 'gain'?"),
        (["check", "lqr", "--set", "cost.running='sqr(x)'"], "did you mean 'sqrt'?"),
        (["check", "lqr", "--set", "temperature=0.1"], "did you mean 'problem.temperature'?"),
        (["check", "lqr", "--set", "running='x'"], "did you mean 'cost.running' or 'reward.running'?"),
        (["check", "lqr", "--set", "flow.cells=3"], "did you mean 'state.NAME.cells' or 'action.NAME.cells'?"),
        (["check", "lqr", "--set", "state.x.spacing='log'"], 'spacing = "sinh", with focus = that point and ratio ='),
        (["keys", "boundry"], "did you mean 'boundary'?"),
        (["limits", "discont"], "did you mean 'discount'?"),
        (["refine", "lqr", "--axis", "stats"], "did you mean 'states'?"),
        (["refine", "lqr", "--quantity", "entrpy"], "did you mean 'entropy'?"),
        (["refine", "lqr", "--scheme", "eulr"], "did you mean 'euler'?"),
        (["validate", "--level", "ful"], "did you mean 'full'?"),
        (["validate", "--only", "structur"], "did you mean 'structure'?"),
        (["rollout", "r.h5", "--env", "Pendulum-v1", "--mode", "meen"], "did you mean 'mean'?"),
    ],
)
def test_a_name_near_another_is_answered_with_it(call: Call, arguments: list[str], says: str) -> None:
    check_refusal(call, arguments, 2, says)


READERS = (
    ["info"],
    ["seal"],
    ["resume"],
    ["plot", "-o", "a.png"],
    ["movie", "-o", "a.gif"],
    ["rollout", "--env", "Pendulum-v1"],
)


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_a_problem_where_a_run_is_wanted_is_to_be_run_first(call: Call, command: list[str]) -> None:
    """Whatever the file is called; a gallery problem, too; and what is no problem is not said to be one."""
    text = gallery_text("bandit")
    for name in ("own.toml", "own.txt", "own"):
        Path(name).write_text(text, encoding="utf-8")
        as_argument = name if name.endswith(".toml") else f"./{name}"
        says = f"{name} is a problem file; run it first: wpoflow run {as_argument}\n"
        check_refusal(call, [command[0], name, *command[1:]], 3, says)
    Path("other").write_text(text.replace("[problem]", "[something]"), encoding="utf-8")
    check_refusal(call, [command[0], "other", *command[1:]], 3, "no trailer")
    says = "bandit is a problem of the gallery; run it first: wpoflow run bandit"
    check_refusal(call, [command[0], "bandit", *command[1:]], 2, says)
    with pytest.raises(RunFileError, match="problem file; run it first"):
        open_run("own.toml")


def test_python_is_answered_with_the_nearest_name_too() -> None:
    mdp = wpo.load_problem("lqr", cells={"x": 6, "u": 5})
    run = wpo.evolve(mdp, until={"steps": 1})
    for ask, meant in (
        (lambda: wpo.evolv, "evolve"),
        (lambda: wpo.gridmdp, "GridMDP"),
        (lambda: wpo.uniform_axis("x", 0.0, 1.0, 3, "periodc"), "periodic"),
        (lambda: wpo.evolve(mdp, until={"tiem": 1.0}), "time"),
        (lambda: wpo.evolve(mdp, until=1.0, series={"evry": 1.0}), "every"),
        (lambda: wpo.evolve(mdp, until=1.0, flow="waserstein"), "wasserstein"),
        (lambda: wpo.evolve(mdp, until=1.0, scheme="multistp"), "multistep"),
        (lambda: wpo.evolve(mdp, until=1.0, linear_solver="kyrlov"), "krylov"),
        (lambda: next(wpo.flow(mdp, step=0.1, scheme="eulr")), "euler"),
        (lambda: next(wpo.flow(mdp, step=0.1, flow="waserstein")), "wasserstein"),
        (lambda: wpo.solve_optimum(mdp, linear_solver="dens"), "dense"),
        (lambda: wpo.plot(run, "polcy"), "policy"),
        (lambda: wpo.plot([run, run], "decai"), "decay"),
        (lambda: wpo.plot(run, "value", state={"X": 0.0}), "x"),
        (lambda: wpo.validate_run(run, "lqr", only=["structur"]), "structure"),
        (lambda: wpo.validate_problem("lqr", level="quik"), "quick"),
        (lambda: wpo.refine("lqr", 3, directions=["stats"]), "states"),
        (lambda: wpo.refine("lqr", 3, ["entrpy"]), "entropy"),
    ):
        with pytest.raises((ValueError, AttributeError, wpo.ProblemError), match=rf"; did you mean '{meant}'\?$"):
            ask()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x^2 + u", "powers are written **"),
        ("ln(x + 5)", "the natural logarithm is log"),
        ("x > 0 && u > 0", "joined by and, or, not"),
        ("(x > 0) & (u > 0)", "write and, or"),
        ("2x", "a product is written with *"),
        ("2(x + u)", "a product is written with *"),
        ("x = 1", "equality is written =="),
        ("u if x > 0 else 0", "where(condition, a, b)"),
        ("x > 0 ? u : 0", "where(condition, a, b)"),
        ("np.sin(x)", "written without np., as sin(...)"),
        ("math.pi*x", "written without math., as pi"),
        ("pow(x, 2)", "powers are written **"),
        ("atan2(x, u)", "arctan2"),
    ],
)
def test_another_language_is_answered_with_ours(call: Call, text: str, says: str) -> None:
    check_refusal(call, ["check", "lqr", "--set", f"cost.running='{text}'"], 2, says)


def test_bounds_take_expressions_of_constants(call: Call) -> None:
    status, out, _ = call("check", "lqr", "--set", "state.x.bounds=['-pi/2', '2*gain']", "--cells", "x=8")
    assert status == 0
    assert "bounds = [-1.5707963267948966, 0.6]" in out
    edges = "action.u={ edges = ['-gain', 0, '1 - discount', 'exp(1)'] }"
    status, out, _ = call("check", "lqr", "--set", edges)
    assert status == 0
    assert "edges = [-0.3, 0.0, 0.09999999999999998, 2.718281828459045]" in out
    for text, says in (
        ("2*x", "depends on x"),
        ("1/0", "finite number, not inf"),
        ("x^2", "**"),
        ("lengt", "not a name"),
    ):
        check_refusal(call, ["check", "lqr", "--set", f"state.x.bounds=[0, '{text}']"], 2, says)
        check_refusal(call, ["check", "lqr", "--set", f"state.x.bounds=[0, '{text}']"], 2, "--set state.x.bounds.1: ")


def test_files_beside_the_gallery_are_told_of(call: Call) -> None:
    Path("s.toml").write_text(gallery_text("bandit"))
    Path("t.txt").write_text(gallery_text("bandit"))
    assert call("run", "s.toml", "--cells", "a=8", "--until", "0.1", "-o", "r.h5")[0] == 0
    Path("x.txt").write_bytes(Path("r.h5").read_bytes())
    check_refusal(call, ["run", "s"], 2, "for the file here write s.toml")
    check_refusal(call, ["run", "t.txt"], 2, "write ./t.txt")
    check_refusal(call, ["run", "r"], 2, "the run file r.h5 is there; wpoflow info r.h5")
    for name in ("r.h5", "x.txt", "./x.txt"):
        check_refusal(call, ["run", name], 2, f"{name} is a run file, not a problem; wpoflow info {name}")
    status, out, _ = call("validate", "x.txt", "--only", "structure")
    assert status == 0
    assert "holds" in out


def test_keys_are_listed_without_the_manual(call: Call) -> None:
    status, out, _ = call("keys")
    assert status == 0
    for key in described().values():
        assert f"  {key.name}  (" in out
    assert "`" not in out
    assert "](" not in out
    _, states, _ = call("keys", "state")
    assert states in out
    assert "[action.AXIS]" not in states
    assert "clamp" in states
    assert "label" in states
    assert call("keys", "state.x.cells")[1] == call("keys", "state.AXIS.cells")[1]
    check_refusal(call, ["keys", "nothing"], 2, "'nothing' is no key; the tables are problem, constants")


def test_axes_have_labels_and_units(call: Call) -> None:
    words = ["--set", "action.a.label='opening of the valve'", "--set", "action.a.units='cm'"]
    status, _out, err = call("run", "bandit", "--cells", "a=8", "--until", "0.1", "-o", "r.h5", *words)
    assert (status, err) == (0, "")
    run = open_run("r.h5")
    assert (run.actions.axes[0].label, run.actions.axes[0].units) == ("opening of the valve", "cm")
    assert axis_label(run.actions.axes[0]) == "opening of the valve [cm]"
    assert 'label = "opening of the valve"' in run.problem
    with h5py.File("r.h5") as file:
        assert (file["a"].attrs["long_name"], file["a"].attrs["units"]) == ("opening of the valve", "cm")
        assert file["a_edges"].attrs["units"] == "cm"
    with xarray.open_datatree("r.h5", engine="h5netcdf") as tree:
        assert run.to_xarray().identical(tree)
    for value in ("seconds", "days since 2000-01-01"):
        check_refusal(call, ["check", "bandit", "--set", f"action.a.units='{value}'"], 2, "--set action.a.units: ")
    check_refusal(
        call, ["check", "bandit", "--set", 'action.a.label="a\\nb"'], 2, "--set action.a.label: must be one line"
    )


def test_a_seam_that_does_not_match_is_told_of(call: Call) -> None:
    asked = ["torus", "--cells", "s=8", "--cells", "a=8", "--until", "0.1", "--set", "cost.running='cos(s) + a'"]
    says = "warning: cost.running jumps at the seam of the periodic axis a"
    for command in (["check", *asked], ["run", *asked, "-o", "r.h5"]):
        status, _, err = call(*command)
        assert status == 0
        assert says in err
        assert len(err.splitlines()) == 1
    assert call("run", *asked, "-o", "q.h5", "--quiet")[2] == ""


TANK = """
import gymnasium
import numpy as np

class Tank(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
    action_space = gymnasium.spaces.Box({action})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(1, np.float32), {{}}

    def step(self, action):
        self.count += 1
        return np.zeros(1, np.float32), 1.0, self.count == 3, False, {{}}

gymnasium.register("{name}", Tank, max_episode_steps=9)
"""


def test_environments_of_a_module_in_the_current_folder(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    assert call("run", "lqr", "--cells", "x=8", "--cells", "u=8", "--until", "0.1", "-o", "r.h5")[0] == 0
    axis = open_run("r.h5").actions.axes[0]
    Path("wpo_tank.py").write_text(TANK.format(action=f"{axis.lower}, {axis.upper}, (1,)", name="Tank-v0"))
    Path("wpo_other.py").write_text(TANK.format(action="-1.0, 1.0, (1,)", name="Other-v0"))
    Path("wpo_broken.py").write_text("import there_is_no_such_module\n")
    Path("wpo_wrong.py").write_text("1/0\n")
    status, out, err = call("rollout", "r.h5", "--env", "wpo_tank:Tank-v0", "--episodes", "2")
    assert (status, err) == (0, "")
    assert re.search(r"mean return +3 ", out)
    for name, says in (
        ("wpo_none:Tank-v0", "there is no module wpo_none, neither installed nor as wpo_none.py in"),
        ("wpo_other:Tink-v0", "module wpo_other registers no such environment"),
        ("wpo_broken:Tank-v0", "module wpo_broken needs there_is_no_such_module"),
        ("wpo_wrong:Tank-v0", "module wpo_wrong cannot be imported: ZeroDivisionError"),
        ("Pendulm-v1", "did you mean 'Pendulum'?"),
        ("FrozenLake-v1", "the action grid is u of no labels; it must be of 4 labels"),
    ):
        status, out, err = call("rollout", "r.h5", "--env", name)
        assert (status, out) == (2, "")
        assert says in err
        assert len(err.splitlines()) == 1
