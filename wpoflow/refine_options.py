"""Options of ``wpoflow refine``.  As light as `wpoflow.options`."""

from __future__ import annotations

import click

from wpoflow.options import Choice, Output, parse_times, together
from wpoflow.solver.registry import fixed_step_schemes

refine_options = together(
    click.option(
        "--levels",
        type=click.IntRange(min=3),
        default=4,
        show_default=True,
        metavar="N",
        help="Number of grids in each.",
    ),
    click.option(
        "--quantity",
        "quantities",
        multiple=True,
        metavar="SERIES",
        help="What to look at: any series of a run; repeat. Default value_rho and gap.",
    ),
    click.option(
        "--axis",
        "directions",
        multiple=True,
        metavar="AXIS",
        help="Refine this axis alone, or states, actions, grid (all axes), time (the step), all; repeat. "
        "Default states, actions, grid and time.",
    ),
    click.option(
        "--time",
        "times",
        type=float,
        multiple=True,
        metavar="T",
        callback=parse_times,
        help="Flow time at which to look; repeat. Default where the file's own run stops, by its gap or time.",
    ),
    click.option("--factor", type=Choice(["2", "sqrt2"]), default="2", show_default=True, help="Ratio of mesh sizes."),
    click.option(
        "--scheme",
        type=Choice(fixed_step_schemes()),
        help="Scheme whose steps are refined. Default the file's, or where that takes no fixed steps the best that "
        "does.",
    ),
    click.option("--step", type=float, metavar="DT", help="Coarsest step. Default T/64 or somewhat less."),
    click.option(
        "--accuracy", type=float, metavar="TOL", help="Of the time steps where grids are refined. Default 1e-7."
    ),
    click.option("--plot", type=Output(), metavar="FILE", help="Draw differences and slopes."),
    click.option("--force", is_flag=True, help="Replace the figure, if it is one of wpoflow."),
)
