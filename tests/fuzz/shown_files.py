"""Sealed run files whose numbers or sizes are those of no run, or of a run that failed, and what shows them.

The commands ``info --json``, ``plot`` of every kind and ``movie``, and ``to_xarray``, must show such a file or refuse
it in one line, without a warning and in little memory.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz.answers import BadAnswerError, check_lines
from tests.fuzz.table import Tally
from tests.fuzz.worker import Worker
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.storage.atomic import TRAILER_LENGTH, append_trailer

SECONDS = 120.0
ODD = (0.0, -0.0, 1.0, -1.0, 0.25, 5e-324, 1e-310, 1e-30, 1e30, 1e154, 1e307, 1.7e308, -1e307, np.inf, -np.inf, np.nan)
NUMBERS = ("discount", "temperature", "gap_floor", "wall_seconds", "compile_seconds")
EDGES = {"x_edges": 4, "u_edges": 5}
SHAPES = {
    "rho": (3,),
    "reference_mass": (4,),
    "optimum/value": (3,),
    "optimum/q": (3, 4),
    "optimum/policy": (3, 4),
    "optimum/occupancy": (3,),
    "snapshot/snapshot_time": (2,),
    "snapshot/value": (2, 3),
    "snapshot/policy": (2, 3, 4),
    **dict.fromkeys(SERIES, (2,)),
}
BIG = {"compression": "gzip", "compression_opts": 1, "shuffle": True}

Change = Callable[[h5py.File], object]


def write_run(path: Path) -> None:
    """A small run file with two snapshots."""
    from tests.wpoflow.runs import small_run

    path.unlink(missing_ok=True)
    small_run(path, snapshots=2)


def _replaced(name: str, array: Any, **options: Any) -> Change:
    def change(file: h5py.File) -> None:
        described = dict(file[name].attrs)
        del file[name]
        made = file.create_dataset(name, data=array, **options)
        made.attrs.update({key: described[key] for key in ("boundary", "units", "long_name") if key in described})

    return change


def _attribute(name: str, value: object) -> Change:
    return lambda file: file.attrs.__setitem__(name, value)


def _all_series(rows: int) -> Change:
    def change(file: h5py.File) -> None:
        for name in SERIES:
            numbers = np.arange(float(rows)) if name == "time" else np.ones(rows)
            _replaced(name, numbers, chunks=(min(rows, 1 << 17),), **BIG)(file)

    return change


def _many_snapshots(count: int) -> Change:
    def change(file: h5py.File) -> None:
        for name, shape in (("snapshot_time", ()), ("value", (3,)), ("policy", (3, 4))):
            numbers = np.arange(float(count)) if not shape else np.broadcast_to(0.25, (count, *shape))
            _replaced(f"snapshot/{name}", numbers, chunks=(min(count, 4096), *shape), **BIG)(file)

    return change


def _empty(name: str, shape: tuple[int, ...]) -> Change:
    """A data set of zeros that were never written."""

    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, shape, "f8", chunks=tuple(min(n, 1 << 10) for n in shape))

    return change


def _wide(file: h5py.File) -> None:
    """A state axis of three million cells, and whatever hangs on it never written."""
    cells = 3_000_000
    _replaced("x_edges", np.linspace(-1.0, 1.0, cells + 1), chunks=(1 << 17,), **BIG)(file)
    for name, shape in SHAPES.items():
        if 3 in shape:
            _empty(name, tuple(cells if n == 3 else n for n in shape))(file)


def _wide_written(file: h5py.File) -> None:
    """A state axis of so many cells, and policies that unpack to a hundred times the file."""
    cells = 300_000
    _replaced("x_edges", np.linspace(-1.0, 1.0, cells + 1), chunks=(1 << 17,), **BIG)(file)
    for name, shape in SHAPES.items():
        if 3 in shape:
            wide = tuple(cells if n == 3 else n for n in shape)
            value = 1.0 / cells if name == "rho" else 0.25
            chunks = tuple(min(n, 1 << 15) for n in wide)
            _replaced(name, np.broadcast_to(value, wide), chunks=chunks, **BIG)(file)


STATED: dict[str, Change] = {
    "a text of 60 MB": _attribute("title", "x" * 60_000_000),
    "a text of 60 MB of wide letters": _attribute("stop_reason", "\u4e00" * 20_000_000),
    "a text of 60 MB of fixed length": _attribute("stop_reason", np.bytes_(b"x" * 60_000_000)),
    "an unknown text of 60 MB": _attribute("note", "x" * 60_000_000),
    "a problem of 3 MB": _attribute("problem", "# " + "x" * 3_000_000),
    "forty texts of 2 MB": lambda file: [file.attrs.__setitem__(f"n{k}", "x" * 2_000_000) for k in range(40)],
    "numbers as an attribute": _attribute("note", np.zeros(1_000_000)),
    "ten thousand attributes": lambda file: [file.attrs.__setitem__(f"n{k}", k) for k in range(10_000)],
    "series of 5 million rows": _all_series(5_000_000),
    "series of 900 thousand rows": _all_series(900_000),
    "thirty thousand snapshots": _many_snapshots(30_000),
    "a million snapshots": _many_snapshots(1_000_000),
    "a billion rows never written": lambda file: [_empty(name, (10**9,))(file) for name in SERIES],
    "states never written": _empty("rho", (3,)),
    "three million states": _wide,
    "300 thousand states": _wide_written,
    "tau 0": _attribute("temperature", 0.0),
    "tau 5e-324": _attribute("temperature", 5e-324),
    "discount nan": _attribute("discount", np.nan),
    "accuracy nan": _attribute("accuracy", np.nan),
    "accuracy of words": _attribute("accuracy", "fine"),
    "step 0": _attribute("step", 0.0),
    "edges of 1e307": _replaced("u_edges", np.linspace(-1e307, 1e307, 5)),
    "state edges of 1e307": _replaced("x_edges", np.linspace(-1e307, 1e307, 4)),
    "edges of 1e100": _replaced("u_edges", np.linspace(-1e100, 1e100, 5)),
    "state edges of 1e100": _replaced("x_edges", np.linspace(-1e100, 1e100, 4)),
    "edges 1e-300 apart": _replaced("u_edges", np.linspace(0.0, 4e-300, 5)),
    "state edges 1e-300 apart": _replaced("x_edges", np.linspace(0.0, 4e-300, 4)),
    "edges of subnormals": _replaced("u_edges", np.arange(5) * 5e-324),
    "edges of neighbouring floats": _replaced("u_edges", 1e6 + np.arange(5) * np.spacing(1e6)),
    "snapshot times nan": _replaced("snapshot/snapshot_time", np.full(2, np.nan)),
    "snapshot times falling": _replaced("snapshot/snapshot_time", np.array([1.0, 0.0])),
    "snapshot times negative": _replaced("snapshot/snapshot_time", np.array([-1.0, 0.0])),
    "snapshot times equal": _replaced("snapshot/snapshot_time", np.zeros(2)),
    "rho negative": _replaced("rho", np.array([-1.0, 1.0, 1.0])),
    "rho of two": _replaced("rho", np.ones(3)),
    "policies of two": _replaced("snapshot/policy", np.full((2, 3, 4), 0.5)),
    "policies negative": _replaced("snapshot/policy", np.tile([-1.0, 1.0, 0.5, 0.5], (2, 3, 1))),
    "optimal policy negative": _replaced("optimum/policy", np.tile([-1.0, 1.0, 0.5, 0.5], (3, 1))),
    "policies at a point": _replaced("snapshot/policy", np.tile([1.0, 0.0, 0.0, 0.0], (2, 3, 1))),
    "policies of subnormals": _replaced("snapshot/policy", np.tile([1.0, 5e-324, 0.0, 0.0], (2, 3, 1))),
    "policies nan": _replaced("snapshot/policy", np.full((2, 3, 4), np.nan)),
    "largest gap of 1e307": _replaced("gap_sup", np.array([1.0, 1e307])),
    "values of 1e308": _replaced("snapshot/value", np.full((2, 3), 1.7e308) * np.array([1.0, -1.0, 1.0])),
    "optimal values of 1e308": _replaced("optimum/value", 1.7e308 * np.array([1.0, -1.0, 1.0])),
    "optimal q of 1e308": _replaced("optimum/q", 1.7e308 * np.array([1.0, -1.0, 1.0, -1.0]) * np.ones((3, 1))),
    "times of 1e308": _replaced("time", np.array([0.0, 1.7e308])),
    "times of subnormals": _replaced("time", np.array([0.0, 5e-324])),
    "times nan": _replaced("time", np.full(2, np.nan)),
    "times infinite": _replaced("time", np.array([0.0, np.inf])),
    "rates of 1e308": _replaced("rate_observed", np.array([1.7e308, np.nan])),
    "no rows": lambda file: [_replaced(name, np.empty(0))(file) for name in SERIES],
    "one row": lambda file: [_replaced(name, np.ones(1))(file) for name in SERIES],
}


def stated(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of files above."""
    for name in names:
        yield name, _sealed(folder, STATED[name])


def mixed(folder: Path, rng: random.Random, count: int) -> Iterator[bytes]:
    """Files in which a few numbers are odd ones: anywhere, or in a whole data set."""

    def change(file: h5py.File) -> None:
        for _ in range(rng.randint(1, 3)):
            which = rng.random()
            if which < 0.15:
                file.attrs[rng.choice(NUMBERS)] = rng.choice(ODD)
            elif which < 0.3:
                name = rng.choice([*EDGES])
                file[name][...] = sorted(rng.choice(ODD) * rng.random() for _ in range(EDGES[name]))
            else:
                name = rng.choice([*SHAPES])
                numbers = file[name][()].ravel()
                places = range(numbers.size) if rng.random() < 0.3 else [rng.randrange(numbers.size)]
                for place in places:
                    numbers[place] = rng.choice(ODD)
                file[name][...] = numbers.reshape(file[name].shape)

    for _ in range(count):
        yield _sealed(folder, change)


def _sealed(folder: Path, change: Change) -> bytes:
    path = folder / "changed.h5"
    shutil.copy(folder / "run.h5", path)
    os.truncate(path, path.stat().st_size - TRAILER_LENGTH)
    with h5py.File(path, "r+") as file:
        change(file)
    append_trailer(path)
    return path.read_bytes()


def prepare_showing(folder: Path) -> Callable[[bytes], str]:
    """The judge: all that shows a run shows this one, or refuses it."""
    from wpoflow.commands import info, plot
    from wpoflow.solver.storage.atomic import RunFileError
    from wpoflow.solver.storage.writer import open_run
    from wpoflow.views.figures import FIGURES, FigureError
    from wpoflow.views.figures.decay import rates_of

    path = folder / "sealed.h5"

    def drawn(kind: str) -> bool:
        return show(lambda: plot.main(files=[path], output=folder / "f.svg", kind=kind, state={}, force=True))

    def show(command: Callable[[], object]) -> bool:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                command()
        except (RunFileError, MemoryError) as error:
            check_lines([str(error)], str(path))
            return False
        except FigureError as error:
            check_lines([str(error)], "")
        finally:
            rates_of.cache_clear()  # a command ends here, and lets go of the run
        return True

    def judge(content: bytes) -> str:
        path.write_bytes(content)
        del content
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shown = [
                show(lambda: info.main(file=path, as_json=True, anyway=False)),
                show(lambda: info.main(file=path, as_json=False, anyway=False)),
                show(lambda: open_run(path).to_xarray()),
                show(lambda: plot.movie(file=path, output=folder / "m.gif", state={}, fps=4.0, force=True)),
            ]
            for kind in FIGURES if shown[0] else ("overview",):
                if kind != "constants" or all(shown):  # an eigenvalue problem: its numbers are validation's
                    shown.append(drawn(kind))
        if shown[0] != shown[1]:
            raise BadAnswerError("one form of info shows what the other refuses")
        return "shown" if all(shown) else "refused" if not any(shown) else "refused in part"

    write_run(path)
    judge(path.read_bytes())
    return judge


def fuzz(count: int, seed: int, keep: Path | None = None, names: Sequence[str] = tuple(STATED)) -> Tally:
    """Judge every stated file, or some of them, and so many with odd numbers."""
    rng, tally = random.Random(seed), Tally(keep)
    with tempfile.TemporaryDirectory() as name, Worker(prepare_showing, seconds=SECONDS) as worker:
        folder = Path(name)
        write_run(folder / "run.h5")
        for what, case in stated(folder, names):
            tally.add("stated", case, worker.judge(case), what)
        for number, case in enumerate(mixed(folder, rng, count)):
            tally.add("mixed", case, worker.judge(case), f"number {number}")
    return tally
