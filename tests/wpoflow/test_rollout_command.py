"""``wpoflow rollout``: its numbers are those of a loop written by hand, and its mistakes take one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.problems.environments.test_rollout import by_hand
from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.runs import small_run
from wpoflow.problems.environments.cross_entropy import CrossEntropy
from wpoflow.problems.environments.look_ahead import LookAhead
from wpoflow.problems.environments.policy import open_policy
from wpoflow.problems.environments.rollout import rollout

SMALL = ["pendulum", *("--cells", "theta=21"), *("--cells", "speed=21"), *("--cells", "torque=5")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["optimum", "run"])
def test_a_rollout_of_a_file(call: Call, kind: str) -> None:
    until = ["--until", "time=1", "--quiet"] if kind == "run" else ["--quiet"]
    assert call(kind, *SMALL, "--set", "problem.temperature=0.1", "-o", "p.h5", *until)[0] == 0
    options = ["p.h5", "--env", "Pendulum-v1", "--episodes", "3", "--seed", "7"]
    status, out, err = call("rollout", *options, "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    expected = by_hand(open_policy("p.h5"), "Pendulum-v1", range(7, 10))[0]
    assert found["returns"] == expected
    assert found["mean"] == np.mean(expected)
    assert (found["worst"], found["best"]) == (min(expected), max(expected))
    assert found["policy"] == ("flow" if kind == "run" else "optimum")
    assert (found["episodes"], found["seed"], found["steps"]) == (3, 7, 600)
    assert (found["terminated"], found["failed"]) == (0, None)
    status, out, _ = call("rollout", *options)
    assert status == 0
    assert f"mean return  {found['mean']:.6g} +- " in out
    assert "3, seeds 7 to 9, 600 steps" in out
    assert "failed" not in out
    assert found["hold"] == 1
    held = json.loads(call("rollout", *options, "--hold", "4", "--json")[1])
    assert (held["hold"], held["steps"]) == (4, 600)
    assert held["returns"] != expected
    if kind == "run":
        assert "flow at time 1 of p.h5" in out
        best = json.loads(call("rollout", *options, "--policy", "optimum", "--json")[1])
        assert best["policy"] == "optimum"
        assert best["returns"] != expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["optimum", "run"])
def test_a_rollout_by_plans(call: Call, kind: str) -> None:
    """Its numbers are those of Python, with the value of the policy meant, and what was planned with is said."""
    until = ["--until", "time=0.5", "--quiet"] if kind == "run" else ["--quiet"]
    assert call(kind, *SMALL, "--set", "problem.temperature=0.1", "-o", "p.h5", *until)[0] == 0
    options = ["p.h5", "--env", "Pendulum-v1", "--episodes", "1", "--seed", "7"]
    plans: tuple[tuple[list[str], Any], ...] = (
        (["--look-ahead", "2", "--plan", "temperature=0", "--plan", "hold=2"], LookAhead(2, temperature=0.0, hold=2)),
        (
            ["--cem", "3", "--plan", "samples=8", "--plan", "elite=0.25", "--hold", "4"],
            CrossEntropy(horizon=3, samples=8, elite=0.25),
        ),
    )
    means = [json.loads(call("rollout", *options, "--json")[1])["mean"]]
    for asked, plan in plans:
        status, out, err = call("rollout", *options, *asked, "--json")
        assert (status, err) == (0, "")
        found, hold = json.loads(out), 4 if "--hold" in asked else 1
        expected = rollout(open_policy("p.h5", plan=plan), "Pendulum-v1", episodes=1, seed=7, hold=hold)
        assert found["returns"] == expected.returns.tolist()
        assert found["plan"]["kind"] == ("look-ahead" if hold == 1 else "cross-entropy")
        assert "of the dynamics the problem states" in found["plan"]["steps"]
        means.append(found["mean"])
    if kind == "run":
        asked = [*plans[0][0], "--policy", "optimum", "--json"]
        means.append(json.loads(call("rollout", *options, *asked)[1])["mean"])
    assert len(set(means)) == len(means)
    assert "the first of each plan, held for 4 steps" in call("rollout", *options, *plans[1][0])[1]
    out = call("rollout", *options, *plans[0][0])[1]
    assert "look-ahead of depth 2, actions of 2 steps of the dynamics the problem states, plain minimum" in out


def test_failed_episodes_are_counted(call: Call) -> None:
    few = [*("--cells", "position=3"), *("--cells", "velocity=3"), *("--cells", "force=1")]
    call("optimum", "mountain_car", *few, "-o", "m.h5", "--quiet")
    options = ["--env", "MountainCarContinuous-v0", "--episodes", "2", "--mode", "sampled"]
    status, out, _ = call("rollout", "m.h5", *options)
    assert status == 0
    assert "2 without reaching the goal" in out
    assert "0 by the environment, 2 by its time limit" in out


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--env", "Pendulum-v9"], 2, "Pendulum-v9"),
        (["--env", "CartPole-v1"], 2, "the action grid is u of no labels; it must be of 2 labels"),
        (["--env", "Pendulum-v1"], 2, "its state has 2 numbers, the policy 1 state axes (x)"),
        (["--env", "Pendulum-v1", "--mode", "greedy"], 2, "'median', 'mean', 'mode', 'sampled'"),
        (["--env", "Pendulum-v1", "--episodes", "0"], 2, "--episodes"),
        (["--env", "Pendulum-v1", "--hold", "0"], 2, "--hold"),
        (["--env", "Pendulum-v1", "--look-ahead", "0"], 2, "--look-ahead"),
        (["--env", "Pendulum-v1", "--look-ahead", "2", "--cem", "3"], 2, "--look-ahead and --cem: give one of them"),
        (["--env", "Pendulum-v1", "--plan", "hold=2"], 2, "--plan hold: of a plan; give --look-ahead or --cem"),
        (["--env", "Pendulum-v1", "--cem", "2", "--plan", "sampels=9"], 2, "did you mean 'samples'?"),
        (
            ["--env", "Pendulum-v1", "--look-ahead", "2", "--plan", "samples=9"],
            2,
            "choose one of hold, repeat, model, temp",
        ),
        (
            ["--env", "Pendulum-v1", "--cem", "2", "--plan", "hold=two"],
            2,
            "--plan: hold = 'two' must be a whole number",
        ),
        (["--env", "Pendulum-v1", "--look-ahead", "2", "--plan", "temperature=cold"], 2, "--plan: temperature"),
        (["--env", "Pendulum-v1", "--cem", "2", "--plan", "model=own"], 2, "choose one of problem, environment"),
        ([], 2, "--env"),
    ],
)
def test_mistakes_take_one_line(call: Call, options: list[str], status: int, words: str) -> None:
    small_run(Path("made_up.h5"))
    check_refusal(call, ["rollout", "made_up.h5", *options], status, words)


def test_a_missing_file_and_a_missing_extra(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _, err = call("rollout", "none.h5", "--env", "Pendulum-v1")
    assert status == 3
    assert "none.h5" in err
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    status, _, err = call("rollout", "none.h5", "--env", "Pendulum-v1")
    assert status == 4
    assert err == 'wpoflow: environments need Gymnasium: pip install "wpoflow[rl]"\n'
