"""Written figures: the same bytes each time, no trace of the user's settings, SVG fit to stand in a page; movies."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tests.variants import slow
from tests.views.figures.runs import ENDINGS, HARD_TITLE, made_up, small_run
from wpoflow.views.figures import FigureError, plot, save
from wpoflow.views.figures.canvas import svg_text
from wpoflow.views.figures.movie import frames, save_movie


@pytest.mark.parametrize("extension", [slow("png"), slow("pdf"), "svg"])
def test_the_same_run_gives_the_same_bytes_whatever_the_users_settings(tmp_path: Path, extension: str) -> None:
    run = ENDINGS["two rows"]
    save(plot(run, "kymograph"), tmp_path / f"a.{extension}")
    with matplotlib.rc_context({"font.size": 20.0, "axes.grid": True, "svg.fonttype": "none", "image.cmap": "jet"}):
        save(plot(run, "kymograph"), tmp_path / f"b.{extension}")
        assert matplotlib.rcParams["font.size"] == 20.0
    first, second = (tmp_path / f"{name}.{extension}" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 2000


def test_pngs_are_sharp_and_other_endings_are_refused(tmp_path: Path) -> None:
    save(plot(ENDINGS["two rows"], "steps"), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 680
        assert image.info["dpi"] == pytest.approx((200.0, 200.0), abs=0.1)
    with pytest.raises(FigureError, match=r"a figure ends in \.png, \.pdf, \.svg"):
        save(plot(ENDINGS["two rows"], "steps"), tmp_path / "a.jpg")


def test_several_svgs_stand_in_one_page() -> None:
    texts = [svg_text(plot(small_run("plane"), kind), f"<{kind}> & more") for kind in ("value", "decay")]
    ids = [re.findall(r'\bid="([^"]+)"', text) for text in texts]
    assert set(ids[0]).isdisjoint(ids[1])
    for text, own in zip(texts, ids, strict=True):
        root = ElementTree.fromstring(text)
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"].endswith("> & more")
        assert len(own) == len(set(own))
        referred = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
        assert referred <= set(own)
        assert re.findall(r'href="(?!#|data:)', text) == []
        assert "<style" not in text
        assert "<text" not in text
    assert "data:image/png" in texts[0]


@pytest.mark.slow
def test_frames_follow_the_snapshots() -> None:
    for name in ("bandit", "line", "plane of two actions"):
        run = small_run(name)
        assert run.snapshots is not None
        images = list(frames(run))
        assert len(images) == run.snapshots.time.size
        assert len({image.size for image in images}) == 1
        assert np.any(np.asarray(images[0]) != np.asarray(images[-1]))


@pytest.mark.slow
def test_gif_and_apng(tmp_path: Path) -> None:
    run = small_run("line", HARD_TITLE)
    assert run.snapshots is not None
    for name in ("a.gif", "b.gif", "a.apng", "b.png"):
        save_movie(run, tmp_path / name, fps=5.0)
        with Image.open(tmp_path / name) as movie:
            assert movie.n_frames == run.snapshots.time.size  # type: ignore[attr-defined]
            assert movie.info["duration"] == 200
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    assert (tmp_path / "a.apng").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_movies_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for run, says in ((made_up([2.0, 1.0]), "one snapshot"), (ENDINGS["no snapshots"], "no snapshots")):
        with pytest.raises(FigureError, match=says):
            save_movie(run, tmp_path / "a.gif")
    with pytest.raises(FigureError, match=r"ends in \.gif, \.apng, \.png, \.mp4"):
        save_movie(small_run("line"), tmp_path / "a.avi")
    with pytest.raises(FigureError, match="fps = 0"):
        save_movie(small_run("line"), tmp_path / "a.gif", fps=0.0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FigureError, match="needs the program ffmpeg"):
        save_movie(small_run("line"), tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []
