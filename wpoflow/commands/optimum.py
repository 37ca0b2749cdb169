"""``wpoflow optimum``: the soft-optimal value and policy, or those of the costs alone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wpoflow.commands.outputs import files_read
from wpoflow.commands.prepare import build
from wpoflow.commands.subject import naming_its_subject
from wpoflow.core.text import one_line
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.problem_file import read_problem
from wpoflow.ranks import ending_together, joined, speaks
from wpoflow.solver.storage.atomic import check_output
from wpoflow.views.terminal import grid_rows, path_text, show, table

if TYPE_CHECKING:
    from wpoflow.core.arrays import FloatArray
    from wpoflow.core.communicator import Communicator
    from wpoflow.problems.problem_file import ProblemFile
    from wpoflow.solver.mdp import GridMDP
    from wpoflow.solver.records.flow_table import FlowTable

SHOCK = "shock"
MANY_AXES = 4


@naming_its_subject
def main(
    *,
    asked: Mapping[str, Any],
    temperature: float | None,
    flow: str | None,
    corrected: bool,
    output: Path | None,
    quiet: bool,
    force: bool,
    mpi: bool | None,
) -> Exit:
    """Solve for the optimum, print its main numbers, store it if asked to; see `wpoflow.commands.run.main`."""
    communicator = joined(mpi)
    with ending_together(communicator):
        return _solve(
            asked, temperature, flow, corrected, output, quiet or not speaks(communicator), force, communicator
        )


def _solve(
    asked: Mapping[str, Any],
    temperature: float | None,
    flow: str | None,
    corrected: bool,
    output: Path | None,
    quiet: bool,
    force: bool,
    communicator: Communicator | None,
) -> Exit:
    hard = temperature == 0.0
    if flow is not None and (hard or communicator is not None):
        other = "--temperature 0" if hard else "--mpi"
        raise CommandError(Exit.UNUSABLE, f"--flow {flow}: cannot be asked for with {other}")
    if corrected and (hard or communicator is not None or flow is not None):
        other = "--temperature 0" if hard else "--mpi" if flow is None else "--flow"
        raise CommandError(Exit.UNUSABLE, f"--corrected: cannot be asked for with {other}")
    if temperature is not None and not math.isfinite(temperature):
        raise CommandError(Exit.UNUSABLE, f"--temperature {temperature}: must be finite")
    if temperature is not None and not hard:
        asked = {**asked, "set": {**asked.get("set", {}), "problem.temperature": repr(temperature)}}
    stated = read_problem(**(asked if flow is None else {**asked, "flow": flow}))
    if output is not None and speaks(communicator):
        check_output(output, force, files_read(asked))
    prepared = build(stated, communicator)
    from wpoflow.grids.transitions.base import in_words
    from wpoflow.solver.bellman.optimum import solve_optimum
    from wpoflow.solver.storage.optimum_file import save_optimum

    started = time.monotonic()
    if flow is not None:
        return _restricted(prepared.mdp, stated.flow, output, quiet, force)
    best = solve_optimum(prepared.mdp, temperature=0.0 if hard else None, nested=False)
    seconds = time.monotonic() - started
    if output is not None:
        save_optimum(prepared.mdp, best, output, force=force, seconds=seconds)
    if not quiet:
        mdp, kind = prepared.mdp, "" if hard else "soft "
        whole = not hard and communicator is None
        errors = [*_grid_error(mdp, best.value, whole), *(_corrected(mdp, stated, best.value) if corrected else [])]
        rows = [
            ("title", one_line(mdp.title)),
            *grid_rows(mdp),
            ("transition", in_words(mdp.transition)),
            ("value", f"{mdp.rho @ best.value:.12g} on average over the initial law"),
            ("", f"{best.value.min():.6g} to {best.value.max():.6g} over the states"),
            *errors,
            ("temperature", "0, the costs alone" if hard else f"{best.temperature:g}"),
            ("Bellman residual", f"{best.bellman_residual:.3g} after {best.iterations} {kind}policy iterations"),
            ("gap floor", f"{best.gap_floor:.3g} (rounding)"),
            ("seconds", f"{seconds:.2f}"),
            ("file", path_text(output) if output is not None else "none; -o FILE.h5 stores value, Q and policy"),
        ]
        show(table(rows))
    return Exit.DONE


def _grid_error(mdp: GridMDP, value: FloatArray, whole: bool) -> list[tuple[str, str]]:
    """How far the value of four state axes or more is from that of finer grids; nothing of fewer axes."""
    if sum(axis.size > 1 and axis.boundary != SHOCK for axis in mdp.states.axes) < MANY_AXES:
        return []
    band = None
    if whole:
        from wpoflow.solver.corrected.band import markov_band

        band = markov_band(mdp, value)
    if band is None:
        return [("grid error", "not measured" + ("" if whole else " of several processes or at temperature 0"))]
    said = f"about {mdp.rho @ band:.3g} on average over the initial law, {band.max():.3g} at most"
    return [("grid error", f"{said}, by the grid of every second point; see --corrected")]


def _corrected(mdp: GridMDP, stated: ProblemFile, value: FloatArray) -> list[tuple[str, str]]:
    """The corrected value and its band."""
    from wpoflow.studies.truth.coarse import band_words, beyond_words, judged

    try:
        judgement = judged(mdp, stated, markov=value)
    except ValueError as error:
        raise CommandError(Exit.UNUSABLE, f"--corrected: {error}") from error
    found, band = judgement.found, judgement.band.at(mdp.states.points)
    beyond = beyond_words(mdp, found)
    said = f"{mdp.rho @ band:.3g} on average, {band.max():.3g} at most"
    return [
        ("corrected value", f"{mdp.rho @ found.value:.12g} on average over the initial law"),
        ("", f"grid error about {said}, {band_words(mdp, judgement.axes)}"),
        ("", f"residual {found.residual:.3g} after {found.iterations} corrections; no certificate"),
        *([("", beyond)] if beyond else []),
    ]


def _restricted(mdp: GridMDP, asked: FlowTable, output: Path | None, quiet: bool, force: bool) -> Exit:
    """The stationary points among Gaussian policies, printed and stored."""
    from wpoflow.solver.bellman.optimum import solve_optimum
    from wpoflow.studies.stationary_gaussians import save_stationary, stationary_gaussians

    started = time.monotonic()
    best = solve_optimum(mdp)
    limits = stationary_gaussians(mdp, optimum=best, components=asked.components or 1, beta=asked.beta or 1.0)
    seconds = time.monotonic() - started
    if output is not None:
        save_stationary(mdp, best, limits, output, force=force, seconds=seconds)
    if not quiet:
        rows = [
            ("title", one_line(mdp.title)),
            *grid_rows(mdp),
            ("soft optimum", f"{mdp.rho @ best.value:.12g} on average over the initial law"),
            ("limits", f"{len(limits)}, from {sum(len(one.starts) for one in limits)} starts"),
        ]
        for number, one in enumerate(limits):
            rows += [
                (f"limit {number}", f"gap {one.gap:.9g}, value {one.value_rho:.12g}, gradient {one.gradient:.2g}"),
                ("", f"from {', '.join(one.starts)}"),
            ]
        rows += [
            ("seconds", f"{seconds:.2f}"),
            ("file", path_text(output) if output is not None else "none; -o FILE.h5 stores them as snapshots"),
        ]
        show(table(rows))
    return Exit.DONE
