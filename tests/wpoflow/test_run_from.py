"""``wpoflow run --from``: begun from another run, recorded, resumable; and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.wpoflow.conftest import Call, check_refusal
from wpoflow.solver.storage.writer import open_run

SMALL = ["lqr", "--cells", "x=12", "--cells", "u=12"]


def test_a_run_begins_where_another_ended(call: Call) -> None:
    call("run", *SMALL, "--until", "0.5", "-o", "a.h5", "--quiet")
    status, out, err = call("run", *SMALL, "--until", "steps=3", "--from", "a.h5", "-o", "b.h5")
    assert (status, err) == (0, "")
    assert "begins from the policy of a.h5 at flow time 0.5, on the same grids" in out
    first, second = open_run("a.h5"), open_run("b.h5")
    assert second.snapshots is not None
    np.testing.assert_array_equal(second.snapshots.policy_at(0), first.policy)
    assert second.attributes["initial_run_id"] == first.attributes["run_id"]
    assert "begun from" in call("info", "b.h5")[1]
    assert call("resume", "b.h5", "--until", "steps=5", "--quiet")[0] == 0
    assert open_run("b.h5").attributes["initial"] == second.attributes["initial"]


def test_other_sizes_are_carried_over(call: Call) -> None:
    call("run", *SMALL, "--until", "0.5", "-o", "a.h5", "--quiet")
    status, _, err = call(
        "run", "lqr", "--cells", "x=9", "--cells", "u=20", "--until", "steps=2", "--from", "a.h5", "--quiet"
    )
    assert (status, err) == (0, "")
    policy = open_run("lqr.h5").snapshots.policy_at(0)  # type: ignore[union-attr]
    assert policy.shape == (9, 20)
    assert np.all(policy > 0.0)


def test_what_cannot_be_begun_from_is_refused(call: Call) -> None:
    call("run", *SMALL, "--until", "steps=1", "-o", "a.h5", "--quiet")
    run = ["run", *SMALL, "--until", "steps=1"]
    density = ["--set", "initial.policy_density='exp(-u**2)'"]
    check_refusal(call, [*run, "--from", "a.h5", *density], 2, "--from a.h5: --set initial.policy_density is")
    bandit = ["run", "bandit", "--from", "a.h5"]
    check_refusal(call, bandit, 2, "--from a.h5: its state axes are x, those of the problem none")
    check_refusal(call, [*run, "--from", "a.h5", "-o", "a.h5", "--force"], 2, "would replace it; name another output")
    check_refusal(call, [*run, "--from", "no.h5"], 3, "no.h5")
    Path("text.h5").write_text("nothing")
    check_refusal(call, [*run, "--from", "text.h5"], 3, "text.h5")
    assert open_run("a.h5").status == "complete"


def test_a_run_of_gaussians_says_what_it_took_up(call: Call) -> None:
    gaussian = ["--flow", "gaussian", "--until", "steps=2"]
    call("run", *SMALL, *gaussian, "-o", "g.h5", "--quiet")
    ends: tuple[tuple[list[str], str], ...] = (
        ([], "its Gaussians as they are"),
        (["--set", "flow.components=2"], "Gaussians of the moments of its cells"),
    )
    for further, words in ends:
        status, out, err = call("run", *SMALL, *gaussian, *further, "--from", "g.h5", "-o", "h.h5", "--force")
        assert (status, err) == (0, "")
        assert f"on the same grids; {words}\n" in out
        assert f"on the same grids; {words}\n" in call("info", "h.h5")[1]
    status, out, _ = call("run", *SMALL, "--until", "steps=2", "--from", "g.h5", "-o", "w.h5")
    assert status == 0
    assert "on the same grids\n" in out
