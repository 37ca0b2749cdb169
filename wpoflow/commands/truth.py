"""``wpoflow truth``: optimal value, Q and policy at given states, with how far the grid is off."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wpoflow.commands.outputs import files_read
from wpoflow.commands.prepare import build
from wpoflow.commands.subject import naming_its_subject
from wpoflow.core.text import one_line
from wpoflow.exits import CommandError, Exit
from wpoflow.problems.problem_file import read_problem
from wpoflow.solver.storage.atomic import check_output
from wpoflow.views.terminal import grid_rows, path_text, show, table


@naming_its_subject
def main(
    *,
    asked: Mapping[str, Any],
    states: Path | None,
    sample: int | None,
    seed: int,
    output: Path | None,
    quiet: bool,
    force: bool,
) -> Exit:
    """Compute, print what describes it, and write the data set."""
    from wpoflow.studies.truth.coarse import band_words, beyond_words
    from wpoflow.studies.truth.files import check_ending
    from wpoflow.studies.truth.places import checked_places, drawn_states, read_states
    from wpoflow.studies.truth.truth import truth_of

    if (states is None) == (sample is None):
        raise CommandError(Exit.UNUSABLE, "give either --states POINTS.csv or --sample N, the number of states to draw")
    try:
        if output is not None:
            check_ending(output)
        stated = read_problem(**asked)
        if output is not None:
            reads = [*files_read(asked), *([] if states is None else [str(states)])]
            check_output(output, force, reads)
        prepared = build(stated)
        prepared.tell_doubts()
        mdp = prepared.mdp
        if sample is not None:
            places = drawn_states(mdp.states, sample, seed)
        else:
            assert states is not None
            places = checked_places(mdp, read_states(states, mdp.states), str(states))
        started = time.monotonic()
        found = truth_of(mdp, places, stated=stated)
    except (ValueError, ImportError) as error:
        raise CommandError(Exit.UNUSABLE, str(error)) from error
    seconds = time.monotonic() - started
    if output is not None:
        found.save(output, force=True)
    if not quiet:
        beyond = beyond_words(mdp, found.solution)
        rows = [
            ("title", one_line(mdp.title)),
            *grid_rows(mdp),
            ("objective", mdp.objective),
            (
                "states",
                f"{len(places):,} from {path_text(states)}" if states else f"{len(places):,} drawn, seed {seed}",
            ),
            ("value", f"{found.value.mean():.6g} in the mean, {found.value.min():.6g} to {found.value.max():.6g}"),
            (
                "grid error",
                f"band {_spread(found.value_band)}, {band_words(mdp, found.band_axes)}",
            ),
            ("without correction", f"{found.markov_value.mean():.6g} in the mean, band {_spread(found.markov_band)}"),
            ("residual", f"{found.solution.residual:.3g} after {found.solution.iterations} corrections"),
            *([("beyond costs", beyond)] if beyond else []),
            ("seconds", f"{seconds:.2f}"),
            ("file", path_text(output) if output is not None else "none; -o FILE.csv, .parquet or .nc stores it"),
        ]
        show(table(rows))
    return Exit.DONE


def _spread(band: np.ndarray) -> str:
    return f"{np.median(band):.3g} (median), {band.max():.3g} at most"
