"""Options of ``wpoflow rollout``.  As light as `wpoflow.options`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from wpoflow.options import Choice, pairs, together


def _settings(_: click.Context, __: click.Parameter, entries: Sequence[str]) -> dict[str, int | float | str]:
    """Settings of a plan; what is no number is a word."""
    return {name: _number(value) for name, value in pairs("--plan", entries).items()}


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


rollout_options = together(
    click.option(
        "--env", "environment", required=True, metavar="ID", help="As Pendulum-v1, or dm_control/DOMAIN-TASK."
    ),
    click.option(
        "--episodes",
        type=click.IntRange(min=1, max=10_000_000),
        default=1000,
        show_default=True,
        metavar="N",
        help="Number of episodes.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0, max=2**31 - 1),
        default=0,
        show_default=True,
        metavar="N",
        help="Of the first episode; the others count on from it.",
    ),
    click.option(
        "--mode",
        type=Choice(["median", "mean", "mode", "sampled"]),
        help="Act by the policy's median, mean or mode, or draw from it. Default median; mode where actions are "
        "labels.",
    ),
    click.option(
        "--policy",
        type=Choice(["flow", "optimum"]),
        help="The last policy of the flow, or the soft optimum. Default flow, if the file has one.",
    ),
    click.option(
        "--hold",
        type=click.IntRange(min=1, max=10_000),
        default=1,
        show_default=True,
        metavar="N",
        help="Steps that an action is held for; by default the policy is asked at every step, however it was solved "
        "for.",
    ),
    click.option(
        "--look-ahead",
        type=click.IntRange(min=1),
        metavar="D",
        help="Act by looking D decisions ahead, over all sequences of the grid's actions, with the value at the end.",
    ),
    click.option(
        "--cem",
        type=click.IntRange(min=1),
        metavar="N",
        help="Act by plans of N actions of the cross-entropy method, with the value at the end.",
    ),
    click.option(
        "--plan",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_settings,
        help="Of a plan: hold, repeat, model=problem|environment; temperature (look-ahead; 0 is a plain minimum); "
        "samples, iterations, elite, spread, colour, seed (cem). Repeat.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, all returns included."),
)
