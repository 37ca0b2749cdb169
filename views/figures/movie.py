"""The policy relaxing, as a movie: one frame a snapshot, with the gap beside it and a marker that moves along.

    one state             density over the action, the optimal one dashed
    one state axis, or a slice along one    map of the density over state and action
    two action axes       map of the density over both, at one state

Nothing is interpolated in time: more frames are more snapshots (``--set record.snapshots=60`` when the run is made).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wpoflow.core.arguments import check_kind
from wpoflow.solver.records.provenance import VERSION
from wpoflow.solver.records.run import Run
from wpoflow.views.figures import decay, kymograph
from wpoflow.views.figures.canvas import BLACK, BLUE, DOUBLE, VERMILION, heading, new_figure, style
from wpoflow.views.figures.density import plane
from wpoflow.views.figures.fields import Slice, long_axes, marginal, snapshot_times
from wpoflow.views.figures.formats import FigureError
from wpoflow.views.figures.panels import (
    DENSITY,
    axes_map,
    axis_label,
    colour_bar,
    density_norm,
    legend_above,
    name_ticks,
    profile_look,
)

MOVIES = (".gif", ".apng", ".png", ".mp4")
DOTS = 130
COLOURS = 256
MOST_FRAMES = 1000  # held at once, a megabyte each
MOST_FPS = 50.0  # of what GIF viewers keep up with
Update = Callable[[int], None]


def why_not(run: Run) -> str:
    """What a kymograph needs, and two snapshots."""
    reason = kymograph.why_not(run)
    if not reason and snapshot_times(run).size < 2:
        reason = "the file holds one snapshot, and nothing moves"
    if not reason and (count := snapshot_times(run).size) > MOST_FRAMES:
        reason = f"the file holds {count} snapshots, and a movie shows {MOST_FRAMES} at most"
    return reason


def check_movie(path: Path, fps: float) -> None:
    """Raise FigureError unless such a movie can be made here."""
    if path.suffix.lower() not in MOVIES:
        raise FigureError(f"{path}: a movie ends in {', '.join(MOVIES)}")
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise FigureError(f"{path}: .mp4 needs the program ffmpeg, which is not found; .gif and .apng need nothing")
    if not (np.isfinite(fps) and 0.0 < fps <= MOST_FPS):
        raise FigureError(f"fps = {fps:g}: must be positive and at most {MOST_FPS:g}")


def frames(run: Run, *, state: Mapping[str, float] | None = None, title: bool = True) -> Iterator[Image.Image]:
    """Images of equal size, one a snapshot.

    Raises
    ------
    FigureError
        The run cannot be shown, or the state is not one.
    """
    reason = why_not(run)
    if reason:
        raise FigureError(f"movie: {reason}")
    with style():
        figure, update = _scene(run, state, title)
        figure.set_dpi(DOTS)
        for number in range(snapshot_times(run).size):
            update(number)
            figure.canvas.draw()
            figure.set_layout_engine("none")  # the first frame places everything
            pixels = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
            yield Image.fromarray(pixels[..., :3].copy())


def save_movie(
    run: Run,
    path: str | Path,
    *,
    state: Mapping[str, float] | None = None,
    title: bool = True,
    fps: float = 4.0,
    form: str | None = None,
) -> None:
    """Write a movie: .gif, .apng (or .png, animated), or .mp4 where ffmpeg is installed; the last frame stays longer.

    Parameters
    ----------
    run : Run
    path : path
    state : mapping of state axis to number, optional
        As in `views.figures.plot`.
    title : bool
        Whether the problem's title stands above it.
    fps : float
        Frames a second.
    form : str, optional
        Extension that says the format, if the path does not.

    Raises
    ------
    FigureError
        Another extension, no ffmpeg, a run without snapshots, or a state that is not one.
    OSError
        The file cannot be written.
    """
    check_kind("run", run, Run, "a Run: wpoflow.open_run(file), or what wpoflow.evolve gives")
    path = Path(path)
    kind = (form or path.suffix).lower()
    check_movie(path.with_suffix(kind), fps)
    images = list(frames(run, state=state, title=title))
    if kind == ".mp4":
        _mp4(images, path, fps)
        return
    milliseconds = [max(20, round(1000.0 / fps))] * len(images)
    milliseconds[-1] *= 4
    if kind == ".gif":
        # one palette for all frames, so that colours do not flicker
        sheet = Image.new("RGB", (images[0].width, images[0].height * 2))
        sheet.paste(images[0], (0, 0))
        sheet.paste(images[-1], (0, images[0].height))
        palette = sheet.quantize(COLOURS)
        images = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    made_by = f"wpoflow {VERSION}"  # by which a file of ours is known when it is to be replaced
    text = PngInfo()
    text.add_text("Software", made_by)
    options: dict[str, Any] = {"disposal": 1, "comment": made_by} if kind == ".gif" else {"pnginfo": text}
    images[0].save(
        path,
        format="GIF" if kind == ".gif" else "PNG",
        save_all=True,
        append_images=images[1:],
        duration=milliseconds,
        loop=0,
        **options,
    )


def _mp4(images: list[Image.Image], path: Path, fps: float) -> None:
    """Hand the frames to ffmpeg; it wants even sizes."""
    width, height = (size - size % 2 for size in images[0].size)
    raw = b"".join(image.crop((0, 0, width, height)).tobytes() for image in [*images, *[images[-1]] * 3])
    command = [
        *("ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"),
        *("-r", f"{fps:g}", "-i", "-", "-pix_fmt", "yuv420p", "-fflags", "+bitexact", "-flags", "+bitexact"),
        *("-metadata", f"comment=wpoflow {VERSION}", "-f", "mp4", str(path.resolve())),
    ]
    done = subprocess.run(command, input=raw, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise FigureError(f"{path}: ffmpeg failed: {lines[-1]}")


def _scene(run: Run, state: Mapping[str, float] | None, title: bool) -> tuple[Figure, Update]:
    """The figure, and what brings it to a snapshot."""
    one_action = len(long_axes(run.actions)) == 1
    cut = Slice(run, state, 1 if one_action else 0)
    with_gap = not decay.why_not(run)
    figure = new_figure(DOUBLE if with_gap else 0.6 * DOUBLE, 3.0)
    ratios = [1.25, 1.0] if with_gap else [1.0]
    panels = figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
    show = _lines if one_action and not cut.along else _map
    first = show(panels[0], cut)
    second = _marker(panels[1], run) if with_gap else None
    heading(figure, run.title if title else "", f"at {cut.words}" if cut.words else "")
    stamp = panels[0].set_title(" ", loc="left")
    times = snapshot_times(run)

    def update(number: int) -> None:
        first(number)
        if second is not None:
            second(number)
        stamp.set_text(rf"$\pi_t$ at $t=$ {times[number]:.4g}")

    return figure, update


def _lines(panel: Axes, cut: Slice) -> Update:
    """Density over the action axis."""
    run, (k,) = cut.run, long_axes(cut.run.actions)
    axis, values = run.actions.axes[k], kymograph.history(cut, k)
    (line,) = panel.plot(axis.points, values[0], color=BLUE, **profile_look(axis))
    highest = [values.max()]
    if run.optimum is not None:
        best = marginal(run, run.optimum.policy[cut.rows[0]], k)
        panel.plot(axis.points, best, color=BLACK, linewidth=0.8, **profile_look(axis, "--"))
        highest.append(best.max())
    panel.set_xlim(axis.lower, axis.upper)
    panel.set_ylim(0.0, 1.05 * float(max(highest)))
    name_ticks(panel.xaxis, axis)
    panel.set_xlabel(axis_label(axis))
    panel.set_ylabel(f"{DENSITY}; dashed: $\\pi^*$" if run.optimum is not None else DENSITY)

    def update(number: int) -> None:
        line.set_ydata(values[number])

    return update


def _map(panel: Axes, cut: Slice) -> Update:
    """Density over state and action, or over two actions."""
    run, axes = cut.run, [cut.run.actions.axes[k] for k in long_axes(cut.run.actions)[:2]]
    assert run.snapshots is not None
    policies = (policy[cut.rows] for policy in run.snapshots.each_policy())
    if cut.along:
        values = np.array([marginal(run, policy, long_axes(run.actions)[0]) for policy in policies])
    else:
        values = np.array([plane(run, policy[0]) for policy in policies])
    across, up = [*cut.axes, *axes]
    mesh = axes_map(panel, across, up, values[0], density_norm(values))
    colour_bar(mesh, panel, DENSITY, "right")

    def update(number: int) -> None:
        mesh.set_array(np.ma.masked_invalid(values[number].T))

    return update


def _marker(panel: Axes, run: Run) -> Update:
    """The gap, and where on it the flow is; between two rows on the line that joins them."""
    decay.gap_panel(panel, run, short=True)
    legend_above(panel, 2, narrow=True)
    time, gap, times = run.series["time"], run.series["gap"], snapshot_times(run)
    (spot,) = panel.plot([time[0]], [gap[0]], marker="o", color=VERMILION, markersize=6.0, zorder=5, clip_on=False)

    def update(number: int) -> None:
        moment = float(times[number])
        height = float(np.interp(moment, time, gap))
        spot.set_data([moment], [height])

    return update
