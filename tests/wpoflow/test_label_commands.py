"""Actions that are labels from the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.problems.test_label_actions import BASE, MIXED
from tests.problems.test_problem_file import changed
from tests.wpoflow.conftest import Call, check_refusal


def test_the_command_line(call: Call, tmp_path: Any) -> None:
    file = tmp_path / "lift.toml"
    file.write_text(changed({"flow.kind": None}, BASE), encoding="utf-8")
    hint = "choose fisher-rao, mirror or policy-iteration, as by --flow fisher-rao"
    for command in ("check", "run"):
        check_refusal(call, [command, str(file)], 2, hint)
        check_refusal(call, [command, str(file), "--scheme", "euler"], 2, hint)
    check_refusal(call, ["check", str(file), "--flow", "wasserstein"], 2, "--flow 'wasserstein' moves mass between")
    assert call("optimum", str(file), "--quiet")[0] == 0
    status, out, err = call("check", str(file), "--flow", "fisher-rao")
    assert (status, err) == (0, "")
    assert "move 3 labels (up, wait, down)" in out
    assert "whole numbers" not in out
    assert call("run", str(file), "--flow", "mirror", "--step", "0.5", "-o", "lift.h5", "--quiet")[0] == 0
    assert "move 3 labels (up, wait, down)" in call("info", "lift.h5")[1]
    assert '"labels": [' in call("info", "lift.h5", "--json")[1]


@pytest.mark.slow
def test_refinement_keeps_labels_and_says_so_of_their_axis(call: Call, tmp_path: Any) -> None:
    file = tmp_path / "lift.toml"
    file.write_text(changed(MIXED, BASE), encoding="utf-8")
    asked = ["refine", str(file), "--levels", "3", "--time", "1", "--quantity", "gap", "--report", "out"]
    check_refusal(call, [*asked, "--axis", "move"], 2, "axis move is labels, which cannot be refined; refine other")
    status, out, _ = call(*asked, "--axis", "actions")
    assert status == 0
    assert "move 3, u 16" in out
    file.write_text(changed({}, BASE), encoding="utf-8")
    check_refusal(call, [*asked, "--axis", "actions"], 2, "no axis of more than one point to refine (labels stay as")


@pytest.mark.slow
def test_regularity_is_judged_beside_labels_and_of_labels_alone_is_none(call: Call, tmp_path: Any) -> None:
    """Labels stay as they are where another action axis is refined; nothing has derivatives where there is none."""
    file = tmp_path / "lift.toml"
    asked = ["validate", str(file), "--level", "full", "--only", "regularity"]
    file.write_text(changed({**MIXED, "flow.until.time": 1.0}, BASE), encoding="utf-8")
    status, out, _ = call(*asked)
    assert (status, "regularity            holds" in out) == (0, True)
    file.write_text(changed({"state.x.cells": 5, "flow.until.time": 1.0}, BASE), encoding="utf-8")
    status, out, _ = call(*asked)
    said = "regularity            not certified actions with derivatives: the values of move are labels"
    assert (status, said in out) == (0, True)
