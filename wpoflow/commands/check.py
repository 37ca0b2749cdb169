"""``wpoflow check``: what a run would be, without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wpoflow.commands.prepare import build, read, refuse_gap_below_rounding, scheme_used
from wpoflow.estimate import seconds_per_step
from wpoflow.exits import Exit
from wpoflow.views.terminal import bytes_text, grid_line, show, sizes_line, table


def main(
    *,
    problem: str,
    cells: Mapping[str, int],
    overrides: Mapping[str, str],
    settings: Mapping[str, Any],
    threads: int | None,
) -> Exit:
    """Print the resolved problem, then its sizes, kernels and estimates; nothing before all that may fail."""
    read_file = read(problem, cells, overrides, **settings)
    prepared = build(read_file, threads)
    refuse_gap_below_rounding(prepared, settings)
    used = scheme_used(prepared, settings)
    from wpoflow.solver.bellman.linear_solver import linear_solver_of
    from wpoflow.solver.bellman.optimum import least_gap_floor

    mdp, expected = prepared.mdp, prepared.estimate
    seconds = seconds_per_step(expected, used)
    rows = [
        ("title", read_file.title),
        ("states", grid_line(mdp.states) or "one state (a bandit)"),
        ("actions", grid_line(mdp.actions)),
        ("sizes", sizes_line(mdp.states.size, mdp.actions.size)),
        ("transition", mdp.transition.description),
        ("Bellman solver", linear_solver_of(mdp)),
        ("time scheme", used),
        ("stops at", ", ".join(f"{name} {value:g}" for name, value in read_file.flow.until.criteria.items())),
        ("gap floor", f"at least {least_gap_floor(mdp):.2g} (rounding)"),
        ("memory", f"about {bytes_text(expected.needed)} of {bytes_text(expected.available)} available"),
        ("time", f"about {seconds:.1g} s a step, within a factor of three"),
    ]
    show(f"# {read_file.label}, as resolved with defaults filled in\n{read_file.text}")
    show(f"# what a run would be\n{table(rows)}")
    return Exit.DONE
