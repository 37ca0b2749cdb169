"""Reference of the run file, by looking into a run made for it: what is not in the file cannot be in the manual."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py

from docs.extensions.commands import cell
from wpoflow.problems.load import load_problem
from wpoflow.solver.records.layout import OPTIMUM_NUMBERS
from wpoflow.solver.records.series import SERIES
from wpoflow.solver.records.stop import StopKind
from wpoflow.solver.runs.evolve import evolve

ATTRIBUTES: dict[str, str] = {
    "title": "title of the problem",
    "problem": "the resolved problem as TOML text; absent for problems stated in Python, see `/problem`",
    "discount": "γ",
    "temperature": "τ",
    "state_axes": "names of the state axes, separated by spaces, in the order of the dimensions",
    "action_axes": "names of the action axes, likewise",
    "transition": "how next states are computed, in words",
    "status": '`"complete"`, `"running"`, `"interrupted"` or `"failed"`',
    "stop_reason": "why the run stopped, in a sentence",
    "stop_kind": "the same in a word: " + ", ".join(f"`{kind.value}`" for kind in StopKind),
    "reached_goal": "1 if a time or gap that was asked for was reached, or neither was asked for",
    "flow": "which flow",
    "scheme": "time scheme used",
    "accuracy": "accuracy asked for, as text; absent with fixed steps",
    "step": "size of fixed steps, as text; absent with controlled steps",
    "bellman_solver": "linear solver of the Bellman equations",
    "steps": "accepted steps",
    "rejected_steps": "steps repeated shorter",
    "fallback_steps": "steps taken as backward Euler, where descent would have been lost",
    "gap_floor": "rounding floor of the gap",
    "wall_seconds": "seconds from start to end",
    "compile_seconds": "of these, spent compiling",
    "run_id": "the same in all files of a run, and in no other's",
    "resumed": "how often the run was gone on with",
    "schema_version": "version of this layout",
    "wpoflow_version": "version that wrote the file",
    "source_hash": "SHA-256 over the sources that wrote it",
    "packages": "versions of Python and packages, as JSON",
}
OPTIMUM_ATTRIBUTES: dict[str, str] = {
    "bellman_residual": "max |V − TV|; the error of V is at most this over 1 − γ",
    "gap_floor": "rounding floor of a gap measured against this optimum",
    "iterations": "soft policy iterations done",
}
PROBLEM_ARRAYS: dict[str, tuple[str, str]] = {
    "cost": ("(x, u)", "running cost, expected terminal cost included"),
    "initial_policy": ("(x, u)", "cell probabilities the flow started from"),
    "alive": ("(x)", "1 at states outside the terminal set or depended on from there; absent if all are"),
    "termination": ("(x, u)", "probability that the pair ends; absent if none does"),
    "clamped": ("(x, u)", "probability that clamping moved the next state; absent if it cannot"),
    "transition_data": ("(n)", "entries of the compressed rows P(·|s, a), row s·A + a, of kernels that hold them"),
    "transition_indices": ("(n)", "their next states"),
    "transition_indptr": ("(S·A + 1)", "where each row begins"),
}
_SKIPPED = frozenset(("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid", "_NCProperties"))
_OWN = "Each data set has the attributes `long_name`, its meaning below, and `units`, always `1`; axes `boundary`, too."


def small_run(folder: Path, step: float | None = None) -> Path:
    """A run file of a small regulator, of controlled error or with fixed steps."""
    mdp = load_problem("lqr", cells={"x": 4, "u": 3})
    accuracy = 1e-2 if step is None else None
    evolve(mdp, until={"steps": 2}, output=folder / "run.h5", force=True, step=step, accuracy=accuracy)
    return folder / "run.h5"


def attributes_of(path: Path) -> tuple[set[str], set[str]]:
    """Names of the attributes of a run file, and of its group ``optimum``."""
    with h5py.File(path) as run:
        return set(run.attrs) - _SKIPPED, set(run["optimum"].attrs) - _SKIPPED


def data_sets(path: Path) -> Iterator[tuple[str, str, str]]:
    """Path, dimensions and meaning of every data set."""
    found: list[tuple[str, h5py.Dataset]] = []
    with h5py.File(path) as run:
        run.visititems(lambda name, thing: found.append((name, thing)) if isinstance(thing, h5py.Dataset) else None)
        for name, data in found:
            scales = [next(iter(dim.keys()), "") for dim in data.dims]
            own = name.rpartition("/")[2]
            dims = ", ".join(scale.rpartition("/")[2] or own for scale in scales)
            yield f"/{name}", f"({dims})", str(data.attrs["long_name"])


def markdown() -> str:
    """Tables of data sets and attributes."""
    with tempfile.TemporaryDirectory() as folder:
        found = list(data_sets(small_run(Path(folder))))
    groups = {
        "Scalar series": [entry for entry in found if entry[0][1:] in SERIES],
        "Optimum": [entry for entry in found if entry[0].startswith("/optimum/")],
        "Snapshots": [entry for entry in found if entry[0].startswith("/snapshot/")],
    }
    listed = {name for entries in groups.values() for name, _, _ in entries}
    groups["Grid and measures"] = [entry for entry in found if entry[0] not in listed]
    order = list(SERIES)
    groups["Scalar series"].sort(key=lambda entry: order.index(entry[0][1:]))
    lines = [_OWN, ""]
    for title, entries in groups.items():
        lines += [f"## {title}", "", *_table("data set", entries)]
        if title == "Optimum":
            numbers = [(name, "", OPTIMUM_ATTRIBUTES[name]) for name in OPTIMUM_NUMBERS]
            lines += _table("attribute of `/optimum`", numbers)
    arrays = [(f"/problem/{name}", dims, meaning) for name, (dims, meaning) in PROBLEM_ARRAYS.items()]
    lines += ["## Problems stated in Python", "", "These have no text; the file keeps the arrays instead.", ""]
    lines += _table("data set", arrays)
    lines += ["## Attributes of the file", "", *_table("attribute", [(n, "", m) for n, m in ATTRIBUTES.items()])]
    return "\n".join(lines)


def _table(heading: str, entries: list[tuple[str, str, str]]) -> list[str]:
    if any(dims for _, dims, _ in entries):
        rows = [f"| `{name}` | {dims} | {cell(meaning)} |" for name, dims, meaning in entries]
        return [f"| {heading} | dimensions | meaning |", "| --- | --- | --- |", *rows, ""]
    rows = [f"| `{name}` | {cell(meaning)} |" for name, _, meaning in entries]
    return [f"| {heading} | meaning |", "| --- | --- |", *rows, ""]
