"""What a command may write: never what it reads, and in the place of what exists only what wpoflow wrote itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import pytest

from tests.variants import slow
from tests.wpoflow.conftest import Call, check_refusal
from tests.wpoflow.runs import small_run
from wpoflow.problems.gallery import gallery_text
from wpoflow.solver.storage.atomic import OutputLock, append_trailer, check_output
from wpoflow.solver.storage.ours import is_ours
from wpoflow.solver.storage.writer import open_run

SMALL = ["lqr", "--cells", "x=8", "--cells", "u=8"]
posix = pytest.mark.skipif(os.name != "posix", reason="links are made the POSIX way")


def inputs() -> None:
    """A problem file, a run and a run called like a figure, with a folder, a symbolic and a hard link."""
    Path("s.toml").write_text(gallery_text("bandit"), encoding="utf-8")
    Path("folder").mkdir()
    Path("soft").symlink_to("s.toml")
    os.link("s.toml", "hard")
    small_run(Path("run.png"))
    shutil.copy("s.toml", "out.h5.part.toml")


@posix
@pytest.mark.parametrize("output", ["s.toml", "./s.toml", "folder/../s.toml", "soft", "hard"])
@pytest.mark.parametrize("command", ["run", "optimum"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_problem_is_never_replaced_by_its_run(call: Call, command: str, output: str, force: list[str]) -> None:
    inputs()
    before = Path("s.toml").read_bytes()
    check_refusal(call, [command, "./s.toml", "-o", output, *force], 2, "the output is the file that is read, s.toml")
    assert Path("s.toml").read_bytes() == Path("hard").read_bytes() == before


@posix
@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (["plot", "run.png", "-o", "run.png"], "run.png"),
        (["plot", "run.png", "-o", "link.png"], "run.png"),
        (["movie", "run.png", "-o", "./run.png"], "run.png"),
        (["refine", "./s.png", "--plot", "s.png"], "s.png"),
        (["run", "./next.h5.part", "-o", "next.h5"], "next.h5.part"),
        (["run", "./next.h5.lock", "-o", "next.h5"], "next.h5.lock"),
    ],
)
def test_what_is_read_is_never_replaced(call: Call, arguments: list[str], read: str) -> None:
    """Under any name, and neither by what is written on the way to the output."""
    inputs()
    Path("link.png").symlink_to("run.png")
    for name in ("s.png", "next.h5.part", "next.h5.lock"):
        shutil.copy("s.toml", name)
    before = Path(read).read_bytes()
    check_refusal(call, [*arguments, "--force"], 2, "the output is the file that is read")
    assert Path(read).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"dear diary", "out.h5"),
        (b"\x89HDF\r\n\x1a\n" + bytes(3000), "out.h5"),
        (b"\x89PNG\r\n\x1a\n" + bytes(3000), "out.png"),
        (b"wpoflow is what this text is about", "out.h5"),
        (b"{}", "out.png"),
    ],
)
def test_a_file_of_others_is_never_replaced(call: Call, content: bytes, name: str) -> None:
    small_run(Path("run.h5"))
    Path(name).write_bytes(content)
    commands = [["plot", "run.h5", "-o", name]] if name.endswith("png") else [["run", *SMALL, "-o", name]]
    for command in commands:
        check_refusal(call, [*command, "--force"], 2, f"{name} exists and is no run, optimum or figure of wpoflow")
    assert Path(name).read_bytes() == content


def test_an_hdf5_file_of_others_is_never_replaced(call: Call) -> None:
    with h5py.File("out.h5", "w") as file:
        file["measured"] = [1.0, 2.0]
    for command in ("run", "optimum"):
        check_refusal(call, [command, *SMALL, "-o", "out.h5", "--force"], 2, "it is never replaced")
    with h5py.File("out.h5") as file:
        assert file["measured"][1] == 2.0


def test_reports_of_others_are_never_replaced(call: Call) -> None:
    small_run(Path("run.h5"))
    Path("report.html").write_text("<!doctype html><title>of another program</title>")
    for name in ("refine.json", "limits.json"):
        Path(name).write_text('{"of": "another program"}')
    check_refusal(call, ["validate", "run.h5", "--report", "."], 2, "report.html exists and is no run")
    check_refusal(call, ["refine", "bandit", "--report", "."], 2, "refine.json exists and is no run")
    check_refusal(call, ["limits", "discount", "--report", "."], 2, "limits.json exists and is no run")


@pytest.mark.slow
def test_what_is_ours_is_known_in_every_state(call: Call) -> None:
    """Runs, optima, figures and movies; sealed, with the seal cut off, damaged at the end, or empty."""
    few = ["--set", "record.snapshots=3"]
    assert call("run", *SMALL, "--until", "0.1", *few, "-o", "run.h5", "--quiet")[0] == 0
    assert call("optimum", *SMALL, "-o", "opt.h5", "--quiet")[0] == 0
    for name in ("f.png", "f.pdf", "f.svg"):
        assert call("plot", "run.h5", "-o", name, "--kind", "steps")[:2] == (0, f"written to {name}\n")
    for name in ("m.gif", "m.apng"):
        assert call("movie", "run.h5", "-o", name)[:2] == (0, f"written to {name}\n")
    Path("empty.h5").touch()
    whole = Path("run.h5").read_bytes()
    Path("unsealed.h5").write_bytes(whole[:-48])
    Path("cut.h5").write_bytes(whole[: len(whole) // 2])
    for path in Path().iterdir():
        assert is_ours(path), path
    for name in ("run.h5", "unsealed.h5", "cut.h5", "empty.h5"):
        assert call("run", *SMALL, "--until", "0.1", *few, "-o", name, "--quiet", "--force") == (0, "", "")
        assert open_run(name).status == "complete"
    assert call("plot", "run.h5", "-o", "f.png", "--kind", "steps", "--force")[0] == 0
    assert call("movie", "run.h5", "-o", "m.gif", "--force")[0] == 0


@pytest.mark.parametrize("begun", [True, slow(False)], ids=["HDF5 has begun", "room is reserved"])
def test_a_run_killed_in_its_first_moments_is_replaced(call: Call, begun: bool) -> None:
    assert call("run", *SMALL, "--until", "0.1", "-o", "run.h5", "--quiet")[0] == 0
    Path("out.h5.part").write_bytes((Path("run.h5").read_bytes()[:48] if begun else b"") + bytes(4096))
    assert call("run", *SMALL, "--until", "0.1", "-o", "out.h5", "--quiet", "--force") == (0, "", "")
    assert not Path("out.h5.part").exists()


@pytest.mark.slow
def test_a_run_killed_before_its_file_says_whose_it_is_is_replaced(call: Call, tmp_path: Path) -> None:
    """What HDF5 has put on the disk by then opens for nobody; a file of somebody else that opens is left alone."""
    assert call("run", *SMALL, "--until", "0.1", "-o", "run.h5", "--quiet")[0] == 0
    whole = Path("run.h5").read_bytes()
    unmarked = whole.replace(b"wpoflow", b"\0" * 7)[:-48]
    part = Path("out.h5.part")
    for length in (512, 2048, 8192, len(unmarked) // 2):
        part.write_bytes(unmarked[:length])
        assert is_ours(part, unfinished=True)
    assert call("run", *SMALL, "--until", "0.1", "-o", "out.h5", "--quiet", "--force") == (0, "", "")
    assert not part.exists()
    root = unmarked.index(b"OHDR")
    for damage in (b"\xff", bytes(200), bytes(1000)):  # the file opens, and its root is no group
        part.write_bytes(unmarked[: root + 4] + damage + unmarked[root + 4 + len(damage) :])
        assert is_ours(part, unfinished=True)
        assert call("run", *SMALL, "--until", "0.1", "-o", "out.h5", "--quiet", "--force") == (0, "", "")
        assert not part.exists()
    with h5py.File(part, "w") as file:
        file["thesis"] = [1, 2, 3]
    before = part.read_bytes()
    check_refusal(call, ["run", *SMALL, "-o", "out.h5", "--force"], 2, "out.h5.part exists and is no run, optimum or")
    assert part.read_bytes() == before


def test_a_seal_alone_tells_that_a_file_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "start.npz"
    path.write_bytes(b"anything")
    assert not is_ours(path)
    append_trailer(path)
    assert is_ours(path)


def test_what_stands_in_the_place_of_lock_and_checkpoints_is_left_alone(call: Call) -> None:
    Path("out.h5.lock").write_text("precious")
    OutputLock("out.h5").release()
    check_refusal(call, ["run", *SMALL, "-o", "out.h5", "--force"], 2, "out.h5.lock exists and is no lock of wpoflow")
    assert Path("out.h5.lock").read_text() == "precious"
    folder = Path("other.h5.checkpoint")
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    check_refusal(call, ["run", *SMALL, "-o", "other.h5", "--force"], 2, "thesis.tex is of no run")
    assert (folder / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", *SMALL, "-o", "missing/out.h5"],
        ["optimum", *SMALL, "-o", "missing/out.h5"],
        ["plot", "run.h5", "-o", "missing/out.png"],
        ["movie", "run.h5", "-o", "missing/out.gif"],
        ["refine", "bandit", "--plot", "missing/out.png"],
    ],
)
def test_folders_are_not_made_unasked(call: Call, arguments: list[str]) -> None:
    small_run(Path("run.h5"))
    check_refusal(call, arguments, 2, "there is no folder missing")


@pytest.mark.slow
def test_a_folder_that_is_asked_for_is_made(call: Call) -> None:
    assert call("run", *SMALL, "--until", "0.1", "-o", "lqr.h5", "--quiet")[0] == 0
    assert call("validate", "lqr.h5", "--only", "structure", "--report", "r", "--quiet") == (0, "", "")
    assert Path("r/report.json").is_file()


@pytest.mark.parametrize("command", [["run", *SMALL], ["optimum", *SMALL], ["plot", "run.h5"], ["movie", "run.h5"]])
def test_a_name_no_file_can_have(call: Call, command: list[str]) -> None:
    small_run(Path("run.h5"))
    check_refusal(call, [*command, "-o", ""], 2, "-o '': no file can have this name")


def test_python_is_told_of_its_own_arguments(tmp_path: Path) -> None:
    small_run(tmp_path / "run.h5")
    with pytest.raises(FileExistsError, match="replace it with force=True") as caught:
        check_output(tmp_path / "run.h5")
    assert "--force" not in str(caught.value)


def test_commands_are_told_of_their_options(call: Call) -> None:
    small_run(Path("run.h5"))
    check_refusal(
        call, ["run", *SMALL, "-o", "run.h5"], 2, "run.h5 exists; choose another name, or replace it with --force"
    )
    check_refusal(
        call, ["check", "lqr", "--set", "problem.colour=1"], 2, "wpoflow: --set problem.colour: is not a known"
    )
    check_refusal(call, ["check", "lqr", "--cells", "z=3"], 2, "wpoflow: --cells z: is not an axis")
    check_refusal(call, ["check", "lqr", "--scheme", "rk4"], 2, "wpoflow: --scheme: 'rk4' is not a choice")
    check_refusal(call, ["check", "lqr", "--step", "1", "--accuracy", "1"], 2, "--step and --accuracy: give one")
