"""Options of ``wpoflow truth`` and ``wpoflow optimum``.  As light as `wpoflow.options`."""

from __future__ import annotations

from pathlib import Path

import click

from wpoflow.options import Output, together

truth_options = together(
    click.option(
        "--states",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="POINTS.csv",
        help="Where: a table whose columns are the state axes by name.",
    ),
    click.option(
        "--sample", type=click.IntRange(min=1), metavar="N", help="Instead, so many states drawn evenly from the box."
    ),
    click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Of the sample."
    ),
    click.option(
        "-o",
        "--output",
        type=Output(),
        metavar="FILE",
        help="Where to write, by its ending: .csv, .parquet (needs pyarrow) or .nc (needs xarray).",
    ),
)
optimum_options = together(
    click.option(
        "--temperature",
        type=click.FloatRange(min=0.0),
        metavar="TAU",
        help="Instead of the problem's; at 0 the optimum of the costs alone, by policy iteration.",
    ),
    click.option(
        "--flow",
        type=click.Choice(["gaussian"]),
        metavar="NAME",
        help="gaussian: the stationary points of V among Gaussian policies instead, from several starts.",
    ),
    click.option(
        "--corrected",
        is_flag=True,
        help="Print the corrected value, too: limited cubic instead of linear interpolation, with a band of the grid's "
        "error; -o stores the certified optimum all the same.",
    ),
)
