"""Files whose seal another program cut, hostile files, and what commands say of them: one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.runs import small_run
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, append_trailer

SAID = "wpoflow: run.h5: not sealed: another program opened it for writing"


def write_unsealed() -> None:
    """A run file that h5py opened for writing and closed again."""
    small_run(Path("run.h5"), snapshots=2)
    h5py.File("run.h5", "r+").close()


@pytest.mark.parametrize(
    "command",
    [["info", "run.h5"], ["plot", "run.h5", "-o", "f.svg"], ["movie", "run.h5", "-o", "m.gif"], ["validate", "run.h5"]],
    ids=lambda command: command[0],
)
def test_every_reader_says_so_in_one_line(call: Call, command: list[str]) -> None:
    write_unsealed()
    status, out, err = call(*command)
    assert status in (0, 1)  # the made-up run does not obey the theory
    assert out
    assert err.startswith(SAID)
    assert err.endswith("to seal it again: wpoflow seal run.h5\n")
    assert len(err.splitlines()) == 1


def test_info_tells_the_state_of_the_file(call: Call) -> None:
    write_unsealed()
    assert "not sealed: another program opened it for writing" in call("info", "run.h5")[1]
    assert '"unsealed": "not sealed: another program' in call("info", "run.h5", "--json")[1]
    status, out, err = call("seal", "run.h5")
    assert (status, err) == (0, "")
    assert out.startswith("run.h5 is sealed again; it was not sealed: another program opened it for writing")
    assert out.endswith("; what the run left in it is unchanged\n")
    status, out, err = call("info", "run.h5")
    assert (status, err) == (0, "")
    assert "whole and unaltered" in out
    assert call("seal", "run.h5") == (0, "run.h5 is sealed, whole and unaltered\n", "")


def test_what_was_altered_is_not_sealed(call: Call) -> None:
    write_unsealed()
    with h5py.File("run.h5", "r+") as file:
        file["gap"][0] = 7.0
    before = Path("run.h5").read_bytes()
    for command in (["seal", "run.h5"], ["info", "run.h5"]):
        check_refusal(call, command, 3, "another program opened it for writing, and altered or damaged: gap\n")
    assert Path("run.h5").read_bytes() == before
    check_refusal(call, ["seal", "absent.h5"], 3, "absent.h5: No such file or directory")
    Path("text.h5").write_text("text" * 100)
    check_refusal(call, ["seal", "text.h5"], 3, "text.h5: no trailer")


def test_what_was_added_since_is_named(call: Call) -> None:
    small_run(Path("run.h5"))
    with h5py.File("run.h5", "a") as file:
        file.attrs["note"], file["mine"] = "read twice", np.ones(3)
    assert "; added since: attribute note, mine" in call("info", "run.h5")[1]
    assert call("seal", "run.h5")[1].endswith("is unchanged; added since: attribute note, mine\n")


def test_a_run_without_its_end_state_is_not_extended(call: Call) -> None:
    write_unsealed()
    check_refusal(call, ["resume", "run.h5", "--until", "5"], 3, "run.h5: holds no state to extend the run from; a")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda file: file.attrs.__setitem__("temperature", 0.0), "the temperature is 0.0"),
        (lambda file: file.attrs.__setitem__("discount", np.nan), "the discount is nan"),
        (
            lambda file: file["snapshot/snapshot_time"].__setitem__(..., np.nan),
            "snapshot/snapshot_time is not in order",
        ),
        (lambda file: file["rho"].__setitem__(..., [-1.0, 1.0, 1.0]), "rho is no probability"),
        (
            lambda file: file["snapshot/policy"].__setitem__(..., 0.5),
            "snapshot/policy is no probability in every state",
        ),
        (lambda file: file["optimum/policy"].__setitem__((0, 0), -1.0), "optimum/policy is no probability in every"),
    ],
)
def test_numbers_of_no_run_are_refused_by_what_shows_them(
    call: Call, change: Callable[[h5py.File], None], says: str
) -> None:
    small_run(Path("run.h5"), snapshots=2)
    os.truncate("run.h5", Path("run.h5").stat().st_size - TRAILER_LENGTH)
    with h5py.File("run.h5", "r+") as file:
        change(file)
    append_trailer(Path("run.h5"))
    for command in (["plot", "run.h5", "-o", "f.svg"], ["movie", "run.h5", "-o", "m.gif"]):
        check_refusal(call, command, 3, f"its numbers are not those of a run: {says}")


def test_axes_of_no_run_are_refused(call: Call) -> None:
    small_run(Path("run.h5"), snapshots=2)
    with h5py.File("run.h5", "r+") as file:
        file["x_edges"][...] = np.linspace(-1e307, 1e307, 4)
    append_trailer(Path("run.h5"))
    check_refusal(call, ["plot", "run.h5", "-o", "f.svg"], 3, "axis x: [-1e+307, 1e+307] is 2e+307 long; a box is from")


@pytest.mark.slow
def test_series_in_which_nothing_can_be_drawn_make_no_noise(call: Call) -> None:
    small_run(Path("run.h5"), snapshots=2)
    os.truncate("run.h5", Path("run.h5").stat().st_size - TRAILER_LENGTH)
    with h5py.File("run.h5", "r+") as file:
        for name, pair in (("gap", (np.inf, 1e-310)), ("dissipation", (1e300, 5e-324)), ("step_size", (np.nan, -1.0))):
            file[name][...] = pair
    append_trailer(Path("run.h5"))
    for kind in ("overview", "decay", "steps", "value"):
        status, _, err = call("plot", "run.h5", "-o", f"{kind}.svg", "--kind", kind)
        assert (status, err) == (0, "")
    assert call("movie", "run.h5", "-o", "m.gif")[::2] == (0, "")


def test_a_name_of_two_lines_is_shown_in_one(call: Call) -> None:
    small_run(Path("two\nlines.h5"), snapshots=2)
    assert call("seal", "two\nlines.h5") == (0, "two\\nlines.h5 is sealed, whole and unaltered\n", "")
