"""``wpoflow rollout``: its numbers are those of a loop written by hand, and its mistakes take one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.problems.environments.test_rollout import by_hand
from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.runs import small_run
from wpoflow.problems.environments.policy import open_policy

SMALL = ["pendulum", *("--cells", "theta=21"), *("--cells", "speed=21"), *("--cells", "torque=5")]


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
