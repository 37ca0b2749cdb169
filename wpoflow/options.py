"""Options and help that need some words: NAME=VALUE entries, the state of a figure, the kinds of figures.

As light as `wpoflow.cli`: click and the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from views.figures.registry import FIGURES


def pairs(option: str, entries: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE entries of a repeated option as a dict."""
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise click.UsageError(f"{option} {entry}: write NAME=VALUE")
        if name.strip() in found:
            raise click.UsageError(f"{option} {name.strip()} is given twice")
        found[name.strip()] = value.strip()
    return found


def _parse_state(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, float]:
    point = {}
    for name, value in pairs("--state", entries).items():
        try:
            point[name] = float(value)
        except ValueError:
            raise click.UsageError(f"--state {name}={value}: {value} is not a number") from None
    return point


state_option = click.option(
    "--state", multiple=True, metavar="AXIS=VALUE", callback=_parse_state,
    help="State to look at, the nearest grid point; axes left out: the middle.",
)  # fmt: skip


def plot_help() -> str:
    """Help of ``plot``, with the kinds of figures."""
    kinds = {name: kind.shows for name, kind in FIGURES.items()}
    kinds["refinement"] = "differences between levels, from the refine.json of wpoflow refine --report"
    lines = "\n".join(f"  {name:<12}{shows}" for name, shows in kinds.items())
    return f"Draw a figure of a run file. Kinds:\n\n\b\n{lines}"
