"""Files whole or not at all, and nothing but a regular file is ever replaced."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.wpoflow.runs import small_run
from wpoflow.grids.axis import uniform_axis
from wpoflow.grids.grid import Grid
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.storage.atomic import check_output, final_path, part_path, write_text
from wpoflow.solver.storage.problem_arrays import head_of
from wpoflow.solver.storage.writer import RunWriter, open_run

ACTIONS = Grid((uniform_axis("a", 0.0, 1.0, 2),))

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes are made the POSIX way")


def writer(path: Path, force: bool = True) -> RunWriter:
    return RunWriter(path, head_of(Grid(), ACTIONS, np.full(2, 0.5), np.ones(1)), force=force)


@pytest.mark.parametrize("name", ["run.h5", "run.h5.part"])
def test_a_pipe_is_never_replaced(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(FileExistsError, match=rf"{name} exists and is not a regular file"):
        writer(tmp_path / "run.h5")
    assert (tmp_path / name).is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_to_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "run.h5").symlink_to("pipe")
    with pytest.raises(FileExistsError, match="pipe exists and is not a regular file"):
        check_output(tmp_path / "run.h5", force=True)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="not a regular file"):
        check_output(tmp_path, force=True)


def test_a_link_of_the_unfinished_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run.h5.part").symlink_to("precious")
    with pytest.raises(FileExistsError, match=r"run\.h5\.part exists and is not a regular file"):
        writer(tmp_path / "run.h5")
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").symlink_to("b.h5")
    (tmp_path / "b.h5").symlink_to("a.h5")
    with pytest.raises(FileExistsError, match="not a regular file"):
        check_output(tmp_path / "a.h5", force=True)


@pytest.mark.parametrize("exists", [True, False])
def test_the_file_a_link_leads_to_is_written(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real.h5", tmp_path / "link.h5"
    link.symlink_to("folder/real.h5")
    if exists:
        small_run(real)
        with pytest.raises(FileExistsError, match=r"link\.h5 exists"):
            check_output(link)
    with writer(link, force=exists) as run:
        assert part_path(link) == part_path(real.resolve())
        assert part_path(real).exists()
        run.record(dict.fromkeys(SERIES, 1.0))
        run.close("complete", "written through a link")
    assert link.is_symlink()
    assert not real.is_symlink()
    assert open_run(real).stop_reason == open_run(link).stop_reason == "written through a link"
    assert final_path(link) == real.resolve()
    assert {path.name for path in tmp_path.rglob("*")} == {"folder", "real.h5", "link.h5"}


def test_a_folder_that_takes_no_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "tmpabc"))

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(PermissionError) as caught:
        check_output(tmp_path / "run.h5")
    assert str(caught.value).endswith(f"run.h5: no file can be made in the folder {tmp_path}: Permission denied")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="no file can be made in the folder"):
        check_output(tmp_path / "closed" / "run.h5")


def test_looking_leaves_nothing(tmp_path: Path) -> None:
    check_output(tmp_path / "run.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "report.json"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half of the new \ud800")
    assert path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]
